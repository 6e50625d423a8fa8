"""The short share of the fuzzing: what is kept, a few hundred changes of it, and what hypothesis thinks of."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.fuzz.corpus import stored
from tests.hostile.fuzz.mutation import LONGEST, mutated
from tests.hostile.fuzz.targets import TARGETS
from tests.hostile.fuzz.trial import attempt

CHANGES = 60


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_is_kept_breaks_anything(target: str) -> None:
    for data in stored():
        attempt(target, data)


@pytest.mark.parametrize("target", TARGETS)
def test_changes_of_what_is_kept_break_nothing(target: str) -> None:
    dice = Random(target)
    for _ in range(CHANGES):
        attempt(target, mutated(dice, stored()))


@settings(max_examples=25)
@given(
    data=st.binary(max_size=300)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_nothing_that_hypothesis_thinks_of_breaks_anything(data: bytes) -> None:
    for target in TARGETS:
        attempt(target, data)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "pump", [b"[", b'{"a":', b'"', b"\\", b"a", b"a ", b"\n", b"data: x\n\n", b"1", b"=", b"ignore "]
)
def test_a_monotonous_input_takes_no_more_time_than_its_length(target: str, pump: bytes) -> None:
    attempt(target, (pump * LONGEST)[: LONGEST // 2])


def test_the_same_dice_give_the_same_inputs() -> None:
    assert mutated(Random(1), stored()) == mutated(Random(1), stored())


def test_what_is_kept_is_small() -> None:
    assert sum(map(len, stored())) < 200_000
