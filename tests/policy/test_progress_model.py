"""The breaker against a slow and simple reading of the same rules."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.progress import ProgressConfig, judge
from holdfast.wire.history import Turn
from tests.policy.stretches import call

CONFIG = ProgressConfig(warn_at=2, notice_at=3, stop_at=4)
RANKS = {"fine": 0, "warn": 1, "notice": 2, "stop": 3}

calls = st.builds(
    call,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "1"]),
    st.sampled_from(["x", "y", None]),
    st.sampled_from([None, None, "broken", "gone"]),
)
turns = st.lists(calls, min_size=1, max_size=2).map(lambda made: Turn(tuple(made)))
# Blocks that repeat: chance alone would hardly ever make a loop.
loops = st.lists(st.tuples(st.lists(turns, min_size=1, max_size=5), st.integers(1, 9)), max_size=3).map(
    lambda parts: [turn for block, times in parts for turn in block * times]
)


def same(one: Turn, other: Turn) -> bool:
    """Whether two turns made the same calls with the same results, all of them known."""
    if any(call.result is None for call in (*one.calls, *other.calls)):
        return False
    mine = {(call.tool, call.arguments, call.result) for call in one.calls}
    return mine == {(call.tool, call.arguments, call.result) for call in other.calls}


def repeats(history: list[Turn], period: int) -> int:
    """How often the last `period` turns stand at the end, counted block by block."""
    block = history[-period:]
    times = 1
    while True:
        end = len(history) - times * period
        earlier = history[max(0, end - period) : end]
        if len(earlier) != period or not all(same(a, b) for a, b in zip(earlier, block, strict=True)):
            return times
        times += 1


def is_made_of_less(block: list[Turn]) -> bool:
    """Whether a block is a shorter one several times over."""
    for size in range(1, len(block)):
        if len(block) % size == 0 and all(same(block[n], block[n % size]) for n in range(len(block))):
            return True
    return False


def errors(history: list[Turn]) -> int:
    """How many turns at the end failed with one and the same error."""
    last = {call.error for call in history[-1].calls}
    if len(last) > 1 or None in last:
        return 0
    times = 0
    while times < len(history) and {call.error for call in history[-1 - times].calls} == last:
        times += 1
    return times


def rank(count: int, factor: int = 1) -> int:
    steps = (CONFIG.warn_at or 0, CONFIG.notice_at or 0, CONFIG.stop_at or 0)
    return sum(count >= step * factor for step in steps)


def expected(history: list[Turn]) -> int:
    if not history:
        return 0
    ranks = [rank(repeats(history, 1)), rank(errors(history), 2)]
    for period in (2, 3, 4):
        block = history[-period:]
        if len(block) == period and not is_made_of_less(block):
            ranks.append(rank(repeats(history, period)))
    return max(ranks)


@given(loops)
def test_it_judges_like_the_slow_and_simple_reading(history: list[Turn]) -> None:
    found = judge(history, CONFIG)
    assert RANKS["fine" if found is None else found.level] == expected(history)


@given(loops, st.lists(turns, max_size=4))
def test_what_came_before_the_loop_changes_nothing_once_it_is_stopped(
    history: list[Turn], before: list[Turn]
) -> None:
    found = judge(history, CONFIG)
    if found is not None and found.level == "stop":
        again = judge([*before, *history], CONFIG)
        assert again is not None
        assert again.level == "stop"
