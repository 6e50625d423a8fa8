"""The inner ring: targets, gates, circuits, retry and failover under one deadline."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf

from holdfast.call import Call, Response, Spent, Unanswered
from holdfast.clock import Clock, Dice
from holdfast.errors import (
    BudgetExhausted,
    CallNotPermitted,
    DeadlineExceeded,
    HoldfastError,
    Refused,
    UnknownModel,
)
from holdfast.events import AttemptFailed, Observer, unobserved
from holdfast.language import Sentence
from holdfast.policy.estimate import charge_of, input_bound, used_in_vain
from holdfast.policy.failure import Charge, Failure, Ruling, rule
from holdfast.policy.pacing import Size
from holdfast.policy.permit import Outcome
from holdfast.policy.retry import FLOOR_JITTER, RetryBudget, RetryConfig
from holdfast.policy.routing import Target, may_follow
from holdfast.policy.story import Turned
from holdfast.upstream.attempt import Attempt, Failed, Held, Whole
from holdfast.upstream.bodies import StreamBody, WholeBody
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.destinations import Destinations
from holdfast.upstream.ending import final_answer
from holdfast.upstream.gates import Gates
from holdfast.upstream.journey import Journey, Lost
from holdfast.upstream.pacing import Pacing
from holdfast.upstream.passage import Passage, Passages
from holdfast.upstream.probes import Probes
from holdfast.upstream.request import Upstream
from holdfast.upstream.telling import both
from holdfast.upstream.trying import Trying
from holdfast.wire.headers import DEGRADED, Headers, without
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

LEFT = Failed(failure=Failure(phase="sent", kind="client_gone"), meter=Meter())
CALLER_LEFT: Charge = rule(LEFT.failure).charge
"""What an attempt costs whose caller left while nothing had come: the upstream may have worked on it."""

SILENT: Ruling = rule(Failure(phase="sent", kind="first_byte_timeout"))
"""What follows from an upstream that never began to answer."""

TOKEN_TIME = 3600.0 / 128_000
"""Seconds that a token of a plain answer may take: the official SDKs reckon 128,000 of them an hour."""


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
    pacing: Pacing | None = None
    probes: Probes | None = None
    _destinations: Destinations = field(init=False, repr=False)
    _passages: Passages = field(init=False, repr=False)
    _spending: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        destinations = Destinations(upstreams=self.upstreams, substitutes=self.substitutes)
        object.__setattr__(self, "_destinations", destinations)
        passages = Passages(circuits=self.circuits, gates=self.gates, probes=self.probes)
        object.__setattr__(self, "_passages", passages)

    async def __call__(self, call: Call) -> Response | Unanswered:
        """The answer, or the upstream's own word of refusal; what cannot be answered is `Unanswered`.

        Raises the soonest refusal when no gate and circuit lets the call through, `UnknownModel` when no
        upstream serves the model, and `DeadlineExceeded` when it is too late to ask anybody.
        """
        limit = min(self.retry.attempts, call.attempts or self.retry.attempts)
        journey = self._destinations.journey(call, limit)
        if journey is None:
            raise _not_served(call.request.model)
        while self._may_go_on(journey) and (target := journey.next(self._is_unhurried)) is not None:
            response = await self._try(journey, target)
            if response is not None:
                return response
        return self._give_up(journey)

    async def _try(self, journey: Journey, target: Target) -> Response | None:
        """Try one target until it answers (its answer) or there is no point in going on here (`None`)."""
        retries, journey.last_cost = 0, None
        await self._pace(journey, target)
        while True:
            passage = await self._passages.admit(target)
            if isinstance(passage, Refused):
                _turn(journey, passage, "circuit" if isinstance(passage, CallNotPermitted) else "gate")
                return None
            sent = await self._paid(journey, target, passage)
            if isinstance(sent, Refused):
                _turn(journey, sent, "budget" if isinstance(sent, BudgetExhausted) else "stop")
                return None
            journey.call.tally.attempts += 1
            left = self._left(journey)
            told = Trying(journey.call, target, self.clock, self.observe)
            result = await self._attempt(journey, sent, passage, told)
            self._learn(target, result)
            if not isinstance(result, Failed):
                return self._answer(journey, sent, passage, result, told)
            lost = self._lose(journey, target, passage, result, self._judge(journey, result.failure, left))
            told.failed(result.failure, lost.ruling)
            spent = _charge(sent, target, lost.ruling.charge, result)
            if sent.purse is not None:
                await sent.purse.lost(spent)
            told.tried.wait = wait = self._wait(journey, lost, retries)
            self.observe(_told(journey, lost, wait))
            if wait is None:
                return None
            retries += 1
            await self.clock.sleep(wait)

    def _lose(
        self, journey: Journey, target: Target, passage: Passage, failed: Failed, ruling: Ruling
    ) -> Lost:
        """Give the leave for a failed attempt back, and remember it."""
        passage.failed(failed, ruling)
        journey.lost = Lost(target=target, failed=failed, ruling=ruling, at=self.clock.monotonic())
        return journey.lost

    async def _paid(self, journey: Journey, target: Target, passage: Passage) -> Call | Refused:
        """The call as it may be sent there, once money is held for it; or the budget that has none left."""
        call = journey.call_to(target)
        call.tally.asked_model = call.request.model
        stopped = None if call.barrier is None else call.barrier(call.request.model)
        if stopped is not None:
            passage.ended(Outcome.NEUTRAL)
            return stopped
        if call.purse is None:
            return call
        try:
            return await call.purse.hold(journey.attempts + 1, target.upstream, call)
        except BaseException as error:
            passage.ended(Outcome.NEUTRAL)
            if isinstance(error, BudgetExhausted):
                return error
            raise

    def _is_unhurried(self, call: Call, target: Target) -> bool:
        """Whether the limits of an upstream's account have room for a call now, as far as it told."""
        return self.pacing is None or self.pacing.wait(target, _size(call)) == 0.0

    async def _pace(self, journey: Journey, target: Target) -> None:
        """Wait, if it is worth it, until the upstream's own limits have room: cheaper than to be told so by a 429."""
        if self.pacing is None:
            return
        wait = self.pacing.wait(target, _size(journey.call))
        if 0 < wait < min(self.retry.patience, self._left(journey)):
            await self.clock.sleep(wait)

    def _learn(self, target: Target, result: Whole | Held | Failed) -> None:
        """Take note of what an answer says about the limits of its account."""
        answer = result.answer if isinstance(result, Failed) else result
        if self.pacing is not None and answer is not None:
            self.pacing.observe(target, answer.headers)

    async def _attempt(
        self, journey: Journey, call: Call, passage: Passage, told: Trying
    ) -> Whole | Held | Failed:
        target = passage.target
        try:
            attempt = Attempt(
                upstream=next(upstream for upstream in self.upstreams if upstream.name == target.upstream),
                account=target.account,
                clock=self.clock,
                stall=self.stall,
                first_byte=self._first_byte(journey, target),
            )
            if self.pacing is not None:
                self.pacing.sent(target, _size(call))
            return await attempt.open(call)
        except BaseException as error:
            both(passage.ended, told.ended, Outcome.NEUTRAL)
            if not isinstance(error, HoldfastError):
                # Also after a fault of our own: whether it came before or behind the sending, nobody can tell.
                _charge(call, target, "presume_full" if call.tally.is_answering else CALLER_LEFT, LEFT)
            raise

    def _first_byte(self, journey: Journey, target: Target) -> float:
        """Seconds until a plain answer must begin: as long as it may take to write, if others are left to ask."""
        asked = journey.call.request
        elsewhere = any(
            may_follow(other, target, SILENT, asked=asked.model) and self._passages.is_free(other)
            for other in journey.waiting
        )
        if not elsewhere or journey.attempts >= journey.limit:
            return inf
        return max(self.stall, (asked.max_tokens or 0) * TOKEN_TIME)

    def _answer(
        self, journey: Journey, sent: Call, passage: Passage, result: Whole | Held, told: Trying
    ) -> Response:
        told.answered(result.status)
        if sent.purse is not None:
            sent.purse.watch(journey.attempts, result.meter)
        with self._spending:
            self.budgets[passage.target.upstream].succeeded(journey.last_cost)
        self._destinations.settle(journey, passage.target)
        match result:
            case Whole():
                passage.ended(Outcome.OK)
                told.ended(Outcome.OK)
                body: WholeBody | StreamBody = WholeBody(result.body)
            case Held():
                passage.begin()
                ended = partial(both, passage.ended, told.ended)
                body = StreamBody(result, clock=self.clock, stall=self.stall, ended=ended, chunks=told.chunks)
        sent.tally.degraded = marks = (*journey.degraded(passage.target), *sent.degraded)
        return Response(
            status=result.status,
            headers=_marked(result.headers, marks),
            body=body,
            meter=result.meter,
            length=len(result.body) if isinstance(result, Whole) else None,
            attempts=journey.attempts,
            upstream=passage.target.upstream,
            asked_model=passage.target.model,
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

        After a rate limit the other target comes first: it costs no wait. So it does after the long silence
        of an upstream from which a plain answer was wanted: a second one could take all the time there is.
        """
        elsewhere = any(
            journey.may_go_to(target) and self._passages.is_free(target) for target in journey.waiting
        )
        silent = lost.failed.failure.kind == "first_byte_timeout" and not journey.call.request.stream
        if elsewhere and (silent or lost.ruling.gate is not None):
            return False
        return journey.attempts + elsewhere < journey.limit

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


def _told(journey: Journey, lost: Lost, wait: float | None) -> AttemptFailed:
    """An attempt that failed, as it is announced."""
    failure = lost.failed.failure
    return AttemptFailed(
        request_id=journey.call.request_id,
        upstream=lost.target.upstream,
        attempt=journey.attempts,
        kind=failure.kind,
        status=failure.status,
        blame=lost.ruling.blame,
        wait=wait,
    )


def _turn(journey: Journey, refusal: Refused, by: Turned) -> None:
    """Note who let no attempt through."""
    journey.refusals.append(refusal)
    journey.call.tally.turned = by


def _size(call: Call) -> Size:
    """What a call needs of an account's limits; output counts there as it is written."""
    return Size(input_tokens=input_bound(call.request), output_tokens=0)


def _marked(headers: Headers, marks: Sequence[str]) -> Headers:
    """The headers with a mark of ours; no upstream can set it."""
    own = without(headers, DEGRADED)
    return (*own, (DEGRADED, ", ".join(dict.fromkeys(marks)))) if marks else own


def _charge(call: Call, target: Target, charge: Charge, failed: Failed) -> Spent:
    """Note an attempt that came to nothing, and what it has cost: it is paid for, whatever comes after it."""
    seen = failed.meter
    charge = charge_of(charge, failed.failure, streamed=call.request.stream)
    charged = used_in_vain(charge, seen.usage if seen.started else None, call.request)
    usage, estimated = charged or (Usage(), False)
    spent = Spent(
        upstream=target.upstream,
        model=target.model,
        served_model=seen.model,
        usage=usage,
        estimated=estimated,
        number=call.tally.attempts,
        kind=failed.failure.kind,
        status=failed.failure.status,
    )
    call.tally.spent.append(spent)
    return spent


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
