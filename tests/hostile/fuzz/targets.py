"""What is fed with anything at all: each takes bytes and may fail in no way but those it announces."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache

import msgspec

from holdfast.errors import MalformedRequest
from holdfast.parts.redactor import Redactor
from holdfast.parts.validator import InputValidator
from holdfast.policy.address import AddressRefused, check_url
from holdfast.policy.destination import destinations
from holdfast.policy.inspection import Inspection
from holdfast.policy.normalization import views
from holdfast.policy.output import OutputConfig
from holdfast.policy.sanitation import sanitize
from holdfast.wire.answer import JudgedStream, judged_body
from holdfast.wire.calls import GatedStream, Ruled, gated_body
from holdfast.wire.edit import with_max_tokens, with_model
from holdfast.wire.errors import read_envelope
from holdfast.wire.fence import with_fences
from holdfast.wire.framing import Framer
from holdfast.wire.headers import from_raw, request_headers, response_headers, to_raw
from holdfast.wire.history import read_history
from holdfast.wire.messages import read_request
from holdfast.wire.meter import Meter
from holdfast.wire.notice import NoticedStream, with_notice
from holdfast.wire.sse import OversizedEvent, Splitter
from holdfast.wire.toml import places

Target = Callable[[bytes], None]
JUDGED = OutputConfig(leak="redact", secrets="redact", personal="redact", egress="redact", thinking=True)


def text_of(data: bytes) -> str:
    """Any text, half surrogates included."""
    return data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace")


def any_text(data: bytes) -> str:
    try:
        return text_of(data)
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


@cache
def validator() -> InputValidator:
    return InputValidator()


@cache
def redactor() -> Redactor:
    return Redactor()


def validate(data: bytes) -> None:
    text = any_text(data)
    for channel in ("user", "tool"):
        validator().scan(text, channel=channel)
    assert validator().validate(text).sanitized_input.encode("utf-8", "surrogatepass") is not None


def normalize(data: bytes) -> None:
    text = any_text(data)
    for view in views(text):
        assert isinstance(view.text, str)
    once = sanitize(text)
    assert sanitize(once) == once


def redact(data: bytes) -> None:
    text = any_text(data)
    redactor().redact(text)
    redactor().explain(text)
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        redactor().redact_value(msgspec.json.decode(data))


def read_body(data: bytes) -> None:
    """What the gateway does with a body, and what it may write into one."""
    try:
        request = read_request(data)
    except MalformedRequest:
        return
    msgspec.json.decode(with_max_tokens(data, 100))
    with suppress(MalformedRequest):
        assert read_request(with_model(data, "other")).model == "other"
    with_fences(data, [block.path.split(".") for block in request.newest[:3]])
    read_history(data)


def read_any_history(data: bytes) -> None:
    read_history(data)


def stream(data: bytes) -> None:
    """A stream as it comes, and in pieces: the same bytes, the same events, the same bill."""
    whole, cut, meter, other = Splitter(limit=100_000), Splitter(limit=100_000), Meter(), Meter()
    with suppress(OversizedEvent):
        events = whole.feed(data)
        size = max(1, len(data) // 7)
        parts = [event for at in range(0, len(data), size) for event in cut.feed(data[at : at + size])]
        for event in events:
            meter.observe(event)
        for event in parts:
            other.observe(event)
        assert b"".join(event.raw for event in events) + whole.rest == data
        assert b"".join(event.raw for event in parts) + cut.rest == data
        assert meter.usage == other.usage


def transform(data: bytes) -> None:
    """Everything that stands between an upstream and a client."""
    for made in transformers():
        passed = made.feed(data) + made.end()
        assert isinstance(passed, bytes)


def transformers() -> Iterator[JudgedStream | GatedStream | NoticedStream]:
    yield JudgedStream(Inspection(JUDGED))
    yield GatedStream(lambda asked, texts: Ruled(held=frozenset(range(len(asked))), text="No."))
    yield NoticedStream("Stop.")


def answer(data: bytes) -> None:
    """A whole answer of an upstream."""
    Meter().observe_body(data)
    read_envelope(data, 500)
    judged_body(data, Inspection(JUDGED))
    gated_body(data, lambda asked, texts: Ruled(held=frozenset(range(len(asked))), text="No."))
    with_notice(data, "Stop.")


def frame(data: bytes) -> None:
    framer = Framer(largest_head=4_096)
    with suppress(MalformedRequest):
        for at in range(0, len(data), 100):
            list(framer.feed(data[at : at + 100]))


def headers(data: bytes) -> None:
    pairs = [tuple(line.partition(b":")[::2]) for line in data.split(b"\n")]
    read = from_raw([(name, value) for name, value in pairs])
    for name, value in to_raw((*request_headers(read), *response_headers(read))):
        assert not set(name + value) & {0, 10, 13}


def address(data: bytes) -> None:
    text = any_text(data)
    with suppress(AddressRefused):
        assert check_url(check_url(text).url).url == check_url(text).url
    destinations(text)


def settings(data: bytes) -> None:
    text = any_text(data)
    with suppress(ValueError, RecursionError):
        tomllib.loads(text)
        places(text)


TARGETS: Mapping[str, Target] = {
    "address": address,
    "answer": answer,
    "body": read_body,
    "frame": frame,
    "headers": headers,
    "history": read_any_history,
    "normalize": normalize,
    "redact": redact,
    "settings": settings,
    "stream": stream,
    "transform": transform,
    "validate": validate,
}
