"""Reports and exports: every attempt in them once, and the sums equal whichever way they are made."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.operations import spend as spend_operations
from holdfast.operations.span import Span, span
from holdfast.operations.spend import attempts, report, report_facts
from holdfast.ports import AttemptRecord, CallRecord, Payer
from holdfast.wire.usage import Usage
from tests.operations.conftest import Office

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ALL = Span(since=None, until=None, timezone="UTC")


def an_attempt(number: int, *, hours_ago: float = 0, model: str = "m", **changes: Any) -> AttemptRecord:
    """Number `n` costs 2**n pico-dollars, so that a sum tells what is in it; ids run against time."""
    row = AttemptRecord(
        request_id=f"hfr_{900 - number}",
        number=1,
        at=NOW - timedelta(hours=hours_ago),
        payer=Payer(key="web", user="alice"),
        upstream="anthropic",
        model=model,
        usage=Usage(input_tokens=10, output_tokens=7),
        cost_pico=2**number,
        price_version="v1",
    )
    return replace(row, **changes)


def a_call(row: AttemptRecord) -> CallRecord:
    return CallRecord(
        request_id=row.request_id,
        at=row.at,
        door="gateway",
        key=row.payer.key,
        user=row.payer.user,
        run=None,
        agent=None,
        model=row.model,
        served_model=None,
        upstream=row.upstream,
        stream=False,
        end="answered",
        status=200,
        error_code=None,
        attempts=1,
        stop_reason=None,
        usage=row.usage,
        estimated=False,
        cost_pico=row.cost_pico,
        price_version="v1",
        duration_ms=1.0,
    )


async def rows(office: Office, within: Span = ALL) -> list[dict[str, object]]:
    return [facts async for facts in attempts(office.desk, within)]


def cost(facts: Mapping[str, object]) -> Decimal:
    return Decimal(str(facts["cost"] or 0))


async def test_a_report_groups_what_was_spent_in_its_span(office: Office) -> None:
    await office.store.settle(
        [
            an_attempt(1, model="a"),
            an_attempt(2, model="b", estimated=True),
            an_attempt(3, model="a", hours_ago=30),
            an_attempt(4, model="b", cost_pico=None),
        ]
    )
    made = await report(office.desk, span("today", None, timezone="UTC", now=NOW), by=("model",))

    assert report_facts(made) == {
        "since": "2026-11-22T00:00:00Z",
        "until": None,
        "timezone": "UTC",
        "by": ["model"],
        "groups": [
            {
                "model": "a",
                "attempts": 1,
                "input_tokens": 10,
                "output_tokens": 7,
                "cost": "0.000000000002",
                "estimated_cost": "0",
                "unpriced": 0,
            },
            {
                "model": "b",
                "attempts": 2,
                "input_tokens": 20,
                "output_tokens": 14,
                "cost": "0.000000000004",
                "estimated_cost": "0.000000000004",
                "unpriced": 1,
            },
        ],
        "total": {
            "attempts": 3,
            "input_tokens": 30,
            "output_tokens": 21,
            "cost": "0.000000000006",
            "estimated_cost": "0.000000000004",
            "unpriced": 1,
        },
    }


@pytest.mark.parametrize(
    "by", [(), ("model",), ("day", "user"), ("hour", "key", "model", "month", "upstream")]
)
async def test_however_it_is_grouped_the_report_is_the_sum_of_the_rows_and_the_totals(
    office: Office, by: tuple[str, ...]
) -> None:
    made = [
        an_attempt(n, model=f"m{n % 3}", hours_ago=7 * n, payer=Payer(user=f"u{n % 2}" if n % 5 else None))
        for n in range(40)
    ]
    made.append(an_attempt(41, state="released", cost_pico=0, usage=Usage()))
    await office.store.settle(made)
    for row in made:
        await office.store.record(a_call(row))
    total = (await report(office.desk, ALL, by=by)).total
    totals = await office.store.totals()

    assert total.cost_pico == totals.cost_pico == 2**40 - 1
    assert total.cost == sum(cost(facts) for facts in await rows(office))
    assert (total.input_tokens, total.output_tokens) == (totals.input_tokens, totals.output_tokens)
    assert total.attempts == 40


@pytest.mark.parametrize("since", ["7d", "31h", "today", "2026-11-20T07:40"])
async def test_a_report_of_a_span_is_the_sum_of_the_rows_of_that_span(office: Office, since: str) -> None:
    await office.store.settle([an_attempt(n, hours_ago=n * 0.9) for n in range(40)])
    within = span(since, "2026-11-22T09:15", timezone="Asia/Seoul", now=NOW)
    found = await rows(office, within)

    assert (await report(office.desk, within)).total.cost == sum(cost(facts) for facts in found)
    assert (await report(office.desk, within, by=("day",))).total.attempts == len(found) > 0


async def test_a_report_can_ask_for_one_value_alone(office: Office) -> None:
    await office.store.settle([an_attempt(1), an_attempt(2, payer=Payer(key="web", user="bob"))])
    made = await report(office.desk, ALL, where={"user": "bob", "key": "web"})

    assert made.total.cost_pico == 4


@pytest.mark.parametrize("given", [{"by": ("colour",)}, {"where": {"colour": "red"}}])
async def test_a_dimension_that_is_none_is_refused_with_those_there_are(
    office: Office, given: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"`colour` is nothing .* model, upstream, key"):
        await report(office.desk, ALL, **given)


async def test_an_export_is_oldest_first_whatever_the_ids_over_any_number_of_pages(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spend_operations, "PAGE", 7)
    await office.store.settle([an_attempt(n, hours_ago=100 - n) for n in range(40)])
    second = replace(an_attempt(39, hours_ago=61, cost_pico=1), number=2)
    await office.store.settle([second, replace(second, number=10)])
    found = await rows(office)

    assert [facts["id"] for facts in found[:39]] == [f"hfr_{900 - n}/1" for n in range(39)]
    assert [facts["id"] for facts in found[39:]] == ["hfr_861/1", "hfr_861/2", "hfr_861/10"]
    assert [facts["at"] for facts in found] == sorted(str(facts["at"]) for facts in found)


async def test_a_row_of_an_export_says_everything_about_its_attempt(office: Office) -> None:
    payer = Payer(door="gateway", key="web", user="김", run="r", agent="a", tags={"team": "x"})
    usage = Usage.of(
        {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "service_tier": "batch"}
    )
    await office.store.settle(
        [an_attempt(1, payer=payer, usage=usage, served_model="s", estimated=True, status=200)]
    )

    assert await rows(office) == [
        {
            "id": "hfr_899/1",
            "request_id": "hfr_899",
            "attempt": 1,
            "at": "2026-11-22T12:00:00Z",
            "door": "gateway",
            "key": "web",
            "user": "김",
            "run": "r",
            "agent": "a",
            "tags": {"team": "x"},
            "upstream": "anthropic",
            "model": "m",
            "served_model": "s",
            "state": "settled",
            "kind": "answered",
            "status": 200,
            "input_tokens": 1,
            "output_tokens": 2,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "web_search_requests": 0,
            "service_tier": "batch",
            "estimated": True,
            "unbilled": False,
            "cost": "0.000000000002",
            "price_version": "v1",
        }
    ]


async def test_an_empty_ledger_is_an_empty_report_and_no_row(office: Office) -> None:
    made = await report(office.desk, ALL, by=("model",))

    assert (made.groups, made.total.cost_pico, await rows(office)) == ((), 0, [])
