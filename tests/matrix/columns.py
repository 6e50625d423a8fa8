"""The columns of the matrix: every client at every door, with all rows at once."""

import asyncio
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.doors.running import eventually
from tests.doors.talking import Heard, ask
from tests.matrix import asking
from tests.matrix.asking import Result
from tests.matrix.rows import ROWS, Row
from tests.matrix.stage import Cell, Stage

TOGETHER = 24
"""Calls at once of a client that blocks a thread."""
CALLERS_LIMIT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one cell did: how the call ended, what it cost the upstream, and what is in the books."""

    result: Result
    attempts: int
    calls: int
    ids: int
    counted: int
    unsettled: int
    is_quiet: bool
    cost: Decimal
    billed: Decimal
    body: bytes = b""
    expected: bytes = b""


def seen(cell: Cell, result: Result, *, body: bytes = b"", expected: bytes = b"") -> Seen:
    ended = cell.settled
    return Seen(
        result=result,
        attempts=cell.attempts,
        calls=len(ended),
        ids=len({event.request_id for event in ended}),
        counted=sum(event.attempts for event in ended),
        unsettled=len(cell.unsettled),
        is_quiet=cell.simulator.capture.open == 0,
        cost=sum((Decimal(event.cost) for event in ended if event.cost), Decimal(0)),
        billed=cell.simulator.billed,
        body=body,
        expected=expected,
    )


Column = Mapping[str, Seen]
"""By the name of the row."""


def _cells(stage: Stage, column: str) -> list[Cell]:
    return [stage.cell(row, f"{column}-{number}") for number, row in enumerate(ROWS)]


def _at_rest(cells: Sequence[Cell]) -> None:
    """Wait until the gateways and simulators have noticed that their callers are served."""
    eventually(lambda: all(cell.settled and cell.simulator.capture.open == 0 for cell in cells))


def through_gateway(stage: Stage) -> Column:
    """The official SDK 2 of this interpreter, with its default settings."""
    cells = _cells(stage, "sdk")
    results = asyncio.run(asking.asked_all([(f"{stage.url}/{cell.name}", cell.row.form) for cell in cells]))
    return _finished(stage, cells, results)


def through_gateway_0(stage: Stage, python: str) -> Column:
    """The official SDK 0.125 in its own interpreter, with its default settings."""
    cells = _cells(stage, "old")
    places = [(f"{stage.url}/{cell.name}", cell.row.form) for cell in cells]
    done = subprocess.run(
        [python, "-I", str(Path(asking.__file__))],
        input=json.dumps(places),
        capture_output=True,
        text=True,
        check=False,
        timeout=CALLERS_LIMIT,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"] == "0.125.0"
    return _finished(stage, cells, [Result(**result) for result in found["results"]])


def raw(stage: Stage) -> Column:
    """A client that retries nothing and shows every byte; beside it, what the upstream says when asked directly."""
    cells = _cells(stage, "raw")
    for number, row in enumerate(ROWS):
        stage.simulated(f"direct-{number}", row.told)
    with ThreadPoolExecutor(TOGETHER) as pool:
        heard = [pool.submit(_heard, f"{stage.url}/{cell.name}", cell.row) for cell in cells]
        direct = {
            row.name: pool.submit(_heard, f"{stage.simulator.url}/direct-{n}", row)
            for n, row in enumerate(ROWS)
            if row.same
        }
    _at_rest(cells)
    column: dict[str, Seen] = {}
    for cell, future in zip(cells, heard, strict=True):
        name = cell.row.name
        expected = direct[name].result().body if name in direct else b""
        result, body = _judged(future, cell.row)
        column[name] = seen(cell, result, body=body, expected=expected)
    stage.close(cells)
    return column


def in_process(stage: Stage) -> Column:
    """`hold.anthropic()`."""
    cells = _cells(stage, "async")

    async def one(cell: Cell, turn: asyncio.Semaphore) -> Result:
        async with cell.hold, cell.hold.anthropic() as client:
            return await asking.asked(client, cell.row.form, turn)

    async def every() -> list[Result]:
        turn = asyncio.Semaphore(asking.AT_ONCE)
        return await asyncio.gather(*(one(cell, turn) for cell in cells))

    results = asyncio.run(every())
    _at_rest(cells)
    return {cell.row.name: seen(cell, result) for cell, result in zip(cells, results, strict=True)}


def in_process_sync(stage: Stage) -> Column:
    """`hold.anthropic_sync()`."""
    cells = _cells(stage, "sync")

    def one(cell: Cell) -> Result:
        with cell.hold, cell.hold.anthropic_sync() as client:
            return asking.of_message(asking.ask_sync(client, cell.row.form))

    with ThreadPoolExecutor(TOGETHER) as pool:
        futures = [pool.submit(one, cell) for cell in cells]
    _at_rest(cells)
    return {cell.row.name: seen(cell, _result(future)) for cell, future in zip(cells, futures, strict=True)}


def _finished(stage: Stage, cells: list[Cell], results: Sequence[Result]) -> Column:
    _at_rest(cells)
    stage.close(cells)
    return {cell.row.name: seen(cell, result) for cell, result in zip(cells, results, strict=True)}


def _result(future: Future[Result]) -> Result:
    error = future.exception()
    return future.result() if error is None else asking.of_error(error)


def _heard(url: str, row: Row) -> Heard:
    body: dict[str, object] = {"model": asking.MODEL, "max_tokens": 300, "messages": asking.TEXT}
    if row.form == "tool":
        body |= {"messages": asking.TOOL, "tools": [asking.WEATHER]}
    if row.form != "plain":
        body["stream"] = True
    base, _, name = url.rpartition("/")
    return ask(base, body, path=f"/{name}/v1/messages")


def _judged(future: Future[Heard], row: Row) -> tuple[Result, bytes]:
    """What a careful reader makes of the bytes."""
    error = future.exception()
    if error is not None:
        return asking.of_error(error), b""
    heard = future.result()
    if heard.status != 200:
        return Result("raised", f"{heard.status} {heard.json['error']['type']}"), heard.body
    if row.form == "plain":
        return Result("answered", str(heard.json["stop_reason"])), heard.body
    return _read(heard.body), heard.body


def _read(body: bytes) -> Result:
    stop = "None"
    for line in body.decode().splitlines():
        if not line.startswith("data:") or ('"type":"error"' not in line and '"stop_reason":"' not in line):
            continue
        document = json.loads(line.removeprefix("data:"))
        if document["type"] == "error":
            return Result("raised", f"event {document['error']['type']}")
        stop = str(document["delta"]["stop_reason"])
    return Result("answered", stop)


COLUMNS: Mapping[str, Callable[[Stage], Column]] = {
    "anthropic 2": through_gateway,
    "raw HTTP": raw,
    "hold.anthropic()": in_process,
    "hold.anthropic_sync()": in_process_sync,
}
