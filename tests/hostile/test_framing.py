"""Where requests end: one reading of what has one, and a refusal of everything that has two."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import MalformedRequest
from holdfast.wire.framing import Framer, HeadTooLarge

LARGEST = 2_000
HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

GOOD = {
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n": None,
    b"GET / HTTP/1.0\r\n\r\n": None,
    b"\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    HEAD + b"content-length: 0\r\n\r\n": None,
    HEAD + b"content-length: 5\r\n\r\nhello": None,
    HEAD + b"Content-Length:\t005 \r\n\r\nhello": None,
    HEAD + b"x-a: \xff\xfe\tb\r\nx-a: c\r\nx-b:\r\ncontent-length: 1\r\n\r\n\0": None,
    HEAD + b"Upgrade: h2c\r\nx: y\r\nupgrade: websocket\r\n\r\n": HEAD + b"x: y\r\n\r\n",
    b"GET http://example.org:80/a?b HTTP/1.1\r\nx: y\r\nHost: x\r\n\r\n": (
        b"GET /a?b HTTP/1.1\r\nhost: example.org:80\r\nx: y\r\n\r\n"
    ),
    b"GET HTTPS://h HTTP/1.1\r\nhost: x\r\n\r\n": b"GET / HTTP/1.1\r\nhost: h\r\n\r\n",
    b"GET http://h?b HTTP/1.1\r\nhost: x\r\n\r\n": b"GET /?b HTTP/1.1\r\nhost: h\r\n\r\n",
    b"GET http://u@h/ HTTP/1.1\r\nhost: x\r\n\r\n": None,
    CHUNKED + b"0\r\n\r\n": None,
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n": None,
    CHUNKED + b'005 ;a="b";c\r\nhello\r\n0;d\r\n\r\n': CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"a\r\n\r\n0\r\n\r\n\r\n.\r\n0\r\n\r\n": None,
    CHUNKED + b"1\r\nx\r\n0\r\nx-holdfast-user: mallory\r\nhost: y\r\n\r\n": CHUNKED + b"1\r\nx\r\n0\r\n\r\n",
}
BAD = (
    *(b"\x16\x03\x01\x02\x00\x01", b"\0", b" GET / HTTP/1.1\r\n", b"a" * 33, b"GET\t/", b"(x)", b"{"),
    *(b"GET /\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/9.9\r\nhost: x\r\n\r\n"),
    *(b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", b"GET / HTTP/1.1\n"),
    *(
        b"GET / HTTP/1.1 \r\nhost: x\r\n\r\n",
        b"GET / http/1.1\r\nhost: x\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\n\r\n",
    ),
    # lines that end elsewhere than they should
    *(
        HEAD.replace(b"\r\n", b"\n") + b"\n",
        HEAD + b"x: y\n\r\n",
        HEAD + b"x: y\n\n",
        HEAD + b"x: y\rz: a\r\n\r\n",
    ),
    *(HEAD + b"x: y\r\n z\r\n\r\n", HEAD + b"x: y\r\n\tz\r\n\r\n", b"GET / HTTP/1.1\r\n host: x\r\n\r\n"),
    # names and values that are none
    *(HEAD + b"x : y\r\n\r\n", HEAD + b": y\r\n\r\n", HEAD + b"x\r\n\r\n", HEAD + b"x\xc3\xa9: y\r\n\r\n"),
    *(
        HEAD + b"x: a\0b\r\n\r\n",
        HEAD + b"x: \x1b[31m\r\n\r\n",
        HEAD + b"x: \x7f\r\n\r\n",
        HEAD + b"x: \x0b\r\n\r\n",
    ),
    # whose request it is
    *(b"GET / HTTP/1.1\r\n\r\n", HEAD + b"Host: y\r\n\r\n", HEAD + b"host: x\r\n\r\n"),
    # how long it is
    *(HEAD + b"content-length: 5\r\ncontent-length: 5\r\n\r\n", HEAD + b"content-length: 5, 5\r\n\r\n"),
    *(HEAD + b"content-length: 5\r\nContent-Length: 6\r\n\r\n", HEAD + b"content-length: +5\r\n\r\n"),
    *(
        HEAD + b"content-length: -5\r\n\r\n",
        HEAD + b"content-length: 0x5\r\n\r\n",
        HEAD + b"content-length:\r\n\r\n",
    ),
    *(HEAD + b"content-length: 1_0\r\n\r\n", HEAD + b"content-length: \xb2\r\n\r\n"),
    *(HEAD + b"content-length: " + b"9" * 20 + b"\r\n\r\n", HEAD + b"content-length: five\r\n\r\n"),
    HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    HEAD + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
    HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
    *(
        HEAD + b"transfer-encoding: %s\r\n\r\n" % name
        for name in (b"gzip, chunked", b"identity", b"xchunked", b"")
    ),
    *(HEAD + b"transfer-encoding: %s\r\n\r\n" % name for name in (b"chunked, identity", b"chunked, chunked")),
    *(
        HEAD + b"transfer-encoding: %s\r\n\r\n" % name
        for name in (b"\x0bchunked", b"chunked;a=b", b'"chunked"')
    ),
    HEAD + b"transfer-encoding:\r\n chunked\r\n\r\n",
    b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
    # chunks
    *(
        CHUNKED + size + b"\r\n"
        for size in (b"ZZ", b"-1", b"+1", b"0x1", b"", b" 1", b"1 1", b"1_0", b"\xb2")
    ),
    *(CHUNKED + size for size in (b"Z", b"g\r", b"5\n", b"\n", b"5\r0", b";")),
    *(CHUNKED + b"F" * 9 + b"\r\n", CHUNKED + b"1;a=\0\r\n", CHUNKED + b"5;" + b"a" * 5_000),
    *(CHUNKED + b"5\r\nhelloX\r\n", CHUNKED + b"5\r\nhello\n", CHUNKED + b"5\r\nhello0\r\n\r\n"),
    *(CHUNKED + b"5\r\nhelloX", CHUNKED + b"5\r\nhello\rX"),
    *(
        CHUNKED + b"0\r\nx y: z\r\n\r\n",
        CHUNKED + b"0\r\nx: y\n\r\n\r\n",
        CHUNKED + b"0\r\nx: y\r\n z\r\n\r\n",
    ),
)


def read(data: bytes, cuts: list[int] | None = None) -> bytes:
    """All that is handed on of what comes in these pieces."""
    framer = Framer(largest_head=LARGEST)
    edges = [0, *sorted(cuts or []), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    given = b"".join(piece for part in pieces for piece in framer.feed(part))
    assert not framer.has_begun
    assert not framer.in_body
    return given


def text_of(chunked: bytes) -> bytes:
    """The text of a request of ours with chunks, however they are cut."""
    head, _, rest = chunked.partition(b"\r\n\r\n")
    text = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        text, rest = text + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return head + b"|" + text


@pytest.mark.parametrize(("given", "expected"), GOOD.items())
def test_a_request_with_one_reading_is_handed_on_in_its_usual_spelling(
    given: bytes, expected: bytes | None
) -> None:
    assert read(given) == (given if expected is None else expected)


@pytest.mark.parametrize("given", BAD)
def test_what_has_two_readings_or_none_is_refused(given: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read(given)


@pytest.mark.parametrize("given", GOOD)
def test_where_packets_end_means_nothing(given: bytes) -> None:
    meant = text_of if b"chunked" in given else bytes
    for cuts in (*([cut] for cut in range(len(given))), list(range(len(given)))):
        assert meant(read(given, cuts)) == meant(read(given))


@pytest.mark.parametrize("given", BAD)
def test_what_is_refused_whole_is_refused_byte_by_byte(given: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read(given, list(range(len(given))))


@given(
    requests=st.lists(st.sampled_from([one for one in GOOD if b"1.0" not in one]), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_requests_in_a_row_do_not_run_into_each_other(requests: list[bytes], cuts: list[int]) -> None:
    data = b"".join(requests)
    given = read(data, [min(cut, len(data)) for cut in cuts])
    assert given.count(b" HTTP/1.") == len(requests)


@given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_no_bytes_at_all_break_the_framer(data: bytes, cuts: list[int]) -> None:
    for start in (b"", HEAD, CHUNKED, CHUNKED + b"5\r\nhello", CHUNKED + b"0\r\n"):
        framer = Framer(largest_head=LARGEST)
        with suppress(MalformedRequest):
            for piece in (start, *(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))):
                list(framer.feed(piece))


@given(data=st.binary(max_size=60))
def test_a_body_may_hold_anything(data: bytes) -> None:
    plain = HEAD + b"content-length: %d\r\n\r\n%s" % (len(data), data)
    assert read(plain) == plain
    chunks = b"".join(b"1\r\n%c\r\n" % letter for letter in data)
    assert text_of(read(CHUNKED + chunks + b"0\r\n\r\n")).partition(b"|")[2] == data


def test_a_head_is_bounded_whether_it_ends_or_not() -> None:
    for head in (
        HEAD + b"x: " + b"a" * LARGEST,
        HEAD + b"x: " + b"a" * LARGEST + b"\r\n\r\n",
        b"G" + b"\r" * LARGEST,
    ):
        with pytest.raises(MalformedRequest):
            read(head)
    with pytest.raises(HeadTooLarge) as caught:
        read(HEAD + b"x: y\r\n" * LARGEST)
    assert caught.value.status == 431
    assert "2,000" in caught.value.say("ko")


def test_trailers_are_bounded() -> None:
    for trailers in (b"x: " + b"a" * LARGEST, b"x: y\r\n" * LARGEST + b"\r\n"):
        with pytest.raises(HeadTooLarge):
            read(CHUNKED + b"0\r\n" + trailers)


def test_empty_lines_between_requests_fill_nothing() -> None:
    framer = Framer(largest_head=LARGEST)
    for _ in range(1_000):
        assert list(framer.feed(b"\r\n" * 1_000)) == []
    assert not framer.has_begun


def test_a_flood_of_small_chunks_is_one_chunk_to_the_parser_behind() -> None:
    framer = Framer(largest_head=LARGEST)
    _, body = framer.feed(CHUNKED + b"1\r\nx\r\n" * 4_000)
    assert body == b"fa0\r\n" + b"x" * 4_000 + b"\r\n"
    assert framer.in_body


def test_a_request_before_a_broken_one_is_handed_on() -> None:
    framer = Framer(largest_head=LARGEST)
    pieces = framer.feed(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n\0")
    assert next(pieces).startswith(b"GET")
    with pytest.raises(MalformedRequest):
        next(pieces)


def test_a_head_in_the_making_is_known() -> None:
    framer = Framer(largest_head=LARGEST)
    assert list(framer.feed(b"GET / HT")) == []
    assert framer.has_begun
    assert not framer.in_body


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_many_tiny_chunks_are_refused_wherever_packets_end(step: int) -> None:
    data = CHUNKED + b"1\r\nx\r\n" * 4_097
    with pytest.raises(MalformedRequest, match="16 bytes on average"):
        read(data, list(range(0, len(data), step)))


def test_tiny_chunks_of_one_body_are_not_held_against_the_next() -> None:
    assert text_of(read(CHUNKED + b"1\r\nx\r\n" * 4_000 + b"0\r\n\r\n")).endswith(b"x" * 4_000)
    framer = Framer(largest_head=LARGEST)
    for _ in range(3):
        list(framer.feed(CHUNKED + b"1\r\nx\r\n" * 3_000 + b"0\r\n\r\n"))
    assert not framer.in_body


def test_many_chunks_of_a_usual_size_are_a_body() -> None:
    data = CHUNKED + b"40\r\n%s\r\n" % (b"x" * 64) * 10_000 + b"0\r\n\r\n"
    assert len(text_of(read(data, list(range(0, len(data), 1_000))))) > 640_000


def test_the_body_that_has_no_known_end_is_known() -> None:
    framer = Framer(largest_head=LARGEST)
    list(framer.feed(HEAD + b"content-length: 2\r\n\r\nx"))
    assert (framer.in_body, framer.in_chunks) == (True, False)
    list(framer.feed(b"x" + CHUNKED))
    assert (framer.in_body, framer.in_chunks) == (True, True)


def test_trailers_that_come_byte_by_byte_are_passed_over() -> None:
    data = CHUNKED + b"0\r\n" + b"x-a: b\r\n" * 200 + b"\r\n"
    assert read(data, list(range(len(data)))) == CHUNKED + b"0\r\n\r\n"


LAST = {
    b"POST / HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n": 1,
    b"POST / HTTP/1.1\r\nhost: x\r\nconnection: te,\t Close\r\ncontent-length: 2\r\n\r\nhi": 1,
    CHUNKED[:-2] + b"connection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n": 1,
    b"GET / HTTP/1.0\r\n\r\n": 1,
    b"GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n": 2,
}


@pytest.mark.parametrize(("last", "count"), LAST.items())
def test_nothing_is_read_after_a_request_that_says_it_is_the_last(last: bytes, count: int) -> None:
    follows = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    for cuts in ([], list(range(len(last + follows)))):
        assert read(last + follows, cuts).count(b" HTTP/1.") == count
    if count == 1:
        assert read(last + b"\0 no HTTP at all") == last
