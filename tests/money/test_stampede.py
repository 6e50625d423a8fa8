"""Twenty calls at once on a budget for three, through every door, on a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import anthropic
import pytest

from holdfast.errors import BudgetExhausted
from holdfast.events import Event
from holdfast.hold import Holdfast
from holdfast.policy.budget import BudgetConfig
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import eventually
from tests.money.till import Till, Turnstile, behind, ended, open_gateway, till

MODEL = "claude-opus-5-5"
LENGTH = 13_600
"""Tokens whose price, with the prompt, comes to just under 0.30 dollars."""
DOLLAR = BudgetConfig(usd=Decimal(1), per="day")
TWENTY = 20
QUESTION: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Where is my order?"}]
Ask = Callable[[int], Awaitable[object]]


@pytest.fixture
def dollar(simulator: RunningSimulator, tmp_path: Path) -> Till:
    return till(simulator, tmp_path, {"everybody": DOLLAR})


async def stampede(ask: Ask, turnstile: Turnstile) -> tuple[list[object], list[BaseException]]:
    """Answers and refusals of twenty calls, none of which is answered before all others are refused."""
    calls = [asyncio.ensure_future(ask(number)) for number in range(TWENTY)]
    try:
        await asyncio.to_thread(eventually, lambda: sum(call.done() for call in calls) == TWENTY - 3)
    finally:
        turnstile.opened.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in found if isinstance(one, BaseException)]
    return [one for one in found if not isinstance(one, BaseException)], refused


def audited(dollar: Till, events: list[Event]) -> None:
    """Three were sent, at 0.30 dollars each; seventeen were refused, each of which came once."""
    eventually(lambda: len(ended(events)) == TWENTY)
    assert dollar.requests == 3
    held = [row.hold_pico or 0 for row in dollar.attempts()]
    assert len(held) == 3
    assert all(0.295 < hold / 10**12 <= 0.30 for hold in held)
    ends = [(event.end, event.status, event.error_code, event.attempts) for event in ended(events)]
    assert ends.count(("refused", 429, "holdfast_budget_exhausted", 0)) == 17
    assert ends.count(("answered", 200, None, 1)) == 3
    dollar.at_rest()


def is_final(error: BaseException) -> bool:
    """Whether a client of the official SDK knows what happened, and that trying again is of no use."""
    return (
        isinstance(error, anthropic.RateLimitError)
        and error.body["error"]["details"]["error_code"] == "holdfast_budget_exhausted"  # type: ignore[index]
        and error.response.headers["x-should-retry"] == "false"
        and int(error.response.headers["retry-after"]) > 0
    )


@pytest.mark.requirement("money:stampede")
async def test_the_gateway_admits_three_and_refuses_seventeen_clients_for_good(dollar: Till) -> None:
    turnstile = Turnstile()
    with open_gateway(dollar, turnstile) as gateway:
        async with anthropic.AsyncAnthropic(api_key="local", base_url=gateway.url) as client:
            assert client.max_retries == 2

            async def ask(number: int) -> object:
                return await client.messages.create(model=MODEL, max_tokens=LENGTH, messages=QUESTION)

            answers, refusals = await stampede(ask, turnstile)
        assert (len(answers), len(refusals)) == (3, 17)
        assert all(is_final(error) for error in refusals)
        await asyncio.to_thread(audited, dollar, gateway.events)


async def test_streams_at_the_gateway_are_admitted_and_refused_alike(dollar: Till) -> None:
    turnstile = Turnstile()
    with open_gateway(dollar, turnstile) as gateway:
        async with anthropic.AsyncAnthropic(api_key="local", base_url=gateway.url) as client:

            async def ask(number: int) -> object:
                async with client.messages.stream(
                    model=MODEL, max_tokens=LENGTH, messages=QUESTION
                ) as stream:
                    return await stream.get_final_message()

            answers, refusals = await stampede(ask, turnstile)
        assert (len(answers), len(refusals)) == (3, 17)
        assert all(is_final(error) for error in refusals)
        await asyncio.to_thread(audited, dollar, gateway.events)


@pytest.mark.requirement("money:stampede")
async def test_the_guarded_sdk_admits_three_and_refuses_seventeen(dollar: Till) -> None:
    turnstile, events = Turnstile(), list[Event]()
    runtime = behind(dollar, turnstile)(dollar.settings, events.append)
    async with Holdfast(runtime=runtime, observe=events.append) as hold, hold.anthropic() as client:

        async def ask(number: int) -> object:
            return await client.messages.create(model=MODEL, max_tokens=LENGTH, messages=QUESTION)

        answers, refusals = await stampede(ask, turnstile)
        assert (len(answers), len(refusals)) == (3, 17)
        assert all(is_final(error) for error in refusals)
        await asyncio.to_thread(audited, dollar, events)


@pytest.mark.requirement("money:stampede")
async def test_an_agent_is_admitted_three_times_and_refused_seventeen_times(dollar: Till) -> None:
    turnstile, events = Turnstile(), list[Event]()
    runtime = behind(dollar, turnstile)(dollar.settings, events.append)
    async with Holdfast(runtime=runtime, observe=events.append) as hold:
        agent = hold.agent(MODEL, max_tokens=LENGTH, fallback=None)

        async def ask(number: int) -> object:
            return await agent.chat("Where is my order?")

        answers, refusals = await stampede(ask, turnstile)
        assert (len(answers), len(refusals)) == (3, 17)
        assert all(isinstance(error, BudgetExhausted) and error.retry_after for error in refusals)
        await asyncio.to_thread(audited, dollar, events)


async def test_an_agent_with_a_fallback_says_why_it_did_not_ask(dollar: Till) -> None:
    tight = till(dollar.simulator, dollar.path.parent, {"b": BudgetConfig(usd=Decimal("0.1"), per="day")})
    async with Holdfast(tight.settings) as hold:
        reply = await hold.agent(MODEL, max_tokens=LENGTH).chat("Where is my order?")
    assert (reply.outcome, type(reply.reason)) == ("fallback", BudgetExhausted)
    assert tight.requests == 0


async def test_two_gateways_over_one_database_admit_three_between_them(dollar: Till) -> None:
    turnstile = Turnstile()
    with open_gateway(dollar, turnstile) as first, open_gateway(dollar, turnstile) as second:
        async with anthropic.AsyncAnthropic(api_key="local", base_url=first.url) as client:
            clients = [client, client.with_options(base_url=second.url)]

            async def ask(number: int) -> object:
                return await clients[number % 2].messages.create(
                    model=MODEL, max_tokens=LENGTH, messages=QUESTION
                )

            answers, refusals = await stampede(ask, turnstile)
        assert (len(answers), len(refusals)) == (3, 17)
        eventually(lambda: len(ended(first.events)) + len(ended(second.events)) == TWENTY)
        await asyncio.to_thread(audited, dollar, [*first.events, *second.events])
