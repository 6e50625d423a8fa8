"""Bills against figures worked out by hand, in dollars per million tokens."""

import json
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.simulator import (
    Action,
    CleanEnd,
    Delay,
    ErrorEvent,
    HalfBody,
    Malformed,
    Reset,
    Simulator,
    Stall,
    Turn,
)
from holdfast.simulator.ledger import cost
from holdfast.simulator.models import Model, catalogue
from holdfast.simulator.usage import Usage

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Wire

MILLION = 1_000_000


def model(name: str) -> Model:
    found = catalogue().find(name)
    assert found is not None
    return found


def bill(name: str, day: str = "2026-11-22", **counts: Any) -> Decimal:
    return cost(
        Usage(input_tokens=counts.pop("input_tokens", 0), **counts), model(name), date.fromisoformat(day)
    )


@pytest.mark.parametrize(
    ("name", "counts", "dollars"),
    [
        ("claude-sonnet-5-5", {"input_tokens": 1000, "output_tokens": 200}, "0.004"),
        ("claude-fable-5-2", {"input_tokens": MILLION, "output_tokens": MILLION}, "48"),
        ("claude-opus-5-5", {"input_tokens": 0, "cache_read": MILLION}, "0.2"),
        ("claude-opus-5-5", {"written_5m": MILLION, "written_1h": MILLION}, "13"),
        ("claude-opus-5-5", {"input_tokens": 1000, "output_tokens": 1000, "speed": "fast"}, "0.048"),
        ("claude-opus-5-5", {"input_tokens": MILLION, "inference_geo": "us"}, "4.4"),
        ("claude-haiku-4-5", {"input_tokens": MILLION, "inference_geo": "us"}, "1"),
        ("claude-haiku-5-5", {"input_tokens": 100_000, "output_tokens": 1000}, "0.0105"),
        ("claude-haiku-5-5", {"input_tokens": 100_001, "output_tokens": 1000}, "0.0525005"),
        ("claude-haiku-5-5", {"cache_read": 100_001}, "0.00500005"),
        ("claude-haiku-5-5", {"input_tokens": 50_000, "written_5m": 50_000, "cache_read": 1}, "0.05625005"),
    ],
)
def test_a_bill_is_exact(name: str, counts: dict[str, Any], dollars: str) -> None:
    assert bill(name, **counts) == Decimal(dollars)


@pytest.mark.parametrize(
    ("name", "day", "counts", "dollars"),
    [
        ("claude-sonnet-5-5", "2026-10-06", {"cache_read": MILLION}, "0.2"),
        ("claude-sonnet-5-5", "2026-10-07", {"cache_read": MILLION}, "0.1"),
        ("claude-sonnet-5-5", "2020-01-01", {"cache_read": MILLION}, "0.2"),
        ("claude-opus-4-6", "2026-03-12", {"input_tokens": 300_000}, "3"),
        ("claude-opus-4-6", "2026-03-13", {"input_tokens": 300_000}, "1.5"),
        ("claude-opus-4-8", "2026-11-29", {"input_tokens": MILLION, "speed": "fast"}, "10"),
        ("claude-opus-4-8", "2026-11-30", {"input_tokens": MILLION, "speed": "fast"}, "5"),
    ],
)
def test_the_card_of_the_day_counts(name: str, day: str, counts: dict[str, Any], dollars: str) -> None:
    assert bill(name, day, **counts) == Decimal(dollars)


def test_each_step_of_a_search_has_its_own_band_and_the_search_its_price() -> None:
    first = Usage(input_tokens=60_000, output_tokens=100)
    both = first.then(Usage(input_tokens=60_100, output_tokens=200))
    dollars = cost(both, model("claude-haiku-5-5"), date(2026, 11, 22))
    assert both.prompt_tokens > 100_000
    assert dollars == Decimal("0.01216") + Decimal("0.01")


async def test_a_stream_cut_before_its_search_does_not_pay_for_it(api: "Api") -> None:
    api.simulator.fault(CleanEnd(4))
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    await api.events("Search the web for lighthouses", tools=tools)
    usage = api.simulator.ledger[0].usage
    assert usage["server_tool_use"] is None
    assert "iterations" not in usage


async def test_the_ledger_bills_the_usage_that_was_told(api: "Api") -> None:
    message = await api.message("Hello", inference_geo="us")
    (entry,) = api.simulator.ledger
    usage = message["usage"]
    assert dict(entry.usage) == usage
    assert usage["inference_geo"] == "us"
    assert entry.cost == (usage["input_tokens"] * 2 + usage["output_tokens"] * 10) * Decimal("1.1") / MILLION
    assert (entry.message_id, entry.model, entry.key, entry.ending) == (
        message["id"],
        "claude-sonnet-5-5",
        "test-key",
        "completed",
    )


async def test_the_sum_of_the_bills_is_kept_beyond_the_entries(api: "Api") -> None:
    for _ in range(3):
        await api.message("Hello")
    assert api.simulator.billed == 3 * api.simulator.ledger[0].cost


async def test_counting_tokens_and_warming_the_cache_cost_what_they_should(api: "Api") -> None:
    tokens = await api.tokens(
        {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Hello"}]}
    )
    assert api.simulator.ledger == ()
    await api.message("Hello", max_tokens=0)
    assert api.simulator.billed == tokens * 2 / Decimal(MILLION)


async def test_fast_mode_is_billed_by_what_was_given(api: "Api") -> None:
    for name, speed in (("claude-opus-5-5", "fast"), ("claude-opus-4-6", "standard")):
        message = await api.message("Hello", model=name, speed="fast")
        assert message["usage"]["speed"] == speed


@pytest.mark.parametrize(
    ("action", "output"),
    [
        (Reset(), 0),
        (Reset("headers"), 0),
        (Reset(1), 1),
        (Reset(3), 1),
        (CleanEnd(10_000), 130),
        (ErrorEvent(1), 1),
        (Malformed(), 130),
        (Stall(seconds=1), 130),
        (Delay(1), 130),
    ],
)
async def test_a_broken_stream_bills_its_input_and_what_was_written(
    api: "Api", action: Action, output: int
) -> None:
    api.simulator.say(Turn(text="x" * 400))
    api.simulator.fault(action)
    with suppress(ConnectionResetError, ValueError):
        await api.events("Hello")
    (entry,) = api.simulator.ledger
    assert entry.usage["output_tokens"] == output
    assert entry.usage["input_tokens"] == 6
    assert entry.cost == Decimal(6 * 2 + output * 10) / MILLION


async def test_a_stream_cut_between_deltas_bills_the_deltas_that_were_sent(api: "Api") -> None:
    api.simulator.fault(CleanEnd(8))
    response = await api.post(
        {
            "model": "claude-sonnet-5-5",
            "max_tokens": 1024,
            "stream": True,
            "messages": [{"role": "user", "content": "Hello"}],
        }
    )
    deltas = [
        json.loads(line[6:])["delta"]["text"]
        for line in response.text.splitlines()
        if line.startswith("data: ") and "text_delta" in line
    ]
    sent = "".join(deltas)
    units = 3 * sum(letter.isascii() for letter in sent) + 12 * sum(not letter.isascii() for letter in sent)
    assert len(deltas) == 5
    assert api.simulator.ledger[0].usage["output_tokens"] == -(-units * 13 // 120)


@pytest.mark.parametrize("action", [Reset("headers"), Reset(1), HalfBody(), CleanEnd(), Malformed()])
async def test_a_broken_plain_answer_was_written_in_full_and_is_billed_so(api: "Api", action: Action) -> None:
    api.simulator.say(Turn(text="x" * 400))
    api.simulator.fault(action)
    with suppress(ConnectionResetError):
        await api.post(
            {"model": "claude-sonnet-5-5", "max_tokens": 500, "messages": [{"role": "user", "content": "Hi"}]}
        )
    assert api.simulator.ledger[0].usage["output_tokens"] == 130
    assert api.simulator.ledger[0].ending == "faulted"


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_before_the_first_event_is_free(api: "Api", stream: bool) -> None:
    api.simulator.fault(ErrorEvent(0))
    await api.post(
        {
            "model": "claude-sonnet-5-5",
            "max_tokens": 500,
            "stream": stream,
            "messages": [{"role": "user", "content": "Hi"}],
        }
    )
    assert api.simulator.ledger == ()


def test_a_caller_who_leaves_pays_for_the_input_and_what_was_written(wire: "Wire") -> None:
    simulator = wire.running.simulator
    simulator.say(Turn(text="x" * 400))
    simulator.fault(Stall(3))
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 500,
        "stream": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    with wire.send(body) as connection:
        received = b""
        while b"event: ping" not in received:
            received += connection.recv(65536)
    wire.running.drain()
    (entry,) = simulator.ledger
    assert (entry.ending, entry.usage["output_tokens"]) == ("disconnected", 1)


def test_a_caller_who_leaves_before_the_first_byte_pays_for_the_input_once(wire: "Wire") -> None:
    simulator = wire.running.simulator
    for slow in (True, False):
        simulator.time_scale = 100 if slow else 0
        if not slow:
            simulator.fault(Delay(60))
        body = {
            "model": "claude-sonnet-5-5",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "Hi"}],
        }
        wire.leave(body)
    assert [(entry.ending, entry.usage["output_tokens"]) for entry in simulator.ledger] == [
        ("disconnected", 0)
    ] * 2


async def test_an_entry_can_be_written_as_json(api: "Api") -> None:
    await api.message("Say exactly: hi")
    entry = api.simulator.ledger[0]
    assert Decimal(str(entry.wire()["cost"])) == entry.cost
    assert entry.wire()["at"] == "2026-11-22T12:00:00+00:00"


async def test_only_the_newest_requests_and_bills_are_kept(api: "Api") -> None:
    api.simulator = Simulator(time_scale=0, keep=2)
    for _ in range(4):
        await api.message("Hello")
    assert [seen.number for seen in api.simulator.requests] == [3, 4]
    assert len(api.simulator.ledger) == 2
    assert api.simulator.billed == 4 * api.simulator.ledger[0].cost
