"""What a chat answers, and what was really sent for it."""

import asyncio
from decimal import Decimal
from typing import assert_type

import pytest

from holdfast import Holdfast, ProductionAgent, Reply
from holdfast.errors import StreamInterrupted
from holdfast.simulator import Fault, Status, Turn
from tests.agent.conftest import Json, World, records


async def test_a_reply_says_everything_about_its_answer(world: World, hold: Holdfast) -> None:
    reply = await hold.agent("claude-haiku-5-5", name="helper").chat("Hello", user="alice")

    assert_type(reply, Reply)
    bill = world.simulator.ledger[0]
    assert (reply.outcome, reply.reason, reply.stop_reason, reply.attempts) == (
        "answered",
        None,
        "end_turn",
        1,
    )
    assert (reply.cost, reply.model) == (bill.cost, "claude-haiku-5-5")
    assert reply.usage.output_tokens == bill.usage["output_tokens"]
    assert str(reply) == reply.text != ""
    assert reply.request_id.startswith("hfr_")
    assert reply.conversation.startswith("conv_")
    (record,) = await hold.runtime.ledger.newest(9)
    assert (record.user, record.agent, record.run) == ("alice", "helper", reply.conversation)
    assert (record.request_id, record.door, record.cost) == (reply.request_id, "library", reply.cost)


async def test_the_model_of_the_settings_is_asked_when_none_is_named(world: World, hold: Holdfast) -> None:
    reply = await hold.agent().chat("Hello")

    assert reply.model == world.bodies()[0]["model"] == "claude-sonnet-5-5"


async def test_the_system_prompt_and_the_bound_are_really_sent(world: World, hold: Holdfast) -> None:
    await hold.agent(system="You are terse.", max_tokens=77).chat("Hello")

    assert (world.bodies()[0]["system"], world.bodies()[0]["max_tokens"]) == ("You are terse.", 77)


async def test_without_a_system_prompt_none_is_sent(world: World, hold: Holdfast) -> None:
    await hold.agent().chat("Hello")

    assert "system" not in world.bodies()[0]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("Hel\x00lo\x1b[0m", "Hello[0m"),
        ("Hel\u200blo\u2060", "Hello"),
        ("\ufeffHello\U000e0041", "Hello"),
        ("a\tb\n  c", "a\tb\n  c"),
        ("half \ud83d", "half \ufffd"),
        ("안녕하세요 👨‍👩‍👧", "안녕하세요 👨‍👩‍👧"),
    ],
)
async def test_the_sanitised_text_is_what_is_sent(
    world: World, hold: Holdfast, typed: str, sent: str
) -> None:
    await hold.agent().chat(typed)

    assert world.prompts() == [sent]


async def test_a_conversation_goes_on_where_it_ended(world: World, hold: Holdfast) -> None:
    agent = hold.agent()
    first = await agent.chat("My name is Minji")
    second = await agent.chat("What is my name?", conversation=first.conversation)
    await agent.chat("Unrelated")

    assert second.conversation == first.conversation
    assert world.bodies()[1]["messages"] == [
        {"role": "user", "content": "My name is Minji"},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "What is my name?"},
    ]
    assert world.bodies()[2]["messages"] == [{"role": "user", "content": "Unrelated"}]


async def test_a_conversation_of_ones_own_naming_begins_empty(world: World, hold: Holdfast) -> None:
    agent = hold.agent()
    reply = await agent.chat("One", conversation="ticket-42")
    await agent.chat("Two", conversation="ticket-42")

    assert reply.conversation == "ticket-42"
    assert len(messages(world, 1)) == 3


@pytest.mark.parametrize("turn", [Turn(text=""), Turn(text=" \n"), Turn(refuse=True)])
async def test_an_answer_without_words_leaves_no_turn_that_the_api_would_refuse(
    world: World, hold: Holdfast, turn: Turn
) -> None:
    agent = hold.agent(fallback=None)
    world.simulator.say(turn)
    reply = await agent.chat("One")
    await agent.chat("Two", conversation=reply.conversation)

    assert messages(world, 1) == [{"role": "user", "content": "Two"}]


async def test_a_fallback_is_no_part_of_the_conversation(world: World, hold: Holdfast) -> None:
    agent = hold.agent(fallback="busy", max_retries=1)
    first = await agent.chat("One")
    world.simulator.fault(Status(500))
    await agent.chat("Two", conversation=first.conversation)
    await agent.chat("Three", conversation=first.conversation)

    assert [message["content"] for message in messages(world, 2)] == ["One", first.text, "Three"]


async def test_two_hundred_chats_at_once_do_not_mix(world: World) -> None:
    world.simulator.mode = "echo"
    with world.hold() as hold:
        agent = hold.agent()
        first = await asyncio.gather(*(agent.chat(f"word{n}x", user=f"user{n}") for n in range(200)))
        second = await asyncio.gather(
            *(
                agent.chat(f"again{n}x", user=f"user{n}", conversation=reply.conversation)
                for n, reply in enumerate(first)
            )
        )
        entries = await hold.runtime.ledger.newest(1_000)

        assert all(f"word{n}x" in reply.text for n, reply in enumerate(first))
        assert len({reply.request_id for reply in [*first, *second]}) == 400
        assert len({reply.conversation for reply in first}) == 200
        asked = {body["messages"][-1]["content"]: str(body["messages"]) for body in world.bodies()}
        assert all(f"word{n}x" in asked[f"again{n}x"] for n in range(200))
        users = {entry.request_id: entry.user for entry in entries}
        assert all(users[reply.request_id] == f"user{n}" for n, reply in enumerate(first))
        metrics = agent.metrics()
        assert (metrics.request_count, metrics.total_cost) == (400, world.simulator.billed)


async def test_metrics_are_those_of_the_article_and_exact(world: World, hold: Holdfast) -> None:
    agent = hold.agent()
    replies = [await agent.chat(f"Question {n}") for n in range(3)]
    metrics = agent.metrics()

    assert metrics.total_cost == world.simulator.billed == sum(reply.cost or Decimal(0) for reply in replies)
    assert dict(metrics) == {
        "total_input_tokens": sum(reply.usage.input_tokens for reply in replies),
        "total_output_tokens": sum(reply.usage.output_tokens for reply in replies),
        "total_cost": metrics.total_cost,
        "request_count": 3,
        "circuit_state": "closed",
    }
    assert metrics["request_count"] == 3


async def test_metrics_belong_to_one_agent_even_on_a_shared_hold(hold: Holdfast) -> None:
    await hold.agent().chat("Hello")

    assert hold.agent().metrics().request_count == 0


async def test_an_answer_of_unknown_price_is_an_answer_all_the_same(world: World) -> None:
    world.simulator.fault(Status(200, body=STRANGE))
    with world.hold() as hold:
        agent = hold.agent("claude-next-9")
        reply = await agent.chat("Hello")

        assert (reply.text, reply.outcome, reply.cost, reply.model) == (
            "hi",
            "answered",
            None,
            "claude-next-9",
        )
        metrics = agent.metrics()
        assert (metrics.total_input_tokens, metrics.total_output_tokens, metrics.total_cost) == (
            3,
            4,
            Decimal(0),
        )


@pytest.mark.parametrize(("max_retries", "expected"), [(0, 1), (1, 1), (2, 2), (3, 3), (5, 3)])
async def test_max_retries_counts_all_attempts(
    world: World, hold: Holdfast, max_retries: int, expected: int
) -> None:
    world.simulator.fault(Fault(Status(500), times=None))
    reply = await hold.agent(max_retries=max_retries).chat("Hello")

    assert (len(world.bodies()), reply.attempts, reply.outcome) == (expected, expected, "fallback")


async def test_a_failure_in_between_is_retried_and_counted(world: World, hold: Holdfast) -> None:
    world.simulator.fault(Fault(Status(529), times=2))
    reply = await hold.agent().chat("Hello")

    assert (reply.outcome, reply.attempts) == ("answered", 3)
    assert reply.cost == world.simulator.billed


async def test_a_name_that_no_database_can_store_is_mended(hold: Holdfast) -> None:
    reply = await hold.agent(system="\ud800", name="\ud800").chat(
        "Hello", user="\ud800", conversation="\udfff"
    )

    (record,) = await hold.runtime.ledger.newest(9)
    assert reply.outcome == "answered"
    assert (record.user, record.agent, record.run) == ("\ufffd", "\ufffd", "\ufffd")


def test_a_hold_speaks_the_language_of_its_settings(world: World) -> None:
    with world.hold(language="ko") as hold:
        assert (hold.agent().language, hold.agent(language="en").language) == ("ko", "en")


def test_the_conversation_of_a_user_survives_in_a_script(world: World, hold: Holdfast) -> None:
    agent: ProductionAgent = hold.agent()
    first = agent.chat_sync("One")
    agent.chat_sync("Two", conversation=first.conversation)

    assert len(messages(world, 1)) == 3
    assert len(records(hold)) == 2


def messages(world: World, request: int) -> list[Json]:
    return list(world.bodies()[request]["messages"])


STRANGE = """{
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-next-9", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 3, "output_tokens": 4}
}"""


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            '[{"type": "text", "text": "a"}, {"type": "later_kind", "text": {"x": 1}}, {"type": "text", "text": "b"}]',
            "ab",
        ),
        ("[]", ""),
    ],
)
async def test_blocks_of_an_unknown_kind_are_passed_over(
    world: World, hold: Holdfast, content: str, text: str
) -> None:
    world.simulator.fault(Status(200, body=STRANGE.replace('[{"type": "text", "text": "hi"}]', content)))

    assert (await hold.agent(fallback=None).chat("Hello")).text == text


async def test_a_message_without_readable_content_is_no_answer(world: World, hold: Holdfast) -> None:
    world.simulator.fault(Status(200, body=STRANGE.replace('[{"type": "text", "text": "hi"}]', '"hi"')))
    reply = await hold.agent().chat("Hello")

    assert (reply.outcome, type(reply.reason)) == ("fallback", StreamInterrupted)
