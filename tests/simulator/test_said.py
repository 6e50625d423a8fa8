"""What the simulated model says on request: secret thoughts, searches with sources, pauses, templates, scripts."""

from typing import Any

import pytest

from holdfast.simulator import BrownOut, Curve, Outage, Point, Simulator, Turn
from holdfast.testing import FakeClock
from tests.simulator.conftest import Api, Json, ask

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SECRET = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING Why?"
THINKS: Json = {"thinking": {"type": "adaptive"}}


def back(question: str, content: object, last: str = "Go on") -> list[Json]:
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": content},
        {"role": "user", "content": last},
    ]


@pytest.mark.requirement("simulator:redacted")
async def test_a_secret_thought_comes_back_unchanged_or_not_at_all(api: Api) -> None:
    first = await api.message(SECRET, **THINKS)
    block = first["content"][0]
    assert block["type"] == "redacted_thinking"
    assert first["usage"]["output_tokens_details"]["thinking_tokens"] > 0
    assert (await api.message("", messages=back(SECRET, first["content"]), **THINKS))["content"]
    for data in ("AAAA", "not base64!", block["data"][:-8] + "AAAAAAA="):
        altered = [{**block, "data": data}, *first["content"][1:]]
        status, _, message = await api.refusal(ask(messages=back(SECRET, altered), **THINKS))
        assert (status, message) == (
            400,
            "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
        )


async def test_a_secret_thought_holds_for_its_conversation(api: Api) -> None:
    first = await api.message(SECRET, **THINKS)
    other = back("Something else", first["content"])
    assert (await api.refusal(ask(messages=other, **THINKS)))[0] == 400


async def test_a_secret_thought_is_streamed_without_deltas(api: Api) -> None:
    events = await api.events(SECRET, **THINKS)
    start = next(event for event in events if event["type"] == "content_block_start")
    assert start["content_block"]["type"] == "redacted_thinking"
    assert not [event for event in events if event["type"] == "content_block_delta" and event["index"] == 0]


async def test_thoughts_can_be_scripted(api: Api) -> None:
    api.simulator.say(Turn(thinking="Hm.", text="Yes."), Turn(thinking="Hm!", redacted=True, text="No."))
    kinds = [[block["type"] for block in (await api.message("Why?", **THINKS))["content"]] for _ in range(2)]
    assert kinds == [["thinking", "text"], ["redacted_thinking", "text"]]
    api.simulator.say(Turn(thinking="Hm.", text="Yes."))
    assert [block["type"] for block in (await api.message("Why?"))["content"]] == ["text"]


async def test_thoughts_of_haiku_hold_for_one_account(api: Api) -> None:
    api.simulator.accounts = {"mine": "a", "ours": "a", "theirs": "b"}
    body = ask("Why?", model="claude-haiku-5-5", **THINKS)
    first = (await api.post(body, x_api_key="mine")).json()
    again = {**body, "messages": back("Why?", first["content"])}
    assert [(await api.post(again, x_api_key=key)).status_code for key in ("ours", "theirs")] == [200, 400]


async def test_thoughts_of_other_models_hold_for_every_account(api: Api) -> None:
    api.simulator.accounts = {"mine": "a", "theirs": "b"}
    first = (await api.post(ask("Why?", **THINKS), x_api_key="mine")).json()
    again = ask(messages=back("Why?", first["content"]), **THINKS)
    assert (await api.post(again, x_api_key="theirs")).status_code == 200


async def test_a_question_with_the_magic_words_is_refused_free_of_charge(api: Api) -> None:
    message = await api.message("ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL")
    assert (message["stop_reason"], message["content"]) == ("refusal", [])
    assert message["stop_details"]["type"] == "refusal"
    assert api.simulator.billed == 0


async def test_an_answer_after_a_search_quotes_what_was_found(api: Api) -> None:
    message = await api.message("search the web for tides", tools=[SEARCH])
    text = message["content"][-1]
    assert text["citations"][0]["type"] == "web_search_result_location"
    assert text["citations"][0]["url"] == message["content"][1]["content"][0]["url"]
    events = await api.events("search the web for tides", tools=[SEARCH])
    kinds = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert kinds[-1] == "citations_delta"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ({"type": "text", "media_type": "text/plain", "data": "Low tide at six."}, "char_location"),
        ({"type": "content", "content": [{"type": "text", "text": "Low"}]}, "content_block_location"),
        ({"type": "content", "content": []}, "content_block_location"),
        ({"type": "base64", "media_type": "application/pdf", "data": ""}, "page_location"),
    ],
)
async def test_documents_are_quoted_where_they_want_to_be(api: Api, source: Json, place: str) -> None:
    block: Json = {"type": "document", "title": "Tides", "source": source, "citations": {"enabled": True}}
    question = {"type": "text", "text": "When?"}
    message = await api.message("", messages=[{"role": "user", "content": [block, question]}])
    (citation,) = message["content"][0]["citations"]
    assert (citation["type"], citation["document_title"]) == (place, "Tides")
    plain = {**block, "citations": {"enabled": False}}
    silent = await api.message("", messages=[{"role": "user", "content": [plain, question]}])
    assert "citations" not in silent["content"][0]


@pytest.mark.requirement("simulator:pause")
async def test_a_paused_turn_is_sent_back_and_gone_on_with(api: Api) -> None:
    api.simulator.say(Turn(search="tides", pause=True))
    first = await api.message("search the web for tides", tools=[SEARCH])
    assert first["stop_reason"] == "pause_turn"
    assert [block["type"] for block in first["content"]] == ["server_tool_use"]
    messages = back("search the web for tides", first["content"])[:2]
    second = await api.message("", messages=messages, tools=[SEARCH])
    assert [block["type"] for block in second["content"]] == ["web_search_tool_result", "text"]
    assert second["content"][0]["tool_use_id"] == first["content"][0]["id"]
    assert second["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert second["stop_reason"] == "end_turn"


async def test_a_scripted_search_is_followed_by_the_text_that_was_scripted(api: Api) -> None:
    api.simulator.say(Turn(search="tides", text="At six."))
    message = await api.message("When?", tools=[SEARCH])
    assert [block["type"] for block in message["content"]] == [
        "server_tool_use",
        "web_search_tool_result",
        "text",
    ]
    assert message["content"][-1]["text"] == "At six."


async def test_a_template_takes_up_the_question() -> None:
    api = Api(Simulator(time_scale=0, mode="template", template="You said: {text} ({subject})"))
    assert await api.text("Hello") == "You said: Hello (Hello)"


async def test_answers_are_scripted_for_one_conversation_alone(api: Api) -> None:
    api.simulator.say("One for Ada", "Two for Ada", to="Ada")
    api.simulator.say("For anybody")
    assert await api.text("I am Bob") == "For anybody"
    assert await api.text("I am Ada") == "One for Ada"
    follow: list[Any] = back("I am Ada", "One for Ada", "And?")
    assert await api.text("", messages=follow) == "Two for Ada"
    assert await api.text("I am Bob again") not in ("Two for Ada", "For anybody")


async def test_an_outage_of_a_region_leaves_the_others_alone(api: Api) -> None:
    stretches: list[Any] = [
        Outage(0, region="us"),
        BrownOut(0, 60, error_rate=1, region="us"),
        Curve((Point(0, 1), Point(60, 1)), region="us"),
    ]
    for stretch in stretches:
        api.simulator.profile = (stretch,)
        statuses = [(await api.post(ask(inference_geo=place))).status_code for place in ("us", "global")]
        assert statuses == [529, 200]


async def test_a_read_keeps_an_hour_s_entry_for_an_hour_whatever_stands_there_now() -> None:
    clock = FakeClock()
    api = Api(Simulator(time_scale=0, clock=clock))
    text = "Be brief. " * 2_000
    hour = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    plain = [{"type": "text", "text": text}]
    mark = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    await api.message("Hello", system=hour)
    clock.advance(3_000)
    read = await api.message("", system=plain, messages=[{"role": "user", "content": [mark]}])
    assert read["usage"]["cache_read_input_tokens"] > 1_000
    clock.advance(3_000)
    again = await api.message("Hi", system=hour)
    assert again["usage"]["cache_read_input_tokens"] > 1_000


@pytest.mark.parametrize("chunking", ["word", "token"])
async def test_texts_are_cut_into_words_or_tokens_and_stay_the_same(api: Api, chunking: Any) -> None:
    whole = await api.text("Hello")
    api.simulator.chunking = chunking
    events = await api.events("Hello")
    pieces = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(pieces) == whole
    if chunking == "word":
        assert all(len(piece.split()) == 1 for piece in pieces)
    else:
        assert {len(piece) for piece in pieces[:-1]} == {4}


async def test_answers_in_fast_mode_tell_of_their_own_limits(api: Api) -> None:
    fast = await api.post(ask(model="claude-opus-5-5", speed="fast"))
    slow = await api.post(ask(model="claude-opus-5-5"))
    assert (
        fast.headers["anthropic-fast-input-tokens-limit"]
        == fast.headers["anthropic-ratelimit-input-tokens-limit"]
    )
    assert not [name for name in slow.headers if name.startswith("anthropic-fast-")]
