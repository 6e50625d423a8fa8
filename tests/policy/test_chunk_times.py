"""How long pieces of an answer are apart: counted by length, against the plainest count there is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.chunk_times import BOUNDS, ChunkCounts, ChunkTimes

MOMENTS = st.lists(
    st.tuples(st.sampled_from((0.0, 0.01, 0.010001, 0.3, 81.92, 600.0, 601.0)), st.integers(0, 3)),
    max_size=20,
)


@given(MOMENTS)
def test_every_piece_is_counted_once_at_its_distance_from_the_one_before(
    reads: list[tuple[float, int]],
) -> None:
    times, now, last = ChunkTimes(), 0.0, 0.0
    gaps: list[float] = []
    times.begin(now)
    for waited, pieces in reads:
        now += waited
        times.came(now, pieces)
        if pieces:
            gaps += [now - last, *([0.0] * (pieces - 1))]
            last = now
    counts = times.counts
    if not gaps:
        assert counts is None
        return
    assert counts is not None
    edges = (-1.0, *BOUNDS, float("inf"))
    naive = tuple(sum(low < gap <= high for gap in gaps) for low, high in pairwise(edges))
    assert counts.counts == naive
    assert abs(counts.seconds - sum(gaps)) < 1e-6


def test_two_answers_are_counted_together() -> None:
    one, two = ChunkTimes(), ChunkTimes()
    one.came(0.5, 2)
    two.came(0.02, 1)
    first, second = one.counts, two.counts
    assert first is not None
    assert second is not None
    both = first.plus(second)
    assert (sum(both.counts), both.seconds) == (3, 0.52)
    assert ChunkCounts().plus(first) == first


def test_a_clock_that_stands_still_or_slips_is_no_gap() -> None:
    times = ChunkTimes()
    times.begin(5.0)
    times.came(4.0, 1)
    counts = times.counts
    assert counts is not None
    assert (counts.counts[0], counts.seconds) == (1, 0.0)
