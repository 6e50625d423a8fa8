"""Bytes in are bytes out: what no rule has a reason to touch goes there and back as it was written."""

import json
import random

import pytest

from tests.doors.odd_bytes import Writer, capturing, differences, exchanges, gateway_before, question
from tests.doors.talking import ask

SEED = 20261123
COUNT = 1_000
TWICE = 100


@pytest.mark.requirement("wire:bytes")
def test_a_thousand_odd_bodies_and_answers_cut_anywhere_pass_byte_for_byte() -> None:
    assert differences(SEED, COUNT) == []


@pytest.mark.requirement("wire:bytes")
def test_a_body_that_names_a_member_twice_is_refused_whole_and_never_rewritten() -> None:
    """The one exception: readers differ on which of the two counts, so guard and model could read two bodies."""
    with capturing() as upstream, gateway_before(upstream) as gateway:
        for number in range(TWICE):
            write = Writer(random.Random(f"twice/{number}"))
            body = question(write, stream=False)
            twice = "{" + f'"model": {write.text("claude-opus-5-5")},' + body[1:]
            heard = ask(gateway.url, twice.encode())
            assert (heard.status, heard.error_type) == (400, "invalid_request_error")
            assert heard.json["error"]["details"]["error_code"] == "holdfast_request_malformed"
        assert upstream.bodies == []


def test_the_bodies_are_as_odd_as_they_are_meant_to_be() -> None:
    some = list(exchanges(SEED, 200))
    bodies = b"".join(one.body for one in some)
    assert all(isinstance(json.loads(one.body), dict) for one in some)
    assert all(odd in bodies for odd in (b"\\u", b"\\/", b"\r\n", b"1E+2", b"18446744073709551616", b"-0"))
    assert {one.status for one in some} == {200, 400, 413}
    assert {one.content_type for one in some} == {"application/json", "text/event-stream"}
    assert any(b"\r\n\r\n" in one.answer for one in some if one.content_type == "text/event-stream")
