"""The budget in the hand: never overspent, exact, told once, and bounded in memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import Budget, BudgetExhausted, ConfigError
from holdfast.parts import budget as part
from holdfast.parts.budget import BudgetAlert
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.testing import FakeClock

FLOAT: Any = 0.5


def admitted(budget: Budget, amount: str = "0.30", subject: str | None = "alice") -> bool:
    try:
        budget.reserve(amount, subject=subject)
    except BudgetExhausted:
        return False
    return True


def figures(budget: Budget, subject: str | None = None) -> tuple[str, str, str]:
    """Spent, reserved and remaining."""
    return (
        f"{budget.spent(subject)}",
        f"{budget.reserved(subject)}",
        f"{budget.remaining(subject)}",
    )


# ---- never overspent


def test_of_twenty_threads_with_thirty_cents_each_three_share_a_dollar() -> None:
    budget = Budget(usd=1, per="day", clock=FakeClock())
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(admitted, [budget] * 20))
    assert answers.count(True) == 3
    assert figures(budget, "alice") == ("0.00", "0.90", "0.10")


def test_threads_that_hold_settle_and_release_at_once_lose_no_cent() -> None:
    budget = Budget(usd=1_000, clock=FakeClock())

    def work(worker: int) -> Decimal:
        spent = Decimal(0)
        for number in range(200):
            hold = budget.reserve("0.30", subject=f"user {number % 3}")
            if (number + worker) % 4:
                hold.settle("0.21")
                spent += Decimal("0.21")
            else:
                hold.release()
        return spent

    with ThreadPoolExecutor(8) as pool:
        spent = sum(pool.map(work, range(8)))
    users = [f"user {number}" for number in range(3)]
    assert sum(budget.spent(user) for user in users) == spent
    assert sum(budget.reserved(user) for user in users) == 0


async def test_of_twenty_tasks_with_thirty_cents_each_three_share_a_dollar() -> None:
    budget = Budget(usd=1, per="day", clock=FakeClock())
    refused = 0

    async def work() -> None:
        nonlocal refused
        try:
            async with budget.reserve("0.30") as hold:
                await asyncio.sleep(0)
                hold.settle("0.21")
        except BudgetExhausted:
            refused += 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert refused == 17
    assert figures(budget) == ("0.63", "0.00", "0.37")


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12), st.booleans()), max_size=30))
def test_what_is_spent_and_held_never_passes_the_limit(works: list[tuple[int, int, bool]]) -> None:
    budget = Budget(usd=1, clock=FakeClock())
    for amount, actual, is_settled in works:
        try:
            hold = budget.reserve(Decimal(amount).scaleb(-12))
        except BudgetExhausted:
            continue
        if is_settled:
            hold.settle(Decimal(min(actual, amount)).scaleb(-12))
        assert budget.spent() + budget.reserved() <= 1
        assert budget.remaining() == 1 - budget.spent() - budget.reserved()


def test_a_refusal_says_when_to_come_back_and_what_to_do() -> None:
    budget = Budget(usd="0.5", name="demo", clock=FakeClock())
    budget.reserve("0.30", subject="alice").settle("0.21")
    with pytest.raises(BudgetExhausted) as caught:
        budget.reserve("0.30", subject="alice")
    assert str(caught.value) == (
        "This call could cost up to 0.30 dollars, and the budget `demo` for user alice of 0.50 dollars a day has "
        "0.29 left: 0.21 are spent, 0.00 held for calls under way. It begins anew at 2026-11-23 00:00:00 UTC: "
        "come back then, ask for a shorter answer (max_tokens), or make the budget larger (usd)."
    )
    assert caught.value.say("ko").endswith("요청하거나 예산(usd)을 늘리세요.")
    assert caught.value.retry_after == 12 * 3600
    assert caught.value.details["used"] == "0.21"


def test_a_refused_promise_leaves_no_trace() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    assert not admitted(budget, "1.01")
    assert figures(budget, "alice") == ("0.00", "0.00", "1.00")


# ---- one hold


def test_a_settled_hold_costs_what_was_said() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    hold = budget.reserve("0.30", subject="alice")
    assert (hold.amount, hold.subject) == (Decimal("0.30"), "alice")
    assert repr(hold) == "BudgetHold(0.30, subject='alice')"
    hold.settle("0.21")
    assert figures(budget, "alice") == ("0.21", "0.00", "0.79")


def test_a_released_hold_costs_nothing() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    budget.reserve("0.30").release()
    assert figures(budget) == ("0.00", "0.00", "1.00")


def test_only_the_first_word_about_a_hold_counts() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    hold = budget.reserve("0.30")
    hold.settle("0.21")
    hold.settle("0.25")
    hold.release()
    assert figures(budget) == ("0.21", "0.00", "0.79")


def test_work_that_cost_more_than_its_hold_is_charged_truthfully() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    budget.reserve("0.30").settle(2)
    assert figures(budget) == ("2.00", "0.00", "0.00")
    assert not admitted(budget, "0.01", None)


def test_a_block_that_is_left_without_a_word_is_charged_whole() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    with budget.reserve("0.30"):
        pass
    assert figures(budget) == ("0.30", "0.00", "0.70")


async def test_an_async_block_that_fails_is_charged_whole() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    with pytest.raises(ZeroDivisionError):
        async with budget.reserve("0.30"):
            _ = 1 / 0
    assert figures(budget) == ("0.30", "0.00", "0.70")


def test_a_block_that_settles_or_releases_is_charged_that() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    with budget.reserve("0.30") as hold:
        hold.settle("0.21")
    with budget.reserve("0.30") as hold:
        hold.release()
    assert figures(budget) == ("0.21", "0.00", "0.79")


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0.3, "amount is the float 0.3"),
        ("-0.1", "amount is -0.1, less than nothing"),
        ("a lot", "amount is 'a lot'"),
        ("0.0000000000001", "finer than a pico-dollar"),
    ],
)
def test_what_is_no_amount_is_refused_and_changes_nothing(amount: Any, words: str) -> None:
    budget = Budget(usd=1, clock=FakeClock())
    hold = budget.reserve("0.30")
    for act in (hold.settle, budget.reserve):
        with pytest.raises(ConfigError, match=words):
            act(amount)
    assert figures(budget) == ("0.00", "0.30", "0.70")


def test_a_pico_dollar_is_counted_as_a_nano_dollar() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    budget.reserve(0).settle("0.000000000001")
    assert budget.spent() == Decimal("0.000000001")


# ---- whom it counts


def test_every_subject_has_the_whole_limit() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    assert admitted(budget, "1", "alice")
    assert admitted(budget, "1", "bob")
    assert not admitted(budget, "0.01", "alice")


def test_whoever_is_not_named_counts_as_one() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    assert admitted(budget, "1", None)
    assert not admitted(budget, "0.01", "")
    assert admitted(budget, "1", "None")


def test_a_budget_of_everybody_counts_everybody_together() -> None:
    budget = Budget(usd=1, scope="organisation", clock=FakeClock())
    assert admitted(budget, "0.60", "alice")
    assert not admitted(budget, "0.60", "bob")
    assert figures(budget, "carol") == ("0.00", "0.60", "0.40")


@pytest.mark.parametrize("scope", ["key", "model", "agent", "run", "tag:team"])
def test_every_scope_tells_its_subjects_apart(scope: str) -> None:
    budget = Budget(usd=1, scope=scope, clock=FakeClock())
    assert admitted(budget, "1", "one")
    assert admitted(budget, "1", "other")
    assert not admitted(budget, "0.01", "one")


# ---- time


def test_a_day_begins_anew_in_its_zone() -> None:
    clock = FakeClock(datetime(2026, 11, 22, 14, 59, tzinfo=UTC))
    budget = Budget(usd=1, timezone="Asia/Seoul", clock=clock)
    budget.reserve(1).settle(1)
    assert not admitted(budget, "0.01", None)
    clock.advance(60)
    assert figures(budget) == ("0.00", "0.00", "1.00")
    assert admitted(budget, "1", None)


def test_a_hold_settles_in_the_window_it_was_taken_in() -> None:
    clock = FakeClock(datetime(2026, 11, 22, 23, 59, tzinfo=UTC))
    told: list[BudgetAlert] = []
    budget = Budget(usd=1, clock=clock, on_alert=told.append)
    hold = budget.reserve(1, subject="alice")
    clock.advance(timedelta(hours=1))
    assert admitted(budget, "0.5", "alice")
    hold.settle("0.9")
    assert figures(budget, "alice") == ("0.00", "0.50", "0.50")
    assert [alert.resets_at for alert in told] == [datetime(2026, 11, 23, tzinfo=UTC)]


def test_a_rolling_window_lets_go_of_what_was_spent_long_ago() -> None:
    clock = FakeClock()
    budget = Budget(usd=1, per=timedelta(hours=24), clock=clock)
    budget.reserve("0.60").settle("0.60")
    clock.advance(timedelta(hours=12))
    budget.reserve("0.40").settle("0.40")
    clock.advance(timedelta(hours=12))
    assert not admitted(budget, "0.01", None)
    clock.advance(timedelta(hours=1))
    assert figures(budget) == ("0.40", "0.00", "0.60")


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9 * 60)), min_size=5, max_size=40))
def test_in_no_stretch_of_a_rolling_window_more_than_the_limit_is_spent(works: list[tuple[int, int]]) -> None:
    clock = FakeClock()
    budget = Budget(usd=1, per=timedelta(hours=1), clock=clock)
    spent: list[tuple[datetime, int]] = []
    for cents, pause in works:
        if admitted(budget, f"0.{cents:02}", None):
            spent.append((clock.now(), cents))
        clock.advance(pause)
    for start, _ in spent:
        inside = [cents for at, cents in spent if start <= at <= start + timedelta(hours=1)]
        assert sum(inside) <= 100


@pytest.mark.parametrize("per", ["total", "run"])
def test_a_budget_without_end_is_never_filled_again(per: str) -> None:
    clock = FakeClock()
    budget = Budget(usd=1, per=per, clock=clock)
    budget.reserve(1, subject="r1").settle(1)
    clock.advance(timedelta(days=3650))
    assert not admitted(budget, "0.01", "r1")
    assert admitted(budget, "0.01", "r2")


def test_a_budget_per_run_is_one_for_each_run() -> None:
    assert Budget(usd=1, per="run").config.scope == "run"
    with pytest.raises(ConfigError, match="a budget per run is one for each run"):
        Budget(usd=1, per="run", scope="key")


@pytest.mark.parametrize("per", ["hour", "day", "month", "90m", timedelta(days=7)])
def test_every_period_ends(per: str | timedelta) -> None:
    clock = FakeClock()
    budget = Budget(usd=1, per=per, clock=clock)
    budget.reserve(1).settle(1)
    with pytest.raises(BudgetExhausted) as caught:
        budget.reserve(1)
    assert caught.value.retry_after is not None
    clock.advance(timedelta(days=32))
    assert admitted(budget, "1", None)


# ---- alerts


def test_an_alert_comes_once_for_every_part_of_the_limit_and_window() -> None:
    clock, told = FakeClock(), list[BudgetAlert]()
    budget = Budget(usd=1, alert_at=[0.5, 0.8], on_alert=told.append, clock=clock)
    for _ in range(9):
        budget.reserve("0.10", subject="alice").settle("0.10")
    assert told == [
        BudgetAlert(
            budget="budget",
            subject="user alice",
            threshold=Decimal(part),
            spent=Decimal(part),
            limit=Decimal("1.00"),
            resets_at=datetime(2026, 11, 23, tzinfo=UTC),
        )
        for part in ("0.50", "0.80")
    ]
    clock.advance(timedelta(days=1))
    budget.reserve("0.50", subject="alice").settle("0.50")
    assert len(told) == 3


def test_an_alert_may_use_the_budget_and_what_it_raises_comes_after_the_count() -> None:
    seen: list[Decimal] = []

    def alarmed(alert: BudgetAlert) -> None:
        seen.append(budget.spent())
        raise ZeroDivisionError(alert.threshold)

    budget = Budget(usd=1, alert_at=(0.5, 0.8), on_alert=alarmed, clock=FakeClock())
    with pytest.raises(ZeroDivisionError):
        budget.reserve(1).settle("0.9")
    assert seen == [Decimal("0.90")] * 2
    assert figures(budget) == ("0.90", "0.00", "0.10")


def test_an_alert_that_nobody_would_await_is_refused() -> None:
    async def alarmed(alert: BudgetAlert) -> None:
        del alert

    with pytest.raises(ConfigError, match="nothing would await") as caught:
        Budget(usd=1, on_alert=alarmed)
    assert "아무도 await하지" in caught.value.say("ko")


# ---- what it is made of


def test_the_configuration_is_that_of_a_gateway() -> None:
    ladder = (Rung(at=Decimal("0.9"), do="ask"),)
    budget = Budget(
        "2.50", per="24h", alert_at=0.5, scope="key", timezone="Asia/Seoul", mode="clamp", ladder=ladder
    )
    assert budget.config == BudgetConfig(
        usd=Decimal("2.50"),
        per=timedelta(hours=24),
        alert_at=(Decimal("0.5"),),
        scope="key",
        timezone="Asia/Seoul",
        mode="clamp",
        ladder=ladder,
    )
    assert repr(budget) == "Budget(2.50, per='24h', scope='key')"


def test_a_day_for_each_user_with_an_alert_at_four_fifths_is_usual() -> None:
    assert Budget(usd=5).config == BudgetConfig(
        usd=Decimal(5), per="day", scope="user", alert_at=(Decimal("0.8"),)
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Budget(usd=0),
        lambda: Budget(usd=-1),
        lambda: Budget(usd=FLOAT),
        lambda: Budget(usd=1, per="week"),
        lambda: Budget(usd=1, alert_at=80),
        lambda: Budget(usd=1, scope="planet"),
        lambda: Budget(usd=1, timezone="Mars"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(make: Callable[[], Budget]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_the_clock_of_this_machine_is_the_usual_one() -> None:
    budget = Budget(usd=1)
    with budget.reserve("0.30") as hold:
        hold.release()
    assert figures(budget) == ("0.00", "0.00", "1.00")


# ---- memory


def kept(budget: Budget) -> int:
    """How many subjects are in memory, after the budget has had time to look through all of them."""
    for _ in range(2_000):
        budget.reserve(0, subject="sweeper").release()
    return len(vars(budget)["_pages"])


def test_windows_that_are_over_are_forgotten() -> None:
    clock = FakeClock()
    budget = Budget(usd=1, clock=clock)
    for number in range(1_000):
        budget.reserve("0.30", subject=f"user {number}").settle("0.10")
    assert kept(budget) >= 1_000
    clock.advance(timedelta(days=1))
    assert kept(budget) <= 2


def test_a_subject_that_spent_nothing_is_forgotten_at_once() -> None:
    budget = Budget(usd=1, clock=FakeClock())
    for number in range(1_000):
        budget.reserve("0.30", subject=f"user {number}").release()
    assert len(vars(budget)["_pages"]) <= 4


def test_a_hold_under_way_is_not_forgotten() -> None:
    clock = FakeClock()
    budget = Budget(usd=1, clock=clock)
    hold = budget.reserve("0.30", subject="alice")
    clock.advance(timedelta(days=2))
    kept(budget)
    assert "alice" in vars(budget)["_pages"]
    hold.settle("0.30")
    assert kept(budget) == 1


def test_a_long_life_with_a_rolling_window_stays_small() -> None:
    clock = FakeClock()
    budget = Budget(usd=1_000_000, per=timedelta(hours=1), clock=clock)
    for _ in range(500):
        budget.reserve("0.30").settle("0.10")
        clock.advance(60)
    (page,) = vars(budget)["_pages"].values()
    assert len(page.counters) <= 26
    assert not page.holds


def test_a_budget_in_memory_refuses_more_subjects_than_it_can_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "SUBJECTS_MAX", 3)
    budget = Budget(usd=1, clock=FakeClock())
    for name in "abc":
        budget.reserve("0.10", subject=name)
    with pytest.raises(BudgetExhausted, match="counts 3 subjects already") as caught:
        budget.reserve("0.10", subject="d")
    assert "새 대상을 받을 수 없습니다" in caught.value.say("ko")
    assert admitted(budget, "0.10", "a")
