"""Repricing: today's list for the day of each row, and a ledger that still adds up."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from holdfast.operations import repricing
from holdfast.operations.repricing import reprice, repricing_facts
from holdfast.operations.span import Span, span
from holdfast.parts.prices import PriceBook
from holdfast.policy.pricing import CardOverride, PricingConfig
from holdfast.ports import AttemptRecord, Payer, SpendQuery
from holdfast.wire.usage import Usage
from tests.operations.conftest import Office

ALL = Span(since=None, until=None, timezone="UTC")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODEL = "claude-sonnet-5-5"
USED = Usage(input_tokens=1000, output_tokens=100)
BOOK = PriceBook.default()
COST = BOOK.cost_pico(MODEL, USED, at=NOW)
DOUBLE = PriceBook.default(config=PricingConfig(multiplier=Decimal(2)))


def row(request: str, **changes: Any) -> AttemptRecord:
    made = AttemptRecord(
        request_id=request,
        number=1,
        at=NOW,
        payer=Payer(),
        upstream="u",
        model=MODEL,
        usage=USED,
        cost_pico=COST,
        price_version=BOOK.version,
    )
    return replace(made, **changes)


async def costs(office: Office) -> dict[str, tuple[int | None, str | None]]:
    return {one.request_id: (one.cost_pico, one.price_version) for one in await office.store.attempts()}


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(office: Office) -> None:
    await office.store.settle([row("q1"), row("q2", estimated=True)])
    before = await costs(office)
    told = await reprice(office.desk, DOUBLE, ALL, dry_run=True)

    assert (told.seen, told.changed, told.estimated, told.written) == (2, 2, 1, 0)
    assert (told.before, told.after, told.difference) == (2 * COST, 4 * COST, 2 * COST)
    assert (await costs(office), await office.noted()) == (before, [])


async def test_repricing_mends_rows_sums_and_totals_alike(office: Office) -> None:
    await office.store.settle([row("q1"), row("q2", estimated=True), row("q3", cost_pico=5, usage=USED)])
    told = await reprice(office.desk, DOUBLE, ALL, dry_run=False)
    (group,) = await office.store.spend(SpendQuery())

    assert (told.changed, told.written) == (3, 3)
    assert set((await costs(office)).values()) == {(2 * COST, DOUBLE.version)}
    assert group.cost_pico == (await office.store.totals()).cost_pico == 6 * COST
    assert group.estimated_pico == 2 * COST


async def test_it_can_be_repeated_without_harm(office: Office) -> None:
    await office.store.settle([row("q1")])
    await reprice(office.desk, DOUBLE, ALL, dry_run=False)
    again = await reprice(office.desk, DOUBLE, ALL, dry_run=False)

    assert (again.seen, again.changed, again.written, again.difference) == (1, 0, 0, 0)


async def test_each_row_has_the_price_of_its_own_day(office: Office) -> None:
    usage, model = Usage(input_tokens=300_000), "claude-opus-4-6"
    march = datetime(2026, 3, 1, tzinfo=UTC)
    await office.store.settle(
        [
            row("q1", at=march, model=model, usage=usage, cost_pico=0),
            row("q2", at=NOW, model=model, usage=usage, cost_pico=0),
        ]
    )
    await reprice(office.desk, BOOK, ALL, dry_run=False)
    found = await costs(office)

    # Until that month long prompts cost twice as much.
    assert (found["q1"][0], found["q2"][0]) == (3 * 10**12, 3 * 10**12 // 2)


async def test_the_model_that_answered_is_the_one_that_is_priced(office: Office) -> None:
    await office.store.settle([row("q1", served_model="claude-opus-5-5", cost_pico=0)])
    await reprice(office.desk, BOOK, ALL, dry_run=False)

    assert (await costs(office))["q1"][0] == BOOK.cost_pico("claude-opus-5-5", USED, at=NOW)


async def test_what_is_not_billed_stays_free_and_what_is_not_settled_stays_as_it_is(office: Office) -> None:
    await office.store.settle(
        [
            row("free", is_unbilled=True, cost_pico=0),
            row("empty", usage=Usage(), cost_pico=0),
            row("released", state="released", cost_pico=0),
        ]
    )
    told = await reprice(office.desk, DOUBLE, ALL, dry_run=False)

    assert (told.seen, told.changed) == (2, 0)
    assert {cost for cost, _ in (await costs(office)).values()} == {0}


async def test_a_model_that_has_a_price_now_gets_it_and_one_without_stays_unpriced(office: Office) -> None:
    await office.store.settle(
        [row("q1", model="claude-next-9", cost_pico=None), row("q2", model="other", cost_pico=None)]
    )
    config = PricingConfig(overrides={"claude-next-9": CardOverride(input=Decimal(1), output=Decimal(2))})
    told = await reprice(office.desk, PriceBook.default(config=config), ALL, dry_run=False)
    totals = await office.store.totals()

    assert (told.changed, told.newly_priced, told.unpriced) == (1, 1, 1)
    assert (told.before, told.after) == (0, 1_200_000_000)
    assert (totals.cost_pico, totals.unpriced) == (1_200_000_000, 1)


async def test_a_row_whose_model_has_lost_its_price_keeps_its_cost(office: Office) -> None:
    await office.store.settle([row("q1", model="own", cost_pico=7)])
    told = await reprice(office.desk, BOOK, ALL, dry_run=False)

    assert (told.changed, told.unpriced, (await costs(office))["q1"][0]) == (0, 0, 7)


async def test_only_rows_of_the_span_are_touched(office: Office) -> None:
    await office.store.settle([row("old", at=datetime(2026, 10, 1, tzinfo=UTC)), row("new")])
    told = await reprice(office.desk, DOUBLE, span("month", None, timezone="UTC", now=NOW), dry_run=False)

    assert told.seen == 1
    assert (await costs(office))["old"][0] == COST


async def test_many_rows_are_written_some_at_a_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "BATCH", 3)
    await office.store.settle([row(f"q{number}") for number in range(10)])
    told = await reprice(office.desk, DOUBLE, ALL, dry_run=False)

    assert (told.written, (await office.store.totals()).cost_pico) == (10, 20 * COST)


async def test_the_audit_tells_when_it_began_and_what_came_of_it(office: Office) -> None:
    await office.store.settle([row("q1")])
    told = await reprice(office.desk, DOUBLE, ALL, dry_run=False)
    (entry,) = await office.store.entries("repricing")

    assert await office.noted() == [
        (
            "cli:kim",
            "put",
            "2026-11-22T12:00:00Z",
            f"done {repricing_facts(told)['difference']} dollars over 1 attempts",
        ),
        ("cli:kim", "put", "2026-11-22T12:00:00Z", "begun"),
    ]
    assert b'"state":"done"' in entry.body
    assert repricing_facts(told)["since"] is None
