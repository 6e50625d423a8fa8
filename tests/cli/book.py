"""A ledger as a gateway leaves it, for commands that read it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from holdfast.clock import SYSTEM_CLOCK
from holdfast.ports import AttemptRecord, CallRecord, Payer
from holdfast.stores.sqlite import SqliteStore
from holdfast.wire.usage import Usage

NANO_DOLLAR = 1_000


def an_attempt(request: str, nano: int | None, *, hours_ago: float = 0.0, **payer: Any) -> AttemptRecord:
    """An attempt that was answered so long ago."""
    return AttemptRecord(
        request_id=request,
        number=1,
        at=SYSTEM_CLOCK.now() - timedelta(hours=hours_ago),
        payer=Payer(door="gateway", **payer),
        upstream="anthropic",
        model="claude-sonnet-5-5",
        usage=Usage(input_tokens=1000, output_tokens=100),
        cost_pico=None if nano is None else nano * NANO_DOLLAR,
        price_version="v1",
        estimated=hours_ago > 1,
    )


def a_call(row: AttemptRecord) -> CallRecord:
    """The call of an attempt."""
    return CallRecord(
        request_id=row.request_id,
        at=row.at,
        door=row.payer.door,
        key=row.payer.key,
        user=row.payer.user,
        run=row.payer.run,
        agent=row.payer.agent,
        model=row.model,
        served_model=None,
        upstream=row.upstream,
        stream=False,
        end="answered",
        status=200,
        error_code=None,
        attempts=1,
        stop_reason="end_turn",
        usage=row.usage,
        estimated=row.estimated,
        cost_pico=row.cost_pico,
        price_version=row.price_version,
        duration_ms=1.0,
    )


def write(path: Path, *rows: AttemptRecord) -> None:
    """Write attempts and their calls into a ledger."""
    asyncio.run(_write(path, rows))


def begin(path: Path, run: str) -> None:
    """Let a run begin whose first call is under way."""
    asyncio.run(_begin(path, run))


async def _begin(path: Path, run: str) -> None:
    store = SqliteStore(path)
    await store.enter(run, None, None, SYSTEM_CLOCK.now())
    await store.aclose()


def put(path: Path, kind: str, name: str, body: bytes) -> None:
    """Put a document into the register."""
    asyncio.run(_put(path, kind, name, body))


async def _put(path: Path, kind: str, name: str, body: bytes) -> None:
    store = SqliteStore(path)
    await store.put(kind, name, body, actor="somebody")
    await store.aclose()


async def _write(path: Path, rows: tuple[AttemptRecord, ...]) -> None:
    store = SqliteStore(path)
    for row in rows:
        if row.payer.run is not None:
            await store.enter(row.payer.run, row.payer.agent, None, row.at)
        await store.record(a_call(row))
    await store.settle(rows)
    await store.aclose()
