"""The flight recorder over the Admin API: on and off, whose bodies it keeps, and what it kept of a call."""

from holdfast.admin.lengths import length
from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name, page
from holdfast.admin.recording_shapes import (
    Forgotten,
    RecordedBodies,
    RecordingBody,
    RecordingEnded,
    RecordingView,
    WhoseQuery,
)
from holdfast.admin.refusals import missing, unreadable
from holdfast.admin.shapes import NoBody, Page, PageQuery, Query
from holdfast.language import Sentence
from holdfast.operations.recordings import (
    body_facts,
    drop_recording,
    put_recording,
    recording_facts,
    recordings,
)
from holdfast.policy.recording import Recording
from holdfast.ports import Whose

PATH = "/api/v1/recordings"


async def list_recordings(asked: Asked[PageQuery, NoBody]) -> object:
    """Every recording that is on now."""
    rows, following = by_name(await recordings(asked.desk), lambda one: one.name, asked.query)
    return page((recording_facts(one) for one in rows), following)


async def record(asked: Asked[Query, RecordingBody]) -> object:
    """Keep the bodies of some calls from now on."""
    desk, body = asked.desk, asked.body
    now = desk.now.replace(microsecond=0)
    word = Recording(
        scope=body.scope,
        value=body.value,
        by=desk.actor,
        at=now,
        until=now + length("for", body.length),
        max_bytes=body.max_bytes,
    )
    return recording_facts(await put_recording(desk, word))


async def stop_recording(asked: Asked[Query, NoBody]) -> object:
    """Keep no more."""
    name = asked.names["name"]
    ended = await drop_recording(asked.desk, name)
    if ended is None:
        raise missing(Sentence(f"recording `{name}`", ko=f"`{name}` 기록 설정을"))
    return {"ended": recording_facts(ended)}


async def forget(asked: Asked[WhoseQuery, NoBody]) -> object:
    """Delete what was kept."""
    query = asked.query
    whose = Whose(request_id=query.request_id, key=query.key, user=query.user, run=query.run)
    if whose == Whose():
        raise unreadable("query", "say whose: request_id, key, user or run")
    return {"forgotten": await asked.runtime.stations.recorder.bodies.forget(whose)}


async def get_bodies(asked: Asked[Query, NoBody]) -> object:
    """What was kept of one call."""
    name = asked.names["id"]
    found = await asked.runtime.stations.recorder.bodies.find(name)
    if found is None:
        raise missing(Sentence(f"recorded body of `{name}`", ko=f"`{name}` 요청의 기록된 본문을"))
    return body_facts(found)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listRecordings",
        summary="List whose bodies are recorded now",
        work=list_recordings,
        gives=Page[RecordingView],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=PATH,
        name="record",
        summary="Record the bodies of the calls of a key, user or run for a while, masked",
        work=record,
        gives=RecordingView,
        query=Query,
        body=RecordingBody,
        status=201,
    ),
    Operation(
        method="DELETE",
        path=PATH,
        name="forgetBodies",
        summary="Delete recorded bodies: of one request, or all of a key, user or run",
        work=forget,
        gives=Forgotten,
        query=WhoseQuery,
        body=NoBody,
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{name}}",
        name="stopRecording",
        summary="Switch a recording off by its name, such as `key:web`",
        work=stop_recording,
        gives=RecordingEnded,
        query=Query,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path="/api/v1/requests/{id}/body",
        name="getBodies",
        summary="Show the recorded bodies of a call",
        work=get_bodies,
        gives=RecordedBodies,
        query=Query,
        body=NoBody,
        is_private=True,
    ),
)
