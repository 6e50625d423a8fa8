"""Cutting a stream of bytes into events."""

import re
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.wire import sse
from holdfast.wire.sse import Event, OversizedEvent, Splitter

RECORDED = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "streams").glob("*.sse")}
PIECES = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"event: a", b"event:b", b"data: x", b"data", b"data:"),
    *(b": comment", b" ", b"\xef\xbb\xbf", b"id: 1", b"\xff\x00", b'data: {"type": "ping"}'),
]
streams = st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join)
cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


def cut(stream: bytes, positions: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(position, len(stream)) for position in positions), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def read(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    splitter = Splitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.rest


def said(events: list[Event]) -> list[tuple[str, bytes]]:
    return [(event.name, event.data) for event in events if event.name or event.data]


def by_the_standard(stream: bytes) -> list[tuple[str, bytes]]:
    """The HTML standard's algorithm over the whole text, line by line."""
    found: list[tuple[str, bytes]] = []
    name, data = b"", list[bytes]()
    for line in re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        if line == b"":
            if name or b"\n".join(data):
                found.append((name.decode("utf-8", "replace"), b"\n".join(data)))
            name, data = b"", []
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        name = value if field == b"event" else name
        data += [value] if field == b"data" else []
    return found


@given(streams, cuts)
@example(b"data: x\r\n\r\ndata: y\r\n\r\n", [10])
@example(b"\xef\xbb\xbfdata: x\r\rdata: y\n\n", [1, 9])
@example(b"data: x\n\r\ndata: y\n\n", [8, 9])
def test_no_byte_is_lost_or_moved_wherever_the_stream_is_cut(stream: bytes, positions: list[int]) -> None:
    events, rest = read(cut(stream, positions))
    assert b"".join(event.raw for event in events) + rest == stream


@given(streams, cuts)
def test_events_are_those_of_the_standard_wherever_the_stream_is_cut(
    stream: bytes, positions: list[int]
) -> None:
    events, _ = read(cut(stream, positions))
    assert said(events) == by_the_standard(stream)


@given(st.binary(max_size=200), cuts)
def test_any_bytes_are_a_stream(stream: bytes, positions: list[int]) -> None:
    events, rest = read(cut(stream, positions))
    assert b"".join(event.raw for event in events) + rest == stream


@pytest.mark.parametrize("name", sorted(RECORDED))
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_recorded_stream_reads_the_same_cut_at_every_byte(name: str, line_end: bytes) -> None:
    stream = RECORDED[name].replace(b"\n", line_end)
    whole, rest = read([stream])
    assert rest == b""
    assert said(whole) == by_the_standard(RECORDED[name])
    for position in range(len(stream)):
        events, _ = read([stream[:position], stream[position:]])
        assert said(events) == said(whole)


def test_an_event_is_given_out_with_its_last_byte() -> None:
    splitter = Splitter()
    assert splitter.feed(b"event: ping\ndata: {}\n") == []
    assert splitter.rest == b"event: ping\ndata: {}\n"
    assert splitter.feed(b"\n") == [Event("ping", b"{}", b"event: ping\ndata: {}\n\n")]
    assert splitter.rest == b""


def test_a_carriage_return_ends_an_event_without_waiting_for_a_line_feed() -> None:
    splitter = Splitter()
    assert said(splitter.feed(b"data: x\r\n\r")) == [("", b"x")]
    assert splitter.feed(b"\n") == [Event("", b"", b"\n")]


def test_several_data_lines_are_one_text() -> None:
    events, _ = read([b"event: note\ndata: one\ndata:two\ndata\n\n"])
    assert said(events) == [("note", b"one\ntwo\n")]


def test_a_comment_is_an_event_that_says_nothing() -> None:
    events, _ = read([b": keep-alive\n\n"])
    assert events == [Event("", b"", b": keep-alive\n\n")]


def test_a_name_that_is_no_utf8_does_no_harm() -> None:
    events, _ = read([b"event: \xff\ndata: x\n\n"])
    assert said(events) == [("\ufffd", b"x")]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 100 + b"\n\n"],
        [b"data: " + b"x" * 100],
        [b"data: ", b"x" * 60, b"x" * 40, b"\n\n"],
        [b"data: ", b"x" * 60 + b"\n\n" + b"data: y\n\n"],
    ],
)
def test_an_event_beyond_the_limit_is_an_error_ended_or_not(chunks: list[bytes]) -> None:
    splitter = Splitter(limit=64)

    def feed_all() -> None:
        for chunk in chunks:
            splitter.feed(chunk)

    with pytest.raises(OversizedEvent, match="longer than 64 bytes") as caught:
        feed_all()
    assert caught.value.limit == 64


def test_the_limit_is_of_one_event_and_not_of_the_stream() -> None:
    splitter = Splitter(limit=64)
    assert len(splitter.feed(b"data: x\n\n" * 1000)) == 1000


def test_a_long_event_in_small_pieces_costs_its_length_and_not_its_square() -> None:
    def seconds(pieces: int) -> float:
        splitter, began = Splitter(), process_time()
        for _ in range(pieces):
            splitter.feed(b"data: 123456789!")
        assert len(splitter.feed(b"\n\n")) == 1
        return process_time() - began

    short = min(seconds(10_000) for _ in range(3))
    # Eight times the length: about 8 times the time, or 64 times if every piece searched all before it.
    assert min(seconds(80_000) for _ in range(3)) < 24 * short


@given(st.text(alphabet="abcé한", max_size=8), st.binary(max_size=40), cuts)
def test_what_is_emitted_is_read_back(name: str, data: bytes, positions: list[int]) -> None:
    events, rest = read(cut(sse.emit(name, data), positions))
    lines = re.sub(rb"\r\n?", b"\n", data)
    assert rest == b""
    assert [(event.name, event.data) for event in events] == [(name, lines)]


def test_a_name_cannot_start_a_line_of_its_own() -> None:
    assert sse.emit("a\r\ndata: b\n", b"c") == b"event: adata: b\ndata: c\n\n"


def test_a_ping_is_what_the_api_sends() -> None:
    (event,), rest = read([sse.ping()])
    assert (event.name, event.data, rest) == ("ping", b'{"type": "ping"}', b"")
