"""The read-only MCP server over HTTP, behind the admin token: each message is a request, and each answer plain JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.shapes import Query
from holdfast.admin.status import status_of
from holdfast.errors import HoldfastError
from holdfast.language import Sentence
from holdfast.operations.mcp import (
    RequestQuestion,
    Said,
    SpendQuestion,
    heard,
    refused,
    told,
)
from holdfast.operations.requests import request, view_facts
from holdfast.operations.span import span
from holdfast.operations.spend import report, report_facts

PATH = "/mcp"
Facts = Mapping[str, Any]


class Message(Struct, kw_only=True):
    """One message of JSON-RPC 2.0."""

    jsonrpc: str = "2.0"
    id: str | int | UnsetType = UNSET
    method: str | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    result: Any | UnsetType = UNSET
    error: Any | UnsetType = UNSET


async def speak(asked: Asked[Query, Message]) -> object:
    """Answer one message; one that wants no answer is accepted."""
    wanted = heard(msgspec.json.encode(asked.body))
    if isinstance(wanted, Said):
        return Response(status_code=202) if wanted.answer is None else wanted.answer
    language = asked.runtime.settings.language
    try:
        return told(wanted, await _facts(asked, wanted.question), language)
    except HoldfastError as error:
        return refused(wanted, error, language)


async def _facts(asked: Asked[Query, Message], question: object) -> Facts:
    match question:
        case RequestQuestion(id=name):
            view = await request(asked.desk, name)
            if view is None:
                raise HoldfastError(
                    Sentence(f"There is no request {name[:80]!r}.", ko=f"{name[:80]!r} 요청이 없습니다.")
                )
            return view_facts(view)
        case SpendQuestion(since=since, by=by):
            within = span(since, None, timezone="UTC", now=asked.desk.now)
            return report_facts(await report(asked.desk, within, by=by or ["model"]))
        case _:
            found: Facts = msgspec.to_builtins(status_of(asked.runtime))
            return found


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path=PATH,
        name="speakMcp",
        summary="Speak MCP to the tools that read: status, spend and explain_request",
        work=speak,
        gives=Message,
        query=Query,
        body=Message,
        only_reads=True,
    ),
)
