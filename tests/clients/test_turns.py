"""Every client people have, unchanged, against `holdfast serve --simulate`: a text, a streamed and a tool turn."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed import CLIENTS, INSIDE, TABLES, Client, Clients, Seen

READY = re.compile(r"ready at (http://\S+) ")
ALL = (*CLIENTS, INSIDE)
ENDS = {"end_turn", "stop"}  # some libraries say it in the words of another vendor
WHOLE: dict[str, dict[str, Seen]] = {}
"""What each client saw, turn by turn, for the table at the end."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in a process of its own, as a user starts it."""
    home = tmp_path_factory.mktemp("gateway")
    command = Path(sys.executable).with_name("holdfast")
    with subprocess.Popen(
        [command, "serve", "--simulate", "--port", "0"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "HOLDFAST__SIMULATOR__TIME_SCALE": "0"},
        cwd=home,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        ready = next((found for line in process.stderr if (found := READY.search(line))), None)
        assert ready is not None, "the gateway did not start"
        yield ready[1]
        process.terminate()
        assert process.wait(20.0) == 0


@pytest.fixture(scope="module", autouse=True)
def table(clients: Clients) -> Iterator[None]:
    """Keep what was seen for the end of the run."""
    yield
    lines = [f"{'client':28} {'version':10} text    streamed  tool"]
    for client in ALL:
        turns = WHOLE.get(client.name, {})
        text, stream, tool = (_mark(turns.get(turn)) for turn in ("text", "stream", "tool"))
        lines.append(
            f"{client.name:28} {clients.versions.get(client.name, ''):10} {text:7} {stream:9} {tool}"
        )
    TABLES.append("\n".join(lines))


def _mark(seen: Seen | None) -> str:
    return "-" if seen is None else "ok" if seen.error is None else "FAILED"


def turn(clients: Clients, client: Client, name: str, address: str) -> Seen:
    seen = clients.do(client, name, address)
    WHOLE.setdefault(client.name, {})[name] = seen
    assert seen.error is None, f"{seen.error}: {seen.message}"
    assert seen.stop in ENDS
    return seen


@pytest.mark.requirement("clients:all")
@pytest.mark.parametrize("client", ALL, ids=str)
def test_a_client_gets_an_answer(clients: Clients, client: Client, address: str) -> None:
    assert "Where is my order?" in turn(clients, client, "text", address).text


@pytest.mark.requirement("clients:all")
@pytest.mark.parametrize("client", ALL, ids=str)
def test_a_client_hears_an_answer_in_pieces(clients: Clients, client: Client, address: str) -> None:
    seen = turn(clients, client, "stream", address)
    assert "Tell me a story" in seen.text
    assert seen.pieces > 3


@pytest.mark.requirement("clients:all")
@pytest.mark.parametrize("client", ALL, ids=str)
def test_a_client_runs_a_tool_and_is_answered(clients: Clients, client: Client, address: str) -> None:
    seen = turn(clients, client, "tool", address)
    expected = "No files found" if client.program == "claude_code.py" else "Sunny, 21 degrees"
    assert expected in seen.text
