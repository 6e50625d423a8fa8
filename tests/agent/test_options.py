"""What an agent is made of, and what it refuses to be made of."""

from decimal import Decimal
from typing import Any

import pytest

from holdfast import ConfigError, Holdfast, InputRejected, ProductionAgent
from holdfast.errors import KeyMissing
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.agent.conftest import World


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_retries": -1}, "max_retries"),
        ({"language": "fr"}, "language"),
        ({"fallback": 42}, "fallback"),
        ({"upstream": "nonsense"}, "nonsense"),
        ({"upstream": 5}, "upstream"),
        ({"model": 5}, "model"),
        ({"system": ["x"]}, "system"),
        ({"name": 5}, "name"),
        ({"tools": print}, "tools"),
        ({"memory": True}, r"Memory\(\)"),
        ({"budget": 5}, r"Budget\(5"),
        ({"quota": 20}, r"Quota\(20"),
        ({"cache": True}, r"Cache\(ttl"),
        ({"route": "small"}, r"Route\(\)"),
        ({"limits": {"turns": 3}}, r"LoopLimits\(turns"),
        ({"approve": True}, "approve"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_retries": "3"}, "max_retries"),
        ({"context_tokens": "many" * 50}, "context_tokens is 'manymany.*…: give"),
        ({"sessions": None}, "sessions"),
        ({"hold": "x"}, "Holdfast"),
        ({"upstream": "https://api.anthropic.com/v1"}, "without /v1"),
    ],
)
def test_options_without_sense_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        ProductionAgent(**options)

    assert caught.value.say("ko") != caught.value.say("en")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (None, "message must be str"),
        (b"Hello", "message must be str"),
        ({"role": "user"}, "message must be str"),
        (["Hello"], "a content block must be a mapping, not str"),
    ],
)
async def test_what_is_no_message_is_a_type_error(
    world: World, hold: Holdfast, message: Any, said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        await hold.agent().chat(message)

    assert world.bodies() == []


async def test_an_empty_message_is_refused_and_never_sent(world: World, hold: Holdfast) -> None:
    for message in ("", " ", [], [{"type": "text", "text": "\x00"}]):
        with pytest.raises(InputRejected, match="empty"):
            await hold.agent(fallback=None).chat(message)

    assert world.bodies() == []


@pytest.mark.parametrize("names", [{"user": 5}, {"conversation": 5}])
async def test_a_name_that_is_no_text_is_a_type_error(hold: Holdfast, names: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="must be str, not int"):
        await hold.agent().chat("Hello", **names)


async def test_decisions_that_name_no_call_are_a_type_error(hold: Holdfast) -> None:
    decisions: Any = True
    with pytest.raises(TypeError, match="ids of calls"):
        await hold.agent().resume("c", decisions)


def test_an_unknown_option_is_a_type_error(hold: Holdfast) -> None:
    options: dict[str, Any] = {"temperatur": 1}
    with pytest.raises(TypeError, match="temperatur"):
        ProductionAgent(**options)
    with pytest.raises(TypeError, match="temperatur"):
        hold.agent(**options)


def test_only_the_model_may_be_given_by_position() -> None:
    arguments: tuple[Any, ...] = ("claude-sonnet-5-5", "You are terse.")
    with pytest.raises(TypeError):
        ProductionAgent(*arguments)


def test_a_hold_and_an_upstream_exclude_each_other(hold: Holdfast) -> None:
    with pytest.raises(ConfigError, match="either hold or upstream"):
        ProductionAgent(hold=hold, upstream="simulator")


def test_the_options_of_the_article_have_their_values_of_the_article() -> None:
    agent = ProductionAgent()

    assert (agent.model, agent.system, agent.max_tokens, agent.max_retries) == (None, None, 4096, 3)
    assert (agent.language, agent.name, agent.hold, agent.upstream) == ("en", None, None, None)


def test_an_agent_that_was_never_asked_opens_nothing(clean: None) -> None:
    metrics = ProductionAgent().metrics()

    assert (metrics.request_count, metrics.circuit_state, metrics.total_cost) == (0, "closed", Decimal(0))


async def test_without_a_key_the_chat_says_which_variable_to_set(clean: None) -> None:
    async with ProductionAgent(fallback="No.") as agent:
        with pytest.raises(KeyMissing, match="ANTHROPIC_API_KEY") as caught:
            await agent.chat("Hello")
        with pytest.raises(KeyMissing):
            agent.stream("Hello")

    assert "키가 없습니다" in caught.value.say("ko")


async def test_a_key_that_is_empty_is_no_key(
    clean: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "key").write_text("\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", " ")
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "key"))
    async with ProductionAgent() as agent:
        with pytest.raises(KeyMissing):
            await agent.chat("Hello")


@pytest.mark.parametrize("form", ["{}", " {}\n", "{}\r\n"])
@pytest.mark.parametrize("is_file", [True, False])
async def test_the_key_goes_to_the_upstream_without_the_white_space_around_it(
    upstream: RunningSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, form: str, is_file: bool
) -> None:
    key = form.format("sk-ant-api03-test")
    (tmp_path / "key").write_text(key)
    if is_file:
        monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "key"))
    else:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    async with ProductionAgent(upstream=upstream.url) as agent:
        await agent.chat("Hello")

    assert upstream.simulator.requests[0].key == "sk-ant-api03-test"


@pytest.mark.parametrize("key", ["sk-ant-“quoted”", "two words", "sk-ant-\x7f"])
async def test_a_key_that_was_copied_badly_is_named_and_not_shown(
    clean: None, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY") as caught:
        await ProductionAgent().chat("Hello")

    assert key not in caught.value.say("en") + caught.value.say("ko")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
async def test_a_key_file_that_cannot_be_read_is_named(
    clean: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigError, match=r"ANTHROPIC_API_KEY_FILE: .*key cannot be read"):
        await ProductionAgent().chat("Hello")


async def test_an_address_that_needs_no_key_gets_a_text_in_its_place(upstream: RunningSimulator) -> None:
    async with ProductionAgent(upstream=upstream.url) as agent:
        reply = await agent.chat("Hello")

    assert (reply.outcome, upstream.simulator.requests[0].key) == ("answered", "held-by-holdfast")


async def test_the_embedded_simulator_needs_neither_key_nor_network(clean: None) -> None:
    async with ProductionAgent(upstream="simulator") as agent:
        assert (await agent.chat("Hello")).outcome == "answered"


async def test_more_retries_than_usual_are_made_where_they_are_wished_for(upstream: RunningSimulator) -> None:
    upstream.simulator.fault(Fault(Status(500), times=4))
    async with ProductionAgent(upstream=upstream.url, max_retries=5) as agent:
        reply = await agent.chat("Hello")

    assert (reply.outcome, reply.attempts) == ("answered", 5)


async def test_an_agent_on_a_hold_leaves_the_hold_open(world: World) -> None:
    with world.hold() as hold:
        async with hold.agent() as agent:
            await agent.chat("One")
        assert (await agent.chat("Two")).outcome == "answered"
        assert len(await hold.runtime.ledger.newest(9)) == 2


def test_its_shape_can_be_read_without_its_secrets(clean: None) -> None:
    assert repr(ProductionAgent("claude-sonnet-5-5", name="helper")).startswith(
        "ProductionAgent(model='claude-sonnet-5-5', tools=()"
    )
