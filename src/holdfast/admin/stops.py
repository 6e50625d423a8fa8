"""The kill switch over the Admin API; it works on this machine while the database is away."""

import asyncio
from datetime import datetime

from holdfast.admin.lengths import length
from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name, page
from holdfast.admin.refusals import missing, unreadable
from holdfast.admin.shapes import NoBody, Page, PageQuery, Query, Resumed, ResumeQuery, Stop, StopBody, Told
from holdfast.language import Sentence
from holdfast.operations import stops
from holdfast.policy.stops import Stop as Word

PATH = "/api/v1/stops"


async def list_stops(asked: Asked[PageQuery, NoBody]) -> object:
    """Every stop that holds now, oldest first."""
    rows, following = by_name(await stops.stops(asked.desk), _place, asked.query)
    return page((stops.stop_facts(one) for one in rows), following)


async def stop(asked: Asked[Query, StopBody]) -> object:
    """End calls at once, and refuse new ones."""
    desk, body = asked.desk, asked.body
    word = Word(
        scope=body.scope,
        value=body.value,
        reason=body.reason,
        by=desk.actor,
        at=desk.now,
        until=_until(body, desk.now),
    )
    # This worker reads the file of its machine before the database is asked, which may be slow to say no.
    await stops.stop_here(desk.settings, word, desk.now)
    _, told = await asyncio.gather(asked.runtime.stations.watch.refresh(), stops.put_stop(desk, word))
    problem = None if told.problem is None else told.problem.say(desk.settings.language)
    return {
        **stops.stop_facts(word),
        "here": told.here,
        "everywhere": told.everywhere,
        "problem": problem,
    }


async def resume(asked: Asked[ResumeQuery, NoBody]) -> object:
    """End a stop by what it stops."""
    return await _resumed(asked, f"{asked.query.scope}:{asked.query.value}")


async def resume_by_name(asked: Asked[Query, NoBody]) -> object:
    """End a stop by its name."""
    return await _resumed(asked, asked.names["name"])


async def _resumed(asked: Asked[ResumeQuery, NoBody] | Asked[Query, NoBody], name: str) -> object:
    ended = await stops.drop_stop(asked.desk, name)
    if ended is None:
        raise missing(Sentence(f"stop `{name}`", ko=f"`{name}` 정지 기록을"))
    left = await stops.stops(asked.desk)
    return {"ended": stops.stop_facts(ended), "stops": [stops.stop_facts(one) for one in left]}


def _until(body: StopBody, now: datetime) -> datetime | None:
    if body.length is None:
        return body.until
    if body.until is not None:
        raise unreadable("body", "write `for` or `until`, not both")
    return (now + length("for", body.length)).replace(microsecond=0)


def _place(word: Word) -> str:
    return f"{word.at.isoformat()} {word.name}"


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listStops",
        summary="List what is stopped now, oldest first",
        work=list_stops,
        gives=Page[Stop],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=PATH,
        name="stop",
        summary="End calls at once, and refuse new ones: everything, or those of a run, key, user or model",
        work=stop,
        gives=Told,
        query=Query,
        body=StopBody,
        status=201,
    ),
    Operation(
        method="DELETE",
        path=PATH,
        name="resume",
        summary="End a stop by what it stops",
        work=resume,
        gives=Resumed,
        query=ResumeQuery,
        body=NoBody,
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{name}}",
        name="resumeByName",
        summary="End a stop by its name, such as `run:7f2c`",
        work=resume_by_name,
        gives=Resumed,
        query=Query,
        body=NoBody,
    ),
)
