"""Reading JSON that a stranger sent, without trusting the type of anything in it."""

from typing import TypeAlias, TypeGuard, cast

import msgspec

JsonObject: TypeAlias = dict[str, object]

_canonical = msgspec.json.Encoder(order="deterministic")
_encoder = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """Compact JSON."""
    return _encoder.encode(value)


def canonical(value: object) -> bytes:
    """JSON with sorted keys: equal values give equal bytes."""
    return _canonical.encode(value)


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Whether this is a JSON object."""
    return isinstance(value, dict)


def as_object(value: object) -> JsonObject:
    """`value` if it is an object, else an empty one."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """`value` if it is an array, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def objects(value: object) -> list[JsonObject]:
    """The objects in an array; anything else in it is left out."""
    return [cast("JsonObject", item) for item in as_list(value) if isinstance(item, dict)]


def word(source: JsonObject, name: str) -> str:
    """The string called `name`, or an empty one."""
    value = source.get(name)
    return value if isinstance(value, str) else ""


def is_integer(value: object) -> bool:
    """Whether this is a JSON integer; `true` is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether this is a JSON number."""
    return is_integer(value) or isinstance(value, float)


def content_blocks(content: object) -> list[JsonObject]:
    """The blocks of a `content` or `system` member, where a bare string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return objects(content)
