"""The sheet of the benchmark says what was missed: it is what the documentation quotes."""

from benchmarks.gateway import sheet
from benchmarks.gateway.run import Seen


def seen(name: str, **figures: float) -> Seen:
    return Seen(name=name, figures={figure.replace("_", " "): [value] for figure, value in figures.items()})


def test_a_goal_that_is_missed_is_called_short_with_both_figures() -> None:
    goal = sheet.Goal(number="P4", text="added p50", value=2.5, wanted=1.0, unit="ms")
    assert goal.line().split() == ["P4", "short", "2.50", "ms", "added", "p50", "(goal", "<=", "1", "ms)"]


def test_a_goal_that_is_reached_passes_at_its_very_border() -> None:
    assert sheet.Goal(number="P1", text="", value=0.3, wanted=0.3, at_least=True).is_met
    assert sheet.Goal(number="P5", text="", value=80.0, wanted=80.0).is_met


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    goals = sheet.goals([seen(sheet.OWN), seen(sheet.BARE)], (20,))
    beside = [goal for goal in goals if "LiteLLM" in goal.text]
    assert [goal.is_met for goal in beside] == [None]
    assert "not run" in beside[0].line()


def test_what_a_gateway_adds_is_reckoned_over_the_upstream_asked_directly() -> None:
    own, direct = seen(sheet.OWN, p50_ms=3.5), seen(sheet.DIRECT, p50_ms=1.5)
    assert sheet.added(own, direct, "p50 ms") == 2.0
    assert sheet.added(own, None, "p50 ms") is None
