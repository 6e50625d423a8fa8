"""Spend: who moves it against his own past, what the month comes to, limits that hold, and books that are whole."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from holdfast.console.movers import movers
from holdfast.console.outlook import outlook, outlook_facts
from holdfast.operations.desk import Desk
from holdfast.operations.forecast import forecast
from holdfast.ports import AttemptRecord, Payer
from holdfast.settings import Settings
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock
from holdfast.wire.usage import Usage
from tests.admin.operating import Operator
from tests.console.visiting import Browser, in_query
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

DOLLAR = 10**12
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def attempt(key: str, days_ago: float, dollars: int, *, cost: bool = True) -> AttemptRecord:
    return AttemptRecord(
        request_id=f"{key}-{days_ago}",
        number=1,
        at=NOW - timedelta(days=days_ago),
        payer=Payer(key=key),
        upstream="u",
        model="m",
        usage=Usage(input_tokens=10),
        cost_pico=dollars * DOLLAR if cost else None,
    )


async def desk(*attempts: AttemptRecord) -> Desk:
    clock = FakeClock(NOW)
    store = MemoryStore(clock=clock)
    await store.settle(attempts)
    return Desk(store=store, settings=Settings(), clock=clock)


async def test_a_spender_is_held_against_the_median_of_his_own_last_days() -> None:
    usual = [attempt("web", day, cost) for day, cost in ((1, 2), (2, 4), (3, 2), (7, 100), (9, 500))]
    office = await desk(attempt("web", 0.01, 9), *usual, attempt("batch", 0.4, 3), attempt("cli", 2, 1))
    found = await movers(office, "key", timezone="UTC")
    assert [(one.name, one.today // DOLLAR) for one in found] == [("web", 9), ("batch", 3)]
    web, batch = found
    # Seven days since his first of them: 2, 4, 2, 0, 0, 0, 100.
    assert web.usual == 2 * DOLLAR
    assert web.times == Decimal("4.5")
    assert (batch.usual, batch.times) == (None, None)


async def test_an_hour_costs_what_the_last_two_did_at_their_pace() -> None:
    office = await desk(attempt("web", 1 / 24, 3), attempt("batch", 5 / 24, 3))
    web, batch = await movers(office, "key", timezone="UTC")
    paces = {one.name: one.per_hour for one in (web, batch)}
    assert paces == {"web": 2 * DOLLAR, "batch": 0}, "three dollars since 11:00, an hour and a half ago"


async def test_the_range_of_the_forecast_grows_with_how_much_days_differ() -> None:
    even = await desk(*(attempt("web", day, 5) for day in range(1, 8)))
    facts = outlook_facts(made := await forecast(even), await outlook(even, made))
    assert facts["low"] == facts["total"] == facts["high"]
    uneven = await desk(*(attempt("web", day, 10 * (day % 2)) for day in range(1, 8)))
    made = await forecast(uneven)
    found = await outlook(uneven, made)
    assert found is not None
    assert made.total is not None
    assert made.spent <= found.low < made.total < found.high


async def test_one_day_gives_a_forecast_and_no_range() -> None:
    office = await desk(attempt("web", 1, 5))
    made = await forecast(office)
    assert made.total is not None
    assert await outlook(office, made) is None
    assert outlook_facts(made, None)["low"] is None


def test_who_spent_today_is_there_with_what_it_came_to(browser: Browser, gateway: RunningGateway) -> None:
    for user in ("alice", "bob", "bob"):
        ask(gateway.url, QUESTION, headers={"x-holdfast-user": user})
    gateway.records()
    facts = browser.json("/console/spend.json?by=user")
    assert [one["name"] for one in facts["movers"]] == ["bob", "alice"]
    assert Decimal(facts["today"]) == sum(Decimal(one["today"]) for one in facts["movers"])
    assert facts["forecast"]["total"] is None
    html = browser.html("/console/spend?by=user")
    assert "bob" in html
    assert "A forecast needs one full day" in html
    assert browser.json("/console/spend.json?by=planet")["by"] == "key"
    assert browser.get("/console/spend?tz=Mars").status == 400


def test_before_the_first_call_it_says_that_nothing_would_stop_a_runaway(browser: Browser) -> None:
    html = browser.html("/console/spend")
    assert "No spend yet." in html
    assert "there is no budget" in html


@pytest.mark.requirement("console:spend")
def test_a_limit_set_here_refuses_the_next_call_and_is_taken_back(
    browser: Browser, gateway: RunningGateway
) -> None:
    ask(gateway.url, QUESTION, headers={"x-holdfast-user": "kim"})
    form = {"by": "user", "value": "kim", "usd": "0.000001", "per": "day"}
    heard = browser.post("/console/spend/limit", form)
    assert (heard.status, heard.headers["location"]) == (303, "/console/spend")
    assert ask(gateway.url, QUESTION, headers={"x-holdfast-user": "kim"}).status == 429
    assert ask(gateway.url, QUESTION, headers={"x-holdfast-user": "lee"}).status == 200
    html = browser.html("/console/spend")
    assert "Budget user kim: $0.000001 per day." in html
    (standing,) = browser.json("/console/spend.json")["budgets"]
    assert (standing["budget"], standing["used_percent"]) == ("user kim", 0), "it counts from now on"
    undone = browser.post("/console/spend/undo", {"name": "user kim", "usd": "", "per": ""})
    assert undone.status == 303
    assert ask(gateway.url, QUESTION, headers={"x-holdfast-user": "kim"}).status == 200


def test_a_limit_is_changed_and_that_is_taken_back_to_what_it_was(browser: Browser) -> None:
    browser.post("/console/spend/limit", {"by": "organisation", "value": "", "usd": "50", "per": "month"})
    page = browser.html(f"/console/spend?budget={in_query('console')}")
    assert 'action="/console/spend/change"' in page
    browser.post("/console/spend/change", {"name": "console", "usd": "80"})
    (standing,) = browser.json("/console/spend.json")["budgets"]
    assert Decimal(standing["limit"]) == 80
    browser.post("/console/spend/undo", {"name": "console", "usd": "50", "per": "month"})
    (standing,) = browser.json("/console/spend.json")["budgets"]
    assert Decimal(standing["limit"]) == 50
    assert standing["per"] == "month"


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("limit", {"by": "planet", "value": "x", "usd": "1", "per": "day"}),
        ("limit", {"by": "key", "value": "", "usd": "1", "per": "day"}),
        ("limit", {"by": "organisation", "value": "x", "usd": "1", "per": "day"}),
        ("limit", {"by": "key", "value": "x", "usd": "much", "per": "day"}),
        ("limit", {"by": "key", "value": "x", "usd": "1", "per": "century"}),
        ("change", {"name": "nobody", "usd": "1"}),
        ("approve", {"name": "nobody"}),
        ("reprice", {"since": "soon"}),
    ],
)
def test_what_makes_no_sense_limits_nobody_and_says_why(
    browser: Browser, act: str, form: dict[str, str]
) -> None:
    heard = browser.post(f"/console/spend/{act}", form)
    assert heard.status == 400
    assert 'role="alert"' in heard.body.decode()
    assert browser.json("/console/spend.json")["budgets"] == []


def test_a_name_that_is_no_name_for_a_budget_is_limited_all_the_same(
    browser: Browser, gateway: RunningGateway
) -> None:
    run = "r" * 200
    browser.post("/console/spend/limit", {"by": "run", "value": run, "usd": "0.000001", "per": "total"})
    assert ask(gateway.url, QUESTION, headers={"x-holdfast-run": run}).status == 429


def test_a_budget_that_asks_is_let_go_on(browser: Browser, operator: Operator) -> None:
    operator.put("/api/v1/budgets/team", {"usd": "10", "ladder": [{"at": 0.5, "do": "ask"}]})
    assert "let it go on" in browser.html("/console/spend")
    heard = browser.post("/console/spend/approve", {"name": "team"})
    assert heard.status == 303
    assert "Budget team goes on until" in browser.html("/console/spend")


@pytest.mark.requirement("console:spend")
def test_attempts_without_a_price_are_a_red_card_that_says_what_budgets_did(
    browser: Browser, gateway: RunningGateway
) -> None:
    assert browser.json("/console/spend.json")["unpriced"] == 0
    runtime = gateway.hold.runtime
    lost = replace(attempt("web", 0, 0, cost=False), at=runtime.clock.now())
    runtime.portal.call(runtime.ledger.settle([lost]))
    html = browser.html("/console/spend")
    assert "1 attempts have no known price" in html
    assert "the whole amount that was held" in html
    assert "alarm" in html


def test_the_books_are_priced_anew_only_where_that_is_said(
    browser: Browser, gateway: RunningGateway, operator: Operator
) -> None:
    ask(gateway.url, QUESTION)
    gateway.records()
    html = browser.post("/console/spend/reprice", {"since": "month", "write": "no"}).body.decode()
    assert "Of 1 attempts 0 would cost something else" in html
    html = browser.post("/console/spend/reprice", {"since": "", "write": "yes"}).body.decode()
    assert "Of 1 attempts 0 cost something else now" in html


def test_every_attempt_can_be_had_as_a_file(browser: Browser, gateway: RunningGateway) -> None:
    heard = ask(gateway.url, QUESTION)
    gateway.records()
    told = browser.get("/console/spend/export?format=csv&since=month")
    (row,) = csv.DictReader(io.StringIO(told.body.decode()))
    assert row["request_id"] == heard.headers["x-holdfast-request-id"]
    assert "attachment" in told.headers["content-disposition"]
    assert browser.get("/console/spend/export?format=jsonl").headers["content-type"] == "application/jsonl"
    assert browser.get("/console/spend/export?since=soon").status == 400


def test_what_the_prompt_cache_saves_is_told_with_how_it_is_reckoned(
    browser: Browser, gateway: RunningGateway
) -> None:
    ask(gateway.url, QUESTION)
    gateway.records()
    saved = {one["name"]: one for one in browser.json("/console/spend.json")["savings"]}
    assert set(saved) == {"cache", "prompt_cache", "route"}
    assert "The newest 1 requests" in saved["prompt_cache"]["how"]


def test_a_viewer_sees_no_form_that_changes_anything(viewer: Browser) -> None:
    html = viewer.html("/console/spend")
    assert "/console/spend/limit" not in html
    assert "/console/spend/reprice" not in html
    assert viewer.post("/console/spend/limit", {"by": "key"}).status == 403


def test_reads_from_the_prompt_cache_have_saved_what_plain_input_would_have_cost(
    browser: Browser, gateway: RunningGateway
) -> None:
    heard = ask(gateway.url, QUESTION)
    (call,) = gateway.records()
    usage = Usage(cache_read_input_tokens=1_000_000, output_tokens=1)
    runtime = gateway.hold.runtime
    known = replace(call, request_id="cached", usage=usage)
    unknown = replace(call, request_id="unknown", usage=usage, served_model="nobody-knows-it")
    runtime.portal.call(runtime.ledger.record(known))
    runtime.portal.call(runtime.ledger.record(unknown))
    saved = {one["name"]: one for one in browser.json("/console/spend.json")["savings"]}
    plain = runtime.prices.cost("claude-sonnet-5-5", Usage(input_tokens=1_000_000), at=call.at)
    real = runtime.prices.cost("claude-sonnet-5-5", Usage(cache_read_input_tokens=1_000_000), at=call.at)
    assert heard.status == 200
    assert Decimal(saved["prompt_cache"]["amount"]) == plain - real > 0
    assert saved["prompt_cache"]["calls"] == 2
