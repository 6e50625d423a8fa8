"""An agent that calls one tool for ever, with a client that knows nothing of budgets, and the cap of its run."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import anthropic
import pytest
from anthropic import beta_tool
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from holdfast.policy.budget import BudgetConfig
from holdfast.policy.progress import ProgressConfig
from holdfast.policy.runs import RunsConfig
from holdfast.simulator import Turn
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, eventually
from tests.money.till import Till, ended, open_gateway, till

MODEL = "claude-sonnet-5-5"
CAP = Decimal("0.05")
TURNS = 500
"""More than the cap can pay for."""
RESULT = "Sunny, 21 degrees. " * 100
START = "Please use the tool weather for Seoul, again and again."
WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@beta_tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: the name of the city.
    """
    return f"{RESULT} in {city}"


@pytest.fixture
def money(simulator: RunningSimulator, tmp_path: Path) -> Till:
    """A cap of five cents for each run, and nothing else that would stop an agent that repeats itself."""
    simulator.simulator.say(*(Turn(tools=(("weather", {"city": "Seoul"}),)) for _ in range(TURNS)))
    made = till(simulator, tmp_path, {"run": BudgetConfig(usd=CAP, per="run", scope="run")})
    patient = RunsConfig(progress=ProgressConfig(ignore=("weather",)))
    return replace(made, settings=replace(made.settings, runs=patient))


@pytest.fixture
def gateway(money: Till) -> Iterator[RunningGateway]:
    with open_gateway(money) as opened:
        yield opened


def client_of(gateway: RunningGateway, run: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="local", base_url=gateway.url, default_headers={"x-holdfast-run": run})


def stopped_in_time(money: Till, gateway: RunningGateway, error: anthropic.RateLimitError) -> None:
    """The cap was nearly used and never passed, and its refusal was heard once and believed."""
    assert "`run`" in str(error)
    assert error.response.headers["x-should-retry"] == "false"
    eventually(lambda: len(ended(gateway.events)) == money.requests + 1)
    assert [event.error_code for event in ended(gateway.events) if event.attempts == 0] == [
        "holdfast_budget_exhausted"
    ]
    assert CAP * Decimal("0.6") < money.billed <= CAP
    money.at_rest()


def loop(client: anthropic.Anthropic) -> None:
    """An agent as one writes it by hand: call, do what is asked for, call again."""
    messages: list[MessageParam] = [{"role": "user", "content": START}]
    for _ in range(TURNS):
        message = client.messages.create(model=MODEL, max_tokens=500, messages=messages, tools=[WEATHER])
        (use,) = (block for block in message.content if block.type == "tool_use")
        result: ToolResultBlockParam = {"type": "tool_result", "tool_use_id": use.id, "content": RESULT}
        messages.append({"role": "assistant", "content": message.content})
        messages.append({"role": "user", "content": [result]})


@pytest.mark.requirement("money:runaway")
def test_a_loop_that_never_ends_is_ended_by_the_cap_of_its_run(money: Till, gateway: RunningGateway) -> None:
    with client_of(gateway, "run-7") as client, pytest.raises(anthropic.RateLimitError) as caught:
        loop(client)
    stopped_in_time(money, gateway, caught.value)


@pytest.mark.requirement("money:runaway")
def test_the_tool_runner_of_the_official_sdk_is_ended_alike_and_other_runs_go_on(
    money: Till, gateway: RunningGateway
) -> None:
    with client_of(gateway, "run-7") as client:
        runner = client.beta.messages.tool_runner(
            model=MODEL, max_tokens=500, tools=[weather], messages=[{"role": "user", "content": START}]
        )
        with pytest.raises(anthropic.RateLimitError) as caught:
            list(runner)
    stopped_in_time(money, gateway, caught.value)
    question: list[MessageParam] = [{"role": "user", "content": START}]
    with client_of(gateway, "run-8") as other:
        assert other.messages.create(model=MODEL, max_tokens=500, messages=question, tools=[WEATHER]).id
