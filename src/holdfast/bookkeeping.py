"""From what happened to a call to the rows that the ledger keeps of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from holdfast.call import Call, Outcome, Principal, Spent, Tried
from holdfast.events import AttemptEnded
from holdfast.identity import harmless
from holdfast.policy.failure import Blame
from holdfast.policy.story import AttemptStep, Ended, Ending, Story, blame_of, decided_by
from holdfast.ports import AttemptRecord, CallRecord, Payer
from holdfast.wire.usage import Usage

Price = Callable[[str, Usage, datetime], int | None]
"""Model, usage and moment -> pico-dollars, or `None` when no price is known."""


def payer_of(principal: Principal) -> Payer:
    """Whose money a call spends."""
    return Payer(
        door=principal.door,
        key=principal.key,
        user=principal.user,
        run=principal.run,
        agent=principal.agent,
        tags=principal.tags,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookkeeper:
    """Writes rows at the prices of one price list."""

    price: Price
    price_version: str

    def lost(self, call: Call, spent: Spent) -> AttemptRecord:
        """An attempt in vain; one that certainly used nothing up gives its hold back."""
        is_free = spent.usage == Usage()
        return AttemptRecord(
            request_id=call.request_id,
            number=spent.number,
            at=call.arrived,
            payer=payer_of(call.principal),
            upstream=spent.upstream,
            model=harmless(spent.model),
            served_model=spent.served_model,
            state="released" if is_free else "settled",
            kind=spent.kind,
            status=spent.status,
            usage=spent.usage,
            estimated=spent.estimated and not is_free,
            cost_pico=self._cost(spent.served_model or spent.model, spent.usage, call.arrived),
            price_version=self.price_version,
        )

    def held(self, call: Call, number: int, upstream: str) -> AttemptRecord:
        """An attempt about to be made; `call` is as it will be sent."""
        return AttemptRecord(
            request_id=call.request_id,
            number=number,
            at=call.arrived,
            payer=payer_of(call.principal),
            upstream=upstream,
            model=harmless(call.request.model),
            state="held",
            kind="held",
            price_version=self.price_version,
        )

    def attempts(self, call: Call, outcome: Outcome) -> tuple[AttemptRecord, ...]:
        """Every attempt of a call that is over, the one that answered last."""
        lost = [self.lost(call, spent) for spent in outcome.spent]
        if len(lost) >= outcome.attempts and outcome.usage == Usage():
            return tuple(lost)
        return (*lost, self._answered(call, outcome))

    def call(
        self,
        call: Call,
        outcome: Outcome,
        *,
        duration_ms: float,
        attempts: Sequence[AttemptRecord] | None = None,
    ) -> CallRecord:
        """The call as a whole: its cost is that of its `attempts`, which are priced here if they were not before."""
        attempts = self.attempts(call, outcome) if attempts is None else attempts
        costs = [attempt.cost_pico for attempt in attempts]
        story, ended = story_of(call, outcome, attempts), ended_of(call, outcome)
        return CallRecord(
            request_id=call.request_id,
            at=call.arrived,
            door=call.principal.door,
            key=call.principal.key,
            user=call.principal.user,
            run=call.principal.run,
            agent=call.principal.agent,
            model=harmless(call.request.model),
            served_model=outcome.served_model,
            upstream=outcome.upstream,
            stream=call.request.stream,
            end=outcome.end,
            status=outcome.status,
            error_code=outcome.error_code,
            attempts=outcome.attempts,
            stop_reason=outcome.stop_reason,
            usage=outcome.usage,
            estimated=any(attempt.estimated for attempt in attempts),
            cost_pico=None if None in costs else sum(cost for cost in costs if cost is not None),
            price_version=self.price_version,
            duration_ms=duration_ms,
            outcome=ended.outcome,
            decided_by=decided_by(story, ended),
            blame=blame_of(story, ended),
            story=story,
        )

    def _answered(self, call: Call, outcome: Outcome) -> AttemptRecord:
        model = outcome.asked_model or call.tally.asked_model or call.request.model
        is_free = outcome.is_unbilled
        cost = 0 if is_free else self._cost(outcome.served_model or model, outcome.usage, call.arrived)
        return AttemptRecord(
            request_id=call.request_id,
            number=max(outcome.attempts, len(outcome.spent) + 1),
            at=call.arrived,
            payer=payer_of(call.principal),
            upstream=outcome.upstream or "",
            model=harmless(model),
            served_model=outcome.served_model,
            kind=outcome.end,
            status=outcome.status,
            usage=outcome.usage,
            estimated=outcome.estimated and not is_free,
            is_unbilled=is_free,
            cost_pico=cost,
            price_version=self.price_version,
        )

    def _cost(self, model: str, usage: Usage, at: datetime) -> int | None:
        return 0 if usage == Usage() else self.price(model, usage, at)


def ended_of(call: Call, outcome: Outcome) -> Ended:
    """How a call ended, in the words of its story."""
    got: Ending = outcome.label if outcome.end == "answered" else outcome.end
    return Ended(outcome=got, code=outcome.error_code, turned=call.tally.turned)


def story_of(call: Call, outcome: Outcome, attempts: Sequence[AttemptRecord]) -> Story:
    """The story of a call that is over; `attempts` are as they are settled."""
    tally = call.tally
    settled = {attempt.number: attempt for attempt in attempts}
    return Story(
        guards=tuple(tally.steps),
        attempts=tuple(_step(call, outcome, tried, settled.get(tried.number)) for tried in tally.tried),
        coverage=tuple(tally.notes),
        degraded=tally.degraded,
        notices=tally.notices,
        trace_id=tally.trace_id,
        cache=tally.cache,
        recorded=None if tally.capture is None else tally.capture.recording.name,
    )


def _step(call: Call, outcome: Outcome, tried: Tried, settled: AttemptRecord | None) -> AttemptStep:
    ended = tried.ended
    began_ms = _ms(tried.began - call.started)
    return AttemptStep(
        number=tried.number,
        upstream=tried.upstream,
        model=harmless(tried.model),
        began_ms=began_ms,
        first_ms=None if ended is None or ended.first_ms is None else round(began_ms + ended.first_ms, 3),
        ended_ms=None if ended is None else round(began_ms + ended.duration_ms, 3),
        kind="abandoned" if ended is None else ended.kind,
        status=None if ended is None else ended.status,
        served_model=None if settled is None else settled.served_model,
        error_code=outcome.error_code if ended is not None and ended.kind == "cut" else tried.error_code,
        blame=_blame(ended),
        wait_ms=None if tried.wait is None else _ms(tried.wait),
        held_pico=call.tally.held.get(tried.number),
        settled_pico=None if settled is None else settled.cost_pico,
    )


def _blame(ended: AttemptEnded | None) -> Blame | None:
    """Whose doing it was; an attempt that nobody waited for any more was ended by the caller."""
    if ended is None or ended.kind == "abandoned":
        return "client"
    return cast("Blame | None", ended.blame)


def _ms(seconds: float) -> float:
    return int(seconds * 1_000_000) / 1000
