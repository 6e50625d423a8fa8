"""Which parts of long texts are read: as much as may be, and fairly."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.portion import SEAM, ends, in_reach, shares


@given(lengths=st.lists(st.integers(0, 1_000), max_size=20), most=st.integers(1, 5_000))
def test_as_much_is_read_as_there_is_and_as_may_be(lengths: list[int], most: int) -> None:
    given = shares(lengths, most)
    assert all(0 <= share <= length for share, length in zip(given, lengths, strict=True))
    assert sum(given) == min(most, sum(lengths))


@given(lengths=st.lists(st.integers(0, 1_000), min_size=1, max_size=20), most=st.integers(1, 5_000))
def test_no_text_is_cut_shorter_than_another_by_more_than_a_character(lengths: list[int], most: int) -> None:
    given = shares(lengths, most)
    cut = [share for share, length in zip(given, lengths, strict=True) if share < length]
    assert not cut or max(given) - min(cut) <= 1


def test_a_short_text_is_whole_beside_one_that_fills_everything() -> None:
    assert shares((5_000_000, 100), 1_000) == (900, 100)


def test_both_ends_are_left_and_no_sentence_runs_across_the_gap() -> None:
    assert ends("abcdefghij", 5) == "ab" + SEAM + "hij"
    assert ends("abcdefghij", 1) == SEAM + "j"
    assert ends("abcdefghij", 0) == SEAM


@given(text=st.text(max_size=50), share=st.integers(50, 60))
def test_a_text_that_fits_is_left_as_it_is(text: str, share: int) -> None:
    assert ends(text, share) is text


@given(
    lengths=st.lists(st.integers(0, 1_000), max_size=20),
    more=st.lists(st.integers(0, 1_000), max_size=5),
    most=st.integers(1, 3_000),
)
def test_texts_are_read_in_their_order_and_what_follows_changes_nothing(
    lengths: list[int], more: list[int], most: int
) -> None:
    said = in_reach(lengths, most)
    assert in_reach([*lengths, *more], most)[: len(lengths)] == said
    assert sum(length for length, is_near in zip(lengths, said, strict=True) if is_near) <= most
    assert said == (True,) * len(lengths) or sum(lengths) > most


def test_a_text_that_is_too_long_by_itself_is_not_read_and_takes_nothing_from_the_others() -> None:
    assert in_reach((5_000, 900, 100, 1), 1_000) == (False, True, True, False)
