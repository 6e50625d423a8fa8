"""Two upstreams, and the first is killed or frozen under load: whoever the second can answer is answered."""

import asyncio
import json
import re
import signal
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.doors.talking import QUESTION
from tests.journeys.commands import Server, running

CLIENTS = 40
MODEL = QUESTION["model"]
HEADERS = {"x-api-key": "local", "anthropic-version": "2023-06-01"}
LIMITS = httpx2.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
TELLING = "x-holdfast-request-id"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one caller got: under which id, with which status, and all of its bytes."""

    id: str
    status: int
    is_stream: bool
    body: bytes

    @property
    def events(self) -> list[str]:
        return re.findall(r"^event: (\w+)$", self.body.decode(), re.MULTILINE)

    @property
    def is_whole(self) -> bool:
        if self.is_stream:
            return self.status == 200 and self.events[-1] == "message_stop" and "error" not in self.events
        return self.status == 200 and json.loads(self.body)["stop_reason"] == "end_turn"

    @property
    def is_broken_stream(self) -> bool:
        """Whether content had been shown when it broke, and its last event says so in the API's own words."""
        if not (self.is_stream and self.status == 200 and self.events[-1] == "error"):
            return False
        error = json.loads(self.body.rpartition(b"data: ")[2])
        return (
            "content_block_start" in self.events and error["type"] == "error" and bool(error["error"]["type"])
        )


@dataclass(slots=True)
class Stage:
    """Two simulators and a gateway, each a process of its own."""

    first: Server
    second: Server
    gateway: Server
    home: Path

    def records(self) -> dict[str, tuple[str, int, str]]:
        """End, attempts and upstream of every call in the ledger of the gateway, which is stopped for it."""
        assert self.gateway.stop() == 0
        with closing(sqlite3.connect(self.home / "holdfast.db")) as db:
            rows = db.execute('SELECT request_id, "end", attempts, upstream FROM calls').fetchall()
        assert len(rows) == len({row[0] for row in rows})
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


def is_ready(said: str) -> bool:
    return "http://" in said and said.endswith("\n")


@contextmanager
def staged(home: Path, *settings: str) -> Generator[Stage]:
    def started(stack: ExitStack, *arguments: str) -> Server:
        return stack.enter_context(running(*arguments, "--port", "0", home=home, ready=is_ready))

    with ExitStack() as stack:
        first, second = (started(stack, "simulate", "--time-scale", "0.05") for _ in range(2))
        urls = (
            f'[upstreams.{name}]\nurl = "{at.url}"' for name, at in (("first", first), ("second", second))
        )
        quick = "[retry]\nwait_initial = 0.05\nwait_max = 0.1"
        (home / "holdfast.toml").write_text("\n".join((*urls, quick, *settings)), encoding="utf-8")
        yield Stage(first, second, started(stack, "serve"), home)


async def ask(client: httpx2.AsyncClient, *, stream: bool) -> Answer:
    response = await client.post("/v1/messages", json={**QUESTION, "stream": stream})
    return Answer(response.headers[TELLING], response.status_code, stream, response.content)


@dataclass(slots=True)
class Crowd:
    """Clients that ask one thing after another; `busy` is set when as many answers came as there are clients."""

    client: httpx2.AsyncClient
    answers: list[Answer] = field(default_factory=list[Answer])
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, times: int, *, streams_only: bool = False) -> list[Answer]:
        """Every client asks so often, plain and streamed by turns; what they heard."""
        before = len(self.answers)
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                turns = [streams_only or (number + turn) % 2 == 0 for turn in range(times)]
                group.create_task(self._one(turns))
        return self.answers[before:]

    async def _one(self, turns: list[bool]) -> None:
        for stream in turns:
            self.answers.append(await ask(self.client, stream=stream))
            if len(self.answers) >= CLIENTS:
                self.busy.set()


async def under_load(stage: Stage, number: signal.Signals, *, streams_only: bool = False) -> None:
    """Let the crowd ask, send the first upstream a signal in the middle of it, and look at every answer."""
    async with httpx2.AsyncClient(
        base_url=stage.gateway.url, headers=HEADERS, limits=LIMITS, timeout=30
    ) as client:
        crowd = Crowd(client)
        asking = asyncio.create_task(crowd.ask(3, streams_only=streams_only))
        await crowd.busy.wait()
        stage.first.process.send_signal(number)
        during = await asking
        circuits = (await client.get("/readyz")).json()["circuits"]
        after = await crowd.ask(1)
    assert (len(during), len(after)) == (3 * CLIENTS, CLIENTS)
    assert [answer for answer in during if not (answer.is_whole or answer.is_broken_stream)] == []
    assert all(answer.is_whole for answer in after)
    assert circuits == {f"first/{MODEL}": "open", f"second/{MODEL}": "closed"}
    records = stage.records()
    assert sorted(records) == sorted(answer.id for answer in crowd.answers)
    assert {records[answer.id] for answer in after} == {("answered", 1, "second")}
    broken = {records[answer.id] for answer in during if not answer.is_whole}
    whole = {records[answer.id] for answer in during if answer.is_whole}
    assert {(end, upstream) for end, _, upstream in broken} <= {("failed", "first")}
    assert {end for end, _, _ in whole} == {"answered"}
    rescued = [attempts for _, attempts, upstream in whole if upstream == "second" and attempts > 1]
    assert rescued, "the signal hit nobody"


@pytest.mark.requirement("outage:failover")
async def test_nobody_pays_for_a_killed_upstream_but_those_whose_stream_had_begun(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        await under_load(stage, signal.SIGKILL)


@pytest.mark.requirement("outage:failover")
async def test_nobody_pays_for_a_frozen_upstream_but_those_whose_stream_had_begun(tmp_path: Path) -> None:
    # Streams only: a plain call may be silent for as long as its deadline, so silence alone says nothing there.
    with staged(tmp_path, "[timeouts]\nstall = 0.8") as stage:
        await under_load(stage, signal.SIGSTOP, streams_only=True)
