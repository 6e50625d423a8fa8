"""What every store must keep about sums by group: every attempt in one group, at the right hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from holdfast.ports import Dimension, Payer, Spend, SpendQuery, Store
from holdfast.testing.conformance_records import StoreContract, an_attempt

MIDNIGHT = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)


async def settled(
    store: Store, number: int, at: datetime, *, payer: Payer | None = None, model: str = "m"
) -> None:
    """An attempt that cost a power of two, so that every sum tells which are in it."""
    attempt = an_attempt(f"hfr_{number}", cost_pico=2**number, at=at, payer=payer or Payer(), model=model)
    await store.settle([attempt])


def groups(spends: tuple[Spend, ...], *names: Dimension) -> dict[tuple[str | None, ...], int]:
    """Group -> cost; no group may come twice."""
    costs = {tuple(spend.group[name] for name in names): spend.cost_pico for spend in spends}
    assert len(costs) == len(spends)
    assert all(set(spend.group) == set(names) for spend in spends)
    return costs


async def nothing_spent_is_no_group(store: Store) -> None:
    """Also when nothing is grouped by."""
    assert await store.spend(SpendQuery()) == ()
    assert await store.spend(SpendQuery(by=("model", "day"))) == ()


async def the_whole_is_one_group(store: Store) -> None:
    """With every sum in it."""
    await store.settle(
        [
            an_attempt("hfr_1", cost_pico=100),
            replace(an_attempt("hfr_2", cost_pico=30), estimated=True),
            replace(an_attempt("hfr_3", cost_pico=None), estimated=True),
            replace(an_attempt("hfr_4", cost_pico=0), state="released"),
        ]
    )
    assert await store.spend(SpendQuery()) == (
        Spend(
            group={},
            attempts=3,
            input_tokens=30,
            output_tokens=21,
            cost_pico=130,
            estimated_pico=30,
            unpriced=1,
        ),
    )


async def every_text_is_a_group_of_its_own(store: Store) -> None:
    """None is not the empty text; quotes and other scripts are texts like any other."""
    users = (None, "", "김철수 🦊", 'o\'neil "x" % _ \\', "O'neil")
    for number, user in enumerate(users):
        await settled(store, number, MIDNIGHT, payer=Payer(user=user, run=user, key=user or "none"))
    expected = {(user,): 2**number for number, user in enumerate(users)}
    assert groups(await store.spend(SpendQuery(by=("user",))), "user") == expected
    assert groups(await store.spend(SpendQuery(by=("run",))), "run") == expected
    for number, user in enumerate(users[1:], start=1):
        for name in ("user", "run"):
            found = await store.spend(SpendQuery(where={name: user or ""}))
            assert [spend.cost_pico for spend in found] == [2**number], (name, user)
    assert await store.spend(SpendQuery(where={"user": "nobody"})) == ()


async def groups_combine_and_are_sorted(store: Store) -> None:
    """By as many dimensions as asked for, filtered by others, in the order of their values, none first."""
    for number, (key, user, model) in enumerate(
        (("b", "u", "m"), ("a", "u", "m"), ("a", None, "m"), ("a", "u", "n"))
    ):
        await settled(store, number, MIDNIGHT, payer=Payer(key=key, user=user), model=model)
    spends = await store.spend(SpendQuery(by=("key", "user")))
    assert [tuple(spend.group.values()) for spend in spends] == [("a", None), ("a", "u"), ("b", "u")]
    assert groups(spends, "key", "user") == {("a", None): 4, ("a", "u"): 10, ("b", "u"): 1}
    only = await store.spend(SpendQuery(by=("model",), where={"key": "a", "user": "u"}))
    assert groups(only, "model") == {("m",): 2, ("n",): 8}
    assert groups(await store.spend(SpendQuery(by=("upstream",))), "upstream") == {("앤트로픽's",): 15}


async def the_model_of_a_group_is_the_one_that_is_billed(store: Store) -> None:
    """The one that answered, or the one that was asked where none did."""
    await store.settle(
        [
            replace(an_attempt("hfr_1", cost_pico=1, model="asked"), served_model="served"),
            replace(an_attempt("hfr_2", cost_pico=2, model="asked"), served_model=None),
        ]
    )
    assert groups(await store.spend(SpendQuery(by=("model",))), "model") == {("asked",): 2, ("served",): 1}


async def hours_and_bounds_are_those_of_utc(store: Store) -> None:
    """`since` is in, `until` is not, and a moment of another zone is the same moment."""
    seoul = timezone(timedelta(hours=9))
    for number in range(4):
        await settled(store, number, (MIDNIGHT + timedelta(hours=number, minutes=59)).astimezone(seoul))
    spends = await store.spend(SpendQuery(by=("hour",)))
    assert groups(spends, "hour") == {(f"2026-11-22T0{number}:00Z",): 2**number for number in range(4)}
    since = (MIDNIGHT + timedelta(hours=1)).astimezone(seoul)
    for query, cost in (
        (SpendQuery(since=since), 14),
        (SpendQuery(until=since), 1),
        (SpendQuery(since=since, until=MIDNIGHT + timedelta(hours=3), by=("hour",)), 6),
        (SpendQuery(since=since, by=("run",)), 14),
        (SpendQuery(where={"hour": "2026-11-22T02:00Z"}), 4),
        (SpendQuery(where={"hour": "2026-11-22T02:00Z"}, by=("run",)), 4),
    ):
        assert sum(spend.cost_pico for spend in await store.spend(query)) == cost, query


async def days_and_months_are_those_of_the_timezone(store: Store) -> None:
    """A day of 23 hours and one of 25 among them."""
    for number, at in enumerate(
        (
            datetime(2026, 10, 31, 14, 59, tzinfo=UTC),
            datetime(2026, 10, 31, 15, 0, tzinfo=UTC),
            datetime(2026, 11, 1, 14, 59, tzinfo=UTC),
            datetime(2026, 11, 1, 15, 0, tzinfo=UTC),
        )
    ):
        await settled(store, number, at)
    days = await store.spend(SpendQuery(by=("day",), timezone="Asia/Seoul"))
    assert groups(days, "day") == {("2026-10-31",): 1, ("2026-11-01",): 6, ("2026-11-02",): 8}
    months = await store.spend(SpendQuery(by=("month", "user"), timezone="Asia/Seoul"))
    assert groups(months, "month", "user") == {("2026-10", None): 1, ("2026-11", None): 14}
    assert groups(await store.spend(SpendQuery(by=("day",))), "day") == {
        ("2026-10-31",): 3,
        ("2026-11-01",): 12,
    }
    one = await store.spend(SpendQuery(where={"day": "2026-11-01"}, timezone="Asia/Seoul"))
    assert [spend.cost_pico for spend in one] == [6]


async def a_day_of_another_length_is_a_day(store: Store) -> None:
    """In Berlin the 25th of October 2026 has 25 hours, the 29th of March 23."""
    number = 0
    for start in (datetime(2026, 10, 24, 0, tzinfo=UTC), datetime(2026, 3, 28, 0, tzinfo=UTC)):
        attempts = [
            an_attempt(f"hfr_{number + hour}", cost_pico=1, at=start + timedelta(hours=hour))
            for hour in range(72)
        ]
        number += 72
        await store.settle(attempts)
    days = groups(await store.spend(SpendQuery(by=("day",), timezone="Europe/Berlin")), "day")
    assert (days["2026-10-25",], days["2026-03-29",], days["2026-10-26",]) == (25, 23, 24)


SPEND_CONTRACTS: tuple[StoreContract, ...] = (
    nothing_spent_is_no_group,
    the_whole_is_one_group,
    every_text_is_a_group_of_its_own,
    groups_combine_and_are_sorted,
    the_model_of_a_group_is_the_one_that_is_billed,
    hours_and_bounds_are_those_of_utc,
    days_and_months_are_those_of_the_timezone,
    a_day_of_another_length_is_a_day,
)
