"""What an agent did lately, out of the messages that its client sends again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.history import LONGEST_ERROR, MOST_CALLS, History, Turn, normalized_error, read_history

Json = dict[str, Any]


def use(tool: str = "read_file", id: str = "t1", **given: object) -> Json:
    return {"type": "tool_use", "id": id, "name": tool, "input": given}


def result(content: object = "text", id: str = "t1", **members: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **members}


def asked(content: object) -> Json:
    return {"role": "user", "content": content}


def acted(*blocks: Json) -> Json:
    return {"role": "assistant", "content": [*blocks]}


def history(*messages: object) -> History:
    return read_history(json.dumps({"model": "m", "messages": messages}, ensure_ascii=False).encode())


def one(*messages: object) -> Turn:
    (turn,) = history(*messages).turns
    return turn


def step(number: int, content: object = "text") -> list[Json]:
    return [acted(use(id=f"t{number}", line=number)), asked([result(content, id=f"t{number}")])]


def test_turns_come_oldest_first_with_what_the_person_asked() -> None:
    found = history(asked("Count the lines."), *step(1), *step(2, "other"))

    assert found.words == "Count the lines."
    assert [[call.tool for call in turn.calls] for turn in found.turns] == [["read_file"], ["read_file"]]
    assert found.turns[0].calls[0].result != found.turns[1].calls[0].result
    assert found.turns[0] == one(asked("Count"), *step(1))


def test_arguments_are_the_same_however_their_members_are_ordered_and_spaced() -> None:
    def body(given: str) -> bytes:
        call = f'{{"type":"tool_use","id":"t1","name":"f","input":{given}}}'
        answered = json.dumps({"messages": [acted(), asked([result()])]})
        return answered.replace('"content": []', f'"content": [{call}]').encode()

    same = [
        read_history(body(given)).turns
        for given in ('{"a":1,"b":{"c":2,"d":3}}', '{ "b" : {"d":3, "c":2},\n "a" : 1 }')
    ]
    assert same[0] == same[1] != read_history(body('{"a":1,"b":{"c":3,"d":2}}')).turns


def test_marks_of_the_prompt_cache_change_no_result() -> None:
    text = {"type": "text", "text": "x"}
    image = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    mark: Json = {"cache_control": {"type": "ephemeral"}}
    pairs: list[tuple[object, object]] = [
        ([text], [{**text, **mark}]),
        ("x", [{**text, **mark}]),
        ([image], [{**image, **mark}]),
    ]
    for content, marked in pairs:
        assert one(acted(use()), asked([result(content)])) == one(
            acted(use()), asked([result(marked, **mark)])
        )


def test_a_result_of_an_unknown_shape_counts_as_it_is() -> None:
    first, second = (one(acted(use()), asked([result([7, text])])) for text in ("a", "b"))
    assert first != second


def test_a_call_without_any_input_is_a_call() -> None:
    bare = {"type": "tool_use", "id": "t1", "name": "now"}
    assert one(acted(bare), asked([result()])).calls[0].tool == "now"
    assert one(acted(bare), asked([result()])) == one(acted(bare), asked([result()]))


def test_an_image_of_other_data_is_another_result() -> None:
    images = [[{"type": "image", "source": {"type": "base64", "data": data}}] for data in ("AAAA", "BBBB")]
    first, second = (one(acted(use()), asked([result(image)])) for image in images)
    assert first != second


def test_calls_of_one_turn_stay_together_and_find_their_own_results() -> None:
    turn = one(
        acted(use(id="a", n=1), use("bash", id="b"), use(id="c")),
        asked([result("second", id="b"), result("first", id="a")]),
    )
    assert [call.tool for call in turn.calls] == ["read_file", "bash", "read_file"]
    alone = one(acted(use(id="a", n=1)), asked([result("first", id="a")]))
    assert turn.calls[0] == alone.calls[0]
    assert turn.calls[2].result is None


def test_a_call_never_takes_the_result_of_a_later_turn_that_uses_its_id_again() -> None:
    found = history(asked("Go"), acted(use()), asked([result(id="other")]), acted(use()), asked([result()]))
    assert [turn.calls[0].result is None for turn in found.turns] == [True, False]


def test_an_error_is_told_from_the_same_text_that_is_none() -> None:
    good = one(acted(use()), asked([result("No such file")])).calls[0]
    bad = one(acted(use()), asked([result("No such file", is_error=True)])).calls[0]
    assert (good.error, bad.error) == (None, "No such file")
    assert good.result != bad.result


def test_an_error_in_blocks_reads_like_one_in_text() -> None:
    content = [{"type": "text", "text": "No such"}, {"type": "image"}, {"type": "text", "text": "file"}]
    found = one(acted(use()), asked([result(content, is_error=True)])).calls[0]
    assert found.error == "No such file"


def test_an_error_without_any_text_is_still_an_error() -> None:
    contents: list[object] = [None, {"odd": 1}, []]
    for content in contents:
        assert one(acted(use()), asked([result(content, is_error=True)])).calls[0].error == ""


def test_what_the_person_says_begins_a_new_stretch() -> None:
    found = history(asked("First"), *step(1), *step(2), asked("Now the other one"), *step(3))
    assert (len(found.turns), found.words) == (1, "Now the other one")


def test_a_turn_of_the_model_without_any_call_begins_a_new_stretch() -> None:
    found = history(asked("Go"), *step(1), acted({"type": "text", "text": "Done."}), *step(2))
    assert (len(found.turns), found.words) == (1, "Go")


def test_reminders_beside_results_and_alone_are_not_the_persons_words() -> None:
    reminder = {"type": "text", "text": "<system-reminder>\nKeep notes.\n</system-reminder>"}
    found = history(
        asked([reminder, {"type": "text", "text": "해 줘"}]),
        acted(use()),
        asked([result(), reminder, {"type": "text", "text": "Go on."}]),
        asked([reminder]),
        {"role": "system", "content": "be brief"},
    )
    assert (len(found.turns), found.words) == (1, "해 줘")


def test_a_picture_from_the_person_begins_a_new_stretch() -> None:
    picture: Json = {"type": "image", "source": {}}
    found = history(asked("Go"), *step(1), asked([picture]), *step(2))
    assert (len(found.turns), found.words) == (1, "")


def test_no_more_than_the_newest_calls_are_kept_and_the_words_are_found_before_them() -> None:
    steps = [message for number in range(MOST_CALLS + 50) for message in step(number)]
    found = history(asked("Go"), *steps)
    assert (len(found.turns), found.words) == (MOST_CALLS, "Go")
    assert found.turns[-1] == one(*step(MOST_CALLS + 49))


def test_one_turn_of_too_many_calls_is_left_out() -> None:
    calls = [use(id=f"t{number}") for number in range(MOST_CALLS + 1)]
    answers = [result(id=f"t{number}") for number in range(MOST_CALLS + 1)]
    assert history(asked("Go"), acted(*calls), asked(answers)).turns == ()


@pytest.mark.parametrize(
    "odd",
    [
        7,
        "text",
        None,
        {"role": 3, "content": "x"},
        {"role": "assistant", "content": 3},
        {"role": "assistant"},
        asked([7, None, {"type": 3}, {"type": "tool_result", "tool_use_id": None}]),
    ],
)
def test_an_odd_message_takes_nothing_else_with_it(odd: object) -> None:
    assert history(asked("Go"), *step(1), odd, *step(2)).turns[-1] == one(*step(2))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages": 3}', b"\xff", b'{"messages": [' * 99])
def test_what_is_no_conversation_has_no_history(body: bytes) -> None:
    assert read_history(body) == History()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["role", "content", "type", "text", "id", "input", "tool_use_id", "messages"]
                ),
                inner
                | st.sampled_from(
                    ["assistant", "user", "tool_use", "tool_result", "text", "t1", "</system-reminder>"]
                ),
                max_size=5,
            )
        ),
        max_leaves=30,
    )
)
def test_nothing_it_is_shown_makes_it_raise(messages: object) -> None:
    body = json.dumps({"messages": messages, "x": "tool_result"}).encode()
    assert len(read_history(body).turns) <= MOST_CALLS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("line 12: no such file", "line 907: no such file"),
        ("/srv/app/a.py: not found", "/tmp/b/c.txt: not found"),
        ("cannot open C:\\one\\a.txt", "cannot open D:\\two\\b.txt"),
        (
            "id 550e8400-e29b-41d4-a716-446655440000 is gone",
            "id 6BA7B810-9DAD-11D1-80B4-00C04FD430C8 is gone",
        ),
        ("object at 0x7f3a12bc failed", "object at 0x55de9001 failed"),
        ("GET https://a.example/x?q=1 failed", "GET http://b.example/y failed"),
        ("a  b\n c", "a b c"),
        ("x" * 500, "x" * 900),
    ],
)
def test_errors_that_differ_in_numbers_ids_and_places_are_the_same(one: str, other: str) -> None:
    assert normalized_error(one) == normalized_error(other)
    assert len(normalized_error(one)) <= LONGEST_ERROR


def test_errors_that_say_something_else_stay_apart() -> None:
    assert normalized_error("permission denied") != normalized_error("no such file")
    assert normalized_error("a decade of facade") == "a decade of facade"
