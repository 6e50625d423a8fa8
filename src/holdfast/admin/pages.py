"""Pages of lists: each begins behind the key of the last row before it, so that rows which come do not shift it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from holdfast.admin.refusals import turned_page
from holdfast.admin.shapes import PageQuery

R = TypeVar("R")
DEEPEST = 10_000
"""Rows from the newest one on that pages reach."""


def by_name(rows: Iterable[R], name: Callable[[R], str], asked: PageQuery) -> tuple[list[R], str | None]:
    """A page of rows in the order of their names, and where the next one begins."""
    last = _read(asked.page)
    left = sorted((row for row in rows if last is None or name(row) > last), key=name)
    return _cut(left, name, asked.limit)


async def by_age(
    newest: Callable[[int], Awaitable[Sequence[R]]], name: Callable[[R], str], asked: PageQuery
) -> tuple[list[R], str | None]:
    """A page of what `newest` tells, newest first; raises `MalformedRequest` where its beginning is gone."""
    last = _read(asked.page)
    if last is None:
        return _cut(await newest(asked.limit + 1), name, asked.limit)
    rows = await newest(DEEPEST)
    place = next((number for number, row in enumerate(rows) if name(row) == last), None)
    if place is None:
        raise turned_page()
    return _cut(rows[place + 1 :], name, asked.limit)


def page(rows: Iterable[object], following: str | None) -> dict[str, object]:
    """A page as plain data."""
    return {"data": list(rows), "has_more": following is not None, "next_page": following}


def _cut(rows: Sequence[R], name: Callable[[R], str], limit: int) -> tuple[list[R], str | None]:
    shown = list(rows[:limit])
    return shown, _written(name(shown[-1])) if len(rows) > limit else None


def _written(name: str) -> str:
    return urlsafe_b64encode(name.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def _read(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("utf-8", "surrogatepass")
    except ValueError as error:
        raise turned_page() from error
