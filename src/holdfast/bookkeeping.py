"""From what happened to a call to the rows that the ledger keeps of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from holdfast.call import Call, Outcome, Principal, Spent
from holdfast.identity import harmless
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

    def call(self, call: Call, outcome: Outcome, *, duration_ms: float) -> CallRecord:
        """The call as a whole: its cost is that of its attempts."""
        attempts = self.attempts(call, outcome)
        costs = [attempt.cost_pico for attempt in attempts]
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
        )

    def _answered(self, call: Call, outcome: Outcome) -> AttemptRecord:
        model = outcome.asked_model or call.request.model
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
