"""The reference store: everything in this process, gone when it ends."""

import threading
from collections import OrderedDict
from itertools import islice

from holdfast.ports import CallRecord, Totals

KEPT = 10_000
"""How many calls are kept; the totals go on counting."""


class MemoryLedger:
    """A bounded book of calls in memory, safe from any thread; verbs as `holdfast.ports.Ledger`."""

    def __init__(self, keep: int = KEPT) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._records: OrderedDict[str, CallRecord] = OrderedDict()
        self._totals = Totals(calls=0, input_tokens=0, output_tokens=0, cost_pico=0, unpriced=0)

    async def record(self, entry: CallRecord) -> None:
        with self._lock:
            if entry.request_id in self._records:
                return
            self._records[entry.request_id] = entry
            if len(self._records) > self._keep:
                self._records.popitem(last=False)
            before = self._totals
            self._totals = Totals(
                calls=before.calls + 1,
                input_tokens=before.input_tokens + entry.usage.prompt_tokens,
                output_tokens=before.output_tokens + entry.usage.output_tokens,
                cost_pico=before.cost_pico + (entry.cost_pico or 0),
                unpriced=before.unpriced + (entry.cost_pico is None),
            )

    async def find(self, request_id: str) -> CallRecord | None:
        with self._lock:
            return self._records.get(request_id)

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        with self._lock:
            return tuple(islice(reversed(self._records.values()), max(0, limit)))

    async def totals(self) -> Totals:
        return self._totals

    async def check(self) -> None:
        return None

    async def aclose(self) -> None:
        return None
