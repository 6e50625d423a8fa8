"""The inner ring: targets, gates, circuits, retry and failover under one deadline."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from holdfast.clock import Clock, Dice
from holdfast.errors import DeadlineExceeded, Refused, UnknownModel
from holdfast.events import AttemptFailed, Observer, unobserved
from holdfast.language import Sentence
from holdfast.pipeline import Call, Response, Spent, Unanswered
from holdfast.policy.estimate import used_in_vain
from holdfast.policy.failure import Charge, Failure, Ruling, rule
from holdfast.policy.permit import Outcome
from holdfast.policy.retry import FLOOR_JITTER, RetryBudget, RetryConfig
from holdfast.policy.routing import Target
from holdfast.upstream.attempt import Attempt, Failed, Held, Whole
from holdfast.upstream.bodies import StreamBody, WholeBody
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.destinations import Destinations
from holdfast.upstream.ending import final_answer
from holdfast.upstream.gates import Gates
from holdfast.upstream.journey import Journey, Lost
from holdfast.upstream.passage import Passage, Passages
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import DEGRADED, Headers, without
from holdfast.wire.meter import Meter

CALLER_LEFT: Charge = rule(Failure(phase="sent", kind="client_gone")).charge
"""What an attempt costs whose caller left while nothing had come: the upstream may have worked on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Send a call: every target in order, each behind its gates and circuit, as often as its failures allow."""

    upstreams: Sequence[Upstream]
    circuits: Circuits
    gates: Gates
    retry: RetryConfig
    budgets: Mapping[str, RetryBudget]
    stall: float
    clock: Clock
    dice: Dice
    observe: Observer = unobserved
    substitutes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    _destinations: Destinations = field(init=False, repr=False)
    _passages: Passages = field(init=False, repr=False)
    _spending: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        destinations = Destinations(upstreams=self.upstreams, substitutes=self.substitutes)
        object.__setattr__(self, "_destinations", destinations)
        object.__setattr__(self, "_passages", Passages(circuits=self.circuits, gates=self.gates))

    async def __call__(self, call: Call) -> Response | Unanswered:
        """The answer, or the upstream's own word of refusal; what cannot be answered is `Unanswered`.

        Raises the soonest refusal when no gate and circuit lets the call through, `UnknownModel` when no
        upstream serves the model, and `DeadlineExceeded` when it is too late to ask anybody.
        """
        limit = min(self.retry.attempts, call.attempts or self.retry.attempts)
        journey = self._destinations.journey(call, limit)
        if journey is None:
            raise _not_served(call.request.model)
        while self._may_go_on(journey) and (target := journey.next()) is not None:
            response = await self._try(journey, target)
            if response is not None:
                return response
        return self._give_up(journey)

    async def _try(self, journey: Journey, target: Target) -> Response | None:
        """Try one target until it answers (its answer) or there is no point in going on here (`None`)."""
        retries, journey.last_cost = 0, None
        while True:
            passage = self._passages.ask(target)
            if isinstance(passage, Refused):
                journey.refusals.append(passage)
                return None
            journey.call.tally.attempts += 1
            left = self._left(journey)
            result = await self._attempt(journey.call_to(target), target, passage)
            if not isinstance(result, Failed):
                return self._answer(journey, target, passage, result)
            ruling = self._judge(journey, result.failure, left)
            passage.failed(result, ruling)
            lost = Lost(target=target, failed=result, ruling=ruling, at=self.clock.monotonic())
            _charge(journey.call, target, ruling.charge, result.meter)
            journey.lost = lost
            wait = self._wait(journey, lost, retries)
            self._announce(journey, lost, wait)
            if wait is None:
                return None
            retries += 1
            await self.clock.sleep(wait)

    async def _attempt(self, call: Call, target: Target, passage: Passage) -> Whole | Held | Failed:
        try:
            upstream = next(upstream for upstream in self.upstreams if upstream.name == target.upstream)
            attempt = Attempt(upstream=upstream, account=target.account, clock=self.clock, stall=self.stall)
            return await attempt.open(call)
        except BaseException as error:
            passage.ended(Outcome.NEUTRAL)
            if isinstance(error, asyncio.CancelledError):
                _charge(call, target, CALLER_LEFT, Meter())
            raise

    def _answer(self, journey: Journey, target: Target, passage: Passage, result: Whole | Held) -> Response:
        with self._spending:
            self.budgets[target.upstream].succeeded(journey.last_cost)
        self._destinations.settle(journey, target)
        match result:
            case Whole():
                passage.ended(Outcome.OK)
                body: WholeBody | StreamBody = WholeBody(result.body)
            case Held():
                passage.begin()
                body = StreamBody(result, clock=self.clock, stall=self.stall, ended=passage.ended)
        return Response(
            status=result.status,
            headers=_marked(result.headers, journey.degraded(target)),
            body=body,
            meter=result.meter,
            length=len(result.body) if isinstance(result, Whole) else None,
            attempts=journey.attempts,
            upstream=target.upstream,
        )

    def _judge(self, journey: Journey, failure: Failure, left: float) -> Ruling:
        """What to do about a failure of an attempt that began with `left` seconds to go."""
        ruling = rule(failure, patience=min(self.retry.patience, max(0.0, self._left(journey))))
        if failure.kind in ("first_byte_timeout", "stall") and left < self.stall:
            # The caller stopped waiting before silence meant anything: his haste must not open the circuit
            # for everybody else.
            return replace(ruling, outcome=Outcome.NEUTRAL)
        return ruling

    def _wait(self, journey: Journey, lost: Lost, retries: int) -> float | None:
        """Seconds to wait before the next attempt here, or `None` for no next one."""
        if retries >= _retries(lost.ruling, journey.limit) or not self._may_stay(journey, lost):
            return None
        wait = self.retry.delay(
            retries + 1,
            backoff=lost.ruling.backoff,
            retry_after=lost.failed.failure.retry_after,
            roll=self.dice.random(),
        )
        wait = max(wait, self._passages.closed_for(lost.target))
        if wait >= self._left(journey) or wait > self.retry.patience * (1.0 + FLOOR_JITTER):
            return None
        with self._spending:
            cost = self.budgets[lost.target.upstream].spend(lost.ruling.backoff)
        if cost is None:
            return None
        journey.last_cost = cost
        return wait

    def _may_stay(self, journey: Journey, lost: Lost) -> bool:
        """Whether attempts are left for here: one is kept for another target that could answer.

        After a rate limit the other target comes first: it costs no wait.
        """
        elsewhere = any(
            journey.may_go_to(target) and self._passages.is_free(target) for target in journey.waiting
        )
        if elsewhere and lost.ruling.gate is not None:
            return False
        return journey.attempts + elsewhere < journey.limit

    def _announce(self, journey: Journey, lost: Lost, wait: float | None) -> None:
        failure = lost.failed.failure
        self.observe(
            AttemptFailed(
                request_id=journey.call.request_id,
                upstream=lost.target.upstream,
                attempt=journey.attempts,
                kind=failure.kind,
                status=failure.status,
                blame=lost.ruling.blame,
                wait=wait,
            )
        )

    def _left(self, journey: Journey) -> float:
        return journey.call.deadline - self.clock.monotonic()

    def _may_go_on(self, journey: Journey) -> bool:
        return journey.attempts < journey.limit and self._left(journey) > 0

    def _give_up(self, journey: Journey) -> Response | Unanswered:
        lost = journey.lost
        if lost is None:
            raise journey.soonest_refusal() or _too_late(journey.call)
        in_time = self._left(journey) > 0
        answer = final_answer(lost.failed, self._remaining(lost)) if in_time else _too_late(journey.call)
        if isinstance(answer, Response):
            return replace(answer, attempts=journey.attempts, upstream=lost.target.upstream)
        answer.attempts = journey.attempts
        return Unanswered(error=answer, upstream=lost.target.upstream)

    def _remaining(self, lost: Lost) -> Ruling:
        """The ruling with what is left of the wait that the upstream asked for, or else of what its gate keeps."""
        final = lost.ruling.final
        if final.retry_after is not None:
            wait = max(1.0, final.retry_after + lost.at - self.clock.monotonic())
        elif lost.ruling.gate in ("rate", "ramp"):
            wait = self._passages.closed_for(lost.target)
        else:
            return lost.ruling
        return replace(lost.ruling, final=replace(final, retry_after=wait or None))


def _marked(headers: Headers, marks: Sequence[str]) -> Headers:
    """The headers with a mark of ours; no upstream can set it."""
    own = without(headers, DEGRADED)
    return (*own, (DEGRADED, ", ".join(marks))) if marks else own


def _charge(call: Call, target: Target, charge: Charge, seen: Meter) -> None:
    """Note what an attempt has cost that came to nothing: it is paid for, whatever comes after it."""
    if charged := used_in_vain(charge, seen.usage, call.request):
        usage, estimated = charged
        model = seen.model or target.model
        spent = Spent(upstream=target.upstream, model=model, usage=usage, estimated=estimated)
        call.tally.spent.append(spent)


def _retries(ruling: Ruling, limit: int) -> int:
    """How often a failure may be retried: twice fits three attempts in all, who configures more wants more."""
    return max(ruling.retries, limit - 1) if ruling.retries > 1 else ruling.retries


def _not_served(model: str) -> UnknownModel:
    shown = model[:100]
    return UnknownModel(
        Sentence(
            f"No upstream serves the model `{shown}`; check the id, or the `models` of your upstreams.",
            ko=f"모델 `{shown}`을(를) 제공하는 업스트림이 없습니다. 모델 id나 업스트림의 `models` 설정을 확인하세요.",
        ),
        status=404,
    )


def _too_late(call: Call) -> DeadlineExceeded:
    seconds = call.deadline - call.started
    return DeadlineExceeded(
        Sentence(
            f"No answer within the deadline of {seconds:g} s; ask for less at once, or stream the answer.",
            ko=f"제한 시간 {seconds:g}초 안에 답을 받지 못했습니다. 한 번에 더 적게 요청하거나 스트리밍을 쓰세요.",
        )
    )
