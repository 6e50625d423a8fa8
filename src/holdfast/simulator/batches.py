"""Batches under way: what was asked, how far each is, and what has come of it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import RLock

from holdfast.simulator.clock import Clock
from holdfast.simulator.values import JsonObject

BEGINS_AFTER = 2.0
"""Seconds from the making of a batch to its first result, before scaling."""
A_SECOND = 100
"""Requests of a batch that are done in a second, before scaling."""
CANCELS_WITHIN = 1.0
"""Seconds that a cancelled batch takes to end, before scaling."""
LIFE = 24 * 3600.0
"""Seconds after which whatever has not been answered expires; never scaled."""


@dataclass(slots=True, kw_only=True)
class Item:
    """One request of a batch; due at `ready`, a moment of the monotonic clock."""

    custom_id: str
    params: JsonObject
    ready: float
    problem: JsonObject | None = None
    result: JsonObject | None = None


@dataclass(slots=True, kw_only=True)
class Batch:
    """One batch, and how it stands; `begun` and `cancelled` are moments of the monotonic clock."""

    id: str
    key: str
    request_id: str
    version: str
    created_at: datetime
    begun: float
    items: tuple[Item, ...]
    cancelled: float | None = None
    cancelled_at: datetime | None = None
    ended_at: datetime | None = None
    waiting: list[Item] = field(default_factory=list[Item])

    @property
    def status(self) -> str:
        """The `processing_status`."""
        if self.ended_at is not None:
            return "ended"
        return "in_progress" if self.cancelled is None else "canceling"

    def wire(self, address: str) -> JsonObject:
        """The `message_batch` object; its results are fetched at `address`."""
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": self._counts(),
            "created_at": _moment(self.created_at),
            "expires_at": _moment(self.created_at + timedelta(seconds=LIFE)),
            "cancel_initiated_at": _moment(self.cancelled_at),
            "ended_at": _moment(self.ended_at),
            "archived_at": None,
            "results_url": None if self.ended_at is None else f"{address}/{self.id}/results",
        }

    def _counts(self) -> JsonObject:
        """How many came to which end; the API tells that of no batch that has not ended."""
        ends: dict[str, int] = {"succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        if self.ended_at is None:
            return {"processing": len(self.items), **ends}
        for item in self.items:
            ends[str((item.result or {})["type"])] += 1
        return {"processing": 0, **ends}


Work = Callable[[Batch, Item], JsonObject]
"""Answers one request of a batch, and bills it: the member `result` of its line."""


@dataclass(slots=True)
class Batches:
    """All batches, in the order of their making.

    Nothing runs in the background: whoever looks finds done, and billed, what is due by then.
    """

    clock: Clock
    work: Work
    _batches: dict[str, Batch] = field(default_factory=dict[str, Batch])
    _lock: RLock = field(default_factory=RLock)

    def add(self, batch: Batch) -> None:
        """Take a batch on."""
        with self._lock:
            batch.waiting = list(batch.items)
            self._batches[batch.id] = batch

    def find(self, name: str, key: str) -> Batch | None:
        """The batch of that id, as it stands, if it belongs to this key."""
        with self._lock:
            batch = self._batches.get(name)
            if batch is None or batch.key != key:
                return None
            self._go_on(batch)
            return batch

    def of(self, key: str) -> list[Batch]:
        """The batches of a key, newest first."""
        with self._lock:
            self.catch_up()
            return [batch for batch in reversed(self._batches.values()) if batch.key == key]

    def cancel(self, batch: Batch, scale: float) -> None:
        """Stop working on a batch; what is done stays done."""
        with self._lock:
            if batch.ended_at is None and batch.cancelled is None:
                batch.cancelled = self.clock.monotonic() + CANCELS_WITHIN * scale
                batch.cancelled_at = self.clock.now()
                _end(batch.waiting, "canceled")
                batch.waiting.clear()

    def drop(self, batch: Batch) -> None:
        """Forget a batch."""
        with self._lock:
            self._batches.pop(batch.id, None)

    def catch_up(self) -> None:
        """Do, and bill, everything that is due."""
        with self._lock:
            for batch in self._batches.values():
                self._go_on(batch)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._batches.clear()

    def _go_on(self, batch: Batch) -> None:
        if batch.ended_at is not None:
            return
        now = self.clock.monotonic()
        over = batch.begun + LIFE
        due = [item for item in batch.waiting if item.ready <= min(now, over)]
        batch.waiting = [item for item in batch.waiting if item.ready > min(now, over)]
        for item in due:
            item.result = self.work(batch, item)
        if now >= over:
            _end(batch.waiting, "expired")
            batch.waiting.clear()
        if not batch.waiting and now >= (batch.cancelled or -math.inf):
            batch.ended_at = self.clock.now()


def _end(items: Iterable[Item], kind: str) -> None:
    for item in items:
        item.result = {"type": kind}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
