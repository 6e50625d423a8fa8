"""Members of JSON of an unknown shape: what is not there, or is of another kind, reads as nothing."""

from collections.abc import Mapping
from typing import Any, cast

Document = Mapping[str, Any]


def objects(value: object) -> list[Document]:
    """The objects of a list; whatever is no list has none."""
    if not isinstance(value, list):
        return []
    return [cast("Document", item) for item in cast("list[object]", value) if isinstance(item, dict)]


def inner(value: object, name: str) -> Document:
    """The object that is the member `name` of an object."""
    found = member(value, name)
    return cast("Document", found) if isinstance(found, dict) else {}


def word(value: object, name: str) -> str | None:
    """The text that is the member `name` of an object."""
    found = member(value, name)
    return found if isinstance(found, str) else None


def number(value: object, name: str) -> int | None:
    """The whole number of 0 or more that is the member `name` of an object; 12.0 is 12."""
    found = member(value, name)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def member(value: object, name: str) -> object:
    """The member `name` of an object, whatever it is."""
    return cast("Document", value).get(name) if isinstance(value, dict) else None
