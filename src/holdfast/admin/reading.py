"""What a request of an operator says: names in its path, its query and its body, all bounded and typed."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from holdfast.admin.refusals import unreadable
from holdfast.wire.headers import Headers, get

T = TypeVar("T", bound=msgspec.Struct)
LONGEST_NAME = 500
"""Characters of a name in a path."""
MOST_PARAMETERS = 200


def names(written: Mapping[str, str]) -> Mapping[str, str]:
    """The names of a path, as they are meant; raises `MalformedRequest` for what is no name."""
    return {key: _name(key, text) for key, text in written.items()}


def query(kind: type[T], text: bytes) -> T:
    """The parameters of a query; one called `name[]` may come several times. Raises `MalformedRequest`."""
    found: dict[str, str | list[str]] = {}
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
        for name, value in pairs:
            if name.endswith("[]"):
                found[name] = [*found.get(name, []), value]
            else:
                found[name] = value
        return msgspec.convert(found, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise unreadable("query", error) from error


def body(kind: type[T], headers: Headers, content: bytes) -> T:
    """The body, which must be JSON and say so; none at all is an empty one. Raises `MalformedRequest`."""
    if not content:
        content = b"{}"
    elif _content_type(headers) != "application/json":
        raise unreadable("content-type", "send application/json")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable("body", error) from error


def _content_type(headers: Headers) -> str:
    return (get(headers, "content-type") or "").partition(";")[0].strip().lower()


def _name(key: str, written: str) -> str:
    try:
        text = unquote(written, errors="strict")
    except UnicodeDecodeError as error:
        raise unreadable(key, "this is not UTF-8") from error
    if len(text) > LONGEST_NAME:
        raise unreadable(key, f"{len(text)} characters are too many, {LONGEST_NAME} is the most")
    return text
