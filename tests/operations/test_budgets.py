"""Budgets of the settings and of the register together: laid down, taken back, looked up, let go on."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from holdfast.errors import ConfigError
from holdfast.operations.budgets import (
    Standing,
    approve,
    budget,
    budget_facts,
    budgets,
    drop_budget,
    put_budget,
    standing_facts,
    standings,
)
from holdfast.operations.desk import Desk
from holdfast.operations.subjects import limit_for
from holdfast.orders import Orders
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.policy.holds import Hold, Reserve
from holdfast.ports import AttemptRecord, Payer
from holdfast.stores.watch import Watch
from tests.operations.conftest import Office

DOLLAR = 10**12
ASKING = (Rung(at=Decimal("0.5"), do="ask"),)


async def spend(
    desk: Desk, request: str, pico: int, payer: Payer, *, model: str = "m", end: bool = True
) -> None:
    """An attempt that every budget counts: a hold, and then its bill."""
    known = await budgets(desk)
    said = {"key": payer.key, "user": payer.user, "run": payer.run, "agent": payer.agent, "door": payer.door}
    said |= {f"tag:{name}": value for name, value in payer.tags.items()}
    said["model"] = model
    bound = [limit_for(one.name, one.config, said.get(one.config.scope), desk.now) for one in known]
    limits = tuple(limit for limit in bound if limit is not None)
    row = AttemptRecord(request_id=request, number=1, at=desk.now, payer=payer, upstream="u", model=model)
    verb = Reserve(id=row.id, limits=limits, amount=pico, presumed=0, lease=60.0)
    assert isinstance(await desk.store.reserve(verb, replace(row, state="held")), Hold)
    if payer.run:
        await desk.store.enter(payer.run, payer.agent, None, desk.now)
    if end:
        await desk.store.settle([replace(row, cost_pico=pico)])


def sums(found: tuple[Standing, ...]) -> list[tuple[str, str, str]]:
    facts = [standing_facts(one) for one in found]
    return [(str(one["subject"]), str(one["settled"]), str(one["reserved"])) for one in facts]


async def test_budgets_of_both_places_are_listed_with_who_laid_them_down(office: Office) -> None:
    desk = office.with_budgets(file=BudgetConfig(usd=Decimal(5)), both=BudgetConfig(usd=Decimal(6)))
    await put_budget(desk, "both", {"usd": "7"})
    await put_budget(desk, "new", {"usd": "8", "per": "day"})
    found = [
        (one.name, one.origin, one.place, one.covers, one.config.usd, one.config.per)
        for one in await budgets(desk)
    ]

    assert found == [
        ("both", "register", "2026-11-22T12:00:00Z", "settings", Decimal(7), "month"),
        ("file", "file", "settings", None, Decimal(5), "month"),
        ("new", "register", "2026-11-22T12:00:00Z", None, Decimal(8), "day"),
    ]
    assert (await office.noted())[0] == ("cli:kim", "put", "new", "8.00 per day")


async def test_what_is_not_said_stays_as_it_was(office: Office) -> None:
    before = BudgetConfig(
        usd=Decimal("1.5"), per=timedelta(hours=24), scope="user", where={"door": "gateway"}, ladder=ASKING
    )
    desk = office.with_budgets(people=before)
    known = await put_budget(desk, "people", {"usd": "2"})
    again = await put_budget(desk, "people", {"hard": False})

    assert known.config == replace(before, usd=Decimal(2))
    assert again.config == replace(before, usd=Decimal(2), hard=False)


async def test_every_worker_takes_over_what_was_set(office: Office) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(5)))
    watch = Watch(office.store, ["budget"], clock=office.clock, is_alone=True)
    orders = Orders(watch, desk.settings.budgets)
    known = await put_budget(desk, "people", {"usd": "9", "ladder": [{"at": 0.5, "do": "ask"}]})
    await watch.refresh()

    assert orders.budgets() == {"people": known.config}


@pytest.mark.parametrize(
    ("name", "members", "told"),
    [
        ("people", {}, "say how many dollars"),
        ("people", {"usd": "0"}, "usd"),
        ("people", {"usd": "much"}, "usd"),
        ("people", {"usd": "5", "per": "fortnight"}, "per"),
        ("people", {"usd": "5", "scope": "planet"}, "scope"),
        ("people", {"usd": "5", "colour": "red"}, "colour"),
        ("", {"usd": "5"}, "name"),
        ("x" * 81, {"usd": "5"}, "name"),
        ("two\nlines", {"usd": "5"}, "name"),
    ],
)
async def test_a_budget_that_makes_no_sense_is_not_written(
    office: Office, name: str, members: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        await put_budget(office.desk, name, members)
    assert await budgets(office.desk) == ()


async def test_a_budget_that_is_taken_back_is_gone_or_uncovers_that_of_the_settings(office: Office) -> None:
    desk = office.with_budgets(both=BudgetConfig(usd=Decimal(6)))
    await put_budget(desk, "both", {"usd": "7"})
    await put_budget(desk, "new", {"usd": "8"})
    gone, uncovered = await drop_budget(desk, "new"), await drop_budget(desk, "both")

    assert gone.instead is None
    assert uncovered.instead is not None
    assert uncovered.instead.config.usd == 6
    assert [one.name for one in await budgets(desk)] == ["both"]


async def test_a_budget_of_the_settings_is_not_taken_back_here_and_it_says_where(office: Office) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(5)))
    with pytest.raises(ConfigError, match=r"stands in the settings \(settings\)"):
        await drop_budget(desk, "people")
    with pytest.raises(ConfigError, match="There is no budget `nobody`; there are: people"):
        await drop_budget(desk, "nobody")
    with pytest.raises(ConfigError, match="none is set"):
        await budget(office.desk, "people")


async def test_a_document_that_cannot_be_read_is_reported_and_hides_no_other(office: Office) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(5)))
    await office.store.put("budget", "people", b"{}", actor="somebody")

    assert [(one.name, one.origin) for one in await budgets(desk)] == [("people", "file")]
    assert "budget `people`" in office.reports[0]


async def test_a_budget_stands_as_its_counters_do(office: Office) -> None:
    desk = office.with_budgets(all=BudgetConfig(usd=Decimal(5), per="day"))
    await spend(desk, "r1", DOLLAR, Payer())
    await spend(desk, "r2", 2 * DOLLAR, Payer(), end=False)
    (one,) = await standings(desk)

    assert standing_facts(one) == {
        "budget": "all",
        "subject": "",
        "limit": "5.00",
        "settled": "1.00",
        "reserved": "2.00",
        "remaining": "2.00",
        "hard": True,
        "resets_at": "2026-11-23T00:00:00Z",
        "window": one.limit.window,
    }


async def test_a_budget_for_all_is_listed_before_anything_is_spent(office: Office) -> None:
    desk = office.with_budgets(
        all=BudgetConfig(usd=Decimal(5)),
        people=BudgetConfig(usd=Decimal(5), scope="user"),
        alice=BudgetConfig(usd=Decimal(5), scope="user", where={"user": "alice"}),
    )

    assert [(one.budget.name, one.limit.subject) for one in await standings(desk)] == [
        ("alice", "user alice"),
        ("all", ""),
    ]


@pytest.mark.parametrize(
    ("scope", "subjects"),
    [
        ("user", ["user bob", "no user", "user alice"]),
        ("key", ["key app", "key web"]),
        ("model", ["model m"]),
        ("run", ["run r2", "no run", "run r1"]),
        ("agent", ["agent a2", "no agent", "agent a1"]),
    ],
)
async def test_everybody_who_has_spent_is_known_the_one_with_least_left_first(
    office: Office, scope: str, subjects: list[str]
) -> None:
    desk = office.with_budgets(each=BudgetConfig(usd=Decimal(100), scope=scope, per="total"))
    await spend(desk, "q1", DOLLAR, Payer(key="web", user="alice", run="r1", agent="a1"))
    await spend(desk, "q2", 3 * DOLLAR, Payer(key="app", user="bob", run="r2", agent="a2"))
    await spend(desk, "q3", 2 * DOLLAR, Payer(key="web"))
    found = await standings(desk, ("each",))

    if scope == "key":
        assert sums(found) == [("key app", "3.00", "0.00"), ("key web", "3.00", "0.00")]
    assert [one.limit.subject for one in found] == subjects
    assert await standings(desk, ("other",)) == ()


async def test_only_what_a_budget_counts_makes_a_subject(office: Office) -> None:
    config = BudgetConfig(usd=Decimal(100), scope="user", where={"key": "web", "door": "library"})
    desk = office.with_budgets(web=config)
    await spend(desk, "q1", DOLLAR, Payer(key="app", user="alice"))
    await spend(desk, "q2", DOLLAR, Payer(key="web", user="bob"))

    assert [one.limit.subject for one in await standings(desk)] == ["user bob"]


async def test_of_tags_those_with_calls_under_way_are_known(office: Office) -> None:
    desk = office.with_budgets(teams=BudgetConfig(usd=Decimal(100), scope="tag:team"))
    await spend(desk, "q1", DOLLAR, Payer(tags={"team": "billing"}), end=False)

    other = replace(desk, settings=office.with_budgets(all=BudgetConfig(usd=Decimal(9))).settings)

    assert sums(await standings(desk)) == [("tag:team billing", "0.00", "1.00")]
    assert sums(await standings(other)) == [("", "0.00", "0.00")]


async def test_a_new_day_begins_with_nothing_spent(office: Office) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(5), per="day", scope="user"))
    await spend(desk, "q1", DOLLAR, Payer(user="alice"))
    office.clock.advance(timedelta(hours=12))

    assert await standings(desk) == ()


@pytest.mark.parametrize("length", [timedelta(hours=24), timedelta(days=36_500)])
async def test_a_rolling_budget_counts_what_was_spent_within_its_length(
    office: Office, length: timedelta
) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(5), per=length, scope="user"))
    await spend(desk, "q1", DOLLAR, Payer(user="alice"))
    office.clock.advance(timedelta(hours=20))

    assert sums(await standings(desk)) == [("user alice", "1.00", "0.00")]


async def test_an_approval_lets_the_window_go_on_and_only_this_one(office: Office) -> None:
    desk = office.with_budgets(
        people=BudgetConfig(usd=Decimal(5), per="day", scope="user", ladder=ASKING),
    )
    watch = Watch(office.store, ["budget", "approval"], clock=office.clock, is_alone=True)
    orders = Orders(watch, desk.settings.budgets)
    limit = await approve(desk, "people", "alice", note="release day")
    await watch.refresh()
    config = desk.settings.budgets["people"]
    bob = limit_for("people", config, "bob", office.clock.now())
    tomorrow = limit_for("people", config, "alice", office.clock.now() + timedelta(days=1))

    assert bob is not None
    assert tomorrow is not None
    assert [orders.approved("people", one.window) for one in (limit, bob, tomorrow)] == [True, False, False]
    assert (await office.noted())[0] == ("cli:kim", "put", f"people|{limit.window}", "release day")


async def test_a_rolling_window_is_approved_for_its_length_from_now_on(office: Office) -> None:
    config = BudgetConfig(usd=Decimal(5), per=timedelta(hours=24), ladder=ASKING)
    desk = office.with_budgets(all=config)
    await approve(desk, "all")
    known = {entry.name for entry in await office.store.entries("approval")}

    def is_approved(hours: float) -> bool:
        limit = limit_for("all", config, None, office.clock.now() + timedelta(hours=hours))
        assert limit is not None
        return f"all|{limit.window}" in known

    assert [is_approved(hours) for hours in (0, 0.5, 7.2, 23.9, 24.9)] == [True] * 4 + [True]
    assert not is_approved(26)


async def test_approvals_that_are_over_are_forgotten_and_foreign_ones_kept(office: Office) -> None:
    desk = office.with_budgets(
        day=BudgetConfig(usd=Decimal(5), per="day", ladder=ASKING),
        ever=BudgetConfig(usd=Decimal(5), per="total", ladder=ASKING),
    )
    await approve(desk, "day")
    await approve(desk, "ever")
    await office.store.put("approval", "foreign", b"yes", actor="somebody")
    office.clock.advance(timedelta(days=1))
    await approve(desk, "ever")
    left = [entry.name.partition("|")[0] for entry in await office.store.entries("approval")]

    assert left == ["ever", "foreign"]


async def test_calls_that_say_nobody_can_be_approved_too(office: Office) -> None:
    desk = office.with_budgets(people=BudgetConfig(usd=Decimal(5), scope="user", ladder=ASKING))

    assert (await approve(desk, "people", "no user")).subject == "no user"
    assert (await approve(desk, "people", "user alice")).subject == "user alice"


@pytest.mark.parametrize(
    ("name", "subject", "told"),
    [
        ("plain", None, "asks nobody"),
        ("all", "alice", "for everybody together"),
        ("people", None, "say which with --for"),
        ("bob", "alice", "does not count `alice`"),
        ("nobody", None, "no budget `nobody`"),
    ],
)
async def test_what_cannot_be_approved_says_why(
    office: Office, name: str, subject: str | None, told: str
) -> None:
    desk = office.with_budgets(
        plain=BudgetConfig(usd=Decimal(5)),
        all=BudgetConfig(usd=Decimal(5), ladder=ASKING),
        people=BudgetConfig(usd=Decimal(5), scope="user", ladder=ASKING),
        bob=BudgetConfig(usd=Decimal(5), scope="user", where={"user": "bob"}, ladder=ASKING),
    )
    with pytest.raises(ConfigError, match=told):
        await approve(desk, name, subject)


async def test_the_facts_of_a_budget_carry_the_names_of_its_settings(office: Office) -> None:
    known = await put_budget(office.desk, "all", {"usd": "5", "ladder": [{"at": 0.5, "do": "ask"}]})

    assert budget_facts(known) == {
        "name": "all",
        "usd": "5",
        "per": "month",
        "scope": "organisation",
        "timezone": "UTC",
        "alert_at": (0.8,),
        "mode": "strict",
        "presumption": None,
        "where": {},
        "ladder": ({"at": 0.5, "do": "ask"},),
        "hard": True,
        "min_tokens": 256,
        "origin": "register",
        "place": "2026-11-22T12:00:00Z",
        "covers": None,
    }
