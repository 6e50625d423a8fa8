"""Feels the pulse: makes facts of events, and gives the verdict over them."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from math import inf

from holdfast.clock import Clock
from holdfast.errors import (
    BudgetExhausted,
    CallNotPermitted,
    DeadlineExceeded,
    HoldfastError,
    MalformedRequest,
    RateLimited,
    StreamInterrupted,
    Unauthenticated,
    UnknownModel,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.events import AttemptEnded, CallEnded, Event, GateChanged, RequestCrashed
from holdfast.policy.evidence import Overhead, Overheads
from holdfast.policy.verdict import Effect, Fact, Judge, Served, Tried, Verdict, cause_of
from holdfast.ports import CallRecord

GATES = {RateLimited.error_code: ("rate", "ramp"), BudgetExhausted.error_code: ("spend",)}
"""What closed gates refuse in words that our own limits use, too."""
THEIRS = tuple(
    error.error_code
    for error in (CallNotPermitted, UpstreamError, UpstreamUnavailable, DeadlineExceeded, StreamInterrupted)
)
"""Our words for what an upstream has done."""
CALLERS = (MalformedRequest.error_code, UnknownModel.error_code)
OWN_FAULT = (400, 404, 409, 413, 422)
"""Statuses of an upstream that tell a caller of his own mistake."""
SAYS_NOTHING = ("abandoned", "client_gone", "draining")
"""Attempts that were ended from this side."""
MOST_GATES = 1_000
"""Closed gates that are remembered at once."""
HEARD = 10_000
"""Calls whose ids are remembered, so that none is heard of twice."""
CRASHES = 100
"""Calls that have crashed and are remembered, so that their doors do not count them once more."""


class Pulse:
    """An observer that always knows the verdict; safe from any thread, and cheap enough for every event."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._judge = Judge()
        self._closed: dict[tuple[str, str], float] = {}
        self._crashed: deque[str] = deque(maxlen=CRASHES)
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._overheads = Overheads()

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        now = self._clock.monotonic()
        with self._lock:
            self._hear(event, now)
            if isinstance(event, CallEnded):
                self._note(event, now)

    def hear_of(self, request_id: str, events: Iterable[Event], age: float) -> None:
        """Take note of what another worker has announced of a call so many seconds ago; none if that is too old."""
        now = self._clock.monotonic() - age
        with self._lock:
            self._remember(request_id)
            for event in events:
                self._hear(event, now)

    def has_heard(self, request_id: str) -> bool:
        """Whether that call is known to be over."""
        with self._lock:
            return request_id in self._heard

    def overhead(self) -> Overhead | None:
        """What this worker itself took of the calls of the last minute."""
        with self._lock:
            return self._overheads.of_late(self._clock.monotonic())

    def verdict(self) -> Verdict:
        """How things stand now."""
        with self._lock:
            return self._judge.verdict(self._clock.monotonic())

    def closed_gates(self) -> tuple[str, ...]:
        """The gates that let nothing through, as kind and place."""
        with self._lock:
            self._open_gates(self._clock.monotonic())
            return tuple(sorted(f"{gate} {place}" for gate, place in self._closed))

    def _hear(self, event: Event, now: float) -> None:
        fact = self._fact(event, now)
        if fact is not None:
            self._judge.hear(now, fact)

    def _note(self, event: CallEnded, now: float) -> None:
        self._remember(event.request_id)
        waited = _waited(event)
        if waited is not None:
            self._overheads.add(now, waited)

    def _remember(self, request_id: str) -> None:
        self._heard[request_id] = None
        if len(self._heard) > HEARD:
            self._heard.popitem(last=False)

    def _fact(self, event: Event, now: float) -> Fact | None:
        match event:
            case AttemptEnded():
                return _tried(event)
            case CallEnded():
                return self._served(event, now)
            case RequestCrashed() if event.request_id not in self._crashed:
                return Served(effect="failed", cause="us", mark=HoldfastError.error_code)
            case GateChanged():
                self._heed(event, now)
                return None
            case _:
                return None

    def _served(self, event: CallEnded, now: float) -> Served:
        effect = _effect(event)
        if effect in ("left", "answered", "cached") or (event.attempts and effect == "fallback"):
            return Served(effect=effect)
        self._open_gates(now)
        code = event.error_code or ""
        if event.attempts:
            is_ours = code.startswith("holdfast_") and code not in THEIRS
            return Served(effect=effect, cause="us" if is_ours else None, mark=code)
        if self._is_of_the_account(code, effect):
            return Served(effect="fallback" if effect == "fallback" else "failed", cause="account", mark=code)
        if code == CallNotPermitted.error_code or effect == "fallback":
            return Served(effect="fallback" if effect == "fallback" else "failed", blocked=True, mark=code)
        if code in CALLERS:
            return Served(effect="refused", cause="client", mark=code)
        if not code.startswith("holdfast_"):
            self._crashed.append(event.request_id)
            code = HoldfastError.error_code
        return Served(effect=effect, cause="us", mark=code)

    def _is_of_the_account(self, code: str, effect: Effect) -> bool:
        """Whether a call that was not sent was kept back by a gate; only gates reject a key behind the doors."""
        if code == Unauthenticated.error_code:
            return True
        kinds = {gate for gate, _ in self._closed}
        return bool(kinds) if effect == "fallback" else not kinds.isdisjoint(GATES.get(code, ()))

    def _heed(self, event: GateChanged, now: float) -> None:
        key = (event.gate, event.place)
        self._closed.pop(key, None)
        if event.state == "closed" and len(self._closed) < MOST_GATES:
            self._closed[key] = inf if event.retry_after is None else now + event.retry_after

    def _open_gates(self, now: float) -> None:
        """Gates open by themselves, and say so only when the next call comes."""
        self._closed = {key: until for key, until in self._closed.items() if until > now}


def _waited(event: CallEnded) -> float | None:
    """Milliseconds that an answered call waited for us: until the first attempt, or for an answer without any."""
    record = event.record
    story = record.story if isinstance(record, CallRecord) else None
    if story is not None and story.attempts:
        return story.attempts[0].began_ms
    return event.duration_ms if event.end == "answered" and not event.attempts else None


def _tried(event: AttemptEnded) -> Tried | None:
    if event.kind in SAYS_NOTHING:
        return None
    if event.blame is None:
        return Tried()
    mark = event.kind if event.status is None or event.kind in ("cut", "truncated") else str(event.status)
    return Tried(cause=cause_of(event.blame, mark), mark=mark)


def _effect(event: CallEnded) -> Effect:
    if event.end == "abandoned":
        return "left"
    if event.end == "refused" or event.status in OWN_FAULT:
        return "refused"
    if event.end == "failed" or event.status >= 400:
        return "failed"
    match event.label:
        case "cached" | "fallback":
            return event.label
        case _:
            return "answered"
