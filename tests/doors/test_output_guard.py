"""A model that gives away what it must not, and what its client hears of it at each door."""

import json
from collections.abc import Callable
from dataclasses import replace

import anthropic
import httpx2
import pytest
from anthropic.types import MessageParam

from holdfast import Holdfast
from holdfast.events import OutputFlagged
from holdfast.policy.output import OutputConfig
from holdfast.simulator import Turn
from holdfast.simulator.server import RunningSimulator
from tests.agent.conftest import World, records
from tests.doors.running import quick_settings, serving
from tests.policy.leak_styles import PROMPTS, STYLES

MODEL = "claude-sonnet-5-5"
SYSTEM = PROMPTS[0]
ASKED: list[MessageParam] = [{"role": "user", "content": "Good evening, where am I?"}]
KEY = "sk-ant-api03-" + "Qz7Rk2Lm9Xp4Vt1Wb6Yn3Cs8Jd5Hf0Gg"
LEAKING = f"Of course. {SYSTEM} Anything else?"
STOPPED = OutputConfig(leak="stop", secrets="stop", egress="stop")
REDACTED = OutputConfig(leak="redact", secrets="redact", egress="redact")


def plainly(client: anthropic.Anthropic) -> str:
    message = client.messages.create(model=MODEL, max_tokens=2_000, system=SYSTEM, messages=ASKED)
    return "".join(block.text for block in message.content if block.type == "text")


def streamed(client: anthropic.Anthropic) -> str:
    with client.messages.stream(model=MODEL, max_tokens=2_000, system=SYSTEM, messages=ASKED) as stream:
        return "".join(stream.text_stream)


Ask = Callable[[anthropic.Anthropic], str]
BOTH = pytest.mark.parametrize("ask", [plainly, streamed])


@pytest.fixture
def world() -> World:
    return World()


def flagged(world: World) -> list[tuple[str, str, str]]:
    return [
        (event.kind, event.code, event.action) for event in world.events if isinstance(event, OutputFlagged)
    ]


@BOTH
def test_a_leak_is_flagged_by_default_and_not_a_letter_of_it_changes(world: World, ask: Ask) -> None:
    world.simulator.say(LEAKING)

    with world.hold() as hold:
        assert ask(hold.anthropic_sync()) == LEAKING

    assert flagged(world) == [("leak", "prompt_start", "flag")]


@BOTH
@pytest.mark.parametrize("style", STYLES)
def test_a_prompt_given_away_in_any_style_does_not_get_out(world: World, ask: Ask, style: str) -> None:
    given_away = STYLES[style](SYSTEM)
    world.simulator.say(f"Of course.\n{given_away}\nAnything else?")

    with world.hold(output=STOPPED) as hold, pytest.raises(anthropic.APIStatusError) as caught:
        ask(hold.anthropic_sync())

    error = json.loads(json.dumps(caught.value.body))["error"]
    assert (error["type"], error["details"]["error_code"]) == ("policy_blocked", "holdfast_output_blocked")
    assert given_away[-40:] not in str(error)
    assert len(world.bodies()) == 1
    assert {kind for kind, _, action in flagged(world) if action == "stop"} == {"leak"}


@BOTH
def test_a_redacted_answer_reads_on_behind_the_mark(world: World, ask: Ask) -> None:
    world.simulator.say(f"Of course. {SYSTEM} And the key is {KEY}, by the way.")

    with world.hold(output=REDACTED) as hold:
        said = ask(hold.anthropic_sync())

    assert said.startswith("Of course. [REDACTED:system_prompt]")
    assert said.endswith("And the key is [REDACTED:key], by the way.")


@BOTH
def test_an_answer_that_gives_nothing_away_passes_under_the_strictest_settings(
    world: World, ask: Ask
) -> None:
    words = "I am Juniper, the concierge. I cannot share my instructions. " * 20
    world.simulator.say(words)

    with world.hold(output=STOPPED) as hold:
        assert ask(hold.anthropic_sync()) == words

    assert flagged(world) == []


@BOTH
def test_what_was_written_before_the_stop_is_paid_for(world: World, ask: Ask) -> None:
    world.simulator.say(LEAKING)

    with world.hold(output=STOPPED) as hold:
        with pytest.raises(anthropic.APIStatusError):
            ask(hold.anthropic_sync())
        (record,) = records(hold)

    assert (record.end, record.error_code) == ("failed", "holdfast_output_blocked")
    assert record.usage.output_tokens > 0
    assert record.cost


def test_the_arguments_of_a_call_are_redacted_and_stay_json(world: World) -> None:
    command = {"command": f"curl -H 'x-api-key: {KEY}' https://api.example.com"}
    world.simulator.say(Turn(text="Let me call it.", tools=(("bash", command),)))
    tool: anthropic.types.ToolParam = {"name": "bash", "input_schema": {"type": "object"}}

    with (
        world.hold(output=REDACTED) as hold,
        hold.anthropic_sync().messages.stream(
            model=MODEL, max_tokens=500, messages=ASKED, tools=[tool]
        ) as stream,
    ):
        (call,) = [block for block in stream.get_final_message().content if block.type == "tool_use"]

    assert call.input == {"command": "curl -H 'x-api-key: [REDACTED:key]' https://api.example.com"}


async def test_the_gateway_says_in_a_header_what_it_flagged(simulator: RunningSimulator) -> None:
    simulator.simulator.say(LEAKING, LEAKING)
    body = {"model": MODEL, "max_tokens": 500, "system": SYSTEM, "messages": ASKED}
    headers = {"x-api-key": "local", "anthropic-version": "2023-06-01"}

    with serving(simulator, quick_settings(simulator)) as flagging:
        seen = httpx2.post(f"{flagging.url}/v1/messages", json=body, headers=headers)
    with serving(simulator, replace(quick_settings(simulator), output=STOPPED)) as stopping:
        refused = httpx2.post(f"{stopping.url}/v1/messages", json=body, headers=headers)

    assert (seen.status_code, seen.headers.get("x-holdfast-flagged")) == (200, "leak")
    assert (refused.status_code, refused.headers["x-should-retry"]) == (400, "false")
    assert refused.json()["error"]["details"]["error_code"] == "holdfast_output_blocked"


async def test_an_agent_hears_why_its_answer_was_stopped(world: World) -> None:
    world.simulator.say(f"The key is {KEY}.")
    hold: Holdfast = world.hold(output=STOPPED)
    async with hold:
        reply = await hold.agent(MODEL, fallback="Sorry.").chat("What is the key?")

    assert (reply.text, reply.outcome) == ("Sorry.", "fallback")
