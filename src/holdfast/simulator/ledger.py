"""What was really billed, by the simulator's own calculator from its own data."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from threading import Lock

from holdfast.simulator.models import Model, Rates
from holdfast.simulator.usage import Usage
from holdfast.simulator.values import JsonObject

_MILLION = Decimal(1_000_000)
_SEARCH = Decimal("0.01")
_BATCHED = Decimal("0.5")
"""What tokens cost in a batch; searches cost there what they always do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One bill.

    Attributes:
        request_id: the `request-id` header of the answer.
        message_id: the id of the message, also when it never arrived whole.
        model: the id of the model that answered.
        key: the API key that pays.
        at: when it was billed, in UTC.
        usage: the `usage` object that was billed; for a broken stream the output written until then.
        cost: exact dollars.
        ending: how the answer ended: `completed`, `disconnected` or `faulted`.
    """

    request_id: str
    message_id: str
    model: str
    key: str
    at: datetime
    usage: Mapping[str, object]
    cost: Decimal
    ending: str

    def wire(self) -> JsonObject:
        """The entry as JSON; the cost is a decimal string."""
        return {
            "request_id": self.request_id,
            "message_id": self.message_id,
            "model": self.model,
            "at": self.at.isoformat(),
            "usage": dict(self.usage),
            "cost": format(self.cost, "f"),
            "ending": self.ending,
        }


def cost(usage: Usage, model: Model, day: date) -> Decimal:
    """Exact dollars: each step on the card of the day, fast or banded by its prompt, and ten dollars per 1,000 searches."""
    steps = [*(usage.iterations or (usage,))]
    if usage.compaction is not None:
        steps.append(usage.compaction)
    tokens = sum((_step_cost(step, model, day) for step in steps), Decimal(0))
    return tokens * (_BATCHED if usage.service_tier == "batch" else 1) + usage.searches * _SEARCH


def _step_cost(usage: Usage, model: Model, day: date) -> Decimal:
    rates = _rates(usage, model, day)
    dollars = (
        usage.input_tokens * rates.input
        + usage.cache_read * rates.cache_read
        + usage.written_5m * rates.cache_write_5m
        + usage.written_1h * rates.cache_write_1h
        + usage.output_tokens * rates.output
    ) / _MILLION
    if usage.inference_geo == "us" and model.us_multiplier is not None:
        dollars *= model.us_multiplier
    return dollars


def _rates(usage: Usage, model: Model, day: date) -> Rates:
    card = model.card(day)
    if usage.speed == "fast" and (fast := model.fast_rates(day)) is not None:
        return fast
    reached = [band for band in card.bands if usage.prompt_tokens > band.above]
    return max(reached, key=lambda band: band.above).rates if reached else card.rates


@dataclass(slots=True)
class Ledger:
    """The newest `keep` bills and the sum of all of them."""

    keep: int
    total: Decimal = Decimal(0)
    _entries: deque[LedgerEntry] = field(default_factory=deque[LedgerEntry])
    _spent: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    _lock: Lock = field(default_factory=Lock)

    def add(self, entry: LedgerEntry) -> None:
        """Bill."""
        with self._lock:
            self.total += entry.cost
            self._spent[entry.key] = self._spent.get(entry.key, Decimal(0)) + entry.cost
            self._entries.append(entry)
            if len(self._entries) > self.keep:
                self._entries.popleft()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._spent.clear()
            self.total = Decimal(0)

    def spent(self, key: str) -> Decimal:
        """The sum of the bills of one API key."""
        with self._lock:
            return self._spent.get(key, Decimal(0))

    def all(self) -> tuple[LedgerEntry, ...]:
        """The entries in the order of billing."""
        with self._lock:
            return tuple(self._entries)
