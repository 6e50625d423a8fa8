"""What is kept of a conversation and what of it is sent again: thinking only where the API still takes it."""

import json
from typing import Any

import pytest

from holdfast.agent.transcript import INTERRUPTED, UNANSWERED, Addition, Frame, Note, Transcript, closed
from holdfast.errors import StoreUnavailable
from holdfast.simulator import Simulator
from tests.simulator.raw import call

Json = dict[str, Any]
BOUND = "claude-sonnet-5-5"


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def says(text: str) -> Json:
    return {"role": "assistant", "content": text}


def thinks(text: str) -> Json:
    thought = {"type": "thinking", "thinking": f"about {text}", "signature": "x"}
    return {"role": "assistant", "content": [thought, {"type": "text", "text": text}]}


def calls(*ids: str) -> Json:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": one, "name": "look", "input": {}} for one in ids],
    }


def results(*ids: str) -> Json:
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": one, "content": "x"} for one in ids],
    }


def kept(*additions: Addition) -> Transcript:
    return Transcript.read([row for addition in additions for row in addition.rows])


def frame(text: str = "system", limit: int = 1_000_000) -> Frame:
    return Frame(prefix=text.encode(), limit=limit)


def test_messages_come_back_as_they_were_said() -> None:
    first = Addition(messages=(user("안녕"), thinks("hello")), note=Note(seal="s", start=0, tokens=7))
    second = Addition(messages=(user("a"), calls("1"), results("1"), says("b")))
    transcript = kept(first, second)

    assert transcript.messages == (*first.messages, *second.messages)
    assert transcript.notes == ((2, first.note), (6, Note()))


def test_what_a_newer_holdfast_notes_is_passed_over() -> None:
    row = {"role": "user", "content": "a", "holdfast": {"seal": "x", "mood": "good"}, "more": 1}

    assert Transcript.read([json.dumps(row).encode()]).messages == (user("a"),)


@pytest.mark.parametrize("row", [b"", b"{", b"[]", b'{"role": "user"}', b'{"role":1,"content":""}', b"\xff"])
def test_rows_that_make_no_sense_are_said_to_be_damaged_in_both_languages(row: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="damaged") as caught:
        Transcript.read([row])

    assert "손상" in caught.value.say("ko")


def test_thinking_is_sent_again_behind_what_it_was_written_behind() -> None:
    seal = frame().seal(0)
    transcript = kept(Addition(messages=(user("a"), thinks("b")), note=Note(seal=seal)))

    assert transcript.window([user("c")], frame()).history == (user("a"), thinks("b"))


@pytest.mark.parametrize("changed", ["another system prompt", "another model"])
def test_thinking_is_left_out_when_what_stands_before_it_has_changed(changed: str) -> None:
    before = Addition(messages=(user("a"), thinks("b")), note=Note(seal=frame().seal(0)))
    after = Addition(messages=(user("c"), thinks("d")), note=Note(seal=frame(changed).seal(0)))
    window = kept(before, after).window([user("e")], frame(changed))

    assert window.history == (
        user("a"),
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
        user("c"),
        thinks("d"),
    )
    assert window.seal == after.note.seal


@pytest.mark.requirement("conversation:trimmed")
async def test_the_api_takes_every_turn_of_a_long_conversation_with_bound_thinking() -> None:
    """Trimmed again and again, and deployed with another system prompt in the middle, and back."""
    simulator = Simulator(time_scale=0)
    rows: list[bytes] = []
    starts: set[int] = set()
    thoughts = 0
    for number in range(40):
        system = "Be brief." if 15 <= number < 20 else "Be kind."
        asked = [user(f"Question {number}: {'why ' * 40}?")]
        window = Transcript.read(rows).window(asked, frame(system, 2_500))
        body = {
            "model": BOUND,
            "max_tokens": 2_000,
            "system": system,
            "thinking": {"type": "adaptive"},
            "messages": [*window.history, *asked],
        }
        answer = await call(simulator, body)
        assert answer.status == 200, answer.body
        thoughts += sum("signature" in str(message) for message in window.history)
        starts.add(window.start)
        said = answer.json()
        usage = said["usage"]
        tokens = usage["input_tokens"] + usage["output_tokens"]
        reply: Json = {"role": "assistant", "content": said["content"]}
        rows += Addition(messages=(*asked, reply), note=window.note(tokens)).rows

    assert 3 <= len(starts) <= 20
    assert thoughts > 40


def test_a_window_begins_where_the_last_one_began_until_it_is_full() -> None:
    rows: list[bytes] = []
    starts: list[int] = []
    for number in range(30):
        asked = [user(f"{number:0100d}")]
        window = Transcript.read(rows).window(asked, frame(limit=600))
        starts.append(window.start)
        rows += Addition(messages=(*asked, says("a" * 100)), note=window.note(0)).rows

    assert starts == sorted(starts)
    assert 3 <= len(set(starts)) <= 12


def test_a_branch_leaves_where_an_exchange_is_over() -> None:
    transcript = kept(
        Addition(messages=(user("a"), says("b"))),
        Addition(messages=(user("c"), calls("1"), results("1"), says("d"))),
    )

    assert [transcript.boundary(at) for at in (-1, 0, 1, 2, 3, 4, 5, 6, 7)] == [0, 0, 0, 2, 2, 2, 2, 6, 6]
    assert transcript.boundary(None) == 6
    assert Transcript().boundary(3) == 0


def test_calls_that_were_under_way_get_results_that_say_so() -> None:
    told = [
        {"type": "tool_result", "tool_use_id": one, "content": INTERRUPTED, "is_error": True} for one in "12"
    ]
    said = (user("a"), calls("1", "2"))

    assert closed(said) == (*said, {"role": "user", "content": told})
    assert closed([user("a"), says("b")]) == (user("a"), says("b"))


OTHERS = (user("x"), says("y"))
WAITING = (user("x"), calls("9"))


def unanswered(*ids: str) -> Json:
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": one, "content": UNANSWERED, "is_error": True}
            for one in ids
        ],
    }


@pytest.mark.parametrize(
    ("others", "ours", "added"),
    [
        ((), (user("a"), says("b")), (user("a"), says("b"))),
        (OTHERS, (user("a"), says("b")), (user("a"), says("b"))),
        (WAITING, (user("a"), says("b")), (unanswered("9"), user("a"), says("b"))),
        (WAITING, (results("9"), says("b")), (results("9"), says("b"))),
        (OTHERS, (results("9"), says("b")), (says("b"),)),
        (OTHERS, (results("9"),), ()),
        (WAITING, (results("8"),), ()),
        (OTHERS, (results("9"), user("a"), says("b")), (user("a"), says("b"))),
        (WAITING, (results("8"), user("a"), says("b")), (unanswered("9"), user("a"), says("b"))),
    ],
)
def test_an_exchange_fits_behind_what_others_have_said_meanwhile(
    others: tuple[Json, ...], ours: tuple[Json, ...], added: tuple[Json, ...]
) -> None:
    before = kept(Addition(messages=others, note=Note(start=2, seal="theirs")))
    addition = Addition(messages=ours, note=Note(seal="ours", start=0, tokens=5)).behind(before)

    assert addition.messages == added
    assert addition.note == Note(start=2 if others else 0)
