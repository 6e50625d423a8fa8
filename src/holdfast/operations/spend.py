"""What was spent: reports by group, and every attempt they are the sum of."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast, get_args

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, instant
from holdfast.operations.span import Span
from holdfast.policy.money import dollars, plain
from holdfast.ports import AttemptRecord, Dimension, Spend, SpendQuery
from holdfast.stores.rows import moment

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
PAGE = 1_000
"""Attempts that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Sums by group in a span of time, and the sum of them all."""

    span: Span
    by: tuple[Dimension, ...]
    groups: tuple[Spend, ...]
    total: Spend


async def report(
    desk: Desk, within: Span, *, by: Sequence[str] = (), where: Mapping[str, str] | None = None
) -> Report:
    """The sums of settled and presumed attempts; raises `ConfigError` for a dimension that is none."""
    query = SpendQuery(
        since=within.since,
        until=within.until,
        by=_dimensions("by", by),
        where=dict(zip(_dimensions("where", where or {}), (where or {}).values(), strict=True)),
        timezone=within.timezone,
    )
    groups = await desk.store.spend(query)
    return Report(span=within, by=query.by, groups=groups, total=total_of(groups))


def total_of(groups: Iterable[Spend]) -> Spend:
    """The sums of all groups together."""
    found = tuple(groups)
    return Spend(
        group={},
        attempts=sum(one.attempts for one in found),
        input_tokens=sum(one.input_tokens for one in found),
        output_tokens=sum(one.output_tokens for one in found),
        cost_pico=sum(one.cost_pico for one in found),
        estimated_pico=sum(one.estimated_pico for one in found),
        unpriced=sum(one.unpriced for one in found),
    )


async def attempts(desk: Desk, within: Span) -> AsyncGenerator[dict[str, object]]:
    """Every attempt of a span as plain data, oldest first, however many there are.

    A store lists them by their ids, so they are first sorted in a file that is gone when this ends.
    """
    with closing(sqlite3.connect("", check_same_thread=False)) as sorter:
        sorter.execute("CREATE TABLE spool (at TEXT, request TEXT, number INTEGER, facts BLOB)")
        async for page in pages(desk):
            rows = [_spooled(one) for one in page if within.has(one.at)]
            await asyncio.to_thread(_spool, sorter, rows)
        with closing(sorter.execute("SELECT facts FROM spool ORDER BY at, request, number")) as found:
            while chunk := await asyncio.to_thread(found.fetchmany, PAGE):
                for (facts,) in chunk:
                    yield cast("dict[str, object]", msgspec.json.decode(facts))


async def pages(desk: Desk) -> AsyncGenerator[tuple[AttemptRecord, ...]]:
    """All attempts of the ledger by their ids, some at a time."""
    last: str | None = None
    while page := await desk.store.attempts(after=last, limit=PAGE):
        yield page
        last = page[-1].id


def attempt_facts(one: AttemptRecord) -> dict[str, object]:
    """An attempt as plain data for JSON; dollars are decimal text, `None` without a price."""
    usage = one.usage
    return {
        "id": one.id,
        "request_id": one.request_id,
        "attempt": one.number,
        "at": instant(one.at),
        "door": one.payer.door,
        "key": one.payer.key,
        "user": one.payer.user,
        "run": one.payer.run,
        "agent": one.payer.agent,
        "tags": dict(one.payer.tags),
        "upstream": one.upstream,
        "model": one.model,
        "served_model": one.served_model,
        "state": one.state,
        "kind": one.kind,
        "status": one.status,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "web_search_requests": usage.web_search_requests,
        "service_tier": usage.service_tier,
        "estimated": one.estimated,
        "unbilled": one.is_unbilled,
        "cost": money(one.cost_pico),
        "price_version": one.price_version,
    }


def spend_facts(one: Spend) -> dict[str, object]:
    """The sums of a group as plain data for JSON; dollars are decimal text, the estimated among `cost`."""
    return {
        **one.group,
        "attempts": one.attempts,
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "cost": money(one.cost_pico),
        "estimated_cost": money(one.estimated_pico),
        "unpriced": one.unpriced,
    }


def report_facts(made: Report) -> dict[str, object]:
    """A report as plain data for JSON."""
    return {
        **span_facts(made.span),
        "by": list(made.by),
        "groups": [spend_facts(one) for one in made.groups],
        "total": spend_facts(made.total),
    }


def span_facts(within: Span) -> dict[str, object]:
    """A span as plain data for JSON."""
    return {"since": instant(within.since), "until": instant(within.until), "timezone": within.timezone}


def money(pico: int | None) -> str | None:
    """Exact dollars as text."""
    return None if pico is None else plain(dollars(pico))


def _spool(sorter: sqlite3.Connection, rows: Sequence[tuple[str, str, int, bytes]]) -> None:
    # The cursor must end in this thread: the next one takes over its prepared statement.
    with closing(sorter.cursor()) as cursor:
        cursor.executemany("INSERT INTO spool VALUES (?, ?, ?, ?)", rows)


def _spooled(one: AttemptRecord) -> tuple[str, str, int, bytes]:
    return moment(one.at), one.request_id, one.number, msgspec.json.encode(attempt_facts(one))


def _dimensions(key: str, names: Iterable[Any]) -> tuple[Dimension, ...]:
    given = tuple(dict.fromkeys(names))
    for name in given:
        if name not in DIMENSIONS:
            raise ConfigError(
                Sentence(
                    f"{key}: `{name}` is nothing that spending is told apart by; there are {', '.join(DIMENSIONS)}",
                    ko=f"{key}: `{name}`(으)로는 지출을 나눌 수 없습니다. 쓸 수 있는 기준: {', '.join(DIMENSIONS)}",
                )
            )
    return cast("tuple[Dimension, ...]", given)
