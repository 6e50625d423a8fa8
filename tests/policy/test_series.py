"""The series behind the charts, against a list of everything that was ever added."""

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.series import KEPT, SLICE, Series

STEPS = st.sampled_from([5.0, 10.0, 20.0, 60.0])
ADDED = st.lists(
    st.tuples(
        st.floats(0, 40),
        st.sampled_from(["answered", "failed"]),
        st.floats(0, 700_000),
        st.one_of(st.none(), st.integers(0, 10**12)),
    ),
    max_size=60,
)


@given(ADDED, STEPS, st.integers(1, 40))
def test_every_call_is_in_the_step_in_which_it_ended(
    added: list[tuple[float, str, float, int | None]], step: float, steps: int
) -> None:
    series, now, known = Series(), 1_000.0, list[tuple[float, str, float, int]]()
    for wait, outcome, ms, cost in added:
        now += wait
        series.add(now, outcome, ms, cost)
        known.append((now, outcome, ms, cost or 0))
    points = series.points(now, step * steps, step)
    assert len(points) == steps
    assert [point.at for point in points] == [points[0].at + step * place for place in range(steps)]
    assert points[-1].at <= now < points[-1].at + step
    for point in points:
        mine = [one for one in known if point.at <= one[0] < point.at + step]
        assert point.outcomes == dict(Counter(one[1] for one in mine))
        assert point.cost_pico == sum(one[3] for one in mine)
        ordered = sorted(max(1.0, one[2]) for one in mine)
        for shown, share in ((point.p50_ms, 0.5), (point.p95_ms, 0.95)):
            if not ordered:
                assert shown is None
                continue
            exact = ordered[ceil(share * len(ordered)) - 1]
            assert shown is not None
            assert exact - 0.06 <= shown <= exact * 1.091 + 0.06


def test_only_the_last_hour_is_remembered() -> None:
    series = Series()
    for place in range(KEPT + 10):
        series.add(place * SLICE, "answered", 1.0, 1)
    now = (KEPT + 9) * SLICE
    assert sum(sum(one.outcomes.values()) for one in series.points(now, 10_000.0, SLICE)) == KEPT


def test_nothing_added_is_nothing_shown() -> None:
    (point,) = Series().points(12.0, 5.0, 5.0)
    assert (point.at, point.outcomes, point.p50_ms, point.cost_pico) == (10.0, {}, None, 0)
