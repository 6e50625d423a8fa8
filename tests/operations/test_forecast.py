"""The forecast: a straight line through full days, and nothing that it does not say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from holdfast.operations.forecast import Exhaustion, forecast, forecast_facts
from holdfast.policy.budget import BudgetConfig
from holdfast.ports import AttemptRecord, Payer
from tests.operations.conftest import Office
from tests.operations.test_budgets import spend

DOLLAR = 10**12
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def spent(office: Office, *days_ago: float, user: str | None = None) -> None:
    """A dollar on each of these days."""
    await office.store.settle(
        [
            AttemptRecord(
                request_id=f"q{user}{number}",
                number=1,
                at=NOW - timedelta(days=days),
                payer=Payer(user=user),
                upstream="u",
                model="m",
                cost_pico=DOLLAR,
            )
            for number, days in enumerate(days_ago)
        ]
    )


async def facts(office: Office, timezone: str = "UTC") -> dict[str, object]:
    found = forecast_facts(await forecast(office.desk, timezone=timezone))
    return {name: found[name] for name in ("spent", "basis_days", "per_day", "total")}


async def test_the_line_goes_through_the_last_seven_full_days(office: Office) -> None:
    await spent(office, 0, 1, 2, 3, 3, 7, 8, 15, 40)

    # Five dollars in seven days, and eight and a half days to go.
    assert await facts(office) == {
        "spent": "8",
        "basis_days": 7,
        "per_day": "0.714285714286",
        "total": "14.071428571429",
    }


async def test_a_young_ledger_has_fewer_days_to_go_by_and_says_so(office: Office) -> None:
    await spent(office, 0, 1, 3, 3)

    assert await facts(office) == {"spent": "4", "basis_days": 3, "per_day": "1", "total": "12.5"}


@pytest.mark.parametrize("days_ago", [(), (0,)])
async def test_without_a_full_day_there_is_no_forecast(office: Office, days_ago: tuple[float, ...]) -> None:
    await spent(office, *days_ago)

    assert await facts(office) == {
        "spent": str(len(days_ago)),
        "basis_days": 0,
        "per_day": None,
        "total": None,
    }


async def test_a_week_without_spending_foretells_none(office: Office) -> None:
    await spent(office, 20)

    assert await facts(office) == {"spent": "1", "basis_days": 7, "per_day": "0", "total": "1"}


async def test_days_and_the_month_are_those_of_the_timezone(office: Office) -> None:
    await spent(office, 0.875)  # the 21st at 15:00 in UTC: the 22nd, today, in Seoul
    made = await forecast(office.desk, timezone="Asia/Seoul")

    assert (made.basis_days, made.until) == (0, datetime(2026, 11, 30, 15, 0, tzinfo=UTC))
    assert (await facts(office))["basis_days"] == 1


async def exhaustions(office: Office, **budgets: BudgetConfig) -> dict[str, Exhaustion]:
    """A dollar a day for seven days, one of them today."""
    desk = office.with_budgets(**budgets)
    await spent(office, 1, 2, 3, 4, 5, 6, 7, user="alice")
    await spend(desk, "now", DOLLAR, Payer(user="alice"))
    return {one.standing.budget.name: one for one in (await forecast(desk)).budgets}


async def test_a_budget_is_used_up_when_the_line_reaches_its_limit(office: Office) -> None:
    found = await exhaustions(
        office,
        small=BudgetConfig(usd=Decimal(4)),
        large=BudgetConfig(usd=Decimal(50)),
        ever=BudgetConfig(usd=Decimal(50), per="total"),
        eternal=BudgetConfig(usd=Decimal(100_000), per="total"),
        gone=BudgetConfig(usd=Decimal(1)),
        alice=BudgetConfig(usd=Decimal(4), scope="user"),
    )

    assert {name: one.at for name, one in found.items()} == {
        "small": NOW + timedelta(days=3),
        "large": None,
        "ever": NOW + timedelta(days=49),
        "eternal": None,
        "gone": NOW,
        "alice": NOW + timedelta(days=3),
    }
    assert {one.per_day for one in found.values()} == {DOLLAR}


async def test_a_rolling_budget_is_used_up_only_if_its_length_costs_more_than_it_has(office: Office) -> None:
    found = await exhaustions(
        office,
        tight=BudgetConfig(usd=Decimal(3), per=timedelta(days=7)),
        roomy=BudgetConfig(usd=Decimal(8), per=timedelta(days=7)),
    )

    assert {name: one.at for name, one in found.items()} == {"tight": NOW + timedelta(days=2), "roomy": None}


async def test_each_subject_has_a_line_of_its_own(office: Office) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(4), scope="user"))
    await spent(office, 1, 2, 3, 4, 5, 6, 7, user="alice")
    for user in ("alice", "bob"):
        await spend(desk, f"now {user}", DOLLAR, Payer(user=user))
    found = {one.standing.limit.subject: one for one in (await forecast(desk)).budgets}

    assert (found["user alice"].at, found["user bob"].at) == (NOW + timedelta(days=3), None)


async def test_what_sums_do_not_tell_is_not_foretold(office: Office) -> None:
    found = await exhaustions(
        office,
        door=BudgetConfig(usd=Decimal(4), where={"door": "library"}),
        run=BudgetConfig(usd=Decimal(4), scope="run", per="run"),
    )

    assert {name: (one.per_day, one.at) for name, one in found.items()} == {
        "door": (None, None),
        "run": (None, None),
    }


async def test_before_the_first_full_day_only_what_is_gone_is_known(office: Office) -> None:
    desk = office.with_budgets(all=BudgetConfig(usd=Decimal(4)), gone=BudgetConfig(usd=Decimal(1)))
    await spend(desk, "now", DOLLAR, Payer())
    made = await forecast(desk)

    assert {one.standing.budget.name: one.at for one in made.budgets} == {"all": None, "gone": NOW}
    assert "'exhausted_at': '2026-11-22T12:00:00Z'" in str(forecast_facts(made)["budgets"])
