"""What a meter reckons where the upstream says nothing, too little, or less than before."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.simulator.models import catalogue
from holdfast.simulator.tokens import text_tokens
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Event

MODELS = {model.tokenizer: model for model in catalogue().models}


def event(kind: str, **members: object) -> Event:
    return Event(kind, json.dumps({"type": kind, **members}).encode(), b"")


def start(**usage: object) -> Event:
    return event("message_start", message={"id": "msg_1", "model": "m", "usage": usage})


def opened(**block: object) -> Event:
    return event("content_block_start", index=0, content_block=block)


def delta(**pieces: object) -> Event:
    return event("content_block_delta", index=0, delta=pieces)


def said(text: str) -> Event:
    return delta(type="text_delta", text=text)


def ended(reason: str | None = "end_turn", **usage: object) -> Event:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage)


STOP = event("message_stop")


def metered(*events: Event, prompt_bound: int = 0, output_bound: int | None = None) -> Meter:
    meter = Meter()
    for seen in events:
        meter.observe(seen)
    meter.prompt_bound, meter.output_bound = prompt_bound, output_bound
    return meter


def whole(blocks: list[dict[str, object]], prompt_bound: int = 0, **usage: object) -> Meter:
    meter = Meter()
    message = {"type": "message", "content": blocks, "stop_reason": "end_turn", "usage": usage}
    meter.observe_body(json.dumps(message).encode())
    meter.prompt_bound = prompt_bound
    return meter


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), max_size=8))
def test_a_broken_answer_is_never_reckoned_below_any_tokenizer_of_the_product(pieces: list[str]) -> None:
    meter = metered(start(input_tokens=1), opened(type="text", text=""), *map(said, pieces))
    assert set(MODELS) >= {"new"}
    for model in MODELS.values():
        assert meter.usage.output_tokens >= text_tokens("".join(pieces), model)


@pytest.mark.parametrize(
    ("seen", "tokens"),
    [
        (said("abc"), 1),
        (said("abcd"), 2),
        (said("\uac00"), 2),
        (said("\uac00a"), 2),
        (said("\uac00\uac00\uac00"), 5),
        (said("\U0001f600"), 2),
        (delta(type="thinking_delta", thinking="abcd"), 2),
        (delta(type="input_json_delta", partial_json="{}"), 1),
        (delta(type="signature_delta", signature="x" * 400), 0),
        (delta(type="citations_delta", citation={"cited_text": "x" * 400}), 0),
        (opened(type="text", text=""), 1),
        (opened(type="tool_use", id="toolu_1", name="get_weather", input={}), 1 + 4),
        (opened(type="tool_use", id="toolu_1", name="f", input={"city": "Seoul"}), 1 + 1 + 6),
        (opened(type="web_search_tool_result", content=[{"title": "x" * 400}]), 1),
    ],
)
def test_every_kind_of_piece_is_reckoned_at_what_it_can_cost_at_most(seen: Event, tokens: int) -> None:
    meter = metered(start(input_tokens=1), seen)
    assert (meter.usage.output_tokens, meter.estimated) == (tokens, True)


HONEST: list[tuple[list[Event], int]] = [
    ([opened(type="text", text=""), said("OK")], 1),
    ([opened(type="text", text=""), said("x" * 160)], 10),
    ([opened(type="tool_use", name="a_tool_with_a_name_as_long_as_this_one_is_here", input={})], 1),
    ([opened(type="text", text="")], 0),
    ([], 0),
]


@pytest.mark.parametrize(("content", "count"), HONEST)
@pytest.mark.parametrize("reason", ["end_turn", "refusal", "tool_use"])
def test_an_honest_final_count_stands_to_the_token(content: list[Event], count: int, reason: str) -> None:
    meter = metered(
        start(input_tokens=9, output_tokens=1), *content, ended(reason, output_tokens=count), STOP
    )
    assert (meter.usage.input_tokens, meter.usage.output_tokens, meter.estimated) == (9, count, False)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_final_count_that_cannot_be_is_replaced_by_an_estimate(count: int) -> None:
    text = "x" * 160
    streamed = metered(start(input_tokens=9), said(text), ended(output_tokens=count), STOP)
    plain = whole([{"type": "text", "text": text}], input_tokens=9, output_tokens=count)
    assert (streamed.usage.output_tokens, streamed.estimated) == (54, True)
    assert (plain.usage.output_tokens, plain.estimated) == (55, True)


def test_a_plain_answer_with_an_honest_count_is_exact() -> None:
    blocks: list[dict[str, object]] = [
        {"type": "thinking", "thinking": "hm", "signature": "s" * 900},
        {"type": "text", "text": "OK"},
        {"type": "tool_use", "name": "f", "input": {"city": "Seoul"}},
        {"type": "web_search_tool_result", "content": [{"title": "x" * 4000}]},
    ]
    meter = whole(blocks, input_tokens=9, output_tokens=3)
    assert (meter.usage.output_tokens, meter.estimated) == (3, False)


@pytest.mark.parametrize("content", [None, "text", [1, None], {"a": 1}])
def test_a_plain_answer_of_an_odd_shape_is_read_as_far_as_it_goes(content: object) -> None:
    meter = Meter()
    body = {"type": "message", "content": content, "usage": {"input_tokens": 2, "output_tokens": 3}}
    meter.observe_body(json.dumps(body).encode())
    assert meter.usage.output_tokens == 3


def test_the_larger_of_two_counts_stands() -> None:
    meter = metered(
        start(input_tokens=9, output_tokens=1),
        said("hello"),
        ended(None, output_tokens=40),
        ended(output_tokens=20),
    )
    assert (meter.usage.output_tokens, meter.estimated) == (40, False)


def test_the_count_of_message_start_only_holds_the_place_of_the_final_one() -> None:
    meter = metered(start(input_tokens=9, output_tokens=8), said("OK"), ended(output_tokens=1))
    assert (meter.usage.output_tokens, meter.estimated) == (1, False)


def test_a_prompt_that_shrinks_was_right_before() -> None:
    begun = start(input_tokens=9, cache_read_input_tokens=100, output_tokens=1)
    empty = ended(input_tokens=0, cache_read_input_tokens=0, cache_creation_input_tokens=0, output_tokens=3)
    usage = metered(begun, said("hi"), empty).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (9, 100, 3)


def test_a_prompt_that_grows_or_moves_into_the_cache_is_believed() -> None:
    grown = metered(start(input_tokens=9), ended(input_tokens=900, output_tokens=3)).usage
    moved = metered(
        start(input_tokens=9), ended(input_tokens=0, cache_read_input_tokens=9, output_tokens=3)
    ).usage
    assert grown.input_tokens == 900
    assert (moved.input_tokens, moved.cache_read_input_tokens) == (0, 9)


def test_a_prompt_that_shrank_by_a_compaction_is_believed() -> None:
    steps = [
        {"type": "compaction", "input_tokens": 900, "output_tokens": 50},
        {"type": "message", "input_tokens": 80},
    ]
    usage = metered(start(input_tokens=900), ended(input_tokens=80, output_tokens=3, iterations=steps)).usage
    assert usage.input_tokens == 80


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 0, "output_tokens": 0}])
def test_a_prompt_that_nobody_counted_is_reckoned_at_its_bound(usage: dict[str, object]) -> None:
    streamed = metered(start(**usage), said("hi"), ended(output_tokens=3), STOP, prompt_bound=70)
    plain = whole([{"type": "text", "text": "hi"}], 70, **usage)
    for meter in (streamed, plain):
        assert (meter.usage.input_tokens, meter.estimated) == (70, True)
    assert streamed.usage.output_tokens == 3


def test_a_prompt_that_was_counted_is_not_reckoned() -> None:
    read = metered(start(cache_read_input_tokens=9), ended(output_tokens=3), prompt_bound=70)
    assert (read.usage.prompt_tokens, read.estimated) == (9, False)


def test_nothing_begun_is_reckoned_at_nothing() -> None:
    assert metered(event("ping"), prompt_bound=70).usage.prompt_tokens == 0


def test_no_estimate_is_larger_than_what_was_asked_for_but_a_count_may_be() -> None:
    assert metered(start(input_tokens=1), said("x" * 900), output_bound=24).usage.output_tokens == 24
    counted = metered(start(input_tokens=1), ended(None, output_tokens=40), said("x" * 900), output_bound=24)
    assert counted.usage.output_tokens == 40


def test_after_a_tool_of_the_server_as_much_may_be_said_again() -> None:
    result = opened(type="web_search_tool_result", content=[])
    meter = metered(start(input_tokens=1), said("x" * 90), result, said("x" * 900), output_bound=40)
    assert meter.usage.output_tokens == 80


def test_junk_that_is_too_deep_to_be_written_again_is_no_call() -> None:
    deep = b'{"content_block":{"type":"tool_use","name":"f","input":' + b"[" * 900 + b"]" * 900 + b"}}"
    meter = metered(Event("content_block_start", deep, b""))
    assert meter.content_started
