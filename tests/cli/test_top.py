"""`holdfast top`: one screen of a running gateway, its keys, and what it makes of hostile names."""

import asyncio
import builtins
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.widgets import Static

from holdfast.cli.remote import Server
from holdfast.cli.table import width
from holdfast.cli.top_app import Top
from holdfast.cli.top_frame import COLUMNS, ROWS, Pose, Snapshot, frame, sparkline
from holdfast.errors import NotAllowed
from holdfast.language import Sentence
from tests.cli.conftest import Holdfast

NOW = datetime(2026, 11, 23, 3, 4, 26, tzinfo=UTC)
HOSTILE = "\x1b[2J\x1b]0;owned\x07‮gnp.evil​<script>"


def status(**changes: Any) -> dict[str, Any]:
    return {
        "ok": False,
        "simulated": True,
        "title": {"en": "Claude is overloaded", "ko": "Claude 과부하"},
        "sentence": {"en": "You are serving fallbacks (35).", "ko": "대체 응답을 내보내고 있습니다(35건)."},
        "users": {"calls": 50, "answered": 10, "cached": 3, "fallbacks": 35, "errors": 0, "refused": 2},
        "circuits": {"simulator/claude-sonnet-5-5": "open"},
        **changes,
    }


def request(**changes: Any) -> dict[str, Any]:
    return {
        "at": (NOW - timedelta(seconds=4)).isoformat(),
        "outcome": "fallback",
        "model": "claude-sonnet-5-5",
        "served_model": None,
        "user": "kim",
        "run": None,
        "key": "local",
        "cost": "0.01",
        "duration_ms": 12.0,
        "error_code": None,
        **changes,
    }


def run(name: str, **changes: Any) -> dict[str, Any]:
    loop = {
        "kind": "same_call",
        "count": 3,
        "stopped": False,
        "evidence": "The tool `Bash` was called 3 times",
    }
    return {"run": name, "calls": 38, "cost": "6.12", "stopped": None, "loop": loop, **changes}


def shot(**changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "status": status(),
        "requests": [request()],
        "runs": [run("7f2c"), run("91aa", loop=None)],
        "spend": {"groups": [{"model": "m", "cost": "1", "input_tokens": 5, "output_tokens": 6}]},
        **changes,
    }
    return Snapshot(url="http://127.0.0.1:4180", at=NOW, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Server):
    """A gateway that says what the test wants, and remembers what it was asked to do."""

    says: Snapshot = field(default_factory=shot)
    asked: list[tuple[str, str, object]] = field(default_factory=list[tuple[str, str, object]])
    refuses: bool = False

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        self.asked.append((method, path, body))
        if self.refuses:
            raise NotAllowed(Sentence("not for you", ko="권한이 없습니다"))
        match path.partition("?")[0].rpartition("/")[2]:
            case "status":
                return dict(self.says.status)
            case "requests":
                return {"data": list(self.says.requests)}
            case "runs":
                return {"data": list(self.says.runs)}
            case _:
                return dict(self.says.spend)


def told(**changes: Any) -> Told:
    return Told(url="http://127.0.0.1:4180", **changes)


def test_a_frame_says_in_words_what_colour_would_say() -> None:
    lines = "\n".join(frame(shot(), Pose(), "en"))
    for words in (
        "▲ Claude is overloaded",
        "[SIMULATOR]",
        "fallback 70%",
        "sonnet-5-5 OPEN",
        "LOOP x3",
        ">7f2c",
        "$",
    ):
        assert words in lines


@pytest.mark.parametrize("view", ["now", "runs", "requests", "spend"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_view_fits_the_smallest_terminal(view: Any, language: Any) -> None:
    many = shot(requests=[request() for _ in range(90)], runs=[run(f"r{number}") for number in range(90)])
    for one in (many, shot(requests=(), runs=(), spend={}), Snapshot(url="u", at=NOW, problem="gone")):
        lines = frame(one, Pose(view=view, chosen=70), language)
        assert len(lines) == ROWS
        assert max(width(line) for line in lines) <= COLUMNS


@pytest.mark.requirement("top:inert")
def test_hostile_names_move_no_cursor_and_turn_no_direction() -> None:
    hostile = shot(
        requests=[request(user=HOSTILE, served_model=HOSTILE, error_code=HOSTILE)],
        runs=[run(HOSTILE, loop={"count": 3, "stopped": True, "evidence": HOSTILE})],
        status=status(circuits={HOSTILE: "open"}),
        spend={"groups": [{"model": HOSTILE, "cost": "1", "input_tokens": 5, "output_tokens": 6}]},
    )
    for view in ("now", "runs", "requests", "spend"):
        text = "".join(
            frame(hostile, Pose(view=view, foot=HOSTILE, detail=HOSTILE if view == "runs" else ""), "en")
        )
        assert not [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf")]


def test_the_sparkline_shows_the_last_minute() -> None:
    assert sparkline(shot(requests=[])) == "▁" * 20
    assert sparkline(shot()) == "▁" * 18 + "█▁"


def test_a_stopped_run_says_so() -> None:
    lines = "\n".join(frame(shot(runs=[run("a", stopped={"name": "run:a"})]), Pose(), "en"))
    assert "STOPPED" in lines


async def settled(is_so: Callable[[], bool]) -> None:
    """Wait until the screen shows it, and not for ever."""
    for _ in range(200):
        if is_so():
            return
        await asyncio.sleep(0.01)
    assert is_so()


def shown(app: Top) -> str:
    return str(app.query_one("#frame", Static).content)


async def test_the_keys_change_the_view_pause_and_tell_what_they_do() -> None:
    app = Top(told())
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await app.look()
        assert "LOOP x3" in shown(app)
        await pilot.press("4")
        assert "MODEL (today)" in shown(app)
        await pilot.press("3")
        assert "REQUESTS" in shown(app)
        await pilot.press("question_mark")
        assert "every run, those that loop first" in shown(app)
        await pilot.press("question_mark", "2", "down", "enter")
        assert '"run": "91aa"' in shown(app)
        await pilot.press("escape", "up", "space")
        assert "PAUSED" in shown(app)
        before = app.theme
        await pilot.press("t")
        assert app.theme != before
        await pilot.resize_terminal(100, 30)
        await settled(lambda: len(shown(app).split("\n")) == 30)


async def test_a_run_is_stopped_only_after_a_yes() -> None:
    gateway = told()
    app = Top(gateway)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await app.look()
        await pilot.press("s")
        assert "Stop the run 7f2c? y / n" in shown(app)
        await pilot.press("n")
        assert "Nothing was stopped" in shown(app)
        assert not [one for one in gateway.asked if one[0] == "POST"]
        await pilot.press("s", "y")
        await settled(lambda: "holdfast resume run 7f2c" in shown(app))
        assert (
            "POST",
            "/api/v1/stops",
            {"scope": "run", "value": "7f2c", "reason": "holdfast top"},
        ) in gateway.asked
        assert "holdfast resume run 7f2c" in shown(app)


async def test_a_gateway_that_refuses_is_told_and_asked_again() -> None:
    app = Top(told(refuses=True))
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await app.look()
        assert "not for you" in shown(app)
        await pilot.press("s", "q")


async def test_what_is_written_into_the_filter_is_asked_for() -> None:
    gateway = told()
    app = Top(gateway)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.press("slash", *"user:q", "enter")
        await asyncio.sleep(0)
        await app.look()
        assert any("filter=user%3Aq" in path for _, path, _ in gateway.asked)
        assert "[user:q]" in shown(app)
        await pilot.press("slash", "escape", "1")
        assert "RUN" in shown(app)


def test_once_prints_one_frame_and_needs_no_extra(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.cli.top.server", answering)
    without_textual(monkeypatch)
    ended = holdfast("top", "--once")
    assert ended.code == 0
    assert "▲ Claude is overloaded" in ended.out
    assert max(width(line) for line in ended.out.splitlines()) <= COLUMNS


def test_without_the_extra_it_says_how_to_get_it_and_watches_the_status(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[Server] = []

    def keep_watch(gateway: Server, *, as_json: bool) -> None:
        watched.append(gateway)

    monkeypatch.setattr("holdfast.cli.top.server", answering)
    monkeypatch.setattr("holdfast.cli.top.keep_watch", keep_watch)
    without_textual(monkeypatch)
    ended = holdfast("top")
    assert "uv tool install 'holdfast[tui]'" in ended.err
    assert len(watched) == 1


def test_nobody_there_is_told_as_everywhere(holdfast: Holdfast) -> None:
    assert holdfast("top", "--once", "--url", "http://127.0.0.1:9").code == 5


def answering(url: str | None, config: str | None) -> Server:
    """The gateway of the test, whichever was named."""
    return told()


def without_textual(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    usual = builtins.__import__

    def find(name: str, *others: Any, **named: Any) -> Any:
        if name == "holdfast.cli.top_app":
            raise ModuleNotFoundError("No module named 'textual'", name="textual")
        return usual(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", find)
