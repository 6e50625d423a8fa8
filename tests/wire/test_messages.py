"""Reading a request's body without judging it in the upstream's place."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.errors import MalformedRequest
from holdfast.wire.messages import MOST_BRACKETS, MessagesRequest, TextBlock, read_request


def read(**members: object) -> MessagesRequest:
    return read_request(json.dumps(members).encode())


def newest(*messages: object) -> list[tuple[str, str, str]]:
    return [(block.text, block.channel, block.path) for block in read(messages=messages).newest]


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def assistant(content: object) -> dict[str, object]:
    return {"role": "assistant", "content": content}


def test_the_plainest_request_is_read() -> None:
    request = read(model="claude-sonnet-5-5", max_tokens=100, stream=True, messages=[user("Hi")])
    assert (request.model, request.max_tokens, request.stream) == ("claude-sonnet-5-5", 100, True)
    assert request.newest == (TextBlock("Hi", "user", "messages.0.content"),)
    assert request.message_count == 1


def test_what_is_missing_is_left_to_the_upstream() -> None:
    request = read_request(b"{}")
    assert (request.model, request.max_tokens, request.stream, request.user_id) == ("", None, False, None)
    assert (request.newest, request.message_count, request.tool_names) == ((), 0, ())
    assert not request.thread
    assert not request.has_thinking
    assert not request.cache_control


@pytest.mark.parametrize("max_tokens", [0, 64000, 10**30])
def test_any_ceiling_from_zero_up_is_taken(max_tokens: int) -> None:
    assert read(max_tokens=max_tokens).max_tokens == max_tokens


def test_a_ceiling_written_as_a_decimal_is_whole() -> None:
    assert isinstance(read(max_tokens=100.0).max_tokens, int)


def test_null_members_are_as_good_as_missing() -> None:
    request = read(max_tokens=None, stream=None, thread=None, metadata=None, system=None, tools=None)
    assert (request.max_tokens, request.stream, request.thread, request.user_id) == (None, False, False, None)
    assert (request.system_text, request.tool_names) == ("", ())


def test_the_user_is_the_one_of_the_metadata() -> None:
    assert read(metadata={"user_id": "alice"}).user_id == "alice"


@pytest.mark.parametrize("metadata", [[], "alice", {"user_id": 5}, {}])
def test_metadata_of_another_shape_names_nobody(metadata: object) -> None:
    assert read(metadata=metadata).user_id is None


def test_only_the_turn_after_the_last_assistant_is_new() -> None:
    turns = [user("old"), assistant("answer"), user("new"), user([{"type": "text", "text": "newer"}])]
    assert newest(*turns) == [
        ("new", "user", "messages.2.content"),
        ("newer", "user", "messages.3.content.0.text"),
    ]


def test_a_prefilled_answer_does_not_hide_the_turn_before_it() -> None:
    assert newest(user("old"), assistant("a"), user("new"), assistant("Sure, ")) == [
        ("new", "user", "messages.2.content")
    ]


def test_answers_alone_have_no_new_turn() -> None:
    assert newest(assistant("a"), assistant("b")) == []


def test_an_unknown_role_is_read_like_a_users() -> None:
    assert newest({"role": "developer", "content": "x"}, {"content": "y"}) == [
        ("x", "user", "messages.0.content"),
        ("y", "user", "messages.1.content"),
    ]


def test_a_tools_result_is_of_the_tool() -> None:
    content = [
        {"type": "tool_result", "tool_use_id": "t", "content": "plain"},
        {"type": "tool_result", "tool_use_id": "u", "content": [{"type": "text", "text": "in a list"}]},
        {"type": "text", "text": "and now?"},
    ]
    assert newest(assistant("a"), user(content)) == [
        ("plain", "tool", "messages.1.content.0.content"),
        ("in a list", "tool", "messages.1.content.1.content.0.text"),
        ("and now?", "user", "messages.1.content.2.text"),
    ]


def test_documents_and_search_results_are_read_in_full() -> None:
    search = {
        "type": "search_result",
        "source": "https://example.com",
        "title": "T",
        "content": [{"type": "text", "text": "found"}],
    }
    plain = {
        "type": "document",
        "title": "D",
        "context": "C",
        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
    }
    made = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "made"}]}}
    result = {"type": "tool_result", "content": [search, plain, made]}
    texts = [text for text, channel, _ in newest(user([result])) if channel == "tool"]
    assert texts == ["https://example.com", "T", "found", "words", "D", "C", "made"]


def test_a_document_that_the_caller_attaches_is_not_the_callers_own_word() -> None:
    block = {"type": "document", "source": {"type": "text", "data": "words"}}
    assert newest(user([block])) == [("words", "tool", "messages.0.content.0.source.data")]


def test_pictures_and_files_have_no_text() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    paper = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
    }
    assert newest(user([picture, paper])) == []


def test_an_unknown_block_is_read_where_it_has_text() -> None:
    assert newest(user([{"type": "novel", "content": {"text": "deep", "stdout": "out"}}])) == [
        ("deep", "tool", "messages.0.content.0.content.text"),
        ("out", "tool", "messages.0.content.0.content.stdout"),
    ]


@pytest.mark.parametrize("content", [None, 5, True, [], [None, 5, []], {}, [{"type": 7}], [{"text": 5}], ""])
def test_content_of_another_shape_is_passed_over(content: object) -> None:
    assert newest(user(content)) == []


def test_a_message_that_is_no_object_keeps_its_place() -> None:
    assert newest("odd", user("x")) == [("x", "user", "messages.1.content")]


def nested(levels: int) -> object:
    block: object = "bottom"
    for _ in range(levels):
        block = [{"type": "tool_result", "content": block}]
    return block


def test_a_text_is_found_deeper_than_the_api_nests_them() -> None:
    ((text, channel, path),) = newest(user(nested(11)))
    assert (text, channel) == ("bottom", "tool")
    assert path == "messages.0.content" + ".0.content" * 11


def test_no_text_hides_by_being_nested_deeper_still() -> None:
    with pytest.raises(MalformedRequest, match="nested too deep"):
        newest(user(nested(12)))


@pytest.mark.parametrize(
    "turn",
    [
        [user([{"type": "tool_result", "content": [{"text": "a"}] * 50_000}, {"text": "b"}])],
        [user([{"text": "a"}] * 25_000)] * 2,
        [user("a")] * 50_001,
    ],
)
def test_a_turn_of_countless_blocks_is_refused_before_it_can_hold_up_others(turn: list[object]) -> None:
    with pytest.raises(MalformedRequest, match="more than 50,000 content blocks"):
        newest(*turn)


def test_the_system_prompt_is_read_in_all_its_forms() -> None:
    later = {"role": "system", "content": "mind this"}
    assert read(system="be kind").system_text == "be kind"
    request = read(
        system=[{"type": "text", "text": "be"}, {"type": "text", "text": "kind"}], messages=[later]
    )
    assert request.system_text == "be\nkind\nmind this"
    assert request.newest == ()


def test_tools_are_known_by_name() -> None:
    tools = [{"name": "look"}, {"type": "web_search_20260209", "name": "web_search"}, {"type": "x"}, "odd"]
    assert read(tools=tools).tool_names == ("look", "web_search")


@pytest.mark.parametrize("tools", [None, {}, "look", 5])
def test_tools_of_another_shape_have_no_names(tools: object) -> None:
    assert read(tools=tools).tool_names == ()


@pytest.mark.parametrize("kind", ["thinking", "redacted_thinking"])
def test_thinking_in_the_history_is_noticed(kind: str) -> None:
    assert read(messages=[user("q"), assistant([{"type": kind}]), user("x")]).has_thinking


def test_thinking_that_is_not_the_models_is_none() -> None:
    turns = [user([{"type": "thinking"}]), assistant([{"type": "text", "text": "thinking"}]), assistant("x")]
    assert not read(messages=turns, thinking={"type": "adaptive"}).has_thinking


def test_a_thread_is_noticed() -> None:
    assert read(thread={"type": "create"}).thread


@pytest.mark.parametrize(
    "body",
    [
        b'{"cache_control":{"type":"ephemeral"}}',
        b'{"tools":[{"name":"t","cache_control":{"type":"ephemeral"}}]}',
        b'{"system":[{"type":"text","text":"x","cache\\u005fcontrol":{}}]}',
    ],
)
def test_a_cache_mark_is_noticed_anywhere(body: bytes) -> None:
    assert read_request(body).cache_control


def test_talk_of_a_cache_mark_is_none() -> None:
    assert not read(messages=[user('what does "cache_control" mean?')]).cache_control


def test_images_are_counted_wherever_they_are_and_their_data_is_not_text() -> None:
    inline = {"type": "image", "source": {"type": "base64", "data": "A" * 5000}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    made = {"type": "document", "source": {"type": "content", "content": [inline, "odd"]}}
    turns = [
        user([inline, {"type": "image"}]),
        assistant("x"),
        user([{"type": "tool_result", "content": [linked]}]),
    ]
    request = read(messages=[*turns, user([made])])
    assert request.image_count == 4
    assert request.characters < 1000
    assert request.text_bytes == request.characters


def test_size_is_that_of_the_plain_words_and_not_of_their_escapes() -> None:
    content = "안녕" * 100
    escaped = json.dumps({"messages": [user(content)]}, indent=4).encode()
    plain = json.dumps({"messages": [user(content)]}, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(escaped) > 1200
    assert read_request(escaped).text_bytes == read_request(plain).text_bytes == len(plain)
    assert read_request(escaped).characters == len(plain.decode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b"model=x", "not valid JSON"),
        (b'{"model":"x"', "not valid JSON"),
        (b'{"model":"x"} {}', "not valid JSON"),
        (b'{"temperature":NaN}', "not valid JSON"),
        (b'{"odd":1e999}', "not valid JSON"),
        (b'{"odd":"\\ud800"}', "not valid JSON"),
        (b'\xef\xbb\xbf{"model":"x"}', "not valid JSON"),
        (b'{"odd":"\xff"}', "not valid UTF-8"),
        (b'{"odd":"\xed\xa0\x80"}', "not valid UTF-8"),
        (b"[]", "Input should be an object"),
        (b'"text"', "Input should be an object"),
        (b"null", "Input should be an object"),
        (b'{"model":5}', "model: Input should be a valid string"),
        (b'{"model":null}', "model: Input should be a valid string"),
        (b'{"messages":{}}', "messages: Input should be a valid list"),
        (b'{"messages":"hi"}', "messages: Input should be a valid list"),
        (b'{"messages":null}', "messages: Input should be a valid list"),
        (b'{"stream":"true"}', "stream: Input should be a valid boolean"),
        (b'{"stream":1}', "stream: Input should be a valid boolean"),
        (b'{"max_tokens":"5"}', "max_tokens: Input should be a valid integer"),
        (b'{"max_tokens":-1}', "max_tokens: Input should be a valid integer"),
        (b'{"max_tokens":1.5}', "max_tokens: Input should be a valid integer"),
        (b'{"max_tokens":true}', "max_tokens: Input should be a valid integer"),
        (b'{"model":"x","model":"y"}', "name twice"),
        (b'{"model":"x","mod\\u0065l":"y"}', "name twice"),
        (b'{"a":{"b":1,"c":[{"d":1,"d":1}]}}', "name twice"),
    ],
)
def test_a_body_that_cannot_be_understood_is_refused_with_the_reason_in_both_languages(
    body: bytes, reason: str
) -> None:
    with pytest.raises(MalformedRequest) as caught:
        read_request(body)
    assert reason in str(caught.value)
    assert (caught.value.status, caught.value.error_type) == (400, "invalid_request_error")
    korean = caught.value.say("ko")
    assert korean != caught.value.say("en")
    assert any("가" <= letter <= "힣" for letter in korean)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"a":['])
@pytest.mark.parametrize(
    "where", [b'{"messages":%s}', b'{"novel":%s}', b'{"messages":[{"content":%s}]}', b"%s"]
)
@pytest.mark.parametrize("depth", [10_000, 200_000])
def test_nesting_without_end_is_refused_and_crashes_nothing(opening: bytes, where: bytes, depth: int) -> None:
    closing = opening[::-1].translate(bytes.maketrans(b"[{", b"]}"), b'":a')
    with pytest.raises(MalformedRequest):
        read_request(where % (opening * depth + b"1" + closing * depth))


def has_a_name_twice(body: bytes) -> bool:
    twice = False

    def pairs(found: list[tuple[str, Any]]) -> None:
        nonlocal twice
        twice = twice or len(dict(found)) < len(found)

    json.loads(body, object_pairs_hook=pairs)
    return twice


fragments = st.recursive(
    st.sampled_from(['""', '"a"', '"\\""', '"\\\\"', '"\\\\\\""', '"{\\"a\\":1}"', '"\\u0022"', "1", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + " , ".join(items) + "]")
        | st.lists(
            st.tuples(st.sampled_from(['"a"', '"\\u0061"', '"b"', '"\\""', '"\\\\"']), inner), max_size=3
        ).map(lambda pairs: "{" + ",".join(f"{name}: {value}" for name, value in pairs) + "}")
    ),
    max_leaves=10,
)


@given(fragments)
@example('{"a":"\\\\","\\u0061":"\\\\"}')
def test_a_name_given_twice_is_found_however_it_is_written(value: str) -> None:
    body = ('{"x":' + value + "}").encode()
    if has_a_name_twice(body):
        with pytest.raises(MalformedRequest, match="name twice"):
            read_request(body)
    else:
        read_request(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "source", "data", "role", "title", "name"]), inner
        )
    ),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "system": json_values,
            "tools": json_values,
            "metadata": json_values,
            "messages": st.lists(json_values, max_size=4),
            "thread": json_values,
            "novel": json_values,
        },
    )
)
def test_no_shape_of_what_is_only_looked_at_is_refused(body: dict[str, object]) -> None:
    request = read_request(json.dumps(body).encode())
    assert request.characters <= request.text_bytes


@given(st.lists(json_values, min_size=1, max_size=4), st.data())
def test_a_path_leads_to_its_text(messages: list[object], data: st.DataObject) -> None:
    messages.append(user(data.draw(json_values)))
    for block in read(messages=messages).newest:
        at: Any = {"messages": messages}
        for step in block.path.split("."):
            at = at[int(step) if step.isdigit() else step]
        assert at == block.text


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(MalformedRequest):
        assert isinstance(read_request(body), MessagesRequest)


def test_millions_of_tiny_values_are_refused_before_they_are_read() -> None:
    body = b'{"model":"m","messages":[' + b"[]," * MOST_BRACKETS + b"[]]}"
    with pytest.raises(MalformedRequest, match="lists and objects"):
        read_request(body)


def test_a_long_text_full_of_brackets_is_no_abuse() -> None:
    text = b"f[i] = {} " * 100_000
    assert read_request(b'{"messages":[{"role":"user","content":"' + text + b'"}]}').message_count == 1
