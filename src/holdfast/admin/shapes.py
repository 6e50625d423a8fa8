"""What the Admin API takes and gives, as types: bodies are decoded by them, and the OpenAPI document is made of them."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

from holdfast.policy.budget import Act, Mode, Presumption
from holdfast.policy.keys import KeyScope
from holdfast.policy.stops import StopScope

T = TypeVar("T")
MOST = 1_000
"""Rows of a page."""

Money = Annotated[str, Meta(description="Exact dollars as decimal text.")]
Time = Annotated[str, Meta(description="RFC 3339, UTC.")]
Cursor = Annotated[str, Meta(max_length=2_000, description="`next_page` of the answer before.")]
Count = Annotated[int, Meta(ge=1, le=MOST)]
Text = Annotated[str, Meta(max_length=500)]
Length = Annotated[str, Meta(max_length=10, description="A length of time: 90m, 24h or 90d.")]


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


class PageQuery(Query, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: Count = 100
    page: Cursor | None = None


class SpanQuery(Query, frozen=True, kw_only=True):
    """A span of time: a day, a moment, `7d` (so long ago), `today`, `yesterday`, `month` or `all`."""

    since: Text | None = None
    until: Text | None = None
    tz: Text = "UTC"


class SpendQuery(SpanQuery, frozen=True, kw_only=True):
    """A span, how to group it, and the values that attempts must have."""

    by: Annotated[str, Meta(max_length=200, description="Dimensions after commas.")] = "model"
    model: Text | None = None
    upstream: Text | None = None
    key: Text | None = None
    user: Text | None = None
    run: Text | None = None


class ExportQuery(SpanQuery, frozen=True, kw_only=True):
    """A span, and the kind of file."""

    since: Text | None = "all"
    format: Literal["csv", "jsonl"] = "csv"


class ForecastQuery(Query, frozen=True, kw_only=True):
    """Whose days and months."""

    tz: Text = "UTC"


class ResumeQuery(Query, frozen=True, kw_only=True):
    """Which stop ends."""

    scope: StopScope
    value: Text = ""


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing to say."""


class NoBody(Body, frozen=True, kw_only=True):
    """Takes no body."""


class RungChange(Body, frozen=True, kw_only=True):
    """A rung of the ladder of a budget."""

    at: float
    do: Act
    model: str | None = None
    max_tokens: int | None = None


class BudgetChange(Body, frozen=True, kw_only=True):
    """What a budget shall be like; what is left out stays as it was, or is the usual for a new one."""

    usd: str | int | UnsetType = UNSET
    per: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    alert_at: list[float] | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    presumption: Presumption | UnsetType | None = UNSET
    where: dict[str, str] | UnsetType = UNSET
    ladder: list[RungChange] | UnsetType = UNSET
    hard: bool | UnsetType = UNSET
    min_tokens: int | UnsetType = UNSET


class ApproveBody(Body, frozen=True, kw_only=True):
    """For whom a budget may go on; no subject for one of all together."""

    subject: Text | None = None
    note: Text = ""


class KeyLimit(Body, frozen=True, kw_only=True):
    """How much a key may be used for: requests and tokens a minute, dollars a day; left out, there is no limit."""

    rpm: Annotated[int, Meta(ge=1)] | None = None
    tpm: Annotated[int, Meta(ge=1, description="Of input, and as many of output.")] | None = None
    usd_per_day: Money | None = None


class KeyBody(Body, frozen=True, kw_only=True):
    """What a key shall be like."""

    name: Text
    expires_in: Length | None = None
    scopes: list[KeyScope] = field(default_factory=lambda: ["messages"])
    user: Text | None = None
    models: list[Text] = []
    tags: dict[Text, Text] = {}
    limits: KeyLimit = KeyLimit()


class RotateBody(Body, frozen=True, kw_only=True):
    """How long the old key opens yet."""

    overlap: Length = "24h"


class NoteBody(Body, frozen=True, kw_only=True):
    """A word for the audit."""

    note: Text = ""


class ToolBody(Body, frozen=True, kw_only=True):
    """A tool, and the key whose tool it is; `local` where there are no keys."""

    scope: Text = "local"
    tool: Text


class PinBody(ToolBody, frozen=True, kw_only=True):
    """A tool, and the fingerprint of the description that it may have."""

    fingerprint: Text


class StopBody(Body, frozen=True, kw_only=True):
    """What to stop, and for how long: `for` a length, `until` a moment, else until it is resumed."""

    scope: StopScope
    value: Text = ""
    reason: Text = ""
    length: Length | None = field(default=None, name="for")
    until: Annotated[datetime, Meta(tz=True)] | None = None


class RepriceBody(Body, frozen=True, kw_only=True):
    """Which attempts are priced anew; a dry run only tells what would change."""

    dry_run: bool = True
    since: Text | None = "all"
    until: Text | None = None
    tz: Text = "UTC"


class Page(Struct, Generic[T], kw_only=True):
    """Some rows of a list; `next_page` goes into `page` for those that follow."""

    data: list[T]
    has_more: bool
    next_page: str | None


class Rung(Struct, kw_only=True, omit_defaults=True):
    """A rung of the ladder of a budget."""

    at: float
    do: Act
    model: str | None = None
    max_tokens: int | None = None


class Budget(Struct, kw_only=True):
    """A budget and where it comes from; one of the register stands before one of the settings."""

    name: str
    usd: Money
    per: str
    scope: str
    timezone: str
    alert_at: list[float]
    mode: Mode
    presumption: Presumption | None
    where: dict[str, str]
    ladder: list[Rung]
    hard: bool
    min_tokens: int
    origin: Literal["file", "register"]
    place: str
    covers: str | None


class Standing(Struct, kw_only=True):
    """How a budget stands for one subject in its window."""

    budget: str
    subject: str
    limit: Money
    settled: Money
    reserved: Money
    remaining: Money
    hard: bool
    resets_at: Time | None
    window: str


class Removed(Struct, kw_only=True):
    """A budget that is no more, and the one of the settings in its place."""

    name: str
    instead: Budget | None


class Approval(Struct, kw_only=True):
    """A window of a budget that may go on past its rung `ask`."""

    budget: str
    subject: str
    window: str
    resets_at: Time | None


class Key(Struct, kw_only=True):
    """A key; nothing in it opens anything."""

    id: str
    name: str
    prefix: str
    state: str
    scopes: list[KeyScope]
    user: str | None
    models: list[str]
    tags: dict[str, str]
    limits: KeyLimit
    created_at: Time
    ends_at: Time | None
    revoked_at: Time | None
    rotates: str | None


class NewKey(Key, kw_only=True):
    """A key with its secret, which is shown now and never again."""

    key: str


class Ended(Struct, kw_only=True):
    """A key that opens nothing any more; one whose record could not be read is deleted and has no name."""

    id: str
    name: str | None
    state: Literal["revoked", "deleted"]
    revoked_at: Time | None


class ToolPin(Struct, kw_only=True):
    """What a tool of a key is trusted with; a refused one has no fingerprint."""

    id: str
    scope: str
    tool: str
    state: Literal["pinned", "refused"]
    fingerprint: str | None
    at: Time


class Stop(Struct, kw_only=True):
    """A stop that holds."""

    name: str
    scope: StopScope
    value: str
    reason: str
    by: str
    at: Time
    until: Time | None


class Told(Stop, kw_only=True):
    """A stop, and who has heard of it: this machine, and the database; `problem` says why not both."""

    here: bool
    everywhere: bool
    problem: str | None


class Resumed(Struct, kw_only=True):
    """The stop that ended, `None` for none, and those that go on to hold."""

    ended: Stop | None
    stops: list[Stop]


class Loop(Struct, kw_only=True):
    """What a run repeats, as the worker that was asked has seen it; `stopped` where calls were refused for it."""

    at: Time
    kind: str
    count: int
    stopped: bool
    evidence: str


class Run(Struct, kw_only=True):
    """A run: every call that named it."""

    run: str
    first_at: Time
    last_at: Time
    calls: int
    agents: int
    depth: int
    cost: Money
    stopped: Stop | None
    loop: Loop | None = None


class Agent(Struct, kw_only=True):
    """An agent of a run."""

    agent: str
    parent: str | None


class Sums(Struct, kw_only=True):
    """Sums over attempts."""

    attempts: int
    input_tokens: int
    output_tokens: int
    cost: Money
    estimated_cost: Money
    unpriced: int


class ModelSums(Sums, kw_only=True):
    """Sums over the attempts of a model."""

    model: str | None


class RunView(Struct, kw_only=True):
    """A run with its agents and what it has spent by model."""

    run: str
    first_at: Time
    last_at: Time
    calls: int
    agents: list[Agent]
    depth: int
    cost: Money
    stopped: Stop | None
    models: list[ModelSums]


class AuditLine(Struct, kw_only=True):
    """Who changed what."""

    at: Time
    actor: str
    action: Literal["put", "drop"]
    kind: str
    name: str
    note: str
