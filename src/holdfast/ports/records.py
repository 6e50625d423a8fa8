"""What goes through the ports: records of calls, attempts and runs, and what is asked about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from holdfast.policy.failure import Blame
from holdfast.policy.holds import Crossing, State
from holdfast.policy.money import dollars
from holdfast.policy.request_filter import RequestFilter
from holdfast.policy.story import Ending, Story
from holdfast.wire.usage import Usage

End = Literal["answered", "refused", "failed", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call as the ledger keeps it.

    Attributes:
        cost_pico: pico-dollars; `None` for a call that no price is known for.
        outcome: what the caller got; of a call that was not answered always its `end`.
        decided_by: the guard that ended it, `upstream`, `client`, or what else `policy.story.decided_by` names.
        blame: whose doing it is that he got no answer from upstream.
        story: only for whoever asks for this one call, not in lists.
    """

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
    outcome: Ending = "answered"
    decided_by: str | None = None
    blame: Blame | None = None
    story: Story | None = None

    def __post_init__(self) -> None:
        if self.end != "answered" and self.outcome != self.end:
            object.__setattr__(self, "outcome", self.end)

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars."""
        return None if self.cost_pico is None else dollars(self.cost_pico)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCursor:
    """The place of a call among all calls, which are in the order of their arrival and then of their ids."""

    at: datetime
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuery:
    """Which calls to list, newest first: those that `filter` means, behind the call at `after`, at most `limit`."""

    filter: RequestFilter | None = None
    after: CallCursor | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """A list of calls, without their stories; `following` is where to go on, `None` when nothing can follow.

    A page may be short, or empty, and yet have one that follows: then a store has looked through as many calls
    as it does at once.
    """

    calls: tuple[CallRecord, ...] = ()
    following: CallCursor | None = None


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
class Swept:
    """What one sweep did: how many holds it has ended, each counted by one sweep alone, and what that set off."""

    expired: int = 0
    crossings: tuple[Crossing, ...] = ()


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
