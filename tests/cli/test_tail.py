"""`holdfast tail` as somebody who watches uses it: on a gateway over a real socket, on a lost one, on a database."""

import json
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from holdfast.cli.following import CATCH_UP, REMEMBERED, Enough, Screen, Tail, poll
from holdfast.cli.remote import Answered, Server, unreachable
from holdfast.cli.request_source import Local
from holdfast.clock import SystemClock
from holdfast.errors import NotAllowed, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.operations.requests import call_facts
from holdfast.settings import FleetConfig, Settings
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from tests.cli.conftest import Holdfast
from tests.cli.test_requests import HOSTILE, OLD, TOLD, record
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, ask

TOKEN = "an-admin-token-of-the-tests"
Facts = dict[str, Any]


def facts(name: str, **changes: Any) -> Facts:
    call = replace(TOLD, request_id=name, story=None, **changes)
    return msgspec.json.decode(msgspec.json.encode(call_facts(call)), type=dict[str, Any])


@pytest.fixture
def settings(simulator: RunningSimulator) -> Settings:
    return quick_settings(simulator)


@pytest.fixture
def gateway(
    simulator: RunningSimulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    with serving(simulator, settings) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        yield running


@contextmanager
def calling(gateway: RunningGateway, *runs: str) -> Generator[None]:
    """Calls that are made once somebody follows."""

    def call() -> None:
        eventually(lambda: gateway.hold.runtime.feed.followers > 0)
        for run in runs:
            ask(gateway.url, QUESTION, headers={"x-holdfast-run": run})

    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join()


def test_calls_are_shown_as_they_end(holdfast: Holdfast, gateway: RunningGateway) -> None:
    ask(gateway.url, QUESTION, headers={"x-holdfast-run": "mine"})
    with calling(gateway, "mine", "other", "mine"):
        ended = holdfast("tail", "--limit", "2", "--filter", "run:mine")

    assert (ended.code, len(ended.out.splitlines())) == (0, 2)
    assert all("● answered   200  claude-sonnet-5-5" in line for line in ended.out.splitlines())
    assert f"Following {gateway.url}." in ended.err


def test_calls_are_shown_as_json_lines(holdfast: Holdfast, gateway: RunningGateway) -> None:
    with calling(gateway, "mine"):
        ended = holdfast("tail", "--limit", "1", "--jsonl")

    assert json.loads(ended.out)["run"] == "mine"


def test_in_a_fleet_it_says_that_there_are_others(
    holdfast: Holdfast, simulator: RunningSimulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    with (
        serving(simulator, replace(settings, fleet=FleetConfig(workers=3))) as running,
        calling(running, "mine"),
    ):
        ended = holdfast("tail", "--limit", "1", "--url", running.url)

    assert "one of 3 workers" in ended.err


def test_a_gateway_that_was_named_and_does_not_answer_ends_with_5(holdfast: Holdfast) -> None:
    ended = holdfast("tail", "--url", "http://127.0.0.1:9")

    assert (ended.code, "No gateway answers" in ended.err) == (5, True)


def test_what_is_wrong_ends_with_2_and_no_token_with_6(
    holdfast: Holdfast, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = holdfast("tail", "--filter", "modl:x")
    assert (wrong.code, "did you mean `model`" in wrong.err) == (2, True)
    monkeypatch.setenv("HOLDFAST_TOKEN", "another")
    assert holdfast("tail").code == 6


def test_the_gateway_of_this_machine_opens_with_the_token_of_either_book(
    holdfast: Holdfast,
    simulator: RunningSimulator,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    with serving(simulator, settings) as running:
        with calling(running, "mine"):
            monkeypatch.setattr("holdfast.cli.remote.DEFAULT_URL", running.url)
            eventually(lambda: running.app is not None)
            ask(running.url, method="GET", path="/api/v1/requests", headers={"x-api-key": TOKEN})
            monkeypatch.delenv("HOLDFAST_ADMIN_TOKEN")
            assert holdfast("tail").code == 6
            (tmp_path / "simulator.db.admin-token").write_text(TOKEN)
            assert holdfast("tail", "--limit", "1").code == 0
        monkeypatch.setenv("HOLDFAST__STORE__URL", "memory:")
        (tmp_path / "simulator.db.admin-token").write_text("another")
        assert holdfast("tail", "--limit", "1").code == 6


def test_without_a_gateway_it_looks_into_the_database(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.cli.remote.DEFAULT_URL", "http://127.0.0.1:9")
    record(tmp_path / "holdfast.db", OLD)

    def block(clock: SystemClock, seconds: float) -> None:
        record(tmp_path / "holdfast.db", replace(TOLD, request_id="new"))

    monkeypatch.setattr(SystemClock, "block", block)
    ended = holdfast("tail", "--limit", "1", "--jsonl")

    assert (ended.code, json.loads(ended.out)["request_id"]) == (0, "new")
    assert "looks into the database" in ended.err


def test_hostile_texts_move_no_cursor(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.cli.remote.DEFAULT_URL", "http://127.0.0.1:9")
    calls = [
        replace(TOLD, request_id=f"{text}{number}", key=text, model=text, decided_by=text, error_code=text)
        for number, text in enumerate(HOSTILE)
    ]

    def block(clock: SystemClock, seconds: float) -> None:
        record(tmp_path / "holdfast.db", *calls)

    monkeypatch.setattr(SystemClock, "block", block)
    for form in ((), ("--jsonl",)):
        (tmp_path / "holdfast.db").unlink(missing_ok=True)
        ended = holdfast("tail", "--limit", str(len(HOSTILE)), *form)
        lines = ended.out.split("\n")
        assert (ended.code, len(lines)) == (0, len(HOSTILE) + 1)
        assert all(line.isprintable() for line in lines)


def said(name: str, document: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(document))


OPENED = said("opened", {"workers": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted(Server):
    """A gateway that plays a script: what the book has at each look, and what each stream says."""

    looks: list[list[Facts]]
    streams: list[Callable[[], Iterable[bytes]]]
    has_more: bool = False
    paths: list[str] = field(default_factory=list[str])

    def get(self, path: str) -> dict[str, Any]:
        rows = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {"data": rows, "has_more": self.has_more, "next_page": None}

    @contextmanager
    def stream(self, path: str, *, patience: float = 1.0) -> Generator[Iterator[bytes]]:
        self.paths.append(path)
        yield iter(self.streams.pop(0)())


def tail(server: Server, limit: int = 1) -> tuple[Tail, FakeClock]:
    clock = FakeClock()
    screen = Screen(as_lines=True, limit=limit)
    return Tail(server=server, wanted="", screen=screen, clock=clock), clock


def fails(error: Exception) -> Callable[[], Iterable[bytes]]:
    def stream() -> Iterator[bytes]:
        yield OPENED
        raise error

    return stream


def refuses(status: int) -> Callable[[], Iterable[bytes]]:
    def stream() -> Iterable[bytes]:
        raise Answered(Sentence("no", ko="아니요"), status=status)

    return stream


def ids(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["request_id"] for line in capsys.readouterr().out.splitlines()]


def test_what_ended_while_the_gateway_was_lost_is_shown_once_and_in_its_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b, c, d = (facts(name) for name in "abcd")
    server = Scripted(
        url="http://gateway",
        looks=[[a], [a], [c, b, a]],
        streams=[
            lambda: [OPENED, b": alive\n\n", said("news", {}), said("request", b)],
            lambda: [OPENED, said("request", c), said("request", d)],
        ],
    )
    following, _ = tail(server, limit=3)
    following.begin()
    with pytest.raises(Enough):
        following.follow()

    assert ids(capsys) == ["b", "c", "d"]


def test_a_lost_gateway_is_looked_for_with_longer_and_longer_pauses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    down = fails(unreachable("http://gateway", OSError("gone")))
    refused = [refuses(503), refuses(429), *(refuses(503) for _ in range(4))]
    streams = [down, *refused, lambda: [OPENED, said("request", facts("a"))]]
    server = Scripted(url="http://gateway", looks=[[]], streams=streams)
    following, clock = tail(server)
    begun = clock.monotonic()
    with pytest.raises(Enough):
        following.follow()

    assert clock.monotonic() - begun == 0.5 + 1 + 2 + 4 + 8 + 10 + 10
    assert "Trying again in 0.5 s." in capsys.readouterr().err


def test_what_no_waiting_mends_ends_it() -> None:
    for status, kind in ((400, click.UsageError), (500, Answered)):
        following, _ = tail(Scripted(url="http://gateway", looks=[[]], streams=[refuses(status)]))
        with pytest.raises(kind):
            following.follow()
    following, _ = tail(Scripted(url="x", looks=[[]], streams=[fails(NotAllowed("no"))]))
    with pytest.raises(NotAllowed):
        following.follow()


def test_it_says_what_went_by_too_fast(capsys: pytest.CaptureFixture[str]) -> None:
    streams: list[Callable[[], Iterable[bytes]]] = [
        lambda: [OPENED, said("dropped", {"count": 1234}), said("request", facts("a"))]
    ]
    rows = [facts(str(number)) for number in range(CATCH_UP)]
    server = Scripted(url="http://gateway", looks=[[], rows], streams=streams, has_more=True)
    following, _ = tail(server, limit=CATCH_UP + 1)
    following.begin()
    with pytest.raises(Enough):
        following.follow()
    err = capsys.readouterr().err

    assert "1,234 calls went by too fast" in err
    assert f"More than {CATCH_UP} calls ended meanwhile" in err


def test_a_stream_that_makes_no_sense_counts_as_lost(capsys: pytest.CaptureFixture[str]) -> None:
    streams: list[Callable[[], Iterable[bytes]]] = [
        lambda: [b"event: request\ndata: {nonsense\n\n"],
        lambda: [b"x" * 2_000_000],
        lambda: [OPENED, said("request", facts("a"))],
    ]
    following, _ = tail(Scripted(url="http://gateway", looks=[[]], streams=streams))
    with pytest.raises(Enough):
        following.follow()
    assert ids(capsys) == ["a"]


def test_a_screen_does_not_remember_for_ever() -> None:
    screen = Screen()
    for number in range(REMEMBERED + 1):
        assert screen.know({"request_id": str(number)})
    assert screen.know({"request_id": "0"})
    assert not screen.know({"request_id": str(REMEMBERED)})


def test_a_database_that_goes_away_ends_it() -> None:
    class Gone(Local):
        def page(self, wanted: str, *, limit: int, after: str | None) -> Facts:
            raise UpstreamUnavailable("gone")

    with pytest.raises(UpstreamUnavailable):
        poll(Gone.__new__(Gone), "", Screen(), FakeClock())
