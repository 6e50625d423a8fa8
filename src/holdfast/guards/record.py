"""The station that writes every call down, whatever its ending."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.clock import Clock
from holdfast.events import CallEnded, Observer, unobserved
from holdfast.pipeline import Call, Outcome, Proceed, Spent
from holdfast.ports import CallRecord, Ledger
from holdfast.wire.usage import Usage

Price = Callable[[str, Usage, datetime], int | None]
"""Model, usage and moment -> pico-dollars, or `None` when no price is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGuard:
    """Outermost guard: settles last, so that it sees how everything behind it ended.

    When the ledger does not take the record the failure is announced and the answer is delivered all the same.
    """

    ledger: Ledger
    price: Price
    price_version: str
    clock: Clock
    observe: Observer = unobserved

    async def __call__(self, call: Call) -> Proceed:
        async def settle(outcome: Outcome) -> None:
            entry = self._entry(call, outcome)
            try:
                await self.ledger.record(entry)
            finally:
                self.observe(_ended(entry))

        return Proceed(call, settle)

    def _entry(self, call: Call, outcome: Outcome) -> CallRecord:
        model = outcome.served_model or call.request.model
        entry = CallRecord(
            request_id=call.request_id,
            at=call.arrived,
            door=call.principal.door,
            key=call.principal.key,
            user=call.principal.user,
            run=call.principal.run,
            agent=call.principal.agent,
            model=call.request.model,
            served_model=outcome.served_model,
            upstream=outcome.upstream,
            stream=call.request.stream,
            end=outcome.end,
            status=outcome.status,
            error_code=outcome.error_code,
            attempts=outcome.attempts,
            stop_reason=outcome.stop_reason,
            usage=outcome.usage,
            estimated=outcome.estimated,
            cost_pico=0,
            price_version=self.price_version,
            duration_ms=round((self.clock.monotonic() - call.started) * 1000, 3),
        )
        answered = Spent(
            upstream=outcome.upstream or "", model=model, usage=outcome.usage, estimated=outcome.estimated
        )
        billed = outcome.spent if outcome.is_unbilled else (answered, *outcome.spent)
        paid = [part for part in billed if part.usage != Usage()]
        costs = [self.price(part.model, part.usage, call.arrived) for part in paid]
        return replace(
            entry,
            estimated=any(part.estimated for part in paid),
            cost_pico=None if None in costs else sum(cost for cost in costs if cost is not None),
        )


def _ended(entry: CallRecord) -> CallEnded:
    return CallEnded(
        request_id=entry.request_id,
        end=entry.end,
        model=entry.model,
        status=entry.status,
        attempts=entry.attempts,
        duration_ms=entry.duration_ms,
        input_tokens=entry.usage.prompt_tokens,
        output_tokens=entry.usage.output_tokens,
        cost=None if entry.cost is None else str(entry.cost),
        error_code=entry.error_code,
    )
