"""Spend limits as the Admin API of Anthropic writes them; unknown parameters and members are let pass, as there."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from holdfast.admin.shapes import MOST, Cursor, Text

Period = Literal["daily", "monthly", "weekly"]
ScopeType = Literal[
    "organization", "organization_service", "rbac_group", "seat_tier", "usage_tier", "user", "workspace"
]
Cents = Annotated[str, Meta(description="Cents as decimal text.", max_length=30)]
Limit = Annotated[int, Meta(ge=1, le=MOST)]
Users = Annotated[list[Text], Meta(max_length=100)]


class LimitsQuery(Struct, frozen=True, kw_only=True):
    """Which page of the limits; `after_id` and `before_id` are the older way to say it."""

    limit: Limit = 20
    page: Cursor | None = None
    after_id: Text | None = None
    before_id: Text | None = None
    scope_type: list[ScopeType] = field(default_factory=list[ScopeType], name="scope_type[]")
    workspace_id: Text | None = None


class EffectiveQuery(Struct, frozen=True, kw_only=True):
    """Which users and periods."""

    limit: Limit = 20
    page: Cursor | None = None
    user_ids: Users = field(default_factory=list[str], name="user_ids[]")
    period: list[Period] = field(default_factory=list[Period], name="period[]")


class AnyQuery(Struct, frozen=True, kw_only=True):
    """Parameters that mean nothing here."""


class OrganizationScope(Struct, frozen=True, kw_only=True, tag_field="type", tag="organization"):
    """Everybody together."""


class UserScope(Struct, frozen=True, kw_only=True, tag_field="type", tag="user"):
    """One user."""

    user_id: Text


class WorkspaceScope(Struct, frozen=True, kw_only=True, tag_field="type", tag="workspace"):
    """One key of holdfast, by its name."""

    workspace_id: Text


class SeatTierScope(Struct, frozen=True, kw_only=True, tag_field="type", tag="seat_tier"):
    """Every user by themselves: the limit of those who have none of their own, and beside it of those who have."""

    seat_tier: str = "default"


Settable = OrganizationScope | UserScope | WorkspaceScope
AnyScope = OrganizationScope | UserScope | WorkspaceScope | SeatTierScope


class SetLimit(Struct, frozen=True, kw_only=True):
    """A limit to set; `amount` null is none."""

    scope: Settable
    amount: Cents | None
    period: Period = "monthly"
    currency: Literal["USD"] = "USD"


class SpendLimit(Struct, kw_only=True):
    """A limit that is set."""

    id: str
    type: Literal["spend_limit"]
    scope: AnyScope
    amount: Cents | None
    currency: Literal["USD"]
    period: Period
    is_enabled: bool
    created_at: str
    updated_at: str


class SpendLimits(Struct, kw_only=True):
    """A page of limits."""

    data: list[SpendLimit]
    has_more: bool
    next_page: str | None
    first_id: str | None
    last_id: str | None


class Deleted(Struct, kw_only=True):
    """A limit that is no more."""

    id: str
    type: Literal["spend_limit_deleted"]


class Actor(Struct, kw_only=True):
    """A user, of whom nothing is known here but the name that calls bear."""

    type: Literal["user_actor"]
    user_id: str
    name: str | None
    email_address: str | None
    deleted: bool


class Summary(Struct, kw_only=True):
    """The limit that a user meets first in a period, and what they have spent in it."""

    scope: UserScope
    actor: Actor
    amount: Cents | None
    currency: Literal["USD"]
    period: Period
    source: AnyScope
    spend_limit_id: str
    period_to_date_spend: Cents


class Summaries(Struct, kw_only=True):
    """A page of users."""

    data: list[Summary]
    next_page: str | None
