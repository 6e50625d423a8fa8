"""What the API refuses, and with which words."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Json

NEW = {"anthropic_version": "2026-10-21"}


def ask(**more: object) -> "Json":
    body: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
        **more,
    }
    return {name: value for name, value in body.items() if value is not ...}


def said(*contents: object) -> list["Json"]:
    """Alternating turns, the first by the user."""
    return [{"role": ("user", "assistant")[index % 2], "content": one} for index, one in enumerate(contents)]


def tool(name: str = "t", **more: object) -> "Json":
    return {"name": name, "input_schema": {"type": "object"}, **more}


def marked(ttl: str = "5m") -> "Json":
    return {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": ttl}}


CALL: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}
DOCUMENT: dict[str, Any] = {"type": "document", "source": {}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
ENABLED = {"type": "enabled", "budget_tokens": 2048}

REFUSED: list[tuple["Json", str]] = [
    (ask(model=...), "model: Field required"),
    (ask(messages=...), "messages: Field required"),
    (ask(max_tokens=...), "max_tokens: Field required"),
    (ask(max_tokens=None), "max_tokens: Input should be a valid integer"),
    (ask(max_tokens=True), "max_tokens: Input should be a valid integer"),
    (ask(max_tokens="9"), "max_tokens: Input should be a valid integer"),
    (ask(max_tokens=-1), "max_tokens: Input should be greater than or equal to 0"),
    (ask(model=7), "model: Input should be a valid string"),
    (ask(messages="Hi"), "messages: Input should be a valid list"),
    (ask(stream="yes"), "stream: Input should be a valid boolean"),
    (ask(system=7), "system: Input should be a valid string or list"),
    (ask(service_tier="gold"), "service_tier: Input should be 'auto' or 'standard_only'"),
    (ask(surprise=1), "surprise: Extra inputs are not permitted"),
    (ask(messages=[]), "messages: at least one message is required"),
    (ask(messages=["Hi"]), "messages.0: Input should be a valid dictionary"),
    (ask(messages=[{"content": "Hi"}]), "messages.0.role: Field required"),
    (ask(messages=[{"role": "user"}]), "messages.0.content: Field required"),
    (
        ask(messages=[{"role": "tool", "content": "Hi"}]),
        "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ),
    (ask(messages=[{"role": "system", "content": "Hi"}]), "messages: at least one user message is required"),
    (ask(messages=said(7)), "messages.0.content: Input should be a valid string or list"),
    (
        ask(messages=said("")),
        "messages.0: all messages must have non-empty content except for the optional final assistant message",
    ),
    (ask(messages=said([7])), "messages.0.content.0: Input should be a valid dictionary"),
    (ask(messages=said([{"text": "Hi"}])), "messages.0.content.0.type: Field required"),
    (ask(messages=said([{"type": "text"}])), "messages.0.content.0.text.text: Field required"),
    (ask(messages=said([{"type": "text", "text": ""}])), "messages: text content blocks must be non-empty"),
    (ask(messages=said([{"type": "image"}])), "messages.0.content.0.image.source: Field required"),
    (ask(stop_sequences=[7]), "stop_sequences.0: Input should be a valid string"),
    (ask(stop_sequences=[" "]), "stop_sequences: each stop sequence must contain non-whitespace"),
    (ask(tools=[7]), "tools: Input should be a valid dictionary"),
    (ask(tools=[{"name": "t"}]), "tools.0.custom.input_schema: Field required"),
    (ask(tools=[tool(input_schema={})]), "tools.0.custom.input_schema.type: Field required"),
    (ask(tools=[tool(), tool()]), "tools: Tool names must be unique."),
    (ask(tool_choice={"type": "auto"}), "tool_choice: may only be specified while providing tools."),
    (
        ask(tools=[tool()], tool_choice={"type": "all"}),
        "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'",
    ),
    (
        ask(tools=[tool()], tool_choice={"type": "tool", "name": "u"}),
        "tool_choice: Tool 'u' not found in provided tools",
    ),
    (
        ask(tools=[tool()], tool_choice={"type": "any"}),
        'tool_choice.type: "any" is not supported for this model. Use "auto" or "none".',
    ),
    (
        ask(
            model="claude-haiku-4-5",
            max_tokens=4096,
            tools=[tool()],
            tool_choice={"type": "any"},
            thinking=ENABLED,
        ),
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    (
        ask(messages=said("Hi", [CALL], "and?")),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
    ),
    (
        ask(messages=said("Hi", [CALL])),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
    ),
    (
        ask(messages=said("Hi", "Yes?", [RESULT])),
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. "
        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
    ),
    (ask(messages=said("Hi", [CALL, CALL], [RESULT])), "messages.1: `tool_use` ids must be unique"),
    (
        ask(messages=said("Hi", [DOCUMENT], "Go on")),
        "messages.1.content: `document` blocks are not permitted in assistant messages",
    ),
    (
        ask(messages=said([marked() for _ in range(5)])),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    (
        ask(messages=said([marked("5m"), marked("1h")])),
        "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
        "Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    ),
    (ask(messages=said([marked("2h")])), "cache_control.ephemeral.ttl: Input should be '5m' or '1h'"),
    (
        ask(messages=said([{**marked(), "cache_control": {"type": "for ever"}}])),
        "cache_control.type: Input should be 'ephemeral'",
    ),
    (
        ask(max_tokens=128_001),
        "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-sonnet-5-5",
    ),
    (
        ask(max_tokens=0, stream=True),
        "max_tokens: 0 only warms the prompt cache and cannot be combined with stream",
    ),
    (ask(temperature=0.5), "`temperature` is deprecated for this model."),
    (ask(top_k=1), "`top_k` is deprecated for this model."),
    (ask(model="claude-haiku-4-5", temperature=2), "temperature: Input should be less than or equal to 1"),
    (ask(model="claude-haiku-4-5", top_p=-1), "top_p: Input should be greater than or equal to 0"),
    (ask(model="claude-haiku-4-5", temperature="hot"), "temperature: Input should be a valid number"),
    (
        ask(model="claude-haiku-4-5", temperature=0.5, top_p=0.5),
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    ),
    (
        ask(thinking={"type": "on"}),
        "thinking.type: Input should be 'adaptive', 'enabled', 'disabled' or 'between_tools'",
    ),
    (
        ask(thinking=ENABLED, max_tokens=4096),
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.',
    ),
    (
        ask(model="claude-haiku-4-5", thinking={"type": "adaptive"}),
        '"thinking.type.adaptive" is not supported for this model.',
    ),
    (
        ask(model="claude-haiku-4-5", thinking={"type": "enabled"}),
        "thinking.enabled.budget_tokens: Field required",
    ),
    (
        ask(model="claude-haiku-4-5", thinking={"type": "enabled", "budget_tokens": 1}),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    (
        ask(model="claude-haiku-4-5", thinking=ENABLED),
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    (
        ask(model="claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "max"}),
        'thinking.type: "disabled" is not supported at effort "max" for this model',
    ),
    (ask(speed="fast"), "speed: 'fast' is not supported for this model"),
    (ask(speed="fast", model="claude-opus-4-7"), "speed: 'fast' is not supported for this model"),
    (ask(inference_geo="mars"), "inference_geo: Input should be 'us' or 'global'"),
    (ask(inference_geo="us", model="claude-haiku-4-5"), "inference_geo: is not supported for this model"),
]


@pytest.mark.parametrize(("body", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
async def test_an_invalid_body_is_refused_in_the_words_of_the_api(
    api: "Api", body: "Json", message: str
) -> None:
    assert await api.refusal(body) == (400, "invalid_request_error", message)


ACCEPTED: list["Json"] = [
    ask(temperature=1),
    ask(model="claude-haiku-4-5", temperature=0.3),
    ask(model="claude-haiku-4-5", thinking=ENABLED, max_tokens=4096),
    ask(thinking={"type": "between_tools"}),
    ask(system=[{"type": "text", "text": "Be brief."}], metadata={"user_id": "u"}, service_tier="auto"),
    ask(messages=[{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}]),
    ask(messages=said("Hi", "I say ")),
    ask(messages=said("Hi", [CALL], [RESULT, {"type": "text", "text": "and?"}])),
    ask(messages=said([marked("1h"), marked("5m")])),
    ask(speed="fast", model="claude-opus-5-5"),
    ask(speed="fast", model="claude-opus-4-6"),
    ask(tools=[{"type": "bash_20250124", "name": "bash"}]),
    ask(context_management=None, container=None, mcp_servers=[], tags={}, safeguards={}),
]


@pytest.mark.parametrize("body", ACCEPTED)
async def test_a_valid_body_is_answered(api: "Api", body: "Json") -> None:
    response = await api.post(body)
    assert response.status_code == 200, response.text


async def test_lenient_lets_unknown_fields_pass(api: "Api") -> None:
    api.simulator.lenient = True
    assert (await api.post(ask(surprise=1))).status_code == 200


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
async def test_the_new_version_knows_no_sampling_parameters(api: "Api", name: str) -> None:
    body = ask(model="claude-haiku-4-5", **{name: 1})
    assert (await api.post(body)).status_code == 200
    assert await api.refusal(body, **NEW) == (
        400,
        "invalid_request_error",
        f"{name}: Extra inputs are not permitted",
    )


async def test_the_new_version_refuses_citations_in_user_text(api: "Api") -> None:
    body = ask(messages=said([{"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]}]))
    assert (await api.post(body)).status_code == 200
    assert (await api.refusal(body, **NEW))[0] == 400


async def test_a_prompt_longer_than_the_window_is_refused(api: "Api") -> None:
    body = ask(model="claude-haiku-4-5", messages=said("x" * 800_000))
    tokens = await api.tokens(body)
    assert await api.refusal(body) == (
        400,
        "invalid_request_error",
        f"prompt is too long: {tokens} tokens > 200000 maximum",
    )


@pytest.mark.parametrize("model", ["claude-3-opus-20240229", "claude-3-5-haiku-latest", "gpt-5"])
async def test_a_retired_or_unknown_model_is_not_found(api: "Api", model: str) -> None:
    assert await api.refusal(ask(model=model)) == (404, "not_found_error", f"model: {model}")


async def test_a_model_is_gone_from_the_day_it_retires(api: "Api") -> None:
    body = ask(model="claude-sonnet-4-5")
    assert (await api.post(body)).status_code == 200
    clock = api.simulator.clock
    await clock.sleep(8 * 86_400)
    assert (await api.post(body)).status_code == 404


async def test_a_thread_is_refused_in_the_way_clients_recover_from(api: "Api") -> None:
    response = await api.post(ask(thread={"type": "create"}))
    assert response.status_code == 400
    assert response.json()["error"]["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["inference_hooks"],
    }


async def test_errors_are_free(api: "Api") -> None:
    await api.post(ask(model="nobody"))
    assert len(api.simulator.ledger) == 0
    assert api.simulator.billed == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (ask(), "max_tokens: Extra inputs are not permitted"),
        (ask(max_tokens=..., model=...), "model: Field required"),
        (ask(max_tokens=..., messages=[]), "messages: at least one message is required"),
        (
            ask(max_tokens=..., thread={"type": "create"}),
            "thread: this organization's settings do not support",
        ),
    ],
)
async def test_count_tokens_refuses_too(api: "Api", body: "Json", message: str) -> None:
    response = await api.post(body, "/v1/messages/count_tokens")
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(message)
