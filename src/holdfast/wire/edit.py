"""Edits of a Messages request that touch one value and leave every other byte as the client wrote it."""

import re

import msgspec

from holdfast.errors import MalformedRequest
from holdfast.language import Sentence

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_VALUE = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")?', re.DOTALL)


def with_model(body: bytes, model: str) -> bytes:
    """The same body with another `model` at its top level; `body` is JSON that `read_request` has taken.

    Raises `MalformedRequest` for a body that names no model.
    """
    start, end = _model_value(body)
    return body[:start] + msgspec.json.encode(model) + body[end:]


def _model_value(body: bytes) -> tuple[int, int]:
    """Where the value of the top-level `model` begins and ends, its quotes included."""
    depth = 0
    for token in _TOKEN.finditer(body):
        match token[0][:1]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case _ if depth == 1 and _is_model(token[0]) and (value := _VALUE.match(body, token.end())):
                # A value that happens to read "model" has no colon behind it.
                if value[1] is not None:
                    return value.span(1)
            case _:
                pass
    raise MalformedRequest(_NO_MODEL)


def _is_model(token: bytes) -> bool:
    """Whether a string says `model`, however it is escaped."""
    return token == b'"model"' or (b"\\u" in token and msgspec.json.decode(token, type=str) == "model")


_NO_MODEL = Sentence(
    "The request names no model that another could stand in for. Add `model` to the request.",
    ko="요청에 `model`이 없어 다른 모델로 대신할 수 없습니다. 요청에 `model`을 추가하세요.",
)
