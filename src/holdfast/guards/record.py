"""The station that writes every call and its attempts down, whatever its ending."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call, Outcome
from holdfast.clock import Clock
from holdfast.events import BudgetAlerted, BudgetOverrun, CallEnded, Observer, unobserved
from holdfast.pipeline import Proceed
from holdfast.ports import AttemptRecord, Book, CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGuard:
    """Outermost guard: settles last, so that it sees how everything behind it ended.

    The attempts are settled and the call is written in one go. When the ledger does not take them the failure
    is announced and the answer is delivered all the same.
    """

    ledger: Book
    books: Bookkeeper
    clock: Clock
    observe: Observer = unobserved

    async def __call__(self, call: Call) -> Proceed:
        async def settle(outcome: Outcome) -> None:
            duration_ms = round((self.clock.monotonic() - call.started) * 1000, 3)
            attempts = self.books.attempts(call, outcome)
            entry = self.books.call(call, outcome, duration_ms=duration_ms, attempts=attempts)
            try:
                await self._write(call, entry, attempts)
            finally:
                self.observe(_ended(entry, outcome, call.tally.trace_id))

        return Proceed(call, settle)

    async def _write(self, call: Call, entry: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        # Side by side, so that a store that groups its commits takes both in one.
        for overrun in _overruns(call, attempts):
            self.observe(overrun)
        settled, recorded = await asyncio.gather(
            self.ledger.settle(attempts), self.ledger.record(entry), return_exceptions=True
        )
        if isinstance(settled, BaseException):
            raise settled
        # First of all, for an alert comes only once.
        for crossing in settled:
            self.observe(BudgetAlerted.of(crossing))
            call.own_limits.tell(crossing)
        if isinstance(recorded, BaseException):
            raise recorded


def _overruns(call: Call, attempts: Iterable[AttemptRecord]) -> Iterator[BudgetOverrun]:
    """What attempts have cost beyond what was held for them."""
    for attempt in attempts:
        over = (attempt.cost_pico or 0) - call.tally.held.get(attempt.number, attempt.cost_pico or 0)
        if over > 0:
            yield BudgetOverrun(request_id=attempt.request_id, attempt=attempt.number, over_pico=over)


def _ended(entry: CallRecord, outcome: Outcome, trace_id: str | None) -> CallEnded:
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
        label=outcome.label,
        record=entry,
        door=entry.door,
        upstream=entry.upstream,
        served_model=entry.served_model,
        stream=entry.stream,
        usage=entry.usage,
        cost_pico=entry.cost_pico,
        trace_id=trace_id,
    )
