"""When a prompt loses its cache, which block it was, and what it has cost."""

from collections.abc import Sequence
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.cache_bust import (
    FIVE_MINUTES,
    HOUR,
    SMALLEST,
    Bust,
    Remembered,
    Sent,
    as_read,
    busted,
    first_change,
    is_next,
    remembered,
    step,
)
from holdfast.wire.prefix import Prefix
from holdfast.wire.usage import Iteration, Usage

MODEL = "claude-sonnet-5-5"


def prefix_of(settled: Sequence[str], messages: Sequence[str]) -> Prefix:
    """A prompt whose blocks are these words."""
    words = [*settled, *messages]
    return Prefix(
        paths=tuple(f"{'system' if n < len(settled) else 'messages'}.{n}" for n in range(len(words))),
        digests=b"".join(blake2b(word.encode(), digest_size=8).digest() for word in words),
        settled=len(settled),
    )


def sent(
    prefix: Prefix,
    *,
    read: int = 0,
    written: int = 0,
    plain: int = 100,
    at: float = 0.0,
    long: int = 0,
    model: str = MODEL,
    upstream: str = "a",
) -> Sent:
    usage = Usage(
        input_tokens=plain,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cache_creation_1h_input_tokens=long,
    )
    return Sent(prefix=prefix, at=at, usage=usage, model=model, upstream=upstream)


FIRST = prefix_of(["s"], ["m0", "m1", "m2"])


def first(*, plain: int = 100, long: int = 0) -> Remembered:
    return remembered(None, sent(FIRST, written=5_000, plain=plain, long=long), "name")


def test_a_prompt_that_only_grew_has_lost_nothing() -> None:
    longer = prefix_of(["s"], ["m0", "m1", "m2", "m3"])
    assert busted(first(), sent(longer, read=5_000, written=100)) is None
    assert first_change(first(), longer) is None


def test_a_change_at_the_front_is_named_with_what_it_lost() -> None:
    other = prefix_of(["S"], ["m0", "m1", "m2", "m3"])
    assert busted(first(), sent(other, written=5_100)) == Bust(block="system.0", lost_tokens=5_000)


def test_the_first_of_several_changes_is_named() -> None:
    other = prefix_of(["s"], ["m0", "M1", "M2", "m3"])
    bust = busted(first(), sent(other, read=2_000, written=3_100))
    assert bust == Bust(block="messages.2", lost_tokens=3_000)


def test_a_change_behind_what_was_cached_costs_nothing_and_is_no_alarm() -> None:
    other = prefix_of(["s"], ["m0", "m1", "M2", "m3"])
    assert busted(first(), sent(other, read=5_000)) is None


def test_a_loss_below_the_shortest_cached_prompt_is_none() -> None:
    other = prefix_of(["S"], ["m0", "m1", "m2"])
    assert busted(first(), sent(other, read=5_000 - SMALLEST + 1, plain=SMALLEST)) is None
    assert busted(first(), sent(other, read=5_000 - SMALLEST, plain=SMALLEST)) is not None


def test_what_the_cache_had_forgotten_by_itself_is_nobodys_fault() -> None:
    other = prefix_of(["S"], ["m0", "m1", "m2"])
    assert busted(first(), sent(other, written=5_000, at=FIVE_MINUTES)) is not None
    assert busted(first(), sent(other, written=5_000, at=FIVE_MINUTES + 1)) is None
    assert busted(first(long=5_000), sent(other, written=5_000, at=HOUR)) is not None


def test_reading_keeps_what_was_written_for_an_hour() -> None:
    read = remembered(first(long=5_000), sent(FIRST, read=5_000, at=10.0), "x")
    assert read.keeps == HOUR
    assert remembered(first(long=5_000), sent(FIRST, written=5_000, at=10.0), "x").keeps == FIVE_MINUTES


def test_a_loss_without_a_change_is_no_bust() -> None:
    assert busted(first(), sent(FIRST, written=5_000)) is None


def test_another_model_or_upstream_has_another_cache() -> None:
    other_model = busted(first(), sent(FIRST, written=5_000, model="claude-haiku-5-5"))
    assert other_model == Bust(block="model", lost_tokens=5_000)
    other_upstream = busted(first(), sent(FIRST, written=5_000, upstream="b"))
    assert other_upstream == Bust(block="upstream", lost_tokens=5_000)


def test_a_shorter_prompt_cannot_lose_more_than_it_holds() -> None:
    bust = busted(first(), sent(prefix_of(["S"], ["m0", "m1"]), written=2_000, plain=0))
    assert bust == Bust(block="system.0", lost_tokens=2_000)


@pytest.mark.parametrize(
    ("messages", "goes_on"),
    [
        (["m0", "m1", "m2", "m3"], True),
        (["m0", "m1", "m2"], True),
        (["m1", "m2", "m3"], True),
        (["m0", "x", "y", "z"], False),
        ([], False),
    ],
)
def test_a_request_goes_on_with_what_it_holds_half_of(messages: list[str], goes_on: bool) -> None:
    assert is_next(first(), prefix_of(["whatever"], messages)) is goes_on


def test_two_conversations_that_begin_alike_are_not_one() -> None:
    begun = remembered(None, sent(prefix_of(["kim"], ["hi"]), written=5_000), "name")
    assert not is_next(begun, prefix_of(["lee"], ["hi"]))
    assert is_next(begun, prefix_of(["kim"], ["hi", "hello", "more"]))


def test_a_conversation_without_messages_goes_on_with_nothing() -> None:
    empty = remembered(None, sent(prefix_of(["s"], [])), "name")
    assert not is_next(empty, FIRST)


def test_the_share_that_was_read_is_of_the_call_and_of_the_conversation() -> None:
    after = remembered(first(plain=0), sent(FIRST, read=5_000, plain=0), "x")
    told = step(after, Usage(cache_read_input_tokens=5_000), None, None)
    assert (told.hit, told.conversation_hit, told.block, told.conversation) == (1.0, 0.5, None, "name")


def test_a_bust_is_told_with_its_cost() -> None:
    told = step(first(), Usage(), Bust(block="tools.3", lost_tokens=7), 42)
    assert (told.block, told.lost_tokens, told.lost_pico, told.hit) == ("tools.3", 7, 42, 0.0)


counts = st.integers(0, 100_000)


@given(counts, counts, counts, counts, counts)
def test_what_would_have_been_read_is_the_same_prompt(
    plain: int, read: int, written: int, long: int, tokens: int
) -> None:
    usage = Usage(
        input_tokens=plain,
        output_tokens=7,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cache_creation_1h_input_tokens=min(long, written),
        iterations=(Iteration(),),
    )
    fair = as_read(usage, tokens)
    assert fair.prompt_tokens == usage.prompt_tokens
    assert fair.cache_read_input_tokens == read + min(tokens, plain + written)
    assert 0 <= fair.cache_creation_1h_input_tokens <= fair.cache_creation_input_tokens
    assert fair.input_tokens >= 0
    assert (fair.output_tokens, fair.iterations) == (7, ())


words = st.sampled_from(["a", "b", "c", "d", "e"])


@given(
    st.lists(words, max_size=3),
    st.lists(words, max_size=6),
    st.lists(words, max_size=3),
    st.lists(words, max_size=6),
    st.integers(0, 9_000),
    st.integers(0, 9_000),
    st.floats(0, 2 * HOUR),
)
def test_the_judgement_is_what_a_naive_reading_says(
    was_settled: list[str],
    was: list[str],
    now_settled: list[str],
    now: list[str],
    known: int,
    read: int,
    later: float,
) -> None:
    before = remembered(None, sent(prefix_of(was_settled, was), written=known), "n")
    bust = busted(before, sent(prefix_of(now_settled, now), read=read, at=later))
    old, new = [*was_settled, *was], [*now_settled, *now]
    changed = [place for place in range(min(len(old), len(new))) if old[place] != new[place]]
    lost = min(known, read + 100) - read
    if changed and lost >= SMALLEST and later <= FIVE_MINUTES:
        assert bust is not None
        assert bust.block.endswith(f".{changed[0]}")
        assert bust.lost_tokens == lost
    else:
        assert bust is None
