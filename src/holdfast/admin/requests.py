"""Requests over the Admin API: lists by filter, one with its story, all as a file, and those that end just now."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.refusals import missing
from holdfast.admin.request_shapes import FilterQuery, Request, RequestExportQuery, RequestsQuery
from holdfast.admin.shapes import NoBody, Page, Query
from holdfast.admin.spending import Call
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.export import csv_line, csv_row, json_line
from holdfast.operations.requests import (
    all_requests,
    call_facts,
    page_facts,
    request,
    requests,
    view_facts,
)
from holdfast.policy.request_filter import RequestFilter, matches, parse
from holdfast.telemetry.feed import Following

PATH = "/api/v1/requests"
ALIVE = 15.0
"""Seconds of silence after which a stream says that it is still there."""
EVENT_STREAM = "text/event-stream"


async def list_requests(asked: Asked[RequestsQuery, NoBody]) -> object:
    """The newest requests first."""
    query = asked.query
    wanted = _filter(query.filter, asked.desk.now)
    after = query.after if query.page is None else query.page
    return page_facts(await requests(asked.desk, wanted, limit=query.limit, after=after))


async def get_request(asked: Asked[Query, NoBody]) -> object:
    """A request with its attempts and its story."""
    name = asked.names["id"]
    view = await request(asked.desk, name)
    if view is None:
        raise missing(Sentence(f"request `{name}`", ko=f"`{name}` 요청을"))
    return view_facts(view)


async def export_requests(asked: Asked[RequestExportQuery, NoBody]) -> object:
    """Every request that is meant, newest first."""
    wanted = _filter(asked.query.filter, asked.desk.now)
    if asked.query.format == "csv":
        rows, kind = _csv(asked.desk, wanted), "text/csv; charset=utf-8"
    else:
        rows, kind = _json_lines(asked.desk, wanted), "application/jsonl"
    name = f"requests.{asked.query.format}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(rows, media_type=kind, headers=headers)


async def stream_requests(asked: Asked[FilterQuery, NoBody]) -> object:
    """Every request of this worker as it ends: a follower that stays away too long hears how many it missed."""
    wanted = _filter(asked.query.filter, asked.desk.now)
    following = asked.runtime.feed.follow()
    return _Followed(following, wanted, workers=asked.runtime.settings.fleet.workers)


class _Followed(StreamingResponse):
    """A stream of events that gives its place in the feed back, whichever way it ends."""

    def __init__(self, following: Following, wanted: RequestFilter, *, workers: int) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events(following, wanted, workers), media_type=EVENT_STREAM, headers=headers)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._following.close()


async def events(following: Following, wanted: RequestFilter, workers: int) -> AsyncGenerator[bytes]:
    """What a follower hears, as server-sent events, until the feed ends."""
    yield _event("opened", {"workers": workers})
    while True:
        try:
            news = await asyncio.wait_for(following.hear(), ALIVE)
        except TimeoutError:
            yield b": alive\n\n"
            continue
        if news is None:
            return
        if news.missed:
            yield _event("dropped", {"count": news.missed})
        told = [_event("request", call_facts(one)) for one in news.calls if matches(wanted, one)]
        if told:
            yield b"".join(told)


def _event(name: str, facts: object) -> bytes:
    # JSON has no line ends of its own, so that one line holds it.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(facts))


def _filter(text: str, now: datetime) -> RequestFilter:
    return parse(text, now=now)


async def _csv(desk: Desk, wanted: RequestFilter) -> AsyncGenerator[bytes]:
    yield csv_line(field.name for field in msgspec.structs.fields(Call))
    async with aclosing(all_requests(desk, wanted)) as rows:
        async for facts in rows:
            yield csv_row(facts)


async def _json_lines(desk: Desk, wanted: RequestFilter) -> AsyncGenerator[bytes]:
    async with aclosing(all_requests(desk, wanted)) as rows:
        async for facts in rows:
            yield json_line(facts)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listRequests",
        summary="List the calls that are over and that a filter means, newest first",
        work=list_requests,
        gives=Page[Call],
        query=RequestsQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/export",
        name="exportRequests",
        summary="Every call that is over and that a filter means, newest first, as a file",
        work=export_requests,
        gives=None,
        query=RequestExportQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/stream",
        name="streamRequests",
        summary="Follow the calls of this worker as they end: events `opened`, `request` and `dropped`",
        work=stream_requests,
        gives=None,
        query=FilterQuery,
        body=NoBody,
        files=(EVENT_STREAM,),
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{id}}",
        name="getRequest",
        summary="Show a call with its attempts and its story",
        work=get_request,
        gives=Request,
        query=Query,
        body=NoBody,
    ),
)
