"""The ports themselves: the verbs of every store and of the price book, each with its failure contract."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from holdfast.policy.ceiling import Ceiling
from holdfast.policy.counters import Ask, Granted, Limited, Take
from holdfast.policy.holds import Crossing, Denied, Extend, Hold, Reserve, TopUp
from holdfast.ports.records import (
    AttemptRecord,
    AuditEntry,
    CallPage,
    CallQuery,
    CallRecord,
    Entry,
    RunRecord,
    Spend,
    SpendQuery,
    Swept,
    Totals,
)
from holdfast.ports.sessions import Sessions
from holdfast.wire.messages import MessagesRequest


class Book(Protocol):
    """Where calls and attempts that are over are written down."""

    async def record(self, entry: CallRecord) -> None:
        """Write one call down, once: a second record of the same id changes nothing.

        Durable when it returns. Raises `StoreUnavailable` when the store does not take it in time.
        """
        ...

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        """Write attempts down that are over, each once, and settle the holds they had; the alerts this sets off.

        An attempt that was presumed lost is corrected, once; one that is settled or released stays as it is.
        One of state `released` gives its hold back. Durable when it returns. Raises `StoreUnavailable`; then
        it may come again, or have been written all the same.
        """
        ...


class Ledger(Book, Protocol):
    """The book of calls and of their attempts."""

    async def find(self, request_id: str) -> CallRecord | None:
        """The call of that id with its story, or `None`. Raises `StoreUnavailable`."""
        ...

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        """The calls written down last first, at most `limit`, without their stories. Raises `StoreUnavailable`."""
        ...

    async def calls(self, query: CallQuery) -> CallPage:
        """A page of the calls that a query means, newest first. Raises `StoreUnavailable`."""
        ...

    async def attempts_of(self, request_id: str) -> tuple[AttemptRecord, ...]:
        """The attempts of one call in their order. Raises `StoreUnavailable`."""
        ...

    async def attempts(self, *, after: str | None = None, limit: int = 1000) -> tuple[AttemptRecord, ...]:
        """All attempts in the order of their ids, behind the id `after`, at most `limit`. Raises `StoreUnavailable`."""
        ...

    async def reprice(self, costs: Mapping[str, tuple[int, str]]) -> int:
        """Give settled attempts another cost (attempt id -> pico-dollars, price version) and mend all sums.

        Counters of budgets stay: what was spent against a limit was spent at the price of the day. Returns how
        many changed. Raises `StoreUnavailable`.
        """
        ...

    async def totals(self) -> Totals:
        """Sums kept as counters, so the answer costs the same after a million calls. Raises `StoreUnavailable`."""
        ...

    async def spend(self, query: SpendQuery) -> tuple[Spend, ...]:
        """Sums of settled and presumed attempts by group, kept as hourly roll-ups. Raises `StoreUnavailable`."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget calls and settled attempts from before a moment, and say how many; every sum stays."""
        ...

    async def check(self) -> None:
        """Return when the store can take a record now; raise `StoreUnavailable` with the reason otherwise."""
        ...

    async def aclose(self) -> None:
        """Write what is queued, then let go; never raises."""
        ...


class Ceilings(Protocol):
    """What a price book knows of costs to come."""

    def ceiling(
        self,
        model: str,
        request: MessagesRequest,
        *,
        at: datetime | None = None,
        max_tokens: int | None = None,
    ) -> Ceiling:
        """The most that an answer can be billed."""
        ...

    def affordable_max_tokens(
        self, model: str, request: MessagesRequest, pico: int, *, at: datetime | None = None
    ) -> int | None:
        """The longest answer whose ceiling fits."""
        ...


class Promises(Protocol):
    """Promises of money for calls under way; the rules are those of `holdfast.policy.holds.Page`, whatever the store."""

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        """Take a hold for an attempt, or say which limit has no room. Durable when it returns.

        Raises `StoreUnavailable` when the store does not answer in time; then nothing may be sent, and if the
        hold was taken all the same its lease will give it back.
        """
        ...

    async def extend(self, verbs: Sequence[Extend]) -> None:
        """Renew leases. Raises `StoreUnavailable`; then it comes again."""
        ...

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        """Raise a hold; `None` for one that is not there. Raises `StoreUnavailable`."""
        ...

    async def used(self, windows: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Settled and reserved nano-dollars of counters; those never used are missing. Raises `StoreUnavailable`."""
        ...


class Holds(Promises, Protocol):
    """All promises, those of lost workers among them."""

    async def sweep(self) -> Swept:
        """Expire every hold whose lease is over by the store's own clock; how many, and the alerts this sets off.

        Raises `StoreUnavailable`.
        """
        ...

    async def held(self) -> tuple[Hold, ...]:
        """Every hold under way. Raises `StoreUnavailable`."""
        ...


class Runs(Protocol):
    """The runs that calls belong to."""

    async def enter(self, run: str, agent: str | None, parent: str | None, at: datetime) -> RunRecord:
        """Count a call of a run that now begins; how the run stands with it. Raises `StoreUnavailable`."""
        ...

    async def run(self, run: str) -> RunRecord | None:
        """The run of that id, or `None`. Raises `StoreUnavailable`."""
        ...

    async def runs(self, limit: int) -> tuple[RunRecord, ...]:
        """The runs heard of last first, at most `limit`. Raises `StoreUnavailable`."""
        ...


class Register(Protocol):
    """Named documents that every worker must know: budgets, keys, stops. Small, and read whole."""

    async def put(self, kind: str, name: str, body: bytes, *, actor: str, note: str = "") -> int:
        """Write a document, with a line in the audit; the new revision. Raises `StoreUnavailable`."""
        ...

    async def drop(self, kind: str, name: str, *, actor: str, note: str = "") -> bool:
        """Delete a document, with a line in the audit; whether it was there. Raises `StoreUnavailable`."""
        ...

    async def entries(self, kind: str) -> tuple[Entry, ...]:
        """All documents of a kind, by name. Raises `StoreUnavailable`."""
        ...

    async def revision(self) -> int:
        """A number that grows with every change: cheap to ask for. Raises `StoreUnavailable`."""
        ...

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        """The newest changes first. Raises `StoreUnavailable`."""
        ...


class Store(Ledger, Holds, Runs, Register, Protocol):
    """Everything that must survive the process, in one place, so that it can share transactions."""

    @property
    def sessions(self) -> Sessions:
        """The conversations."""
        ...


class QuotaStore(Protocol):
    """Rates and places; it may lose what it knows, so nothing here raises and no verb outlives 0.25 s.

    While a shared store is away, this worker's share of every limit holds, and `degraded` is true.
    """

    @property
    def degraded(self) -> bool: ...

    async def acquire(self, ask: Ask) -> Granted | Limited:
        """Take everything that is asked for, or nothing."""
        ...

    async def settle(self, granted: Granted, takes: Sequence[Take] = ()) -> None:
        """Add corrections, each time this is called; free the places, once. Lost while the store is away."""
        ...

    async def renew(self, granted: Granted) -> None:
        """Keep the places for another lease, those that are still held."""
        ...

    async def aclose(self) -> None: ...
