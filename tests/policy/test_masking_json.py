"""JSON that is masked stays JSON, and its escapes hide nothing."""

import json
import re
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.policy.masking import find, mask
from holdfast.policy.masking_json import Letters, is_document
from tests.policy.hostile import UNITS

pieces = st.lists(st.one_of(st.sampled_from(UNITS), st.text(max_size=4)), max_size=5).map("".join)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_a_name_written_in_escapes_is_read_at_any_depth(depth: int) -> None:
    text = json.dumps({"비밀번호": "hunter2xyz", "메일": "홍 a@example.com", "n": 1})
    for _ in range(depth):
        text = json.dumps({"in": text})
    masked = mask(text)
    for _ in range(depth):
        masked = json.loads(masked)["in"]
    assert json.loads(masked) == {"비밀번호": "[secret]", "메일": "홍 [email]", "n": 1}


def test_places_are_those_of_the_text_as_it_came() -> None:
    text = r'{"\ube44\ubc00\ubc88\ud638": "hunter2xyz"}'
    (found,) = find(text)
    assert text[found.start : found.end] == "hunter2xyz"


@given(st.text(alphabet='\\\\u0a9fx"', max_size=24))
def test_letters_are_found_behind_any_number_of_backslashes_as_by_the_plainest_search(text: str) -> None:
    plain = re.sub(r"\\+u([0-9a-fA-F]{4})", _written_out, text)
    assert Letters(text).text == plain


def _written_out(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return found[0] if letter < " " or letter in '"\\' else letter


@pytest.mark.parametrize("piece", ["\\", "\\\\u00", "\\u004", "a\\"])
def test_a_line_of_a_megabyte_of_backslashes_is_read_in_linear_time(piece: str) -> None:
    def least(size: int) -> float:
        text, taken = piece * (size // len(piece)), list[float]()
        for _ in range(3):
            started = thread_time()
            Letters(text)
            taken.append(thread_time() - started)
        return min(taken)

    # Quadratic would be a thousand times a thousand times as long: hours.
    assert least(1_000_000) < 64 * max(least(31_250), 0.001) * 2


def test_controls_and_quotes_stay_escaped() -> None:
    assert Letters(r"\u0022 \u005c \u000a \u0041").text == r"\u0022 \u005c \u000a A"


@pytest.mark.parametrize(
    "document",
    [
        {"msg": "; password = ", "n": 1},
        {"msg": "token:", "n": "x"},
        {"msg": "'password: '", "card": 4111111111111111, "secret": "hunter2!"},
        ["; password = ", 4111111111111111, "hunter2! password=hunter2!"],
        ["-----BEGIN PRIVATE KEY-----", "Ab1+" * 16, "; password = ", "n", 5],
        "secret: ",
    ],
)
def test_a_text_that_ends_like_a_name_does_not_swallow_what_stands_behind_it(document: object) -> None:
    masked = mask(json.dumps(document))
    assert "=hunter2!" not in masked
    assert "Ab1+Ab1+" not in masked
    assert "4111111111111111" not in masked
    json.loads(masked)


def test_what_is_no_document_is_known_as_none() -> None:
    assert not is_document("plain")
    assert not is_document("{broken")
    assert not is_document("[" * 200_000)
    assert is_document(' {"a": 1}')


documents = st.recursive(
    st.one_of(pieces, st.integers(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(pieces, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(documents, st.booleans())
def test_json_stays_json_whatever_it_says(document: object, ascii_only: bool) -> None:
    json.loads(mask(json.dumps(document, ensure_ascii=ascii_only)))


@settings(max_examples=300, deadline=None)
@given(pieces)
def test_nothing_crashes_and_a_second_time_changes_nothing(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@pytest.mark.parametrize("number", [-100000000, -219099999.5])
def test_a_part_of_a_number_is_no_finding(number: float) -> None:
    document = {'ssn 1password="a",': number}
    assert json.loads(mask(json.dumps(document))) != document
    assert number in json.loads(mask(json.dumps(document))).values()
