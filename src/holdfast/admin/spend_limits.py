"""`/v1/organizations/spend_limits`: budgets in the words of Anthropic's Admin API.

A budget of a day or a month, hard or soft, is a limit there if it is for everybody together (`organization`),
for one user (`user`), for one key (`workspace`), or for every user (`seat_tier`, which cannot be set there).
Budgets of other lengths (`weekly` among them), of models, runs, agents or tags have no shape there and are left
out. So is the queue of increase requests, which members file in another product of theirs and which Anthropic's
own gateway leaves out, too: here a budget is let go on by its `approve`. All limits of a call bind, so that one
of a user's own does not lift the limit of all. A soft budget is a limit without an amount.
"""

from decimal import Decimal
from hashlib import sha256

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name
from holdfast.admin.refusals import missing, unreadable
from holdfast.admin.shapes import NoBody, PageQuery
from holdfast.admin.spend_limit_shapes import (
    AnyQuery,
    AnyScope,
    Deleted,
    LimitsQuery,
    OrganizationScope,
    Period,
    SeatTierScope,
    SetLimit,
    SpendLimit,
    SpendLimits,
    UserScope,
    WorkspaceScope,
)
from holdfast.language import Sentence
from holdfast.operations import budgets
from holdfast.operations.desk import Desk
from holdfast.policy.budget import EVERYBODY, LARGEST

PATH = "/v1/organizations/spend_limits"
PERIODS: dict[object, Period] = {"day": "daily", "month": "monthly"}
PERS: dict[Period, str] = {"daily": "day", "monthly": "month"}
UNTIMED = "1970-01-01T00:00:00Z"
"""When a budget of the settings was made: nobody knows."""
SMALLEST = "0.000000001"
"""Dollars of a limit of 0: no call costs less."""


async def list_limits(asked: Asked[LimitsQuery, NoBody]) -> object:
    """Every limit, by id."""
    query = asked.query
    rows = [one for one in await limits(asked.desk) if _is_wanted(one, query)]
    if query.before_id is not None:
        rows = sorted((one for one in rows if one.id < query.before_id), key=_id)[-query.limit :]
    if query.after_id is not None:
        rows = [one for one in rows if one.id > query.after_id]
    shown, following = by_name(rows, _id, PageQuery(limit=query.limit, page=query.page))
    return SpendLimits(
        data=shown,
        has_more=following is not None,
        next_page=following,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
    )


async def get_limit(asked: Asked[AnyQuery, NoBody]) -> object:
    """One limit."""
    _, limit = await _found(asked.desk, asked.names["id"])
    return limit


async def set_limit(asked: Asked[AnyQuery, SetLimit]) -> object:
    """Set the limit of a scope and a period, in place of the one it has."""
    desk, body = asked.desk, asked.body
    if body.period not in PERS:
        raise unreadable("period", "`weekly` limits are not kept here; write `daily` or `monthly`")
    known = [one for one in await budgets.budgets(desk) if _is_limit_of(one, body)]
    if len(known) > 1:
        names = ", ".join(one.name for one in known)
        raise unreadable("scope", f"several budgets are such a limit ({names}); change them as budgets")
    name = known[0].name if known else _new_name(body)
    await budgets.put_budget(desk, name, _members(body))
    _, limit = await _found(desk, _id_of(name))
    return limit


async def delete_limit(asked: Asked[AnyQuery, NoBody]) -> object:
    """Take a limit back."""
    name, limit = await _found(asked.desk, asked.names["id"])
    await budgets.drop_budget(asked.desk, name)
    return Deleted(id=limit.id, type="spend_limit_deleted")


def _id(limit: SpendLimit) -> str:
    return limit.id


def _id_of(name: str) -> str:
    return f"spl_{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


async def limits(desk: Desk) -> list[SpendLimit]:
    """Every budget that has a shape as a limit."""
    found = (_limit(one) for one in await budgets.budgets(desk))
    return [one for one in found if one is not None]


async def _found(desk: Desk, id: str) -> tuple[str, SpendLimit]:
    for known in await budgets.budgets(desk):
        limit = _limit(known)
        if limit is not None and limit.id == id:
            return known.name, limit
    raise missing(Sentence(f"spend limit `{id}`", ko=f"`{id}` 지출 한도를"))


def _limit(known: budgets.Known) -> SpendLimit | None:
    """A budget as a limit; `None` for one that has no shape there."""
    config = known.config
    scope, period = _scope(known), PERIODS.get(config.per)
    if scope is None or period is None:
        return None
    at = known.place if known.origin == "register" else UNTIMED
    return SpendLimit(
        id=_id_of(known.name),
        type="spend_limit",
        scope=scope,
        amount=cents_of(config.usd) if config.hard else None,
        currency="USD",
        period=period,
        is_enabled=True,
        created_at=at,
        updated_at=at,
    )


def _scope(known: budgets.Known) -> AnyScope | None:
    scope, where = known.config.scope, dict(known.config.where)
    if scope == EVERYBODY and not where:
        return OrganizationScope()
    if scope == "user" and not where:
        return SeatTierScope()
    if scope == "user" and where.keys() == {"user"}:
        return UserScope(user_id=where["user"])
    if scope == "key" and where.keys() == {"key"}:
        return WorkspaceScope(workspace_id=where["key"])
    return None


def _is_wanted(limit: SpendLimit, query: LimitsQuery) -> bool:
    if query.workspace_id is not None and limit.scope != WorkspaceScope(workspace_id=query.workspace_id):
        return False
    kind: object = limit.scope.__struct_config__.tag
    return not query.scope_type or kind in query.scope_type


def _is_limit_of(known: budgets.Known, body: SetLimit) -> bool:
    return PERIODS.get(known.config.per) == body.period and _scope(known) == body.scope


def _new_name(body: SetLimit) -> str:
    match body.scope:
        case OrganizationScope():
            return f"spend limit {body.period}"
        case UserScope(user_id=user):
            return f"spend limit {body.period} user {sha256(user.encode()).hexdigest()[:16]}"
        case WorkspaceScope(workspace_id=key):
            return f"spend limit {body.period} key {sha256(key.encode()).hexdigest()[:16]}"


def _members(body: SetLimit) -> dict[str, object]:
    amount = body.amount
    if amount is not None and not (amount.isascii() and amount.isdigit()):
        raise unreadable("amount", f"{amount!r} is no whole number of cents as text, such as '50000'")
    members: dict[str, object] = {"per": PERS[body.period], "hard": amount is not None}
    match body.scope:
        case OrganizationScope():
            members |= {"scope": EVERYBODY, "where": {}}
        case UserScope(user_id=user):
            members |= {"scope": "user", "where": {"user": user}}
        case WorkspaceScope(workspace_id=key):
            members |= {"scope": "key", "where": {"key": key}}
    if amount is None:
        return {**members, "usd": str(LARGEST), "ladder": []}
    cents = int(amount)
    return {**members, "usd": f"{cents // 100}.{cents % 100:02}" if cents else SMALLEST}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listSpendLimits",
        summary="List the budgets that have a shape as a spend limit",
        work=list_limits,
        gives=SpendLimits,
        query=LimitsQuery,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=PATH,
        name="setSpendLimit",
        summary="Set the limit of a scope and a period, in place of the one it has",
        work=set_limit,
        gives=SpendLimit,
        query=AnyQuery,
        body=SetLimit,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{id}}",
        name="getSpendLimit",
        summary="Show a spend limit",
        work=get_limit,
        gives=SpendLimit,
        query=AnyQuery,
        body=NoBody,
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{id}}",
        name="deleteSpendLimit",
        summary="Take a spend limit back that was set at run time",
        work=delete_limit,
        gives=Deleted,
        query=AnyQuery,
        body=NoBody,
    ),
)


def cents_of(usd: Decimal) -> str:
    """A limit in whole cents; one below a cent that lets something through is no "0", which blocks everything."""
    return "0" if usd <= Decimal(SMALLEST) else str(max(1, int(usd * 100)))
