"""The official SDK is the judge: it must take every answer of the simulator for the real thing."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import httpx2
import pytest
from anthropic import beta_async_tool, beta_tool
from pydantic import BaseModel

from holdfast.simulator import Action, CleanEnd, ErrorEvent, HalfBody, Malformed, Reset, Status
from holdfast.simulator.server import RunningSimulator

MODEL = "claude-sonnet-5-5"
QUESTION: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Where is my order?"}]


@pytest.fixture
def client(simulator: RunningSimulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=simulator.url, max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(simulator: RunningSimulator) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(api_key="k", base_url=simulator.url, max_retries=0) as made:
        yield made


def words(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message_is_understood(client: anthropic.Anthropic, simulator: RunningSimulator) -> None:
    message = client.messages.create(model=MODEL, max_tokens=500, messages=QUESTION)
    assert "Where is my order?" in words(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.inference_geo == "global"
    assert message.usage.output_tokens_details is not None
    assert simulator.simulator.requests[0].headers["anthropic-version"] == "2026-10-21"


async def test_an_async_message_is_understood(async_client: anthropic.AsyncAnthropic) -> None:
    message = await async_client.messages.create(model=MODEL, max_tokens=500, messages=QUESTION)
    assert message.stop_reason == "end_turn"


def test_a_stream_ends_as_the_message_it_is(client: anthropic.Anthropic) -> None:
    plain = client.messages.create(model=MODEL, max_tokens=500, messages=QUESTION)
    with client.messages.stream(model=MODEL, max_tokens=500, messages=QUESTION) as stream:
        heard = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert heard == words(final) == words(plain)
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", plain.usage.output_tokens)


async def test_an_async_stream_ends_too(async_client: anthropic.AsyncAnthropic) -> None:
    async with async_client.messages.stream(model=MODEL, max_tokens=500, messages=QUESTION) as stream:
        assert (await stream.get_final_message()).stop_reason == "end_turn"


def test_thinking_arrives_with_its_signature_and_may_be_sent_back(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=900, messages=QUESTION, thinking={"type": "adaptive"}
    ) as stream:
        first = stream.get_final_message()
    assert first.content[0].type == "thinking"
    again = client.messages.create(
        model=MODEL,
        max_tokens=900,
        messages=[
            *QUESTION,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": "Go on"},
        ],
    )
    assert again.stop_reason == "end_turn"


def test_a_count_equals_the_input_of_the_message(client: anthropic.Anthropic) -> None:
    count = client.messages.count_tokens(model=MODEL, messages=QUESTION, system="Be brief.")
    message = client.messages.create(model=MODEL, max_tokens=9, messages=QUESTION, system="Be brief.")
    assert count.input_tokens == message.usage.input_tokens


def test_all_models_are_listed_page_by_page(client: anthropic.Anthropic) -> None:
    models = list(client.models.list(limit=10))
    assert len({model.id for model in models}) == 27
    assert models[0].capabilities is not None
    assert client.models.retrieve("claude-haiku-5-5").max_input_tokens == 1_000_000


@beta_tool
def find_order(number: int, city: str) -> str:
    """Find an order.

    Args:
        number: the number of the order
        city: where it was sent to
    """
    return f"order {number} is in {city}"


@beta_async_tool
async def find_parcel(number: int) -> str:
    """Find a parcel.

    Args:
        number: the number of the parcel
    """
    return f"parcel {number} is here"


def test_the_tool_runner_recovers_from_the_refused_thread_and_runs_the_tool(
    client: anthropic.Anthropic, simulator: RunningSimulator
) -> None:
    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=900,
        tools=[find_order],
        messages=[{"role": "user", "content": "use the tool find_order with number=7 and city=Seoul"}],
    )
    answers = list(runner)
    assert [answer.stop_reason for answer in answers] == ["tool_use", "end_turn"]
    last = answers[-1].content[-1]
    assert last.type == "text"
    assert "order 7 is in Seoul" in last.text
    requests = simulator.simulator.requests
    assert [seen.status for seen in requests] == [400, 200, 200]
    assert ["thread" in seen.json() for seen in requests] == [True, False, False]


async def test_the_async_tool_runner_streams_through_a_tool(async_client: anthropic.AsyncAnthropic) -> None:
    runner = async_client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=900,
        stream=True,
        tools=[find_parcel],
        messages=[{"role": "user", "content": "find_parcel 도구를 사용해 줘 number=12"}],
    )
    reasons = [(await stream.get_final_message()).stop_reason async for stream in runner]
    assert reasons == ["tool_use", "end_turn"]


class Order(BaseModel):
    number: int
    items: list[str]
    note: str | None


def test_structured_output_is_parsed(client: anthropic.Anthropic) -> None:
    parsed = client.messages.parse(model=MODEL, max_tokens=900, messages=QUESTION, output_format=Order)
    assert isinstance(parsed.parsed_output, Order)
    assert parsed.parsed_output.items


def test_a_web_search_is_understood(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=900,
        messages=[{"role": "user", "content": "search the web for lighthouses"}],
        tools=[{"type": "web_search_20250305", "name": "web_search"}],
    )
    assert [block.type for block in message.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert message.usage.server_tool_use is not None
    assert message.usage.server_tool_use.web_search_requests == 1


def call(client: anthropic.Anthropic, *, stream: bool) -> anthropic.types.Message:
    if not stream:
        return client.messages.create(model=MODEL, max_tokens=500, messages=QUESTION)
    with client.messages.stream(model=MODEL, max_tokens=500, messages=QUESTION) as opened:
        return opened.get_final_message()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("action", "error"),
    [
        (Status(401), anthropic.AuthenticationError),
        (Status(429, retry_after=1), anthropic.RateLimitError),
        (Status(500), anthropic.InternalServerError),
        (Status(529), anthropic.InternalServerError),
        (Status(502, body="<html>", content_type="text/html"), anthropic.InternalServerError),
        (Reset(), anthropic.APIConnectionError),
        (ErrorEvent(0), anthropic.APIStatusError),
    ],
)
def test_a_fault_becomes_the_error_of_the_sdk(
    client: anthropic.Anthropic,
    simulator: RunningSimulator,
    action: Action,
    error: type[Exception],
    stream: bool,
) -> None:
    simulator.simulator.fault(action)
    with pytest.raises(error):
        call(client, stream=stream)


@pytest.mark.parametrize("action", [Reset("headers"), Reset(5), ErrorEvent(5), Malformed()])
def test_a_stream_that_breaks_raises(
    client: anthropic.Anthropic, simulator: RunningSimulator, action: Action
) -> None:
    simulator.simulator.fault(action)
    with pytest.raises((httpx2.TransportError, anthropic.APIStatusError, ValueError)):
        call(client, stream=True)


@pytest.mark.parametrize("action", [CleanEnd(6), HalfBody()])
def test_a_truncated_stream_looks_complete_to_the_sdk(
    client: anthropic.Anthropic, simulator: RunningSimulator, action: Action
) -> None:
    simulator.simulator.fault(action)
    assert call(client, stream=True).stop_reason is None


def test_the_sdk_retries_what_may_be_retried(simulator: RunningSimulator) -> None:
    simulator.simulator.fault(
        Status(529, headers={"retry-after-ms": "1"}), Status(500, headers={"retry-after-ms": "1"})
    )
    with anthropic.Anthropic(api_key="k", base_url=simulator.url) as client:
        assert call(client, stream=False).stop_reason == "end_turn"
    assert [seen.status for seen in simulator.simulator.requests] == [529, 500, 200]
    assert len(simulator.simulator.ledger) == 1
