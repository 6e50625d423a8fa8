"""`/v1/organizations/spend_limits/effective`: which limit each user meets first, and what they have spent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from math import inf

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name
from holdfast.admin.shapes import NoBody, PageQuery
from holdfast.admin.spend_limit_shapes import (
    Actor,
    EffectiveQuery,
    OrganizationScope,
    Period,
    SeatTierScope,
    SpendLimit,
    Summaries,
    Summary,
    UserScope,
)
from holdfast.admin.spend_limits import PATH, PERS, limits
from holdfast.operations.desk import Desk
from holdfast.operations.span import midnight, month_around
from holdfast.policy.money import plain
from holdfast.ports import SpendQuery

PICO_OF_CENT = 10**10
THOUSANDTH = Decimal("0.001")
Spent = Mapping[str, int]
"""User -> pico-dollars."""


async def list_effective(asked: Asked[EffectiveQuery, NoBody]) -> object:
    """The limits of every user who has spent this month or has one of their own; a page is one of users."""
    query = asked.query
    known = await limits(asked.desk)
    spent = {period: await _spent(asked.desk, period) for period in PERS}
    users = {user for sums in spent.values() for user in sums}
    users |= {limit.scope.user_id for limit in known if isinstance(limit.scope, UserScope)}
    if query.user_ids:
        users &= set(query.user_ids)
    shown, following = by_name(users, str, PageQuery(limit=query.limit, page=query.page))
    rows = [
        _summary(user, limit, spent[period])
        for user in shown
        for period in PERS
        if not query.period or period in query.period
        if (limit := _effective(user, [one for one in known if one.period == period])) is not None
    ]
    return Summaries(data=rows, next_page=following)


def _effective(user: str, known: Sequence[SpendLimit]) -> SpendLimit | None:
    """The limit that a user meets first: the lowest of those for them alone, else that of everybody together."""
    own = [one for one in known if one.scope in (UserScope(user_id=user), SeatTierScope())]
    shared = [one for one in known if one.scope == OrganizationScope()]
    return min(own or shared, key=_height, default=None)


def _height(limit: SpendLimit) -> float:
    return inf if limit.amount is None else int(limit.amount)


def _summary(user: str, limit: SpendLimit, spent: Spent) -> Summary:
    return Summary(
        scope=UserScope(user_id=user),
        actor=Actor(type="user_actor", user_id=user, name=None, email_address=None, deleted=False),
        amount=limit.amount,
        currency="USD",
        period=limit.period,
        source=limit.scope,
        spend_limit_id=limit.id,
        period_to_date_spend=_cents(spent.get(user, 0)),
    )


async def _spent(desk: Desk, period: Period) -> Spent:
    query = SpendQuery(since=_beginning(period, desk.now), by=("user",))
    found = await desk.store.spend(query)
    return {user: one.cost_pico for one in found if (user := one.group["user"]) is not None}


def _beginning(period: Period, now: datetime) -> datetime:
    return midnight(now, UTC) if period == "daily" else month_around(now, UTC)[0]


def _cents(pico: int) -> str:
    return plain((Decimal(pico) / PICO_OF_CENT).quantize(THOUSANDTH, ROUND_HALF_UP))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=f"{PATH}/effective",
        name="listEffectiveSpendLimits",
        summary="Show which limit each user meets first, and what they have spent in its period",
        work=list_effective,
        gives=Summaries,
        query=EffectiveQuery,
        body=NoBody,
    ),
)
