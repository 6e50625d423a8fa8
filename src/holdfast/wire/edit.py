"""Edits of a Messages request that touch one value and leave every other byte as the client wrote it."""

import re

import msgspec

from holdfast.errors import MalformedRequest
from holdfast.language import Sentence

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_STRING = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")?', re.DOTALL)
_NUMBER = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*([-+.0-9eE]+|null)?")


def with_model(body: bytes, model: str) -> bytes:
    """The same body with another `model` at its top level; `body` is JSON that `read_request` has taken.

    Raises `MalformedRequest` for a body that names no model.
    """
    found = _value_of(body, "model", _STRING)
    if found is None:
        raise MalformedRequest(_NO_MODEL)
    start, end = found
    return body[:start] + msgspec.json.encode(model) + body[end:]


def with_max_tokens(body: bytes, max_tokens: int) -> bytes:
    """The same body with another `max_tokens` at its top level, or with one at its beginning if it has none.

    `body` is JSON that `read_request` has taken.
    """
    found = _value_of(body, "max_tokens", _NUMBER)
    number = str(max_tokens).encode()
    if found is not None:
        start, end = found
        return body[:start] + number + body[end:]
    start = body.index(b"{") + 1
    comma = b"" if body[start:].lstrip().startswith(b"}") else b", "
    return body[:start] + b'"max_tokens": ' + number + comma + body[start:]


def _value_of(body: bytes, name: str, shape: "re.Pattern[bytes]") -> tuple[int, int] | None:
    """Where the value of a member of the top level begins and ends, if it is of that shape."""
    depth = 0
    for token in _TOKEN.finditer(body):
        match token[0][:1]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case _ if depth == 1 and _says(token[0], name) and (value := shape.match(body, token.end())):
                # A value that happens to read like the name has no colon behind it.
                if value[1] is not None:
                    return value.span(1)
            case _:
                pass
    return None


def _says(token: bytes, name: str) -> bool:
    """Whether a string says `name`, however it is escaped."""
    return token == b'"%s"' % name.encode() or (
        b"\\u" in token and msgspec.json.decode(token, type=str) == name
    )


_NO_MODEL = Sentence(
    "The request names no model that another could stand in for. Add `model` to the request.",
    ko="요청에 `model`이 없어 다른 모델로 대신할 수 없습니다. 요청에 `model`을 추가하세요.",
)
