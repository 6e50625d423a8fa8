"""Budgets over the Admin API."""

import msgspec

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name, page
from holdfast.admin.refusals import missing
from holdfast.admin.shapes import (
    Approval,
    ApproveBody,
    Budget,
    BudgetChange,
    NoBody,
    Page,
    PageQuery,
    Query,
    Removed,
    Standing,
)
from holdfast.language import Sentence
from holdfast.operations import budgets
from holdfast.operations.desk import Desk, instant

PATH = "/api/v1/budgets"


async def list_budgets(asked: Asked[PageQuery, NoBody]) -> object:
    """Every budget by name."""
    rows, following = by_name(await budgets.budgets(asked.desk), lambda one: one.name, asked.query)
    return page((budgets.budget_facts(one) for one in rows), following)


async def get_budget(asked: Asked[Query, NoBody]) -> object:
    """One budget."""
    return budgets.budget_facts(await _known(asked.desk, asked.names["name"]))


async def put_budget(asked: Asked[Query, BudgetChange]) -> object:
    """Lay a budget down, or change one."""
    members = msgspec.to_builtins(asked.body)
    if "usd" in members:
        members["usd"] = str(members["usd"])
    return budgets.budget_facts(await budgets.put_budget(asked.desk, asked.names["name"], members))


async def delete_budget(asked: Asked[Query, NoBody]) -> object:
    """Take a budget back that was set at run time."""
    known = await _known(asked.desk, asked.names["name"])
    removed = await budgets.drop_budget(asked.desk, known.name)
    instead = None if removed.instead is None else budgets.budget_facts(removed.instead)
    return {"name": removed.name, "instead": instead}


async def approve_budget(asked: Asked[Query, ApproveBody]) -> object:
    """Let a budget go on past its rung `ask` until its window ends."""
    known = await _known(asked.desk, asked.names["name"])
    body = asked.body
    limit = await budgets.approve(asked.desk, known.name, body.subject, note=body.note)
    return {
        "budget": limit.budget,
        "subject": limit.subject,
        "window": limit.window,
        "resets_at": instant(limit.resets_at),
    }


async def get_standing(asked: Asked[PageQuery, NoBody]) -> object:
    """How one budget stands for everybody whom it counts."""
    known = await _known(asked.desk, asked.names["name"])
    return await _standings(asked, (known.name,))


async def list_standings(asked: Asked[PageQuery, NoBody]) -> object:
    """How every budget stands."""
    return await _standings(asked, ())


async def _standings(asked: Asked[PageQuery, NoBody], names: tuple[str, ...]) -> object:
    found = await budgets.standings(asked.desk, names)
    rows, following = by_name(found, lambda one: f"{one.budget.name}|{one.limit.window}", asked.query)
    return page((budgets.standing_facts(one) for one in rows), following)


async def _known(desk: Desk, name: str) -> budgets.Known:
    for known in await budgets.budgets(desk):
        if known.name == name:
            return known
    raise missing(Sentence(f"budget `{name}`", ko=f"`{name}` 예산을"))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listBudgets",
        summary="List the budgets",
        work=list_budgets,
        gives=Page[Budget],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path="/api/v1/standings",
        name="listStandings",
        summary="Show how all budgets stand now, for everybody whom they count",
        work=list_standings,
        gives=Page[Standing],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{name}}",
        name="getBudget",
        summary="Show a budget",
        work=get_budget,
        gives=Budget,
        query=Query,
        body=NoBody,
    ),
    Operation(
        method="PUT",
        path=f"{PATH}/{{name}}",
        name="putBudget",
        summary="Lay a budget down, or change one",
        work=put_budget,
        gives=Budget,
        query=Query,
        body=BudgetChange,
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{name}}",
        name="deleteBudget",
        summary="Take a budget back that was set at run time",
        work=delete_budget,
        gives=Removed,
        query=Query,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{name}}/approve",
        name="approveBudget",
        summary="Let a budget go on past its rung `ask` until its window ends",
        work=approve_budget,
        gives=Approval,
        query=Query,
        body=ApproveBody,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{name}}/standing",
        name="getStanding",
        summary="Show how a budget stands now, for everybody whom it counts",
        work=get_standing,
        gives=Page[Standing],
        query=PageQuery,
        body=NoBody,
    ),
)
