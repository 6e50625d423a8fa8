"""The cost tracker: the article's figures, exact, bounded, and told once."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any, cast

import pytest

from holdfast.errors import ConfigError, UnknownModel
from holdfast.parts.cost import MODEL_ROWS, CostTracker
from holdfast.parts.prices import PriceBook
from holdfast.testing import FakeClock

OPUS = "claude-opus-5-5"


class Alerts:
    """A callback that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Decimal, Decimal]] = []

    def __call__(self, spent: Decimal, limit: Decimal) -> None:
        self.told.append((spent, limit))


def plain(value: object) -> object:
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else str(value)


def spend(tracker: CostTracker, dollars: int) -> None:
    """Opus input costs 4 dollars a million, so this is exact."""
    tracker.track_usage(OPUS, dollars * 250_000, 0)


# ---- one message


def test_a_message_is_counted_with_its_cost() -> None:
    used = CostTracker().track_usage("claude-sonnet-5-5", 1_000, 500)
    assert used.estimated_cost == Decimal("0.007")
    assert (used.model, used.input_tokens, used.output_tokens) == ("claude-sonnet-5-5", 1_000, 500)
    assert not used.assumed


def test_cache_search_tier_speed_and_place_are_priced() -> None:
    tracker = CostTracker()
    cached = tracker.track_usage(
        OPUS,
        0,
        0,
        cache_read_input_tokens=1_000_000,
        cache_creation_input_tokens=2_000_000,
        cache_creation_1h_input_tokens=1_000_000,
        web_search_requests=100,
    )
    assert cached.estimated_cost == Decimal("14.20")
    assert tracker.track_usage(OPUS, 1_000_000, 0, service_tier="batch").estimated_cost == Decimal("2.00")
    assert tracker.track_usage(OPUS, 1_000_000, 0, speed="fast").estimated_cost == Decimal("8.00")
    assert tracker.track_usage(OPUS, 1_000_000, 0, inference_geo="us").estimated_cost == Decimal("4.40")


def test_one_hour_writes_alone_count_as_writes() -> None:
    used = CostTracker().track_usage(OPUS, 0, 0, cache_creation_1h_input_tokens=1_000_000)
    assert used.estimated_cost == Decimal("8.00")
    assert used.cache_creation_input_tokens == 1_000_000


def test_a_whole_usage_object_is_counted_iterations_included() -> None:
    usage = {
        "input_tokens": 1_000_000,
        "output_tokens": 0,
        "iterations": [
            {"type": "message", "input_tokens": 1_000_000, "output_tokens": 0},
            {"type": "compaction", "input_tokens": 1_000_000, "output_tokens": 0},
        ],
    }
    tracker = CostTracker()
    assert tracker.track(OPUS, usage).estimated_cost == Decimal("8.00")
    assert tracker.total_cost == Decimal("8.00")


def test_a_refusal_before_any_output_is_counted_and_free() -> None:
    tracker = CostTracker()
    used = tracker.track(OPUS, {"input_tokens": 500, "output_tokens": 1}, refused_empty=True)
    assert used.estimated_cost == 0
    assert tracker.summary().request_count == 1


def test_the_price_is_that_of_the_day() -> None:
    clock = FakeClock(datetime(2026, 10, 6, tzinfo=UTC))
    tracker = CostTracker(clock=clock)
    before = tracker.track_usage("claude-sonnet-5-5", 0, 0, cache_read_input_tokens=1_000_000)
    clock.advance(86_400)
    after = tracker.track_usage("claude-sonnet-5-5", 0, 0, cache_read_input_tokens=1_000_000)
    earlier = tracker.track_usage(
        "claude-sonnet-5-5", 0, 0, cache_read_input_tokens=1_000_000, at=datetime(2026, 10, 1, tzinfo=UTC)
    )
    costs = (before.estimated_cost, after.estimated_cost, earlier.estimated_cost)
    assert costs == (Decimal("0.20"), Decimal("0.10"), Decimal("0.20"))


def test_a_book_of_ones_own_is_used_with_its_answer_to_unknown_models() -> None:
    tracker = CostTracker(prices=PriceBook.default().assuming("dearest"), clock=FakeClock())
    assert tracker.track_usage("new", 1_000_000, 0).estimated_cost == Decimal("10.00")


def test_an_unknown_model_raises_and_counts_nothing() -> None:
    tracker = CostTracker()
    with pytest.raises(UnknownModel):
        tracker.track_usage("claude-opus-55", 1, 1)
    assert tracker.summary().request_count == 0


def test_an_unknown_model_takes_the_dearest_price_where_so_wished_and_says_so() -> None:
    used = CostTracker(unknown_model="dearest", clock=FakeClock()).track_usage("claude-opus-55", 1_000_000, 0)
    assert used.estimated_cost == Decimal("10.00")
    assert used.assumed


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "7", None])
def test_what_is_no_count_is_refused_and_nothing_is_recorded(wrong: Any) -> None:
    tracker = CostTracker()
    calls: list[Callable[[], object]] = [
        lambda: tracker.track_usage(OPUS, wrong, 0),
        lambda: tracker.track_usage(OPUS, 0, wrong),
        lambda: tracker.track_usage(OPUS, 0, 0, cache_read_input_tokens=wrong),
        lambda: tracker.track_usage(OPUS, 0, 0, web_search_requests=wrong),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="nothing was recorded") as caught:
            call()
        assert "기록하지 않았습니다" in caught.value.say("ko")
    assert tracker.summary().request_count == 0


def test_a_misspelt_argument_is_a_type_error() -> None:
    details: Any = {"cached_tokens": 5}
    with pytest.raises(TypeError, match="cached_tokens"):
        CostTracker().track_usage(OPUS, 1, 1, **details)


# ---- sums


def test_a_summary_reads_by_attribute_and_like_a_dict() -> None:
    tracker = CostTracker("10")
    tracker.track_usage(OPUS, 1_000, 100, cache_read_input_tokens=7, cache_creation_input_tokens=3)
    tracker.track_usage("claude-sonnet-5-5", 2_000, 200)
    summary = tracker.summary()
    assert (summary.total_input_tokens, summary.total_output_tokens) == (3_000, 300)
    assert (summary.total_cache_read_input_tokens, summary.total_cache_creation_input_tokens) == (7, 3)
    assert summary.request_count == summary["request_count"] == 2
    assert summary["total_cost"] == summary.total_cost == tracker.total_cost
    assert dict(summary)["remaining"] == Decimal(10) - tracker.total_cost
    assert len(summary) == len(list(summary))
    with pytest.raises(KeyError):
        summary["as_dict"]


def test_a_summary_tells_models_apart() -> None:
    tracker = CostTracker()
    tracker.track_usage(OPUS, 1_000_000, 0)
    tracker.track_usage(OPUS, 0, 1_000_000)
    tracker.track_usage("claude-haiku-4-5", 5, 5)
    rows = tracker.summary().by_model
    assert rows[OPUS].cost == Decimal("24.00")
    assert (rows[OPUS].request_count, rows[OPUS].input_tokens, rows[OPUS].output_tokens) == (2, 10**6, 10**6)
    assert rows["claude-haiku-4-5"]["request_count"] == 1


def test_a_summary_is_a_picture_of_its_moment() -> None:
    tracker = CostTracker()
    before = tracker.summary()
    spend(tracker, 1)
    assert before.request_count == 0
    assert before.by_model == {}
    assert before == CostTracker().summary()


def test_a_summary_becomes_json_with_one_hook() -> None:
    tracker = CostTracker("10")
    spend(tracker, 1)
    told = json.loads(json.dumps(dict(tracker.summary()), default=plain))
    assert told["total_cost"] == "1.00"
    assert told["by_model"][OPUS]["cost"] == "1.00"


def test_memory_is_bounded_however_many_names_come() -> None:
    tracker = CostTracker(unknown_model="dearest", clock=FakeClock())
    for number in range(MODEL_ROWS + 50):
        tracker.track_usage(f"model-{number}", 100, 0)
    rows = tracker.summary().by_model
    assert len(rows) == MODEL_ROWS + 1
    assert rows["other"].request_count == 50
    assert sum(row.cost for row in rows.values()) == tracker.total_cost


def test_thousands_of_random_requests_add_up_to_the_last_digit() -> None:
    dice = random.Random(7)
    tracker = CostTracker()
    pico = 0
    for _ in range(20_000):
        given, out = dice.randrange(300_000), dice.randrange(9_000)
        tracker.track_usage("claude-haiku-5-5", given, out)
        step = 1 if given <= 100_000 else 5
        pico += step * (given * 100_000 + out * 500_000)
    assert tracker.total_cost == Decimal(pico).scaleb(-12)


def test_the_total_needs_no_list_of_past_messages() -> None:
    tracker = CostTracker()
    for _ in range(1_000):
        tracker.track_usage(OPUS, 1, 0)
    assert tracker.total_cost == Decimal("0.004")
    assert "0.004" in repr(tracker)


def test_reset_starts_a_new_window() -> None:
    alerts = Alerts()
    tracker = CostTracker(10, alerts)
    spend(tracker, 9)
    tracker.reset()
    assert tracker.summary().request_count == 0
    assert tracker.total_cost == 0
    spend(tracker, 8)
    assert len(alerts.told) == 2


# ---- the limit


def test_the_alert_tells_what_was_spent_and_the_limit_at_80_percent() -> None:
    alerts = Alerts()
    tracker = CostTracker("10.00", alerts)
    spend(tracker, 7)
    assert alerts.told == []
    spend(tracker, 1)
    assert alerts.told == [(Decimal(8), Decimal(10))]


def test_the_alert_comes_once_per_threshold_and_window() -> None:
    alerts = Alerts()
    tracker = CostTracker(10, alerts, alert_at=(1, 0.5, 0.8))
    for _ in range(14):
        spend(tracker, 1)
    assert [spent for spent, _ in alerts.told] == [5, 8, 10]


def test_one_message_over_several_thresholds_alerts_for_each() -> None:
    alerts = Alerts()
    spend(tracker := CostTracker(10, alerts, alert_at=(0.5, 0.8)), 9)
    assert alerts.told == [(Decimal(9), Decimal(10))] * 2
    assert tracker.summary().remaining == Decimal(1)


def test_a_threshold_is_reached_exactly_and_not_a_pico_dollar_before() -> None:
    alerts = Alerts()
    tracker = CostTracker("0.00001", alerts, alert_at=0.8)
    tracker.track_usage(OPUS, 1, 0)
    assert alerts.told == []
    tracker.track_usage(OPUS, 1, 0)
    assert alerts.told == [(Decimal("0.000008"), Decimal("0.00001"))]


def test_past_the_limit_the_tracker_goes_on_counting() -> None:
    tracker = CostTracker(1)
    spend(tracker, 5)
    assert tracker.total_cost == Decimal(5)
    assert tracker.summary().remaining == 0
    assert tracker.budget_limit == Decimal(1)


def test_without_a_limit_there_is_no_alert_and_nothing_remains() -> None:
    alerts = Alerts()
    tracker = CostTracker(None, alerts)
    spend(tracker, 1_000)
    assert alerts.told == []
    assert tracker.budget_limit is None
    assert tracker.summary().remaining is None


def test_no_thresholds_mean_no_alert() -> None:
    alerts = Alerts()
    spend(CostTracker(1, alerts, alert_at=()), 5)
    assert alerts.told == []


def test_the_callback_may_use_the_tracker() -> None:
    seen: list[Decimal] = []
    tracker: CostTracker

    def look(spent: Decimal, limit: Decimal) -> None:
        seen.append(tracker.summary().total_cost)
        tracker.reset()

    tracker = CostTracker(10, look)
    spend(tracker, 8)
    assert seen == [Decimal(8)]
    assert tracker.total_cost == 0


def test_what_the_callback_raises_reaches_the_caller_after_the_message_was_counted() -> None:
    told: list[int] = []

    def fail(spent: Decimal, limit: Decimal) -> None:
        told.append(1)
        raise RuntimeError("pager is down")

    tracker = CostTracker(10, fail, alert_at=(0.5, 0.8))
    with pytest.raises(RuntimeError, match="pager"):
        spend(tracker, 9)
    assert tracker.total_cost == Decimal(9)
    assert len(told) == 2
    spend(tracker, 1)
    assert tracker.summary().request_count == 2


def test_threads_lose_no_message_and_alert_once() -> None:
    alerts = Alerts()
    tracker = CostTracker(10, alerts, alert_at=(0.5, 0.8))
    start = Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(500):
            tracker.track_usage(OPUS, 1_000, 0)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.total_cost == Decimal(16)
    assert tracker.summary().request_count == 4_000
    assert len(alerts.told) == 2


# ---- arguments


@pytest.mark.parametrize("limit", [0, "0", -1, "-0.01", 5.0, True, "five", Decimal("NaN")])
def test_a_limit_that_is_no_exact_amount_above_zero_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigError, match="budget_limit") as caught:
        CostTracker(limit)
    assert "budget_limit" in caught.value.say("ko")


@pytest.mark.parametrize("share", [0, -0.5, 1.01, 80, "x", float("nan"), True, (0.5, 2)])
def test_a_threshold_outside_the_limit_is_refused(share: Any) -> None:
    with pytest.raises(ConfigError, match="alert_at") as caught:
        CostTracker(10, alert_at=share)
    assert "alert_at" in caught.value.say("ko")


def test_an_async_callback_is_refused_because_nothing_would_await_it() -> None:
    async def alert(spent: Decimal, limit: Decimal) -> None: ...

    callback: Callable[[Decimal, Decimal], object] = alert
    with pytest.raises(ConfigError, match="async"):
        CostTracker(10, callback)


# ---- charges that are known already


def test_a_charge_is_counted_at_its_own_cost() -> None:
    tracker = CostTracker()
    tracker.add_charge("claude-unheard-of", {"input_tokens": 10, "output_tokens": 20}, Decimal("0.5"))
    summary = tracker.summary()
    assert (summary.total_input_tokens, summary.total_output_tokens) == (10, 20)
    assert (summary.total_cost, summary.request_count, summary.unpriced_count) == (Decimal("0.5"), 1, 0)


def test_a_charge_sets_off_alerts() -> None:
    spent: list[Decimal] = []
    tracker = CostTracker("1", lambda total, limit: spent.append(total))
    tracker.add_charge("m", {}, Decimal("0.7"))
    tracker.add_charge("m", {}, Decimal("0.2"))
    tracker.add_charge("m", {}, None)
    assert spent == [Decimal("0.90")]


def test_a_message_of_unknown_price_is_kept_apart_and_its_tokens_count() -> None:
    tracker = CostTracker()
    tracker.add_charge("claude-unheard-of", {"input_tokens": 10}, None)
    summary = tracker.summary()
    assert (summary.total_cost, summary.total_input_tokens, summary.unpriced_count) == (Decimal(0), 10, 1)
    tracker.reset()
    assert tracker.summary().unpriced_count == 0
