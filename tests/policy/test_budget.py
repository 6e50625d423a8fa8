"""Budgets: which calls they bind, what they are reached at, and what a refusal says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.budget import LARGEST, BudgetConfig, Rung, denial, limit_of, rung_of, share
from holdfast.policy.holds import Denied, Limit

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ALICE = {"key": "k1", "user": "alice", "run": "r1", "agent": None, "door": "gateway", "tag:team": "blue"}
DOLLAR = 10**9


def a_budget(**changes: Any) -> BudgetConfig:
    settings: dict[str, Any] = {"usd": Decimal(1), "per": "day", **changes}
    return BudgetConfig(**settings)


def limit(config: BudgetConfig, payer: dict[str, str | None] | None = None, **at: Any) -> Limit:
    found = limit_of("team", config, payer=ALICE if payer is None else payer, model="m", at=at.get("at", NOW))
    assert found is not None
    return found


def complaint(build: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        build()
    return str(caught.value), caught.value.say("ko")


# ---- what a budget is


def test_a_budget_of_an_amount_alone_is_a_strict_month_of_everybody() -> None:
    config = BudgetConfig(usd=Decimal(5))
    assert (config.per, config.scope, config.timezone, config.mode) == (
        "month",
        "organisation",
        "UTC",
        "strict",
    )
    assert (config.nano, config.alerts, config.hard, config.min_tokens) == (
        5 * DOLLAR,
        (4 * DOLLAR,),
        True,
        256,
    )


def test_text_and_whole_numbers_are_taken_exactly() -> None:
    assert a_budget(usd="0.30").nano == 300_000_000
    assert a_budget(usd=3).usd == Decimal(3)
    assert a_budget(alert_at=(0.9, 0.5, 0.9)).alert_at == (Decimal("0.5"), Decimal("0.9"))
    assert a_budget(per="24h").per == timedelta(hours=24)


def test_a_limit_finer_than_counted_is_rounded_down_and_its_alerts_up() -> None:
    config = a_budget(usd=Decimal("0.000000001999"), alert_at=(0.5,))
    assert (config.nano, config.alerts) == (1, (1,))


@given(st.integers(1, 10**18), st.decimals(Decimal("0.001"), 1, places=3))
def test_a_part_of_a_limit_is_the_least_sum_that_reaches_it(nano: int, at: Decimal) -> None:
    config = a_budget(usd=Decimal(nano).scaleb(-9))
    assert config.sum_at(at) >= at * config.nano > config.sum_at(at) - 1


@pytest.mark.parametrize(
    ("changes", "english", "korean"),
    [
        ({"usd": 0.3}, "usd is the float 0.3", "금액을 정확히"),
        ({"usd": 0}, "usd: write an amount above 0", "0보다 큰 금액"),
        ({"usd": -1}, "usd: write an amount above 0", "0보다 큰 금액"),
        ({"usd": "0.0000000001"}, "usd: write an amount above 0", "0보다 큰 금액"),
        ({"usd": LARGEST + 1}, "usd: at most 1000000000 dollars", "최대"),
        ({"usd": "much"}, "usd is 'much'", "금액이 아닙니다"),
        ({"per": "week"}, "per: 'week' is no period", "기간이 아닙니다"),
        ({"per": "run"}, 'add scope = "run"', "함께 적으세요"),
        ({"per": "run", "scope": "user"}, 'add scope = "run"', "함께 적으세요"),
        ({"scope": "team"}, "scope: write one of organisation, key", "중에서 적으세요"),
        ({"scope": "tag:"}, "scope: write one of", "중에서 적으세요"),
        ({"timezone": "Seoul"}, "timezone: 'Seoul' is no time zone", "시간대 이름이 아닙니다"),
        ({"alert_at": (80,)}, "alert_at: 80 is no part of the limit", "비율이 아닙니다"),
        ({"alert_at": (0.5, 0)}, "alert_at: 0 is no part", "비율이 아닙니다"),
        ({"mode": "loose"}, "mode: write one of strict, expected, clamp", "중에서 적으세요"),
        ({"min_tokens": 0}, "min_tokens: write 1 token or more", "1 이상의 토큰"),
        ({"where": {"upstream": "x"}}, "where: calls are told apart by key, user", "고르는 기준"),
        ({"where": {"user": ""}}, "where: a value is empty", "빈 값"),
        (
            {"ladder": (Rung(at=Decimal("0.9"), do="alert"), Rung(at=Decimal("0.5"), do="ask"))},
            "ladder: write the rungs from the lowest",
            "차례로 적으세요",
        ),
        (
            {"ladder": (Rung(at=Decimal("0.9"), do="alert"), Rung(at=Decimal("0.9"), do="ask"))},
            "ladder: write the rungs from the lowest",
            "차례로 적으세요",
        ),
        (
            {"ladder": (Rung(at=Decimal("0.5"), do="ask"), Rung(at=Decimal("0.9"), do="alert"))},
            "the order is alert, degrade, ask, refuse",
            "순서는",
        ),
        (
            {"ladder": (Rung(at=Decimal(1), do="refuse"),), "hard": False},
            "a soft budget (hard = false) refuses nothing",
            "refuse 단계를 빼세요",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], english: str, korean: str) -> None:
    said = complaint(lambda: a_budget(**changes))
    assert english in said[0]
    assert korean in said[1]


@pytest.mark.parametrize(
    ("rung", "english"),
    [
        ({"at": 0, "do": "alert"}, "at: 0 is no part of the limit"),
        ({"at": 0.5, "do": "stop"}, "do: write one of alert, degrade, ask, refuse"),
        ({"at": 0.5, "do": "degrade"}, "do: degrade needs a model or max_tokens"),
        ({"at": 0.5, "do": "ask", "model": "m"}, "do: only degrade takes a model or max_tokens"),
        ({"at": 0.5, "do": "degrade", "max_tokens": 0}, "max_tokens: write 1 token or more"),
    ],
)
def test_a_rung_that_makes_no_sense_is_refused(rung: dict[str, Any], english: str) -> None:
    assert english in complaint(lambda: Rung(**rung))[0]


@pytest.mark.parametrize(
    "value", [True, "0.8", None, float("nan"), float("inf"), Decimal("sNaN"), -0.1, 1.01]
)
def test_a_share_is_a_number_above_0_and_up_to_1(value: object) -> None:
    assert "is no part of the limit" in complaint(lambda: share("at", value))[0]


def test_a_share_is_taken_by_its_digits() -> None:
    assert share("at", 0.1) == Decimal("0.1")
    assert share("at", 1) == Decimal(1)


@pytest.mark.parametrize(
    ("changes", "is_full"),
    [
        ({}, True),
        ({"presumption": "observed"}, False),
        ({"mode": "expected"}, False),
        ({"mode": "clamp"}, False),
        ({"mode": "expected", "presumption": "full"}, True),
        ({"hard": False}, False),
        ({"hard": False, "presumption": "full"}, True),
    ],
)
def test_a_lost_call_costs_a_strict_budget_its_whole_hold(changes: dict[str, object], is_full: bool) -> None:
    config = a_budget(**changes)
    assert config.is_full == is_full
    assert limit(config).is_full == is_full


# ---- whom it binds


def test_a_limit_says_all_that_a_store_must_know() -> None:
    config = a_budget(scope="user", timezone="Asia/Seoul", alert_at=(0.5, 0.8))
    window = "team|user alice|day 2026-11-21T15:00:00Z Asia/Seoul"
    assert limit(config) == Limit(
        budget="team",
        subject="user alice",
        window=window,
        counted=(window,),
        nano=DOLLAR,
        alerts=(DOLLAR // 2, DOLLAR * 4 // 5),
        resets_at=datetime(2026, 11, 22, 15, tzinfo=UTC),
        is_full=True,
    )


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        ("organisation", ""),
        ("key", "key k1"),
        ("user", "user alice"),
        ("model", "model m"),
        ("run", "run r1"),
        ("agent", "no agent"),
        ("tag:team", "tag:team blue"),
        ("tag:stage", "no tag:stage"),
    ],
)
def test_every_scope_has_its_subjects(scope: str, subject: str) -> None:
    assert limit(a_budget(scope=scope)).subject == subject


def test_whoever_says_nothing_counts_with_all_others_who_say_nothing() -> None:
    config = a_budget(scope="user")
    silent = limit(config, {})
    assert silent == limit(config, {"user": None}) == limit(config, {"user": ""})
    assert silent.window not in {limit(config, {"user": name}).window for name in ("-", "no user", "user")}


def test_a_soft_budget_has_no_limit_but_alerts() -> None:
    soft = limit(a_budget(hard=False))
    assert (soft.nano, soft.alerts) == (None, (DOLLAR * 4 // 5,))


def test_a_rolling_budget_counts_parts() -> None:
    rolling = limit(a_budget(per="24h", scope="user"))
    assert rolling.window in rolling.counted
    assert len(set(rolling.counted)) == 49
    assert all(key.startswith("team|user alice|") for key in rolling.counted)


@pytest.mark.parametrize(
    ("where", "binds"),
    [
        ({}, True),
        ({"user": "alice"}, True),
        ({"user": "bob"}, False),
        ({"agent": "a"}, False),
        ({"model": "m", "door": "gateway", "tag:team": "blue"}, True),
        ({"model": "other"}, False),
        ({"tag:team": "red"}, False),
        ({"tag:stage": "red"}, False),
    ],
)
def test_a_budget_counts_the_calls_that_match_in_everything(where: dict[str, str], binds: bool) -> None:
    found = limit_of("team", a_budget(where=where), payer=ALICE, model="m", at=NOW)
    assert (found is not None) == binds


def test_a_run_has_one_window_for_all_time() -> None:
    config = a_budget(per="run", scope="run")
    first, later = limit(config), limit(config, at=NOW + timedelta(days=400))
    assert first == later
    assert first.resets_at is None
    assert limit(config, {"run": "r2"}).window != first.window


def test_calls_without_a_run_are_one_run_a_day() -> None:
    config = a_budget(per="run", scope="run")
    silent = limit(config, {})
    assert silent.subject == "no run"
    assert silent.resets_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert limit(config, {}, at=NOW + timedelta(days=1)).window != silent.window


names = st.text(max_size=8).filter(bool) | st.text("|% ", min_size=1, max_size=8)


@given(names, names, names, names)
def test_two_budgets_or_subjects_never_share_a_window(one: str, alice: str, two: str, bob: str) -> None:
    config = a_budget(scope="user")
    windows = [
        limit_of(budget, config, payer={"user": user}, model="m", at=NOW)
        for budget, user in ((one, alice), (two, bob))
    ]
    keys = [window.window for window in windows if window]
    assert (keys[0] == keys[1]) == ((one, alice) == (two, bob))
    assert all(key.count("|") == 2 for key in keys)


def test_a_key_can_be_kept_by_any_database() -> None:
    key = limit(a_budget(scope="user"), {"user": "\0\ud800\n김철수"}).window
    assert key == "team|user %00%D800%0A김철수|day 2026-11-22T00:00:00Z UTC"
    assert key.encode()


# ---- the ladder

LADDER = (
    Rung(at=Decimal("0.5"), do="alert"),
    Rung(at=Decimal("0.7"), do="degrade", model="small"),
    Rung(at=Decimal("0.8"), do="degrade", model="small", max_tokens=500),
    Rung(at=Decimal("0.9"), do="ask"),
    Rung(at=Decimal(1), do="refuse"),
)


@pytest.mark.parametrize(
    ("used", "rung"),
    [
        (0, None),
        (DOLLAR // 2 - 1, None),
        (DOLLAR // 2, 0),
        (DOLLAR * 7 // 10 - 1, 0),
        (DOLLAR * 7 // 10, 1),
        (DOLLAR * 8 // 10, 2),
        (DOLLAR * 9 // 10, 3),
        (DOLLAR, 4),
        (DOLLAR * 5, 4),
    ],
)
def test_the_highest_rung_that_is_reached_counts(used: int, rung: int | None) -> None:
    assert rung_of(a_budget(ladder=LADDER), used) == (None if rung is None else LADDER[rung])


def test_every_rung_is_worth_an_alert() -> None:
    tenths = [alert * 10 // DOLLAR for alert in a_budget(ladder=LADDER, alert_at=(0.5, 0.6)).alerts]
    assert tenths == [5, 6, 7, 8, 9, 10]


# ---- the refusal


def refusal(config: BudgetConfig, *, wanted: int = 300_000_000) -> Any:
    denied = Denied(limit=limit(config), settled=600_000_000, reserved=250_000_000, wanted=wanted)
    return denial(denied, config, NOW)


def test_a_refusal_says_what_happened_why_and_what_to_do() -> None:
    error = refusal(a_budget(scope="user", timezone="Asia/Seoul"))
    assert str(error) == (
        "This call could cost up to 0.30 dollars, and the budget `team` for user alice of 1.00 dollars a day has "
        "0.15 left: 0.60 are spent, 0.25 held for calls under way. It begins anew at "
        "2026-11-23 00:00:00 Asia/Seoul: come back then, ask for a shorter answer (max_tokens), or raise it with "
        "`holdfast budgets set team --usd AMOUNT`."
    )
    assert error.say("ko") == (
        "이 호출에는 최대 0.30달러가 들 수 있는데, 예산 `team`(user alice)의 하루 한도 1.00달러 중 0.15달러만 "
        "남았습니다. 사용한 금액은 0.60달러, 진행 중인 호출에 잡아 둔 금액은 0.25달러입니다. "
        "2026-11-23 00:00:00 Asia/Seoul에 새로 시작됩니다. 그때 다시 호출하거나, 답을 더 짧게(max_tokens) "
        "요청하거나 `holdfast budgets set team --usd 금액`으로 한도를 올리세요."
    )


def test_a_refusal_has_the_figures_for_machines() -> None:
    error = refusal(a_budget(scope="user"))
    assert (error.status, error.error_code, error.should_retry) == (429, "holdfast_budget_exhausted", False)
    assert error.retry_after == 12 * 3600
    assert error.details == {
        "budget": "team",
        "scope": "user",
        "subject": "user alice",
        "limit": "1.00",
        "used": "0.60",
        "held": "0.25",
        "wanted": "0.30",
        "resets_at": "2026-11-23T00:00:00+00:00",
    }


def test_a_budget_of_everybody_names_nobody() -> None:
    error = refusal(a_budget())
    assert "the budget `team` of 1.00 dollars" in str(error)
    assert "예산 `team`의 하루" in error.say("ko")


def test_a_rolling_budget_says_when_its_oldest_part_is_over() -> None:
    error = refusal(a_budget(per="24h"))
    assert error.retry_after == 3600
    assert "1.00 dollars in any 24h" in str(error)
    assert "What was spent first falls out of it at 2026-11-22 13:00:00 UTC" in str(error)
    assert "최근 24h 동안의 한도 1.00달러" in error.say("ko")
    assert "먼저 사용한 금액은 2026-11-22 13:00:00 UTC에 집계에서 빠집니다" in error.say("ko")


@pytest.mark.parametrize("changes", [{"per": "total"}, {"per": "run", "scope": "run"}])
def test_a_budget_without_end_promises_no_time(changes: dict[str, object]) -> None:
    error = refusal(a_budget(**changes))
    assert error.retry_after is None
    assert error.details["resets_at"] is None
    assert "Time does not fill it again: ask for a shorter answer" in str(error)
    assert "다시 채워지지 않는 예산" in error.say("ko")


def test_a_call_larger_than_the_whole_budget_is_not_told_to_wait() -> None:
    error = refusal(a_budget(), wanted=1_100_000_000)
    assert error.retry_after is None
    assert "It would not fit into the whole budget either: ask for a shorter answer" in str(error)
    assert "예산 전체를 써도 모자라는 호출" in error.say("ko")


def test_a_call_as_large_as_the_whole_budget_can_wait() -> None:
    assert refusal(a_budget(), wanted=1_000_000_000).retry_after == 12 * 3600


def test_a_rung_that_refuses_speaks_of_the_ladder() -> None:
    error = refusal(a_budget(scope="user"), wanted=0)
    assert str(error).startswith(
        "The budget `team` for user alice of 1.00 dollars a day lets no more calls through at this point of its "
        "ladder: 0.60 are spent, 0.25 held"
    )
    assert "예산 `team`(user alice)이(가) 설정된 단계에 이르러" in error.say("ko")
    assert error.retry_after == 12 * 3600


def test_a_window_that_is_over_by_now_needs_no_wait() -> None:
    config = a_budget()
    denied = Denied(limit=limit(config), settled=0, reserved=DOLLAR, wanted=1)
    assert denial(denied, config, NOW + timedelta(days=3)).retry_after == 0


def test_a_name_from_outside_is_repeated_in_part_only() -> None:
    config = a_budget(scope="user")
    found = limit(config, {"user": "x" * 10_000})
    assert len(str(denial(Denied(limit=found, settled=0, reserved=DOLLAR, wanted=1), config, NOW))) < 600
