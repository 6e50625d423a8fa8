"""An agent on the official SDK that repeats one call is warned about, told so itself, and stopped."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool
from anthropic.lib.tools import BetaFunctionTool
from anthropic.types.beta import BetaMessage, BetaMessageParam

from holdfast.events import RunStopped, RunWarned
from holdfast.policy.runs import RunsConfig
from holdfast.simulator import Turn
from tests.agent.conftest import World

MODEL = "claude-sonnet-5-5"
ASKED: list[BetaMessageParam] = [{"role": "user", "content": "Read a.txt and tell me what it says."}]
ASKED_IN_KOREAN: list[BetaMessageParam] = [{"role": "user", "content": "a.txt를 읽고 내용을 알려 줘."}]
Tool = BetaFunctionTool[Callable[..., str]]
AGAIN = Turn(text="Let me look.", tools=(("read_file", {"path": "a.txt"}),))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Iterator[anthropic.Anthropic]:
    with world.hold(runs=RunsConfig(calls=40)) as hold:
        yield hold.anthropic_sync(run="run-7")


def plainly(client: anthropic.Anthropic, messages: list[BetaMessageParam], tool: Tool) -> list[BetaMessage]:
    """The answers of a tool runner until it ends or is stopped."""
    return list(
        client.beta.messages.tool_runner(model=MODEL, max_tokens=500, messages=messages, tools=[tool])
    )


def streamed(client: anthropic.Anthropic, messages: list[BetaMessageParam], tool: Tool) -> list[BetaMessage]:
    """The same over streams."""
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, messages=messages, tools=[tool], stream=True
    )
    return [stream.get_final_message() for stream in runner]


Loop = Callable[[anthropic.Anthropic, list[BetaMessageParam], Tool], list[BetaMessage]]


def looked_at(world: World) -> list[list[dict[str, Any]]]:
    """The answers of the model as the client sent them back, block by block."""
    last = world.bodies()[-1]["messages"]
    return [message["content"] for message in last if message["role"] == "assistant"]


def is_notice(block: dict[str, Any]) -> bool:
    return block["type"] == "text" and "holdfast" in block["text"]


@beta_tool
def read_file(path: str) -> str:
    """The text of a file."""
    return f"{path} is empty"


@pytest.mark.parametrize("loop", [plainly, streamed])
def test_an_agent_that_repeats_itself_is_warned_told_and_stopped(
    world: World, client: anthropic.Anthropic, loop: Loop
) -> None:
    world.simulator.say(*[AGAIN] * 20)

    with pytest.raises(anthropic.BadRequestError) as caught:
        loop(client, ASKED, read_file)

    error: Any = caught.value.body
    assert error["error"]["type"] == "policy_blocked"
    assert error["error"]["details"] == {
        "kind": "same_call",
        "count": 8,
        "error_code": "holdfast_no_progress",
    }
    assert "`read_file` was called 8 times in a row" in error["error"]["message"]
    warned = [(event.level, event.count) for event in world.events if isinstance(event, RunWarned)]
    assert warned == [("warn", 3), ("warn", 4), ("notice", 5), ("notice", 6), ("notice", 7)]
    assert [event.cause for event in world.events if isinstance(event, RunStopped)] == ["same_call"]


@pytest.mark.parametrize("loop", [plainly, streamed])
def test_the_notice_stands_between_the_models_words_and_its_call_and_comes_back_with_the_history(
    world: World, client: anthropic.Anthropic, loop: Loop
) -> None:
    world.simulator.say(*[AGAIN] * 20)

    with pytest.raises(anthropic.BadRequestError):
        loop(client, ASKED, read_file)

    answers = looked_at(world)
    assert [[block["type"] for block in content] for content in answers] == [["text", "tool_use"]] * 5 + [
        ["text", "text", "tool_use"]
    ] * 2
    assert all(is_notice(content[1]) for content in answers[5:])
    assert "`read_file` was called 5 times in a row" in answers[5][1]["text"]
    assert answers[5][2]["input"] == {"path": "a.txt"}


def test_who_wrote_in_korean_is_told_in_korean(world: World, client: anthropic.Anthropic) -> None:
    world.simulator.say(*[AGAIN] * 7, "다 읽었습니다.")

    last = plainly(client, ASKED_IN_KOREAN, read_file)[-1]

    (block,) = last.content
    assert block.type == "text"
    assert block.text == "다 읽었습니다."
    assert "도구 `read_file`이(가) 같은 인자로 연속 5번 호출되었고" in looked_at(world)[5][1]["text"]


def test_the_call_and_the_bill_are_those_of_the_upstream(world: World, client: anthropic.Anthropic) -> None:
    world.simulator.say(*[AGAIN] * 7, "Done.")

    answers = plainly(client, ASKED, read_file)

    assert [answer.usage.output_tokens for answer in answers] == [
        entry.usage["output_tokens"] for entry in world.simulator.ledger
    ]


def test_a_tool_whose_result_changes_may_be_called_as_often_as_it_takes(
    world: World, client: anthropic.Anthropic
) -> None:
    numbers = count()

    @beta_tool
    def status() -> str:
        """How far the job is."""
        return f"{next(numbers)} %"

    world.simulator.say(*[Turn(tools=(("status", {}),))] * 20, "Done.")

    last = plainly(client, ASKED, status)[-1]

    assert last.stop_reason == "end_turn"
    assert [event for event in world.events if isinstance(event, RunWarned)] == []


def test_a_run_that_reaches_its_cap_hears_why_once(world: World, client: anthropic.Anthropic) -> None:
    world.simulator.say(*["Hello."] * 40)
    for _ in range(40):
        client.messages.create(model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "Hi"}])

    with pytest.raises(anthropic.RateLimitError, match="the 40 calls") as caught:
        client.messages.create(model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "Hi"}])

    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in caught.value.response.headers
    assert json.loads(caught.value.response.text)["error"]["details"]["cap"] == "calls"
    assert len(world.bodies()) == 40
