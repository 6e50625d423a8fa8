"""Codes of approvals: for one call, one conversation, a short time."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.approval import CODE_LENGTH, Approvals, approvals_in, code_of

HERE = ("key", "Read the news.")


def shown(code: str | None, *, now: float = 1_000.0, conversation: tuple[str, ...] = HERE) -> Approvals:
    return approvals_in(code, conversation=conversation, now=now, lasts=600)


CODE = code_of("send", b'{"a": 1, "b": 2}', shown(None))


def test_a_code_covers_its_call_however_the_input_is_written() -> None:
    assert len(CODE) == CODE_LENGTH
    assert shown(f" {CODE.upper()} , x").cover("send", b'{"b":2,"a":1}')


def test_a_code_covers_no_other_call() -> None:
    assert not shown(CODE).cover("send", b'{"a": 1, "b": 3}')
    assert not shown(CODE).cover("pay", b'{"a": 1, "b": 2}')
    assert not shown(CODE, conversation=("key", "Other")).cover("send", b'{"a": 1, "b": 2}')
    assert not shown(None).cover("send", b'{"a": 1, "b": 2}')


@given(st.floats(0, 5_000))
def test_a_code_is_good_for_as_long_as_was_said_and_at_most_twice_that(later: float) -> None:
    is_good = shown(CODE, now=1_000.0 + later).cover("send", b'{"a": 1, "b": 2}')
    assert is_good or later > 600
    assert not is_good or later < 1_200


def test_an_input_that_is_no_json_has_a_code_too() -> None:
    code = code_of("send", b'{"a', shown(None))
    assert shown(code).cover("send", b'{"a')
    assert not shown(code).cover("send", b'{"b')
