"""Where requests are read from, when what answers is no gateway of ours."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from holdfast.cli.remote import Answered, Server
from holdfast.cli.request_rows import length, live
from holdfast.cli.request_source import LONGEST_LINE, Facts, Remote, lines
from holdfast.errors import UpstreamUnavailable
from holdfast.language import Sentence

ROW: dict[str, Any] = {
    "request_id": "hfr_1",
    "at": "2026-11-22T12:00:00.25Z",
    "outcome": "answered",
    "status": 200,
    "model": "m" * 60,
    "served_model": None,
    "key": "한국어로 된 긴 키 이름",
    "input_tokens": 1,
    "cache_read_input_tokens": 2,
    "cache_creation_input_tokens": 3,
    "output_tokens": 4,
    "cost": "0.0000123",
    "duration_ms": None,
    "decided_by": None,
    "error_code": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd(Server):
    """Streams some bytes, or refuses."""

    body: bytes = b""
    status: int = 200

    @contextmanager
    def stream(self, path: str, *, patience: float = 1.0) -> Generator[Iterator[bytes]]:
        if self.status >= 400:
            raise Answered(Sentence("no", ko="아니요"), status=self.status)
        yield iter([self.body])


def taken(server: Server) -> list[Facts]:
    found: list[Facts] = []
    Remote(server=server).all("", found.append)
    return found


def test_lines_may_be_cut_anywhere_and_the_last_needs_no_end() -> None:
    assert [*lines([b"a", b"b\n\nc", b"d\ne"])] == [b"ab", b"cd", b"e"]
    assert [*lines([])] == []


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    assert max(len(line) for line in lines([b"x" * 1024] * (3 * LONGEST_LINE // 1024))) <= LONGEST_LINE + 1024


def test_an_answer_that_is_no_export_is_no_gateway() -> None:
    assert taken(Odd(url="http://x", body=b'{"a":1}')) == [{"a": 1}]
    with pytest.raises(UpstreamUnavailable):
        taken(Odd(url="http://x", body=b"<html>"))


def test_what_a_gateway_cannot_do_now_is_no_wrong_usage() -> None:
    with pytest.raises(Answered):
        taken(Odd(url="http://x", status=503))


def test_a_live_line_keeps_its_columns_whatever_is_in_them() -> None:
    line = live(ROW)
    assert "m…" in line
    assert "$0.0000123" in line
    assert "-" in line
    assert (length(9.94), length(10), length(1000)) == ("9.9 ms", "10 ms", "1.00 s")
