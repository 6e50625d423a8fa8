"""How much of a conversation is sent: never half an exchange, never more than fits, and steady from turn to turn."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.trimming import (
    DOCUMENT_TOKENS,
    MESSAGE_TOKENS,
    Measured,
    Message,
    begins_exchange,
    first_sent,
    open_calls,
    rough_tokens,
    without_thoughts,
)
from holdfast.simulator import turns
from holdfast.wire.history import read_history

Json = dict[str, Any]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def says(text: str) -> Json:
    return {"role": "assistant", "content": text}


def thinks(text: str) -> Json:
    return {"type": "thinking", "thinking": text, "signature": "c2lnbmVk"}


def calls(*ids: str, thought: str | None = None) -> Json:
    thoughts = [] if thought is None else [thinks(thought)]
    uses = [{"type": "tool_use", "id": one, "name": "look", "input": {"at": one}} for one in ids]
    return {"role": "assistant", "content": [*thoughts, *uses]}


def results(*ids: str, size: int = 4) -> Json:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": one, "content": "x" * size} for one in ids],
    }


def exchange(
    number: int, texts: list[int], rounds: int, *, is_thoughtful: bool, is_broken: bool
) -> list[Json]:
    """A question, so many rounds of tools, and an answer, unless it broke off behind the last results."""
    messages = [user("q" * texts[0])]
    for at in range(rounds):
        ids = (f"call_{number}_{at}_a", f"call_{number}_{at}_b")
        messages += [calls(*ids, thought="hm" if is_thoughtful else None), results(*ids, size=texts[1])]
    answer: Json = {"role": "assistant", "content": [thinks("so"), {"type": "text", "text": "a" * texts[2]}]}
    plain = says("a" * texts[2])
    return messages if is_broken and rounds else [*messages, answer if is_thoughtful else plain]


@st.composite
def conversations(draw: st.DrawFn) -> list[list[Json]]:
    """Exchanges, each a list of messages."""
    count = draw(st.integers(1, 12))
    sizes = st.lists(st.integers(1, 400), min_size=3, max_size=3)
    return [
        exchange(
            number,
            draw(sizes),
            draw(st.integers(0, 3)),
            is_thoughtful=draw(st.booleans()),
            is_broken=draw(st.booleans()),
        )
        for number in range(count)
    ]


def tokens_of(messages: list[Json]) -> int:
    return sum(rough_tokens(message) for message in messages)


@pytest.mark.requirement("conversation:trimmed")
@given(conversations(), st.integers(1, 3_000), st.integers(0, 100))
def test_whatever_is_sent_is_a_conversation_that_the_api_would_continue(
    exchanges: list[list[Json]], limit: int, overhead: int
) -> None:
    start = 0
    said: list[Json] = []
    for one in exchanges:
        asked = [*said, one[0]]
        start = first_sent(asked, limit=limit, start=start, overhead=overhead)
        for end in range(len(said) + 1, len(said) + len(one) + 1):
            sent = [*said, *one][start:end]
            if sent[-1]["role"] == "user":
                assert begins_exchange(sent[0])
                turns.check({"messages": sent})
                turns.check({"messages": list(without_thoughts(sent))})
                body = msgspec.json.encode({"messages": sent})
                whole = msgspec.json.encode({"messages": [*said, *one][:end]})
                assert read_history(body) == read_history(whole)
        said += one


@given(conversations(), st.integers(1, 3_000))
def test_all_that_is_sent_fits_unless_it_is_the_newest_exchange_alone(
    exchanges: list[list[Json]], limit: int
) -> None:
    start, said = 0, list[Json]()
    for one in exchanges:
        asked = [*said, one[0]]
        start = first_sent(asked, limit=limit, start=start)
        assert start == len(said) or tokens_of(asked[start:]) <= limit
        said += one


@given(conversations(), st.integers(50, 3_000))
def test_the_beginning_moves_forward_only_and_only_when_the_room_is_full(
    exchanges: list[list[Json]], limit: int
) -> None:
    start, said = 0, list[Json]()
    for one in exchanges:
        asked = [*said, one[0]]
        again = first_sent(asked, limit=limit, start=start)
        assert again >= start
        assert (again > start) <= (tokens_of(asked[start:]) > limit)
        if start < again < len(said):
            assert tokens_of(asked[again:]) <= limit // 2
        assert first_sent(asked, limit=limit, start=again) == again
        start = again
        said += one


def test_a_conversation_that_grows_evenly_is_cut_in_large_steps() -> None:
    said: list[Json] = []
    starts: list[int] = []
    for number in range(100):
        said.append(user(f"{number:0192d}"))
        starts.append(first_sent(said, limit=2_000, start=starts[-1] if starts else 0))
        said.append(says(f"{number:0192d}"))

    moves = [at for at, (one, next_) in enumerate(pairwise(starts)) if one != next_]
    assert starts[9] == 0
    assert all(later - earlier >= 4 for earlier, later in pairwise(moves))


def test_what_the_api_has_counted_counts_more_than_what_is_guessed() -> None:
    said = [user("q" * 1_000), says("a" * 1_000), user("next")]

    assert first_sent(said, limit=800) == 2
    assert first_sent(said, limit=800, measured=Measured(tokens=500, length=2)) == 0
    assert first_sent(said, limit=800, measured=Measured(tokens=2_000, length=2)) == 2


def test_what_stands_before_all_messages_takes_room_as_well() -> None:
    said = [user("q" * 100), says("a" * 100), user("next")]

    assert first_sent(said, limit=200) == 0
    assert first_sent(said, limit=200, overhead=190) == 2


def test_a_count_of_nothing_is_no_count() -> None:
    said = [user("q" * 1_000), says("a" * 1_000), user("next")]

    assert first_sent(said, limit=800, measured=Measured(tokens=0, length=2)) == 2
    assert first_sent([], limit=800, measured=Measured(tokens=5, length=0)) == 0


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "image", "source": {"type": "base64", "data": "A" * 1_000_000}}, 5_000),
        ({"type": "document", "source": {"type": "base64", "data": "A" * 1_000}}, 100),
        ({"type": "document", "source": {"type": "text", "data": "A" * 1_000}}, 500),
        ({"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}}, DOCUMENT_TOKENS),
        ({"type": "document"}, DOCUMENT_TOKENS),
        ({"type": "text", "text": "A" * 1_000}, 514),
        ({"type": "tool_result", "content": [{"type": "image"}]}, 5_000 + MESSAGE_TOKENS),
        ({"type": "tool_result", "content": "A" * 1_000}, 520),
    ],
)
def test_blocks_are_reckoned_by_what_they_hold(block: Json, tokens: int) -> None:
    size = rough_tokens({"role": "user", "content": [block]}) - MESSAGE_TOKENS
    assert abs(size - tokens) <= 20


def test_a_korean_text_is_reckoned_by_its_bytes() -> None:
    assert rough_tokens(user("안녕")) == MESSAGE_TOKENS + 3


@pytest.mark.parametrize(
    ("messages", "waiting"),
    [
        ([], ()),
        ([user("a")], ()),
        ([user("a"), says("b")], ()),
        ([user("a"), calls("1", "2", thought="x")], ("1", "2")),
        ([user("a"), calls("1"), results("1")], ()),
    ],
)
def test_calls_without_results_are_found_at_the_end(
    messages: list[Message], waiting: tuple[str, ...]
) -> None:
    assert open_calls(messages) == waiting


def test_thinking_is_taken_out_of_answers_and_out_of_nothing_else() -> None:
    redacted: Json = {"type": "redacted_thinking", "data": "x"}
    said = [
        user("a"),
        {"role": "assistant", "content": [thinks("b"), redacted, {"type": "text", "text": "c"}]},
        {"role": "assistant", "content": [thinks("only")]},
        calls("1", thought="d"),
        {"role": "user", "content": [thinks("not the model's")]},
        says("e"),
    ]

    assert without_thoughts(said) == (
        user("a"),
        {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
        calls("1"),
        {"role": "user", "content": [thinks("not the model's")]},
        says("e"),
    )
