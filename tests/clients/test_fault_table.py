"""What a fault of the upstream costs with holdfast in between: requests per client call, client by client."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from holdfast.settings import TimeoutsConfig
from holdfast.simulator import (
    Action,
    CleanEnd,
    Delay,
    ErrorEvent,
    Fault,
    HalfBody,
    Malformed,
    Reset,
    Stall,
    Status,
)
from holdfast.simulator.server import RunningSimulator
from tests.clients.installed import CLIENTS, TABLES, Client, Clients, Seen
from tests.doors.running import quick_settings, serving

PATIENCE = 4.0
"""Seconds that each client is told to wait, where it can be told."""

TIMEOUTS = TimeoutsConfig(stall=1.0, deadline=6.0)
MIDWAY = 6
"""Events that a stream has sent when it breaks: a client has shown some text by then."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A fault of the upstream that never passes, and how often it may be asked about one call at the most."""

    name: str
    action: Action
    most: int = 3
    forms: tuple[str, ...] = ("text", "stream")

    def __str__(self) -> str:
        return self.name


HTML = Status(502, body="<html>Bad gateway</html>", content_type="text/html")
ROWS = (
    Row("429, retry-after 1", Status(429, retry_after=1)),
    Row("429, x-should-retry: false", Status(429, headers={"x-should-retry": "false"}), 1),
    Row("529", Status(529)),
    Row("500", Status(500)),
    Row("502 in HTML", HTML),
    Row("401", Status(401), 1),
    Row("400", Status(400), 1),
    Row("reset before the first byte", Reset()),
    Row("reset midway", Reset(MIDWAY)),
    Row("clean end midway", CleanEnd(MIDWAY)),
    Row("error event midway", ErrorEvent(MIDWAY)),
    Row("malformed event midway", Malformed(MIDWAY)),
    Row("half a body", HalfBody()),
    Row("silence midway", Stall(MIDWAY)),
    Row("silence before the first byte", Delay(60)),
)


FORMS = ("text", "stream")
INSISTS = "Vercel AI SDK"
"""Does not read `x-should-retry`: it calls three times, and holdfast asks the upstream once for each."""
REISSUES = "Claude Code, headless"
"""Sends a broken stream and a bad request again, changed each time: these are calls of its own."""
HIDES_JUNK = "LiteLLM"
"""Ends without an error at an event that is no JSON, which is passed on as it came."""

Key = tuple[Client, Row, str]


@dataclass(frozen=True, slots=True)
class Cell:
    """How often the client called holdfast, and holdfast the upstream; and what the client made of it."""

    calls: int
    requests: int
    seen: Seen

    def __str__(self) -> str:
        return f"{self.calls}:{self.requests}"


def measured(clients: Clients, client: Client, row: Row, form: str) -> Cell:
    """One turn against an upstream that always fails in this way; gateway and simulator are new."""
    with RunningSimulator() as simulator:
        simulator.simulator.fault(Fault(row.action, times=None))
        settings = replace(quick_settings(simulator), timeouts=TIMEOUTS)
        with serving(simulator, settings) as gateway:
            seen = clients.do(client, form, gateway.url, timeout=PATIENCE)
            return Cell(len(gateway.records()), len(simulator.simulator.requests), seen)


@pytest.fixture(scope="module")
def cells(clients: Clients) -> dict[Key, Cell]:
    """The whole table; what takes longest begins first."""
    keys = [(client, row, form) for client in reversed(CLIENTS) for row in ROWS for form in row.forms]

    def one(key: Key) -> Cell:
        return measured(clients, *key)

    with ThreadPoolExecutor(sum(client.copies for client in CLIENTS)) as pool:
        found = dict(zip(keys, pool.map(one, keys), strict=True))
    TABLES.append(drawn(found))
    return found


def drawn(cells: Mapping[Key, Cell]) -> str:
    """Calls of the client and requests to the upstream, of a plain and of a streamed turn."""
    lines = ["fault: calls of the client and requests upstream, plain and streamed"]
    for client in CLIENTS:
        lines.append(f"\n{client.name}")
        for row in ROWS:
            shown = [(cells[client, row, form]) for form in row.forms]
            said = "  ".join(f"{cell!s:6} {cell.seen.error or 'no error':28}" for cell in shown)
            lines.append(f"  {row.name:32} {said}")
    return "\n".join(lines)


def of(cells: Mapping[Key, Cell], row: Row) -> Iterator[tuple[str, str, Cell]]:
    """The cells of one row, by client and form."""
    return ((client.name, form, cell) for (client, its, form), cell in cells.items() if its is row)


@pytest.mark.requirement("clients:faults")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_no_call_of_a_client_is_more_than_three_requests_and_a_final_one_is_one(
    cells: dict[Key, Cell], row: Row
) -> None:
    multiplied = [
        f"{name}, {form}: {cell}"
        for name, form, cell in of(cells, row)
        if not 1 <= cell.requests <= cell.calls * row.most
    ]
    assert multiplied == []


@pytest.mark.requirement("clients:faults")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_one_turn_of_a_library_is_at_most_three_requests_whatever_its_own_retries(
    cells: dict[Key, Cell], row: Row
) -> None:
    multiplied = [
        f"{name}, {form}: {cell}"
        for name, form, cell in of(cells, row)
        if name != REISSUES and cell.requests > (3 if name == INSISTS else row.most)
    ]
    assert multiplied == []


@pytest.mark.requirement("clients:faults")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_client_that_reads_our_word_calls_once(cells: dict[Key, Cell], row: Row) -> None:
    repeated = [
        f"{name}, {form}: {cell}"
        for name, form, cell in of(cells, row)
        if name not in (INSISTS, REISSUES) and cell.calls > 1
    ]
    assert repeated == []


@pytest.mark.requirement("clients:faults")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_answer_that_is_not_whole_is_an_error_at_every_client(cells: dict[Key, Cell], row: Row) -> None:
    taken_for_whole = [
        f"{name}, {form}: {cell.seen}"
        for name, form, cell in of(cells, row)
        if cell.seen.error is None
        and not (name == HIDES_JUNK and isinstance(row.action, Malformed) and form == "stream")
    ]
    assert taken_for_whole == []
