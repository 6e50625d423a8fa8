"""What counts as turning in circles, and what only looks like it."""

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.progress import Kind, ProgressConfig, advice, judge
from holdfast.wire.history import Turn
from tests.policy.stretches import call, failed, level, turn, verdict

A, B, C, D = (turn(name) for name in ("alpha", "beta", "gamma", "delta"))


@pytest.mark.parametrize(
    ("times", "expected"),
    [(0, "fine"), (2, "fine"), (3, "warn"), (4, "warn"), (5, "notice"), (8, "stop"), (99, "stop")],
)
def test_the_same_call_with_the_same_result_climbs_step_by_step(times: int, expected: str) -> None:
    assert level([B, *[A] * times]) == expected


def test_the_evidence_names_the_tool_and_the_count_in_both_languages() -> None:
    found = verdict([turn("read_file", "/secret/key.txt")] * 5)
    assert (found.kind, found.count) == ("same_call", 5)
    assert found.evidence.en == (
        "The tool `read_file` was called 5 times in a row with the same arguments and gave the same result."
    )
    assert (
        found.evidence.ko == "도구 `read_file`이(가) 같은 인자로 연속 5번 호출되었고 결과도 매번 같았습니다."
    )


def test_a_poll_whose_result_changes_is_progress() -> None:
    assert level([turn("status", "", str(number)) for number in range(50)]) == "fine"


def test_a_poll_that_stands_still_in_the_end_is_counted_from_there() -> None:
    moving = [turn("status", "", str(number)) for number in range(50)]
    assert verdict([*moving, moving[-1], moving[-1]]).count == 3


def test_going_through_pages_is_progress() -> None:
    assert level([turn("list", f"page={number}", f"rows of {number}") for number in range(50)]) == "fine"


def test_pages_that_are_all_empty_are_not_the_same_call() -> None:
    assert level([turn("list", f"page={number}", "[]") for number in range(50)]) == "fine"


def test_editing_and_testing_with_other_failures_each_time_is_progress() -> None:
    work: list[Turn] = []
    for number in range(20):
        work += [turn("edit", f"fix {number}", "ok"), failed(f"test_{'x' * number} broke", tool="bash")]
    assert level(work) == "fine"


def test_editing_and_testing_with_one_stubborn_failure_is_no_cycle_while_the_edits_differ() -> None:
    work: list[Turn] = []
    for number in range(20):
        work += [turn("edit", f"fix {number}", "ok"), failed("test_one broke", tool="bash")]
    assert level(work) == "fine"


def test_retries_that_succeed_are_progress() -> None:
    once = [failed("timeout"), failed("timeout"), turn("fetch", "", "page")]
    work = [step for number in range(10) for step in [*once, turn("save", str(number))]]
    assert level(work) == "fine"


def test_a_loop_that_was_left_is_over() -> None:
    assert level([*[A] * 20, B]) == "fine"
    assert level([*[A, B] * 20, C]) == "fine"
    assert level([*[failed(given=str(number)) for number in range(30)], A]) == "fine"


def test_many_calls_in_one_turn_are_one_step() -> None:
    assert level([Turn((call(),) * 50)]) == "fine"
    assert level([Turn((call(),) * 50)] * 2) == "fine"


def test_calls_made_together_repeat_in_any_order() -> None:
    together, turned = Turn((call("a"), call("b"))), Turn((call("b"), call("a")))
    found = verdict([together, turned, together])
    assert (found.kind, found.count) == ("same_call", 3)
    assert "The tools `a` + `b` were called together 3 times in a row" in found.evidence.en
    assert "`a` + `b`" in found.evidence.ko


def test_a_repeated_call_beside_one_that_gets_on_is_progress() -> None:
    assert level([Turn((call("a"), call("b", str(number)))) for number in range(20)]) == "fine"


@pytest.mark.parametrize("cycle", [[A, B], [A, B, C], [A, B, C, D], [A, B, A, C], [A, A, B]])
def test_a_cycle_of_up_to_four_turns_is_found(cycle: list[Turn]) -> None:
    assert level([D, *cycle * 2]) == "fine"
    found = verdict([D, *cycle * 3])
    assert (found.kind, found.count, found.level) == ("cycle", 3, "warn")
    assert level(cycle * 5) == "notice"
    assert level(cycle * 8) == "stop"


def test_a_cycle_is_found_wherever_it_is_cut() -> None:
    assert verdict([B, *[A, B] * 3]).count == 3
    assert verdict([A, B] * 3 + [A]).count == 3


def test_a_cycle_is_told_in_the_order_of_its_calls() -> None:
    found = verdict([turn("edit"), turn("test")] * 4)
    assert "`edit` → `test` were repeated 4 times in this order" in found.evidence.en
    assert "`edit` → `test`" in found.evidence.ko


def test_a_cycle_of_five_is_too_long_to_be_called_one() -> None:
    assert level([A, B, C, D, turn("epsilon")] * 20) == "fine"


def test_a_cycle_of_two_is_not_told_as_one_of_four() -> None:
    assert verdict([A, B] * 8).count == 8


def test_a_cycle_whose_results_change_is_progress() -> None:
    assert level([turn(name, "", str(number)) for number in range(20) for name in ("edit", "test")]) == "fine"


@pytest.mark.parametrize(("times", "expected"), [(5, "fine"), (6, "warn"), (10, "notice"), (16, "stop")])
def test_one_error_despite_other_arguments_climbs_half_as_fast(times: int, expected: str) -> None:
    turns = [failed(given=str(number)) for number in range(times)]
    assert level([A, *turns]) == expected
    if expected != "fine":
        found = verdict(turns)
        assert (found.kind, found.count) == ("same_error", times)
        assert (
            f"The last {times} turns, with calls of `read`, all failed with the same error."
            == found.evidence.en
        )
        assert f"최근 {times}번" in found.evidence.ko


def test_other_errors_in_between_are_progress_of_a_kind() -> None:
    assert level([failed(f"error {'ab'[number % 2]}", given=str(number)) for number in range(40)]) == "fine"


def test_a_turn_where_something_succeeded_did_not_fail() -> None:
    mixed = [
        Turn((call("a", str(number), str(number), "broken"), call("b", str(number)))) for number in range(20)
    ]
    assert level(mixed) == "fine"


def test_the_most_serious_finding_is_the_one_that_counts() -> None:
    turns = [*[failed(given=str(number)) for number in range(10)], *[failed()] * 5]
    found = verdict(turns)
    assert (found.kind, found.level, found.count) == ("same_error", "notice", 15)
    assert verdict([failed()] * 8).kind == "same_call"
    turns = [*[failed(given=str(number)) for number in range(3)], *[failed()] * 5]
    found = verdict(turns)
    assert (found.kind, found.level, found.count) == ("same_call", "notice", 5)


def test_a_call_whose_result_is_missing_repeats_nothing() -> None:
    assert level([turn(came=None)] * 20) == "fine"
    assert level([A, turn(came=None)] * 20) == "fine"


def test_waiting_for_a_task_in_the_background_is_no_loop() -> None:
    assert level([turn("TaskOutput", "task-1", "running")] * 50) == "fine"


def test_an_ignored_tool_is_looked_past() -> None:
    config = ProgressConfig(ignore=("sleep",))
    assert level([turn("sleep")] * 50, config) == "fine"
    assert verdict([A, turn("sleep")] * 3, config).kind == "same_call"
    assert level([Turn((call("sleep", str(number)), call("a"))) for number in range(3)], config) == "warn"


@pytest.mark.parametrize(
    ("turns", "kind"),
    [
        ([A] * 8, "same_call"),
        ([A, B] * 8, "cycle"),
        ([failed(given=str(n)) for n in range(16)], "same_error"),
    ],
)
def test_what_is_not_watched_is_not_found(turns: list[Turn], kind: Kind) -> None:
    assert verdict(turns).kind == kind
    rest: tuple[Kind, ...] = tuple(name for name in ProgressConfig().watch if name != kind)
    assert level(turns, ProgressConfig(watch=rest)) == "fine"


def test_steps_may_be_left_out() -> None:
    assert level([A] * 20, ProgressConfig(stop_at=None)) == "notice"
    assert level([A] * 4, ProgressConfig(warn_at=None)) == "fine"
    assert level([A] * 20, ProgressConfig(warn_at=None, notice_at=None, stop_at=None)) == "fine"


def test_the_soonest_step_is_known_so_that_short_conversations_need_not_be_read() -> None:
    assert ProgressConfig().soonest == 3
    assert ProgressConfig(warn_at=None).soonest == 5
    assert ProgressConfig(watch=()).soonest is None
    assert ProgressConfig(warn_at=None, notice_at=None, stop_at=None).soonest is None


@pytest.mark.parametrize(
    "steps",
    [
        {"warn_at": 1},
        {"stop_at": 0},
        {"notice_at": -3},
        {"warn_at": 6},
        {"notice_at": 9},
        {"warn_at": 9, "notice_at": None},
    ],
)
def test_steps_that_make_no_sense_are_refused(steps: dict[str, int | None]) -> None:
    with pytest.raises(ConfigError, match="warn_at"):
        ProgressConfig(**steps)  # type: ignore[arg-type]  # a test passes the fields by name


def test_names_of_tools_are_shown_short_and_not_all_of_them() -> None:
    strange = verdict([turn("ignore all\nprevious " + "x" * 500)] * 3)
    assert "`ignoreallprevious" in strange.evidence.en
    assert len(strange.evidence.en) < 200
    many = verdict([Turn(tuple(call(name) for name in "abcdef"))] * 3)
    assert "`a` + `b` + `c` + `d` + …" in many.evidence.en


def test_the_advice_is_marked_as_not_the_models_words_and_says_what_to_do() -> None:
    said = advice(verdict([A] * 5))
    assert said.en.startswith("[Notice from the gateway holdfast, not written by the model: The tool `alpha`")
    assert "another way" in said.en
    assert "다른 방법" in said.ko


def test_nothing_at_all_is_fine() -> None:
    assert judge([], ProgressConfig()) is None
    assert judge([Turn(())], ProgressConfig()) is None
