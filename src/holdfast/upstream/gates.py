"""The gates of every upstream, credential and model, asked together before an attempt and told after it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import inf
from typing import Literal

from holdfast.clock import Clock, Dice
from holdfast.errors import BudgetExhausted, RateLimited, Refused, Unauthenticated
from holdfast.events import GateChanged, Observer, unobserved
from holdfast.language import Sentence
from holdfast.policy.failure import Failure, Ruling
from holdfast.policy.failure import Gate as GateName
from holdfast.policy.gate import (
    Closed,
    ClosedUntil,
    Gate,
    GateConfig,
    GateMove,
    Open,
    Standing,
    Why,
    gate_of,
    until_next_month,
)
from holdfast.policy.permit import Outcome, Permit
from holdfast.wire.headers import Headers, reset_after

KEPT = 1_000
"""Gates kept of each name: callers name models and bring keys, so the number must not be theirs to choose."""
NAMES: tuple[GateName, ...] = ("credential", "spend", "rate", "ramp")


@dataclass(frozen=True, slots=True)
class Place:
    """What one gate stands before.

    `credential` is a name or a fingerprint, never the key itself, and before a spend gate the organisation
    where one is named. Only rate and ramp gates stand before a model.
    """

    gate: GateName
    upstream: str
    credential: str
    model: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.upstream, self.credential, self.model) if part is not None)


Tell = Callable[[Place, GateMove], None]


def untold(place: Place, move: GateMove) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave of all gates for one attempt; goes back once, by `report` or `failed`."""

    permits: tuple[tuple[Place, Gate, Permit], ...]

    @property
    def gates(self) -> tuple[tuple[Place, Gate], ...]:
        """The gates passed."""
        return tuple((place, gate) for place, gate, _ in self.permits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An attempt may not be made; `retry_after` in seconds, `None` when only a person can change that."""

    place: Place
    why: Why
    retry_after: float | None

    def error(self) -> Refused:
        """The refusal as the caller should see it: like the answer that the upstream would have given."""
        upstream, model = self.place.upstream, (self.place.model or "")[:100]
        seconds = 0 if self.retry_after is None else max(1, round(self.retry_after))
        match self.why:
            case "credential_rejected":
                return Unauthenticated(
                    Sentence(
                        f"The upstream `{upstream}` rejects the key that it is called with."
                        " Replace the key, then open the credential gate.",
                        ko=f"업스트림 `{upstream}`이(가) 호출에 쓰는 키를 거부합니다."
                        " 키를 교체한 뒤 자격 증명 게이트를 여세요.",
                    )
                )
            case "spend_limit_reached":
                return BudgetExhausted(
                    Sentence(
                        f"The account at the upstream `{upstream}` has reached its spend limit or is not paid."
                        " Raise the limit there, or use a key of another organisation.",
                        ko=f"업스트림 `{upstream}`의 계정이 지출 한도에 도달했거나 결제되지 않았습니다."
                        " 그곳에서 한도를 올리거나 다른 조직의 키를 쓰세요.",
                    ),
                    retry_after=self.retry_after,
                )
            case "concurrency_limited":
                sentence = Sentence(
                    f"As many calls to `{model}` are under way at `{upstream}` as may be for now, because it"
                    f" limits how fast use may grow. Come back in {seconds} s.",
                    ko=f"`{upstream}`이(가) 사용량 증가 속도를 제한하여 지금은 `{model}` 동시 호출이 가득 찼습니다."
                    f" {seconds}초 뒤에 다시 시도하세요.",
                )
            case "rate_limited" | "ramp_limited":
                sentence = Sentence(
                    f"The upstream `{upstream}` takes no more calls to `{model}` for now: a rate limit of the"
                    f" account is used up. Come back in {seconds} s.",
                    ko=f"계정의 요청 한도를 다 써서 지금은 업스트림 `{upstream}`에서 `{model}`을(를) 호출할 수 없습니다."
                    f" {seconds}초 뒤에 다시 시도하세요.",
                )
        return RateLimited(sentence, retry_after=self.retry_after)


class Gates:
    """Finds the gates of an attempt, asks all of them at once, and tells them how it went; thread-safe.

    A gate is kept while it has something to remember: calls under way, a closing, a limit. Beyond `KEPT`
    of one name the one unused longest begins afresh. `tell` hears of every move, too: it is set, if at all,
    before the first call.
    """

    def __init__(
        self,
        config: GateConfig,
        *,
        clock: Clock,
        dice: Dice,
        observe: Observer = unobserved,
    ) -> None:
        self._config = config
        self._clock = clock
        self._dice = dice
        self._observe = observe
        self.tell: Tell = untold
        self._lock = threading.Lock()
        self._gates: Mapping[GateName, OrderedDict[Place, Gate]] = {name: OrderedDict() for name in NAMES}

    def refusal(
        self, upstream: str, credential: str, model: str, *, organisation: str | None = None
    ) -> Refusal | None:
        """What would keep an attempt from being made now; takes no place, so `admit` may still say no."""
        with self._lock:
            gates = self._found(_places(upstream, credential, model, organisation))
            refusal = _refusal(gates, self._clock.monotonic())
            moves = self._changes(gates)
        self._announce(moves)
        return refusal

    def admit(
        self, upstream: str, credential: str, model: str, *, organisation: str | None = None
    ) -> Pass | Refusal:
        """Ask for leave to make one attempt; all gates give it, or none does.

        `credential` names the key and never is it: see `fingerprint`. Credentials of one `organisation`
        share their spend gate.
        """
        with self._lock:
            now = self._clock.monotonic()
            places = _places(upstream, credential, model, organisation)
            gates = self._found(places)
            answer: Pass | Refusal | None = _refusal(gates, now)
            if answer is None:
                gates = [(place, self._of(place)) for place in places]
                answer = Pass(tuple((place, gate, gate.grant(now=now)) for place, gate in gates))
            moves = self._changes(gates)
        self._announce(moves)
        return answer

    def begin(self, admission: Pass) -> None:
        """The first content of a stream came: probes have come through, the rest waits for the end."""
        with self._lock:
            now = self._clock.monotonic()
            for _, gate, permit in admission.permits:
                gate.begin(permit, now=now)
            moves = self._changes(admission.gates)
        self._announce(moves)

    def report(self, admission: Pass, outcome: Outcome) -> None:
        """An attempt is over and closes no gate; the second time this changes nothing."""
        self._settle(admission, outcome, closes=None, wait=None)

    def failed(self, admission: Pass, ruling: Ruling, failure: Failure, *, headers: Headers = ()) -> None:
        """An attempt failed: close the gate that the ruling names, for as long as the answer asks.

        A rate limit without `retry-after` lasts until the limits in `headers` are reset; if they do not say
        when either, the gate stays open.
        """
        match ruling.gate:
            case "spend":
                wait: float | None = until_next_month(self._clock.now())
            case "rate" if failure.retry_after is None:
                wait = reset_after(headers, now=self._clock.now())
            case "rate" | "ramp" | "credential" | None:
                wait = failure.retry_after
        self._settle(admission, ruling.outcome, closes=ruling.gate, wait=wait)

    def standing(self, place: Place) -> Standing:
        """Whether the gate before that place is open; one never closed is."""
        return self.closed().get(place, Open())

    def closed(self) -> dict[Place, Closed]:
        """Every gate that is closed now."""
        with self._lock:
            now = self._clock.monotonic()
            gates = [pair for kept in self._gates.values() for pair in kept.items()]
            standings = [(place, gate.standing(now=now)) for place, gate in gates]
            moves = self._changes(gates)
        self._announce(moves)
        return {place: seen for place, seen in standings if not isinstance(seen, Open)}

    def open(self, place: Place) -> None:
        """An operator's word: let calls through again; a gate that is open stays so."""
        with self._lock:
            gates = self._found((place,))
            for _, gate in gates:
                gate.open(now=self._clock.monotonic())
            moves = self._changes(gates)
        self._announce(moves)

    def follow(
        self, place: Place, state: Literal["open", "closed"], *, at: float, retry_after: float | None
    ) -> None:
        """Let a gate follow a peer's that moved at `at`; one never closed has nothing to open."""
        with self._lock:
            gates = [(place, self._of(place))] if state == "closed" else self._found((place,))
            for _, gate in gates:
                gate.adopt(state, now=self._clock.monotonic(), at=at, retry_after=retry_after)
            moves = self._changes(gates)
        self._announce(moves)

    def _settle(
        self, admission: Pass, outcome: Outcome, *, closes: GateName | None, wait: float | None
    ) -> None:
        with self._lock:
            now, roll = self._clock.monotonic(), self._dice.random()
            for place, gate, permit in admission.permits:
                if place.gate == closes:
                    gate.close(permit, now=now, roll=roll, wait=wait)
                else:
                    gate.report(permit, outcome, now=now)
            moves = self._changes(admission.gates)
        self._announce(moves)

    def _found(self, places: Iterable[Place]) -> list[tuple[Place, Gate]]:
        return [(place, gate) for place in places if (gate := self._gates[place.gate].get(place))]

    def _of(self, place: Place) -> Gate:
        kept = self._gates[place.gate]
        gate = kept.get(place)
        if gate is None:
            gate = kept[place] = gate_of(place.gate, self._config)
            if len(kept) > KEPT:
                kept.popitem(last=False)
        else:
            kept.move_to_end(place)
        return gate

    def _changes(self, gates: Iterable[tuple[Place, Gate]]) -> list[tuple[Place, GateMove]]:
        """What has happened to these gates; those with nothing to remember are forgotten."""
        moves: list[tuple[Place, GateMove]] = []
        for place, gate in gates:
            moves += [(place, move) for move in gate.take_moves()]
            kept = self._gates[place.gate]
            if gate.is_idle and kept.get(place) is gate:
                del kept[place]
        return moves

    def _announce(self, moves: Iterable[tuple[Place, GateMove]]) -> None:
        for place, move in moves:
            self._observe(_event(place, move))
            self.tell(place, move)


def fingerprint(key: str) -> str:
    """A name for a caller's own key that is the same every time and does not give the key away."""
    return sha256(key.encode()).hexdigest()[:16]


def _places(upstream: str, credential: str, model: str, organisation: str | None) -> tuple[Place, ...]:
    return (
        Place("credential", upstream, credential),
        Place("spend", upstream, organisation or credential),
        Place("rate", upstream, credential, model),
        Place("ramp", upstream, credential, model),
    )


def _refusal(gates: Iterable[tuple[Place, Gate]], now: float) -> Refusal | None:
    """What the gate says that holds longest."""
    closed = [(place, seen) for place, gate in gates if (seen := gate.refusal(now=now)) is not None]
    refusals = [Refusal(place=place, why=seen.why, retry_after=_wait(seen)) for place, seen in closed]
    return max(refusals, key=lambda refusal: _length(refusal.retry_after), default=None)


def _wait(closed: Closed) -> float | None:
    return closed.retry_after if isinstance(closed, ClosedUntil) else None


def _length(wait: float | None) -> float:
    return inf if wait is None else wait


def _event(place: Place, move: GateMove) -> GateChanged:
    return GateChanged(
        gate=place.gate,
        place=str(place),
        state=move.state,
        reason=move.reason,
        retry_after=move.retry_after,
    )
