"""What one process remembers of the last hour: happenings, loops and the points of the charts."""

from itertools import pairwise
from typing import Any

import pytest

from holdfast.events import (
    BudgetAlerted,
    CallCut,
    CallEnded,
    CircuitChanged,
    Event,
    GateChanged,
    HoldsExpired,
    InputFlagged,
    McpMoved,
    OrderUnreadable,
    RequestCrashed,
    RunStopped,
    RunWarned,
    SettleFailed,
    ToolChanged,
)
from holdfast.telemetry.chronicle import KEPT, LOOPS, Chronicle
from holdfast.telemetry.history import History
from holdfast.testing import FakeClock


def opened(name: str = "claude", after: str = "open") -> CircuitChanged:
    return CircuitChanged(circuit=name, before="closed", after=after, reason="failure_threshold")


def warned(run: str | None, count: int = 3) -> RunWarned:
    return RunWarned(
        request_id="q", run=run, agent=None, level="warn", kind="same_call", count=count, evidence="Bash x3"
    )


def stopped(run: str, cause: str = "same_call") -> RunStopped:
    return RunStopped(request_id="q", run=run, agent=None, cause=cause, evidence="Bash x8")


EVENTS: list[tuple[Event, str, str]] = [
    (opened(), "bad", "opened"),
    (opened(after="forced_open"), "bad", "opened"),
    (opened(after="half_open"), "note", "probes"),
    (opened(after="closed"), "good", "closed"),
    (GateChanged(gate="rate", place="x", state="closed", reason="429"), "bad", "closed"),
    (GateChanged(gate="rate", place="x", state="open", reason="time"), "good", "opened"),
    (
        BudgetAlerted(
            budget="b", subject="", window="day", threshold="8", limit="10", settled="8.1", resets_at=None
        ),
        "bad",
        "$8.1 / $10",
    ),
    (
        BudgetAlerted(
            budget="b", subject="", window="day", threshold="8", limit=None, settled="8.1", resets_at=None
        ),
        "bad",
        "$8.1",
    ),
    (CallCut(request_id="q", scope="everything", value="", by="kim"), "note", "everything"),
    (warned("r"), "note", "repeats itself"),
    (stopped("r"), "bad", "refused"),
    (HoldsExpired(count=3), "note", "3"),
    (
        ToolChanged(request_id="q", scope="s", tool="t", code="c", fingerprint="f", action="a"),
        "bad",
        "pinned",
    ),
    (McpMoved(server="m", state="lost", why="gone"), "bad", "lost"),
    (McpMoved(server="m", state="connected", why=""), "note", "connected"),
    (SettleFailed(guard="budget", error="x"), "bad", "settle"),
    (RequestCrashed(request_id="q", place="POST /", error="KeyError", trace=""), "bad", "KeyError"),
    (OrderUnreadable(kind="budget", name="b", error="x"), "bad", "cannot be read"),
]


@pytest.mark.parametrize(("event", "grade", "words"), EVENTS)
def test_what_a_person_wants_to_know_is_told_in_both_languages(event: Event, grade: str, words: str) -> None:
    chronicle = Chronicle(FakeClock())
    chronicle(event)
    (told,) = chronicle.happenings()
    assert (told.grade, told.count) == (grade, 1)
    assert words in told.said.en
    assert any("가" <= letter <= "힣" for letter in told.said.ko)


def test_what_nobody_wants_to_read_is_not_told() -> None:
    chronicle = Chronicle(FakeClock())
    chronicle(InputFlagged(request_id="q", rules=(), score=0.1))
    assert chronicle.happenings() == ()


def test_the_newest_is_first_and_the_same_again_is_counted() -> None:
    clock = FakeClock()
    chronicle = Chronicle(clock)
    chronicle(opened("a"))
    clock.advance(10)
    chronicle(opened("b"))
    clock.advance(10)
    chronicle(opened("a"))
    assert [(one.said.en.split()[1], one.count) for one in chronicle.happenings()] == [("b", 1), ("a", 2)]
    clock.advance(61)
    chronicle(opened("a"))
    assert len(chronicle.happenings()) == 3
    assert len(chronicle.happenings(2)) == 2


def test_a_name_that_holds_a_secret_is_masked_and_a_long_one_is_cut() -> None:
    chronicle = Chronicle(FakeClock())
    chronicle(opened("sk-ant-api03-" + "Zx9Qk3Lm7Vb2Nc8Rt5Yw1PsD4" * 3))
    chronicle(opened("x" * 100_000))
    long, secret = chronicle.happenings()
    assert "Zx9Qk3Lm7Vb2" not in secret.said.en
    assert len(long.said.en) < 400


def test_it_forgets_what_is_too_much() -> None:
    chronicle = Chronicle(FakeClock())
    for number in range(LOOPS + 5):
        chronicle(opened(str(number)))
        chronicle(warned(f"run-{number}"))
    assert len(chronicle.happenings()) == KEPT
    loops = chronicle.loops()
    assert len(loops) == LOOPS
    assert "run-0" not in loops


def test_a_run_shows_the_last_that_it_repeated() -> None:
    chronicle = Chronicle(FakeClock())
    chronicle(warned("r", 3))
    chronicle(warned("r", 5))
    chronicle(warned(None))
    assert {name: (one.count, one.stopped) for name, one in chronicle.loops().items()} == {"r": (5, False)}
    chronicle(stopped("r"))
    assert (chronicle.loops()["r"].count, chronicle.loops()["r"].stopped) == (5, True)
    chronicle(stopped("r", "calls"))
    assert (chronicle.loops()["r"].count, chronicle.loops()["r"].kind) == (0, "calls")


def ended(**said: Any) -> CallEnded:
    usual: dict[str, Any] = {
        "request_id": "q",
        "end": "answered",
        "model": "m",
        "status": 200,
        "attempts": 1,
        "duration_ms": 10.0,
        "input_tokens": 1,
        "output_tokens": 1,
        "cost": None,
        "error_code": None,
    }
    return CallEnded(**{**usual, **said})


def test_the_charts_have_a_point_for_every_step_with_its_moment() -> None:
    clock = FakeClock()
    history = History(clock)
    history(opened())
    history(ended(label="cached"))
    clock.advance(5)
    history(ended(end="failed", label="answered", cost_pico=7))
    slots = history.slots(20, 5)
    assert [slot.point.outcomes for slot in slots] == [{}, {}, {"cached": 1}, {"failed": 1}]
    assert slots[-1].point.cost_pico == 7
    assert slots[-1].at <= clock.now()
    assert [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(slots)] == [5.0] * 3
