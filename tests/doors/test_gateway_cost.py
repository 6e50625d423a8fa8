"""A mixed load: every call is in the ledger once, and the ledger is what was billed, to the last digit."""

import asyncio
from collections import Counter

import anthropic

from holdfast.events import CallEnded
from tests.doors.running import RunningGateway, eventually

CALLS = 100
MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5")


async def call(client: anthropic.AsyncAnthropic, number: int) -> None:
    """One of the things clients do: plain, streamed, cached, thinking, with a tool."""
    model = MODELS[number % len(MODELS)]
    question: list[anthropic.types.MessageParam] = [{"role": "user", "content": f"Question {number}: why?"}]
    system: list[anthropic.types.TextBlockParam] = [
        {"type": "text", "text": "A long preamble. " * 2_000, "cache_control": {"type": "ephemeral"}}
    ]
    match number % 5:
        case 0:
            await client.messages.create(model=model, max_tokens=300, messages=question)
        case 1:
            async with client.messages.stream(model=model, max_tokens=300, messages=question) as stream:
                await stream.get_final_message()
        case 2:
            await client.messages.create(model=model, max_tokens=300, messages=question, system=system)
        case 3:
            async with client.messages.stream(
                model=model, max_tokens=2_000, messages=question, system=system
            ) as stream:
                await stream.get_final_message()
        case _:
            await client.messages.count_tokens(model=model, messages=question)
            await client.messages.create(
                model=model,
                max_tokens=300,
                messages=[{"role": "user", "content": "Please use the tool look_up."}],
                tools=[{"name": "look_up", "input_schema": {"type": "object"}}],
            )


async def test_a_hundred_calls_at_once_cost_what_was_billed(gateway: RunningGateway) -> None:
    async with anthropic.AsyncAnthropic(api_key="local", base_url=gateway.url, max_retries=0) as client:
        await asyncio.gather(*(call(client, number) for number in range(CALLS)))
    simulator = gateway.simulator.simulator
    await asyncio.to_thread(eventually, lambda: gateway.totals().calls == CALLS)

    assert gateway.totals().cost == simulator.billed > 0
    assert gateway.totals().unpriced == 0
    records = gateway.records()
    assert sum(record.cost or 0 for record in records) == simulator.billed
    assert Counter(record.end for record in records) == {"answered": CALLS}
    assert any(record.usage.cache_read_input_tokens for record in records)
    assert any(record.usage.cache_creation_input_tokens for record in records)
    assert Counter(record.cost for record in records) == Counter(entry.cost for entry in simulator.ledger)
    ended = [event for event in gateway.events if isinstance(event, CallEnded)]
    assert len({event.request_id for event in ended}) == len(ended) == CALLS
