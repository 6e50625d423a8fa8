"""Bodies made to break a reader of JSON: one clean refusal each, and what is forwarded is what was read."""

import json
import tracemalloc
from collections.abc import Iterator

import pytest

from holdfast.errors import MalformedRequest
from holdfast.wire.messages import DEEPEST, read_request
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

PLAIN = json.dumps({**QUESTION, "metadata": 0}).encode()


def holding(member: bytes) -> bytes:
    """An otherwise good request with this JSON in it."""
    return PLAIN.replace(b'"metadata": 0', b'"metadata": ' + member)


def nested(depth: int) -> Iterator[bytes]:
    """Values that are this deep, in the shapes that readers recurse over."""
    yield b"[" * depth + b"]" * depth
    yield b'{"a":' * depth + b"1" + b"}" * depth
    yield (
        b'[1,{"a":' * (depth // 2)
        + b"[" * (depth % 2)
        + b"]" * (depth % 2)
        + b"0" * (1 - depth % 2)
        + (b"}]" * (depth // 2))
    )


UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b" \n\t ",
    "a BOM": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "UTF-32": PLAIN.decode().encode("utf-32"),
    "invalid UTF-8": holding(b'"\xff\xfe"'),
    "overlong UTF-8": holding(b'"\xc0\xaf"'),
    "surrogates in UTF-8": holding(b'"\xed\xa0\x80"'),
    "a lone high surrogate": holding(b'"\\ud800"'),
    "a lone low surrogate": holding(b'"\\udc00"'),
    "surrogates the wrong way round": holding(b'"\\udc00\\ud800"'),
    "a lone surrogate as a name": holding(b'{"\\ud800": 1}'),
    "NaN": holding(b"NaN"),
    "Infinity": holding(b"Infinity"),
    "-Infinity": holding(b"-Infinity"),
    "1e400": holding(b"1e400"),
    "-1e999999": holding(b"-1e999999"),
    "an integer of 5,000 digits": holding(b"9" * 5_000),
    "an integer of a million digits": holding(b"9" * 1_000_000),
    "a fraction of a million digits": holding(b"0." + b"9" * 1_000_000 + b"e999999999"),
    "max_tokens of 5,000 digits": PLAIN.replace(b"300", b"3" * 5_000),
    "one name twice": holding(b'{"a": 1, "a": 2}'),
    "one name twice, spelled differently": holding(b'{"a": 1, "\\u0061": 2}'),
    "two models": b'{"model": "cheap", ' + PLAIN[1:],
    "two models, one escaped": b'{"mode\\u006c": "cheap", ' + PLAIN[1:],
    "two conversations": PLAIN[:-1] + b', "messages": []}',
    "a control character in a text": holding(b'"\n"'),
    "a NUL": holding(b'"\0"'),
    "a comment": holding(b"0 /* x */"),
    "a comma too many": holding(b"[1,]"),
    "single quotes": holding(b"'x'"),
    "two values": PLAIN + PLAIN,
    "half a value": PLAIN[:-1],
    "a list": b"[" + PLAIN + b"]",
    "a text": b'"' + b"x" * 1_000_000 + b'"',
    "a number": b"1",
    **{f"{DEEPEST + 1} deep, shape {n}": holding(value) for n, value in enumerate(nested(DEEPEST))},
    **{f"100,000 deep, shape {n}": holding(value) for n, value in enumerate(nested(100_000))},
    "100,000 deep and no end": b"[" * 100_000,
    "three million empty lists": holding(b"[" + b"[]," * 3_000_000 + b"0]"),
    "model of the wrong type": PLAIN.replace(b'"claude-sonnet-5-5"', b'["claude-sonnet-5-5"]'),
    "messages of the wrong type": PLAIN.replace(b'"messages": [', b'"messages": {"0": [').replace(
        b"}]", b"}]}"
    ),
    "stream of the wrong type": PLAIN[:-1] + b', "stream": "true"}',
    "max_tokens of the wrong type": PLAIN.replace(b"300", b'"300"'),
    "max_tokens below zero": PLAIN.replace(b"300", b"-1"),
    "max_tokens true": PLAIN.replace(b"300", b"true"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_body_that_readers_differ_on_is_refused(kind: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        read_request(UNREADABLE[kind])
    assert len(caught.value.say("en")) < 500
    assert len(caught.value.say("ko")) < 500


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.requirement("hostile:bodies")
def test_the_gateway_refuses_every_one_in_the_apis_shape_and_serves_on(
    gateway: RunningGateway, path: str
) -> None:
    for kind, body in UNREADABLE.items():
        answer = ask(gateway.url, body, path=path)
        assert (answer.status, answer.error_type) == (400, "invalid_request_error"), kind
    assert gateway.simulator.simulator.requests == ()
    assert ask(gateway.url, QUESTION).status == 200


@pytest.mark.parametrize("depth", [1, DEEPEST // 2, DEEPEST - 1])
def test_a_body_as_deep_as_allowed_is_read(depth: int) -> None:
    for value in nested(depth):
        assert read_request(holding(value)).model == QUESTION["model"]


def test_brackets_in_texts_are_no_depth() -> None:
    text = json.dumps("[{" * 50_000 + '"\\' * 999 + "[" * 99).encode()
    for text_of_block_length in (text, b'"' + b"x" * (65_536 - 31) + b'[[\\"[[' + b"[" * 99 + b'"'):
        assert read_request(holding(b"[" + text_of_block_length + b"]")).model == QUESTION["model"]


def test_depth_behind_a_long_text_is_depth() -> None:
    for length in range(65_400, 65_560, 5):
        with pytest.raises(MalformedRequest, match="nested"):
            read_request(holding(b'["' + b"x" * length + b'",' + b"[" * 64 + b"]" * 64 + b"]"))


def test_what_was_read_is_what_upstream_gets(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.lenient = True
    odd = holding(
        b'{"a":1e2, "b" :-0.0,"c":"\\ud83d\\ude42\\/ \\u0000","":[[], {}],"n":12345678901234567890}'
    )
    assert ask(gateway.url, odd).status in (200, 400)
    (request,) = gateway.simulator.simulator.requests
    assert request.body == odd


def test_reading_a_body_takes_memory_in_proportion_to_it() -> None:
    bodies = [
        holding(b"[" + b'"",' * 1_000_000 + b"0]"),
        holding(b"[" + b"0," * 1_500_000 + b"0]"),
        holding(b"[" + b"[]," * 900_000 + b"0]"),
        holding(b'"' + b"\\u0000" * 500_000 + b'"'),
        holding(b'"' + b'\\"' * 1_500_000 + b'"'),
    ]
    for body in bodies:
        tracemalloc.start()
        try:
            read_request(body)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 60 * len(body)


def test_a_body_larger_than_allowed_is_refused_before_it_is_read(gateway: RunningGateway) -> None:
    answer = ask(gateway.url, b"{", headers={"content-length": str(32 * 1024 * 1024 + 1)})
    assert (answer.status, answer.error_type) == (413, "request_too_large")
