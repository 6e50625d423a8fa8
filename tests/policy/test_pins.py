"""Pins: which tools are what they were."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.pins import Found, Pin, chosen, compare, decoded, encoded, pin_name, rejected
from holdfast.wire.offer import Offered

READ = Offered(name="mcp__web__read", fingerprint="f1", texts=("reads",))
SEND = Offered(name="mcp__mail__send", fingerprint="f2", texts=("sends",))


def pinned(*tools: Offered) -> dict[str, str]:
    return {pin_name("key", tool.name): tool.fingerprint for tool in tools}


def test_a_tool_that_is_new_is_new_and_one_that_is_as_it_was_is_right() -> None:
    assert compare((READ, SEND), pinned(READ), "key") == ((), (SEND,))


def test_a_tool_that_says_something_else_has_changed() -> None:
    changed = replace(READ, fingerprint="f9")
    assert compare((changed,), pinned(READ), "key") == ((Found(changed, "changed"),), ())


def test_what_one_key_has_pinned_says_nothing_of_another() -> None:
    assert compare((READ,), pinned(READ), "other") == ((), (READ,))


@pytest.mark.parametrize("name", ["mcp__web__read", "MCP-web-read", "mcp__wеb__read"])
def test_a_second_tool_of_the_same_name_to_a_reader_is_in_trouble_and_the_pinned_one_is_not(
    name: str,
) -> None:
    twin = Offered(name=name, fingerprint="f3", texts=("x",))
    assert compare((READ, twin), pinned(READ), "key") == ((Found(twin, "duplicate"),), ())
    assert compare((READ, twin), {}, "key") == ((Found(READ, "duplicate"), Found(twin, "duplicate")), ())


def test_characters_that_nobody_sees_are_trouble_until_somebody_approves() -> None:
    hidden = replace(READ, texts=("reads\u200b",))
    assert compare((hidden,), {}, "key") == ((Found(hidden, "hidden"),), ())
    assert compare((hidden,), pinned(hidden), "key") == ((), ())


def test_patterns_choose_what_is_pinned() -> None:
    assert chosen((READ, SEND), ("mcp__mail__*",)) == (SEND,)


def test_a_pin_is_read_as_it_was_written() -> None:
    pin = Pin(scope="key", tool="a", fingerprint="f", at=datetime(2026, 11, 22, tzinfo=UTC))
    assert decoded(encoded(pin)) == pin
    assert pin.name == pin_name("key", "a") != pin_name("ke", "ya")


@pytest.mark.parametrize("body", [b"{}", b"no", b"\xff"])
def test_a_pin_that_makes_no_sense_says_so(body: bytes) -> None:
    with pytest.raises(ConfigError, match="tool pin"):
        decoded(body)


def test_a_refusal_names_the_tool_and_what_would_have_to_be_approved() -> None:
    error = rejected(Found(READ, "changed"), "key")
    assert (error.status, error.error_type) == (400, "policy_blocked")
    assert "mcp__web__read" in str(error)
    assert "f1" in error.say("ko")
    assert error.details["trouble"] == "changed"
