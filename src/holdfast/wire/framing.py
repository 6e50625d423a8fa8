"""Where the requests begin and end in the bytes of one connection, read as strictly as RFC 9112 allows."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from holdfast.errors import MalformedRequest
from holdfast.language import Sentence

Step = Literal["head", "length", "size", "chunk", "line end", "trailers", "over"]

_BEGINNING = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |\Z)")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@\\]+)(?:/|(?=\?)|\Z)([^#]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(rb"[0-9]{1,19}")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_WHOLE_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_BROKEN_LINE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
_END_OF_HEAD = b"\r\n\r\n"
_LINE_END = b"\r\n"
_LONGEST_SIZE_LINE = 4_096
_FEW_CHUNKS = 4_096
"""Chunks of a body that may be as small as they like."""
_LEAST_CHUNK = 16
"""Bytes that the chunks of a body must have on average beyond: smaller ones cost us more than whoever sends them."""
_SINGLE = (b"host", b"content-length", b"transfer-encoding")


class HeadTooLarge(MalformedRequest):
    """The headers are larger than any client of ours sends."""

    error_code = "holdfast_headers_too_large"
    default_status = 431


class Framer:
    """Cuts what comes in into heads and bodies that every reader understands alike.

    Two servers in a row that disagree about where a request ends let a stranger put words into another's
    request. So what could be read in two ways is refused, and the rest is handed on in one spelling: chunks
    without extensions, no trailers, and no offer to speak another protocol, which a server may ignore
    (RFC 9110 section 7.8) and which parsers stumble over. A target in absolute form, as for a proxy, becomes
    a path and a host (RFC 9112 section 3.2.2). What follows a request that says it is the last is not read.
    """

    def __init__(self, *, largest_head: int) -> None:
        self._largest_head = largest_head
        self._held = bytearray()
        self._step: Step = "head"
        self._left = 0
        self._looked_at = 0
        self._next: Step = "head"
        self._chunk_count = 0
        self._chunk_bytes = 0

    @property
    def has_begun(self) -> bool:
        """Whether part of a head is here, and not all of it."""
        return self._step == "head" and bool(self._held)

    @property
    def in_body(self) -> bool:
        """Whether the last request has not come to its end."""
        return self._step not in ("head", "over")

    @property
    def in_chunks(self) -> bool:
        """Whether nobody knows how much of the last request is still to come."""
        return self._step in ("size", "chunk", "line end", "trailers")

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be handed on now: a whole head, or a part of a body.

        Raises:
            MalformedRequest: this is no HTTP/1.1, or could be read in two ways; nothing may be fed any more.
            HeadTooLarge: a head, or the trailers of a body, passes `largest_head` bytes.
        """
        if self._held:
            self._held += data
            data, self._held = bytes(self._held), bytearray()
        while data:
            match self._step:
                case "head":
                    given, data = self._head(data)
                case "length":
                    given, data = self._body(data)
                case "over":
                    return
                case _:
                    given, data = self._chunks(data)
            if given:
                yield given

    def _head(self, data: bytes) -> tuple[bytes, bytes]:
        data = data.lstrip(_LINE_END)  # an empty line between two requests is to be overlooked
        # What was looked at before is not looked at again: a head may come byte by byte.
        start, self._looked_at = max(0, self._looked_at - len(_END_OF_HEAD)), 0
        end = data.find(_END_OF_HEAD, start)
        length = len(data) if end < 0 else end
        if length > self._largest_head:
            raise HeadTooLarge(_too_large(self._largest_head))
        if data and (not _BEGINNING.match(data) or _BROKEN_LINE.search(data, start, length)):
            raise MalformedRequest(_NOT_HTTP)
        if end < 0:
            self._held += data
            self._looked_at = len(data)
            return b"", b""
        return self._understood(data[:end].split(_LINE_END)), data[end + len(_END_OF_HEAD) :]

    def _understood(self, lines: Sequence[bytes]) -> bytes:
        request_line = _REQUEST_LINE.fullmatch(lines[0])
        fields = [_FIELD.fullmatch(line) for line in lines[1:]]
        if request_line is None or None in fields:
            raise MalformedRequest(_NOT_HTTP)
        named = [(field[1].lower(), field[2].strip(b" \t")) for field in fields if field]
        only = {name: [value for known, value in named if known == name] for name in _SINGLE}
        is_current = request_line[3] == b"1"
        if any(len(values) > 1 for values in only.values()) or (is_current and not only[b"host"]):
            raise MalformedRequest(_AMBIGUOUS)
        self._next = "over" if _is_last(named, is_current=is_current) else "head"
        self._begin_body(only[b"content-length"], only[b"transfer-encoding"], is_current=is_current)
        line, moved = _origin_form(request_line)
        dropped = (b"upgrade", b"host") if moved else (b"upgrade",)
        kept = (line for line, (name, _) in zip(lines[1:], named, strict=True) if name not in dropped)
        return _LINE_END.join((line, *moved, *kept)) + _END_OF_HEAD

    def _begin_body(self, lengths: Sequence[bytes], codings: Sequence[bytes], *, is_current: bool) -> None:
        self._step = self._next
        if codings:
            if lengths or not is_current or codings[0].lower() != b"chunked":
                raise MalformedRequest(_AMBIGUOUS)
            self._step, self._chunk_count, self._chunk_bytes = "size", 0, 0
        elif lengths:
            if not _LENGTH.fullmatch(lengths[0]):
                raise MalformedRequest(_AMBIGUOUS)
            self._left = int(lengths[0])
            self._step = "length" if self._left else self._next

    def _body(self, data: bytes) -> tuple[bytes, bytes]:
        given, rest = data[: self._left], data[self._left :]
        self._left -= len(given)
        if not self._left:
            self._step = self._next
        return given, rest

    def _chunks(self, data: bytes) -> tuple[bytes, bytes]:
        """All chunks in `data` as one, so that a flood of small ones costs the parser behind us nothing."""
        texts: list[bytes] = []
        position = 0
        while position < len(data) and self._step in ("size", "chunk", "line end"):
            if self._step == "size":
                position = self._whole_chunks(data, position, texts)
            position = self._chunk(data, position, texts)
        text = b"".join(texts)
        given = b"%x\r\n%s\r\n" % (len(text), text) if text else b""
        rest = data[position:]
        if self._step == "trailers" and rest:
            end, rest = self._trailers(rest)
            given += end
        return given, rest

    def _whole_chunks(self, data: bytes, position: int, texts: list[bytes]) -> int:
        """Past the plain chunks that are here from their size to their end: what nearly all of them are."""
        while plain := _WHOLE_CHUNK.match(data, position):
            start, size = plain.end(), int(plain[1], 16)
            end = start + size
            if not size or data[end : end + len(_LINE_END)] != _LINE_END:
                break
            self._count_chunk(size)
            texts.append(data[start:end])
            position = end + len(_LINE_END)
        return position

    def _count_chunk(self, size: int) -> None:
        self._chunk_count += 1
        self._chunk_bytes += size
        if self._chunk_count > _FEW_CHUNKS and self._chunk_bytes < _LEAST_CHUNK * self._chunk_count:
            raise MalformedRequest(_TINY_CHUNKS)

    def _chunk(self, data: bytes, position: int, texts: list[bytes]) -> int:
        """One step through a chunked body; gives where the next one starts."""
        if self._step == "chunk":
            end = min(position + self._left, len(data))
            texts.append(data[position:end])
            self._left -= end - position
            if not self._left:
                self._step = "line end"
            return end
        end = data.find(_LINE_END, position, position + _LONGEST_SIZE_LINE)
        if end < 0:
            return self._hold_line(data, position)
        self._end_line(data[position:end])
        return end + len(_LINE_END)

    def _end_line(self, line: bytes) -> None:
        if self._step == "line end":
            if line:
                raise MalformedRequest(_BAD_CHUNK)
            self._step = "size"
            return
        size = _SIZE.fullmatch(line)
        if size is None:
            raise MalformedRequest(_BAD_CHUNK)
        self._left = int(size[1], 16)
        self._step = "chunk" if self._left else "trailers"
        if self._left:
            self._count_chunk(self._left)

    def _hold_line(self, data: bytes, position: int) -> int:
        line = data[position:]
        if len(line) >= _LONGEST_SIZE_LINE or _BROKEN_LINE.search(line) or not _may_become(line, self._step):
            raise MalformedRequest(_BAD_CHUNK)
        self._held += line
        return len(data)

    def _trailers(self, data: bytes) -> tuple[bytes, bytes]:
        """Read past the trailers: nothing here asks for any, and a header must not be brought in that way."""
        start, self._looked_at = max(0, self._looked_at - len(_END_OF_HEAD)), 0
        if data.startswith(_LINE_END):
            end = 0
        else:
            found = data.find(_END_OF_HEAD, start)
            end = found + len(_LINE_END) if found >= 0 else -1
        lines = data if end < 0 else data[:end]
        if len(lines) > self._largest_head:
            raise HeadTooLarge(_too_large(self._largest_head))
        if end < 0:
            self._held += data
            self._looked_at = len(data)
            return b"", b""
        if not all(_FIELD.fullmatch(line) for line in lines.split(_LINE_END)[:-1]):
            raise MalformedRequest(_BAD_CHUNK)
        self._step = self._next
        return b"0\r\n\r\n", data[end + len(_LINE_END) :]


def _is_last(named: Sequence[tuple[bytes, bytes]], *, is_current: bool) -> bool:
    """Whether the client says that no further request follows (RFC 9112 section 9.3)."""
    said = b",".join(value for name, value in named if name == b"connection").lower()
    options = {option.strip(b" \t") for option in said.split(b",")}
    return b"close" in options or (not is_current and b"keep-alive" not in options)


def _origin_form(request_line: re.Match[bytes]) -> tuple[bytes, Sequence[bytes]]:
    """The request line with a path for its target, and the host in its stead where it named one."""
    target = _ABSOLUTE.fullmatch(request_line[2])
    if target is None:
        return request_line[0], ()
    line = b"%s /%s HTTP/1.%s" % (request_line[1], target[2], request_line[3])
    return line, (b"host: " + target[1],)


def _may_become(line: bytes, step: Step) -> bool:
    """Whether the first bytes of a line can still become what is due."""
    line = line.removesuffix(b"\r")
    return not line or (step == "size" and _SIZE.fullmatch(line) is not None)


def _too_large(limit: int) -> Sentence:
    return Sentence(
        f"The headers are larger than {limit:,} bytes; send fewer or shorter ones.",
        ko=f"헤더가 {limit:,}바이트보다 큽니다. 헤더를 줄여서 보내세요.",
    )


_NOT_HTTP = Sentence(
    "This is not a valid HTTP/1.1 request; check the request line, the headers and how the body is framed.",
    ko="올바른 HTTP/1.1 요청이 아닙니다. 요청 줄과 헤더, 본문 길이 표시를 확인하세요.",
)
_AMBIGUOUS = Sentence(
    "This HTTP request could be read in two ways; send one host, and one content-length or transfer-encoding: chunked.",
    ko="이 HTTP 요청은 두 가지로 해석될 수 있습니다. host 하나, 그리고 content-length나 "
    "transfer-encoding: chunked 중 하나만 보내세요.",
)
_BAD_CHUNK = Sentence(
    "The chunks of this request's body are not well formed; let an HTTP library frame them.",
    ko="이 요청 본문의 청크 형식이 올바르지 않습니다. HTTP 라이브러리로 만들어 보내세요.",
)
_TINY_CHUNKS = Sentence(
    f"The chunks of this request's body have less than {_LEAST_CHUNK} bytes on average; send larger ones, or the length.",
    ko=f"이 요청 본문의 청크가 평균 {_LEAST_CHUNK}바이트보다 작습니다. 더 크게 나누거나 길이를 정해서 보내세요.",
)
