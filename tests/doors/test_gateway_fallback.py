"""When nothing answers, the official SDK reads what is said instead as an ordinary message."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import anthropic
import pytest

from holdfast.policy.fallback import FallbackConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, eventually, quick_settings, serving

MODEL = "claude-sonnet-5-5"
Ask = Callable[[anthropic.Anthropic, str], tuple[str | None, anthropic.types.Message]]
SORRY = "죄송합니다. 잠시 후 다시 시도해 주세요."


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[RunningGateway]:
    settings = replace(quick_settings(simulator), fallback=FallbackConfig(text=SORRY, cached=True))
    with serving(simulator, settings) as running:
        yield running


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="local", base_url=gateway.url, max_retries=0) as client:
        yield client


def plainly(client: anthropic.Anthropic, words: str) -> tuple[str | None, anthropic.types.Message]:
    """The outcome that the headers tell, and the message."""
    raw = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=2000, messages=[{"role": "user", "content": words}]
    )
    return raw.headers.get("x-holdfast-outcome"), raw.parse()


def streamed(client: anthropic.Anthropic, words: str) -> tuple[str | None, anthropic.types.Message]:
    """The same over a stream."""
    with client.messages.stream(
        model=MODEL, max_tokens=2000, messages=[{"role": "user", "content": words}]
    ) as stream:
        return stream.response.headers.get("x-holdfast-outcome"), stream.get_final_message()


def said(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("ask", [plainly, streamed])
def test_the_sdk_reads_a_fallback_as_an_ordinary_message(
    gateway: RunningGateway, client: anthropic.Anthropic, ask: Ask
) -> None:
    outcome, first = ask(client, "Hello")
    assert outcome == "answered"
    gateway.simulator.simulator.fault(Fault(Status(529), times=None))
    outcome, again = ask(client, "Hello")
    assert (outcome, again.id, said(again)) == ("fallback", first.id, said(first))
    outcome, static = ask(client, "Something else")
    assert (outcome, said(static), static.model) == ("fallback", SORRY, MODEL)
    assert (static.stop_reason, static.usage.input_tokens, static.usage.output_tokens) == ("end_turn", 0, 0)
    eventually(lambda: len(gateway.records()) == 3)
    assert [record.status for record in gateway.records()] == [200] * 3
    assert gateway.totals().cost == gateway.simulator.simulator.billed
