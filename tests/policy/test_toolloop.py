"""What an agent does after each answer."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.toolloop import AskAgain, Block, Done, LoopLimits, RunTools, next_step

TEXT: Block = {"type": "text", "text": "Hi"}
EMPTY: Block = {"type": "text", "text": " "}
THINKING: Block = {"type": "thinking", "thinking": "Hm", "signature": "s"}
CALL: Block = {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}}


def test_calls_are_run_when_the_model_waits_for_them() -> None:
    step = next_step([THINKING, TEXT, CALL], "tool_use", unreadable=frozenset({2}))
    assert isinstance(step, RunTools)
    (call,) = step.calls
    assert (call.id, call.name, call.input, call.is_readable) == ("t1", "look", {"a": 1}, False)


@pytest.mark.parametrize("reason", ["pause_turn", "compaction"])
def test_a_pause_is_gone_on_from(reason: str) -> None:
    assert next_step([TEXT], reason) == AskAgain()


@pytest.mark.parametrize(
    ("content", "reason", "kept"),
    [
        ([TEXT], "end_turn", (TEXT,)),
        ([TEXT], "tool_use", (TEXT,)),
        ([THINKING, TEXT, CALL], "max_tokens", (THINKING, TEXT)),
        ([THINKING, CALL], "max_tokens", ()),
        ([THINKING, EMPTY], "end_turn", ()),
        ([EMPTY, TEXT], "end_turn", (TEXT,)),
        ([TEXT], "refusal", ()),
        ([], None, ()),
    ],
)
def test_what_may_stand_in_a_history(content: list[Block], reason: str, kept: tuple[Block, ...]) -> None:
    assert next_step(content, reason) == Done(kept)


@given(st.lists(st.sampled_from([TEXT, EMPTY, THINKING, CALL])), st.sampled_from(["end_turn", "max_tokens"]))
def test_no_open_call_and_no_lone_thinking_ever_stands_in_a_history(
    content: list[Block], reason: str
) -> None:
    step = next_step(content, reason)
    assert isinstance(step, Done)
    assert CALL not in step.kept
    assert EMPTY not in step.kept
    assert not step.kept or step.kept[-1] == TEXT


def test_each_limit_ends_the_loop_and_names_itself() -> None:
    limits = LoopLimits(turns=2, usd="0.5", time=timedelta(seconds=9))
    assert limits.reached(turns=1, spent=Decimal("0.49"), elapsed=8.9) is None
    for turns, spent, elapsed, cap in ((2, "0", 0, "turns"), (0, "0.5", 0, "usd"), (0, "0", 9, "time")):
        refusal = limits.reached(turns=turns, spent=Decimal(spent), elapsed=elapsed)
        assert refusal is not None
        assert refusal.details["cap"] == cap
        assert f"limits.{cap}" in str(refusal)
    assert LoopLimits(turns=None).reached(turns=999, spent=Decimal(9), elapsed=9) is None
