"""What an MCP client says to a server, and how a server answers: JSON-RPC 2.0, one message at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from holdfast.wire.members import Document, inner, word

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Versions of the protocol with its handshake, the newest first."""
NOT_JSON, NO_REQUEST, NO_METHOD, BAD_PARAMS = -32700, -32600, -32601, -32602
LONGEST_ID = 500
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
Id = str | int


@dataclass(frozen=True, slots=True)
class Request:
    """A message that waits for an answer."""

    id: Id
    method: str
    params: Document


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A message that wants no answer: a notification, or the answer to something."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """What is no message; `answer` says so."""

    answer: Mapping[str, Any]


def read_message(body: bytes) -> Request | Unanswered | Malformed:
    """What a client says. Several messages in one, which only an old version of the protocol had, are refused."""
    try:
        decoded: object = msgspec.json.decode(body)
    except _UNREADABLE:
        return Malformed(failed(None, NOT_JSON, "Parse error"))
    if not isinstance(decoded, dict):
        return Malformed(failed(None, NO_REQUEST, "Send one message at a time"))
    message = cast("Document", decoded)
    method, name = word(message, "method"), message.get("id")
    if method is None:
        is_answer = "result" in message or "error" in message
        return Unanswered() if is_answer else Malformed(failed(None, NO_REQUEST, "Invalid request"))
    if "id" not in message:
        return Unanswered()
    if isinstance(name, bool) or not isinstance(name, str | int) or len(str(name)) > LONGEST_ID:
        return Malformed(failed(None, NO_REQUEST, "Invalid request"))
    return Request(name, method, inner(message, "params"))


def answered(request: Request, result: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": request.id, "result": dict(result)}


def failed(name: Id | None, code: int, message: str) -> dict[str, Any]:
    """The answer to a request that cannot be served."""
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": message}}


def greeting(request: Request, name: str, version: str, instructions: str) -> dict[str, Any]:
    """The answer to `initialize`: the version that the client asks for, else the newest."""
    asked = word(request.params, "protocolVersion")
    return answered(
        request,
        {
            "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": name, "version": version},
            "instructions": instructions,
        },
    )
