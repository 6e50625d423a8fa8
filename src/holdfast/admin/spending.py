"""Answers of the Admin API about money and calls, as types."""

from msgspec import UNSET, Struct, UnsetType

from holdfast.admin.shapes import Money, Standing, Sums, Time
from holdfast.policy.failure import Blame
from holdfast.policy.story import Ending


class SumsBy(Sums, kw_only=True):
    """The sums of one group, with the dimensions asked for."""

    model: str | UnsetType | None = UNSET
    upstream: str | UnsetType | None = UNSET
    key: str | UnsetType | None = UNSET
    user: str | UnsetType | None = UNSET
    run: str | UnsetType | None = UNSET
    hour: str | UnsetType | None = UNSET
    day: str | UnsetType | None = UNSET
    month: str | UnsetType | None = UNSET


class Report(Struct, kw_only=True):
    """What was spent in a span, by group."""

    since: Time | None
    until: Time | None
    timezone: str
    by: list[str]
    groups: list[SumsBy]
    total: Sums


class Exhaustion(Standing, kw_only=True):
    """How a budget stands, and when it will be used up; `None` where its window ends before that."""

    per_day: Money | None
    exhausted_at: Time | None


class Forecast(Struct, kw_only=True):
    """What this month comes to if things go on as in the last full days."""

    since: Time
    until: Time
    timezone: str
    spent: Money
    basis_days: int
    per_day: Money | None
    total: Money | None
    budgets: list[Exhaustion]


class Repricing(Struct, kw_only=True):
    """What a repricing changed, or would change."""

    since: Time | None
    until: Time | None
    timezone: str
    price_version: str
    seen: int
    changed: int
    newly_priced: int
    estimated: int
    unpriced: int
    before: Money
    after: Money
    difference: Money
    written: int
    dry_run: bool


class Call(Struct, kw_only=True):
    """A call that is over."""

    request_id: str
    at: Time
    door: str
    key: str
    user: str | None
    run: str | None
    agent: str | None
    model: str
    served_model: str | None
    upstream: str | None
    stream: bool
    end: str
    status: int
    error_code: str | None
    attempts: int
    stop_reason: str | None
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    cache_creation_1h_input_tokens: int
    thinking_tokens: int
    estimated: bool
    cost: Money | None
    price_version: str | None
    duration_ms: float
    outcome: Ending
    decided_by: str | None
    blame: Blame | None


class Attempt(Struct, kw_only=True):
    """One attempt of a call."""

    id: str
    request_id: str
    attempt: int
    at: Time
    door: str
    key: str
    user: str | None
    run: str | None
    agent: str | None
    tags: dict[str, str]
    upstream: str
    model: str
    served_model: str | None
    state: str
    kind: str
    status: int | None
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    web_search_requests: int
    service_tier: str | None
    estimated: bool
    unbilled: bool
    cost: Money | None
    price_version: str | None
