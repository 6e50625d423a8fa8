"""The inner ring: targets, circuits, retry and failover under one deadline."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from holdfast.clock import Clock, Dice
from holdfast.errors import CallNotPermitted, DeadlineExceeded, UnknownModel
from holdfast.events import AttemptFailed, Observer, unobserved
from holdfast.language import Sentence
from holdfast.parts.breaker import CircuitBreaker
from holdfast.pipeline import Call, Response, Spent, Unanswered
from holdfast.policy.estimate import used_in_vain
from holdfast.policy.failure import Failure, Ruling, rule
from holdfast.policy.permit import Outcome, Permit
from holdfast.policy.retry import RetryBudget, RetryConfig
from holdfast.policy.routing import Target, targets
from holdfast.upstream.attempt import Attempt, Failed, Held, Whole
from holdfast.upstream.bodies import StreamBody, WholeBody
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.ending import final_answer
from holdfast.upstream.request import Upstream


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that failed, where, and what follows from it."""

    upstream: Upstream
    failed: Failed
    ruling: Ruling


@dataclass(slots=True)
class Journey:
    """One call on its way through the attempts."""

    call: Call
    limit: int
    last_cost: int | None = None
    lost: Lost | None = None
    refusals: list[CallNotPermitted] = field(default_factory=list[CallNotPermitted])

    @property
    def attempts(self) -> int:
        """How often somebody has been asked."""
        return self.call.tally.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Send a call: every target in order, each behind its circuit, as often as its failures allow."""

    upstreams: Sequence[Upstream]
    circuits: Circuits
    retry: RetryConfig
    budgets: Mapping[str, RetryBudget]
    stall: float
    clock: Clock
    dice: Dice
    observe: Observer = unobserved
    _spending: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def __call__(self, call: Call) -> Response | Unanswered:
        """The answer, or the upstream's own word of refusal; what cannot be answered is `Unanswered`.

        Raises `CallNotPermitted` when every circuit is open, `UnknownModel` when no upstream serves the model,
        and `DeadlineExceeded` when it is too late to ask anybody.
        """
        places = targets(
            call.request.model, [(upstream.name, upstream.config) for upstream in self.upstreams]
        )
        if not places:
            raise _not_served(call.request.model)
        journey = Journey(call, min(self.retry.attempts, call.attempts or self.retry.attempts))
        for target in places:
            if not self._may_go_on(journey):
                break
            response = await self._try(journey, target)
            if response is not None:
                return response
        return self._give_up(journey)

    async def _try(self, journey: Journey, target: Target) -> Response | None:
        """Try one target until it answers (its answer) or there is no point in going on here (`None`)."""
        circuit = self.circuits.of(target.name)
        upstream = next(u for u in self.upstreams if u.name == target.upstream)
        retries, journey.last_cost = 0, None
        while True:
            try:
                permit = circuit.acquire()
            except CallNotPermitted as refusal:
                journey.refusals.append(refusal)
                return None
            journey.call.tally.attempts += 1
            left = self._left(journey)
            result = await self._attempt(journey.call, upstream, circuit, permit)
            if not isinstance(result, Failed):
                return self._answer(journey, upstream, circuit, permit, result)
            lost = Lost(upstream, result, self._judge(journey, result.failure, left))
            circuit.report(permit, lost.ruling.outcome, retry_after=result.failure.retry_after)
            self._charge(journey, lost)
            journey.lost = lost
            wait = self._wait(journey, lost, retries)
            self._announce(journey, lost, wait)
            if wait is None:
                return None
            retries += 1
            await self.clock.sleep(wait)

    async def _attempt(
        self, call: Call, upstream: Upstream, circuit: CircuitBreaker, permit: Permit
    ) -> Whole | Held | Failed:
        try:
            return await Attempt(upstream=upstream, clock=self.clock, stall=self.stall).open(call)
        except BaseException:
            circuit.report(permit, Outcome.NEUTRAL)
            raise

    def _answer(
        self,
        journey: Journey,
        upstream: Upstream,
        circuit: CircuitBreaker,
        permit: Permit,
        result: Whole | Held,
    ) -> Response:
        with self._spending:
            self.budgets[upstream.name].succeeded(journey.last_cost)
        match result:
            case Whole():
                circuit.report(permit, Outcome.OK)
                body: WholeBody | StreamBody = WholeBody(result.body)
            case Held():
                circuit.begin(permit)
                ended: Callable[[Outcome], None] = partial(circuit.report, permit)
                body = StreamBody(result, clock=self.clock, stall=self.stall, ended=ended)
        return Response(
            status=result.status,
            headers=result.headers,
            body=body,
            meter=result.meter,
            length=len(result.body) if isinstance(result, Whole) else None,
            attempts=journey.attempts,
            upstream=upstream.name,
        )

    def _judge(self, journey: Journey, failure: Failure, left: float) -> Ruling:
        """What to do about a failure of an attempt that began with `left` seconds to go."""
        ruling = rule(failure, patience=min(self.retry.patience, max(0.0, self._left(journey))))
        if failure.kind in ("first_byte_timeout", "stall") and left < self.stall:
            # The caller stopped waiting before silence meant anything: his haste must not open the circuit
            # for everybody else.
            return replace(ruling, outcome=Outcome.NEUTRAL)
        return ruling

    def _charge(self, journey: Journey, lost: Lost) -> None:
        """Note what a failed attempt has cost: it is paid for, whatever comes after it."""
        call, seen = journey.call, lost.failed.meter.usage
        if charged := used_in_vain(lost.ruling.charge, seen, call.request):
            usage, estimated = charged
            model = lost.failed.meter.model or call.request.model
            spent = Spent(upstream=lost.upstream.name, model=model, usage=usage, estimated=estimated)
            call.tally.spent.append(spent)

    def _wait(self, journey: Journey, lost: Lost, retries: int) -> float | None:
        """Seconds to wait before the next attempt here, or `None` for no next one."""
        if retries >= _retries(lost.ruling, journey.limit) or journey.attempts >= journey.limit:
            return None
        wait = self.retry.delay(
            retries + 1,
            backoff=lost.ruling.backoff,
            retry_after=lost.failed.failure.retry_after,
            roll=self.dice.random(),
        )
        if wait >= self._left(journey):
            return None
        with self._spending:
            cost = self.budgets[lost.upstream.name].spend(lost.ruling.backoff)
        if cost is None:
            return None
        journey.last_cost = cost
        return wait

    def _announce(self, journey: Journey, lost: Lost, wait: float | None) -> None:
        failure = lost.failed.failure
        self.observe(
            AttemptFailed(
                request_id=journey.call.request_id,
                upstream=lost.upstream.name,
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
        """Whether there is time, and a point, in asking another target."""
        is_final = journey.lost is not None and journey.lost.ruling.failover in ("no", "alias")
        return not is_final and journey.attempts < journey.limit and self._left(journey) > 0

    def _give_up(self, journey: Journey) -> Response | Unanswered:
        lost = journey.lost
        if lost is None:
            raise _refusal(journey)
        in_time = self._left(journey) > 0
        answer = final_answer(lost.failed, lost.ruling) if in_time else _too_late(journey.call)
        if isinstance(answer, Response):
            return replace(answer, attempts=journey.attempts, upstream=lost.upstream.name)
        answer.attempts = journey.attempts
        return Unanswered(error=answer, upstream=lost.upstream.name)


def _retries(ruling: Ruling, limit: int) -> int:
    """How often a failure may be retried: twice fits three attempts in all, who configures more wants more."""
    return max(ruling.retries, limit - 1) if ruling.retries > 1 else ruling.retries


def _refusal(journey: Journey) -> CallNotPermitted | DeadlineExceeded:
    """Why nobody was asked: the circuit that lets calls through first, or the time that had run out."""
    if not journey.refusals:
        return _too_late(journey.call)
    return min(
        journey.refusals, key=lambda refusal: math.inf if refusal.retry_after is None else refusal.retry_after
    )


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
