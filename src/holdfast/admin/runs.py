"""Runs over the Admin API."""

from collections.abc import Sequence
from dataclasses import asdict

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_age, page
from holdfast.admin.refusals import missing
from holdfast.admin.shapes import NoBody, Page, PageQuery, Query, Run, RunView
from holdfast.language import Sentence
from holdfast.operations import runs
from holdfast.operations.desk import instant
from holdfast.telemetry.chronicle import Loop


async def list_runs(asked: Asked[PageQuery, NoBody]) -> object:
    """The runs heard of last, first."""

    async def newest(limit: int) -> Sequence[runs.Standing]:
        return await runs.runs(asked.desk, limit)

    rows, following = await by_age(newest, lambda one: one.record.run, asked.query)
    loops = asked.runtime.chronicle.loops()
    return page(
        ({**runs.run_facts(one), "loop": _loop(loops.get(one.record.run))} for one in rows), following
    )


def _loop(loop: Loop | None) -> dict[str, object] | None:
    return None if loop is None else {**asdict(loop), "at": instant(loop.at)}


async def get_run(asked: Asked[Query, NoBody]) -> object:
    """One run with its agents and what it has spent."""
    name = asked.names["run"]
    if await asked.desk.store.run(name) is None:
        raise missing(Sentence(f"run `{name}`", ko=f"`{name}` 실행을"))
    return runs.view_facts(await runs.run(asked.desk, name))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/api/v1/runs",
        name="listRuns",
        summary="List the runs, those heard of last first",
        work=list_runs,
        gives=Page[Run],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path="/api/v1/runs/{run}",
        name="getRun",
        summary="Show a run with its agents and what it has spent by model",
        work=get_run,
        gives=RunView,
        query=Query,
        body=NoBody,
    ),
)
