"""What holdfast asks of the world, each verb with its failure contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from holdfast.policy.ceiling import Ceiling
from holdfast.policy.counters import Ask, Granted, Limited, Take
from holdfast.policy.holds import Crossing, Denied, Extend, Hold, Reserve, State, TopUp
from holdfast.policy.money import dollars
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Usage

End = Literal["answered", "refused", "failed", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call as the ledger keeps it; `cost_pico` is `None` for a call that no price is known for."""

    request_id: str
    at: datetime
    door: str
    key: str
    user: str | None
    run: str | None
    agent: str | None
    model: str
    served_model: str | None
    upstream: str | None
    stream: bool
    end: End
    status: int
    error_code: str | None
    attempts: int
    stop_reason: str | None
    usage: Usage
    estimated: bool
    cost_pico: int | None
    price_version: str | None
    duration_ms: float

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars."""
        return None if self.cost_pico is None else dollars(self.cost_pico)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Whose money an attempt is: what budgets and reports tell apart."""

    door: str = "library"
    key: str = "local"
    user: str | None = None
    run: str | None = None
    agent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt as the ledger keeps it: what was asked of whom, for whom, and what it has cost.

    Attributes:
        number: which attempt of its call it was, from 1.
        model: the model that was asked; `served_model` the one that answered and is billed.
        state: `held` while it is under way, `expired` when its worker was lost.
        kind: how it ended: `answered`, `abandoned`, or the kind of its failure, such as `http` or `reset`.
        usage: what it used, as the upstream said or as it is estimated; a price can be computed anew from it.
        is_unbilled: the API does not bill it, whatever `usage` says.
        cost_pico: pico-dollars; `None` for a model without a price.
        hold_pico: what was held for it; `None` when no budget asked for a hold.
    """

    request_id: str
    number: int
    at: datetime
    payer: Payer
    upstream: str
    model: str
    served_model: str | None = None
    state: State = "settled"
    kind: str = "answered"
    status: int | None = None
    usage: Usage = field(default_factory=Usage)
    estimated: bool = False
    is_unbilled: bool = False
    cost_pico: int | None = 0
    price_version: str | None = None
    hold_pico: int | None = None

    @property
    def id(self) -> str:
        """What no other attempt is called."""
        return attempt_id(self.request_id, self.number)

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars."""
        return None if self.cost_pico is None else dollars(self.cost_pico)


def attempt_id(request_id: str, number: int) -> str:
    """The id of one attempt of a call."""
    return f"{request_id}/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the whole ledger: `calls` are records of calls, the rest are sums over their attempts."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_pico: int
    unpriced: int

    @property
    def cost(self) -> Decimal:
        """Exact dollars of all priced attempts."""
        return dollars(self.cost_pico)


Dimension = Literal["model", "upstream", "key", "user", "run", "hour", "day", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendQuery:
    """Which attempts to sum, and how to group the sums; times are `since <= at < until`, whole hours of UTC.

    Attributes:
        by: the dimensions of a group; `day` and `month` are calendar units of `timezone`.
        where: dimension -> the value it must have.
    """

    since: datetime | None = None
    until: datetime | None = None
    by: tuple[Dimension, ...] = ()
    where: Mapping[Dimension, str] = field(default_factory=dict[Dimension, str])
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """The sums of one group; `group` has a value for every dimension asked for, `None` where there is none."""

    group: Mapping[str, str | None]
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_pico: int
    estimated_pico: int
    unpriced: int

    @property
    def cost(self) -> Decimal:
        """Exact dollars, the estimated part among them."""
        return dollars(self.cost_pico)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as it stands: every call that named it, and the agents that made them.

    `agents` maps an agent's id to that of its parent (`""` for none); `depth` is the longest chain of them.
    """

    run: str
    first_at: datetime
    last_at: datetime
    calls: int = 0
    cost_pico: int = 0
    agents: Mapping[str, str] = field(default_factory=dict[str, str])
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A named document of the register, as JSON; `revision` is that of the register when it was written."""

    kind: str
    name: str
    body: bytes
    revision: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who changed the register, and what."""

    at: datetime
    actor: str
    action: Literal["put", "drop"]
    kind: str
    name: str
    note: str = ""


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
        """The call of that id, or `None`. Raises `StoreUnavailable`."""
        ...

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        """The newest calls first, at most `limit`. Raises `StoreUnavailable`."""
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

    async def sweep(self) -> tuple[Crossing, ...]:
        """Expire every hold whose lease is over by the store's own clock; the alerts this sets off.

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
