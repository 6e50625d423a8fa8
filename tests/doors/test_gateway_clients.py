"""The official SDK against the gateway: whatever it can do with the API it can do here."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import anthropic
import pytest
from anthropic import beta_async_tool, beta_tool
from anthropic.types import Message, MessageParam, ToolParam, ToolResultBlockParam
from anthropic.types.beta import BetaMessage
from pydantic import BaseModel

from tests.doors.running import RunningGateway

MODEL = "claude-sonnet-5-5"
QUESTION: list[MessageParam] = [{"role": "user", "content": "Where is my order?"}]
WEATHER: ToolParam = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="local", base_url=gateway.url) as made:
        yield made


@pytest.fixture
async def async_client(gateway: RunningGateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="local", base_url=gateway.url) as made:
        yield made


@beta_tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: the name of the city.
    """
    return f"Sunny, 21 degrees in {city}"


@beta_async_tool
async def weather_async(city: str) -> str:
    """The weather in a city.

    Args:
        city: the name of the city.
    """
    return f"Sunny, 21 degrees in {city}"


def words(message: Message | BetaMessage) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def reconciled(gateway: RunningGateway) -> Decimal:
    """The sum of the ledger, once it is certain that it is what was really billed."""
    assert gateway.totals().cost == gateway.simulator.simulator.billed
    return gateway.totals().cost


@pytest.mark.requirement("client:anthropic-2:sync")
def test_a_synchronous_client_gets_its_answer(client: anthropic.Anthropic, gateway: RunningGateway) -> None:
    message = client.messages.create(model=MODEL, max_tokens=300, messages=QUESTION)
    assert "Where is my order?" in words(message)
    assert (message.stop_reason, message.model) == ("end_turn", MODEL)
    assert reconciled(gateway) > 0


@pytest.mark.requirement("client:anthropic-2:async")
async def test_an_asynchronous_client_gets_its_answer(
    async_client: anthropic.AsyncAnthropic, gateway: RunningGateway
) -> None:
    message = await async_client.messages.create(model=MODEL, max_tokens=300, messages=QUESTION)
    assert "Where is my order?" in words(message)
    assert reconciled(gateway) > 0


@pytest.mark.requirement("client:anthropic-2:stream")
def test_a_synchronous_client_streams(client: anthropic.Anthropic, gateway: RunningGateway) -> None:
    with client.messages.stream(model=MODEL, max_tokens=300, messages=QUESTION) as stream:
        heard = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(heard) > 3
    assert "".join(heard) == words(final)
    assert final.stop_reason == "end_turn"
    assert reconciled(gateway) > 0


@pytest.mark.requirement("client:anthropic-2:stream")
async def test_an_asynchronous_client_streams(
    async_client: anthropic.AsyncAnthropic, gateway: RunningGateway
) -> None:
    async with async_client.messages.stream(model=MODEL, max_tokens=300, messages=QUESTION) as stream:
        heard = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert "".join(heard) == words(final)
    assert reconciled(gateway) > 0


def test_raw_events_stream_too(client: anthropic.Anthropic) -> None:
    with client.messages.create(model=MODEL, max_tokens=300, messages=QUESTION, stream=True) as events:
        names = [event.type for event in events]
    assert (names[0], names[-1]) == ("message_start", "message_stop")


@pytest.mark.requirement("client:anthropic-2:tool-runner")
def test_the_tool_runner_finishes_its_turns_although_threads_are_refused(
    client: anthropic.Anthropic, gateway: RunningGateway
) -> None:
    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=500,
        tools=[weather],
        messages=[{"role": "user", "content": "Please use the tool weather for Seoul."}],
    )
    turns = list(runner)
    assert [turn.stop_reason for turn in turns] == ["tool_use", "end_turn"]
    assert "Sunny, 21 degrees" in words(turns[-1])
    assert all(b'"thread"' not in request.body for request in gateway.simulator.simulator.requests)
    assert reconciled(gateway) > 0


@pytest.mark.requirement("client:anthropic-2:tool-runner")
async def test_the_asynchronous_tool_runner_streams_its_turns(
    async_client: anthropic.AsyncAnthropic, gateway: RunningGateway
) -> None:
    runner = async_client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=500,
        tools=[weather_async],
        stream=True,
        messages=[{"role": "user", "content": "Please use the tool weather_async for Seoul."}],
    )
    turns = [await stream.get_final_message() async for stream in runner]
    assert "Sunny, 21 degrees" in words(turns[-1])
    assert reconciled(gateway) > 0


def test_a_tool_turn_by_hand_goes_there_and_back(client: anthropic.Anthropic) -> None:
    turns: list[MessageParam] = [{"role": "user", "content": "Please use the tool weather for Seoul."}]
    asked = client.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=[WEATHER])
    call = next(block for block in asked.content if block.type == "tool_use")
    turns.append({"role": "assistant", "content": asked.content})
    result: ToolResultBlockParam = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": "Sunny, 21 degrees",
    }
    turns.append({"role": "user", "content": [result]})
    answer = client.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=[WEATHER])
    assert "Sunny, 21 degrees" in words(answer)


def test_thinking_comes_with_a_signature_that_upstream_takes_back(client: anthropic.Anthropic) -> None:
    first = client.messages.create(
        model=MODEL, max_tokens=2_000, messages=QUESTION, thinking={"type": "adaptive"}
    )
    assert first.content[0].type == "thinking"
    turns: list[MessageParam] = [
        *QUESTION,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": "Go on"},
    ]
    assert client.messages.create(model=MODEL, max_tokens=2_000, messages=turns).stop_reason == "end_turn"


def test_a_structured_answer_is_parsed(client: anthropic.Anthropic) -> None:
    class Order(BaseModel):
        number: int
        shipped: bool

    parsed = client.messages.parse(model=MODEL, max_tokens=500, messages=QUESTION, output_format=Order)
    assert isinstance(parsed.parsed_output, Order)


def test_tokens_are_counted_for_free_and_as_they_are_billed(
    client: anthropic.Anthropic, gateway: RunningGateway
) -> None:
    counted = client.messages.count_tokens(model=MODEL, messages=QUESTION)
    assert gateway.totals().calls == gateway.simulator.simulator.billed == 0
    message = client.messages.create(model=MODEL, max_tokens=300, messages=QUESTION)
    assert counted.input_tokens == message.usage.input_tokens


def test_models_are_listed_page_by_page_and_found_by_their_id(client: anthropic.Anthropic) -> None:
    ids = [model.id for model in client.models.list(limit=2)]
    assert MODEL in ids
    assert len(ids) == len(set(ids)) > 2
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nonexistent")


def test_a_key_in_the_other_header_will_do(gateway: RunningGateway) -> None:
    with anthropic.Anthropic(auth_token="local", base_url=gateway.url) as client:
        assert client.messages.create(model=MODEL, max_tokens=300, messages=QUESTION).type == "message"


def test_korean_goes_there_and_back_unharmed(client: anthropic.Anthropic) -> None:
    question = "타입스크립트의 장점이 뭐야? 🙂"
    message = client.messages.create(
        model=MODEL, max_tokens=300, messages=[{"role": "user", "content": question}]
    )
    assert question in words(message)
