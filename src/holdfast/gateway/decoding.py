"""Compressed bodies of requests, taken apart within bounds: a small one may hold a very large one."""

import asyncio
import zlib

from holdfast.errors import MalformedRequest
from holdfast.gateway.reading import too_large
from holdfast.language import Sentence
from holdfast.wire.headers import Headers, get, without

ENCODING = "content-encoding"
WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Codings that the standard library knows, with its sign for each."""
ALOUD = 64 * 1024
"""Bytes from which a body is taken apart in another thread, so that other calls get their turn."""


def check_encoding(headers: Headers) -> None:
    """Raise `MalformedRequest` for a coding that cannot be read here."""
    if _encoding(headers) not in ("identity", *WINDOWS):
        shown = _encoding(headers)[:100]
        known = ", ".join(WINDOWS)
        raise MalformedRequest(
            Sentence(
                f"content-encoding: `{shown}` is not accepted here; send {known}, or the body uncompressed",
                ko=f"content-encoding: `{shown}`은(는) 받을 수 없습니다. {known}로 압축하거나 압축하지 않고 보내세요",
            )
        )


async def decoded(body: bytes, headers: Headers, limit: int) -> tuple[bytes, Headers]:
    """The body as it was before it was compressed, and headers that no longer say that it is.

    Raises `MalformedRequest`, and `RequestTooLarge` as soon as it passes `limit` bytes.
    """
    check_encoding(headers)
    window = WINDOWS.get(_encoding(headers))
    if window is None:
        return body, headers
    plain = without(headers, ENCODING)
    if len(body) < ALOUD:
        return _inflated(body, window, limit), plain
    return await asyncio.to_thread(_inflated, body, window, limit), plain


def _encoding(headers: Headers) -> str:
    return (get(headers, ENCODING) or "identity").strip().lower()


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit
    try:
        while body:
            stream = zlib.decompressobj(window)
            parts.append(stream.decompress(body, room + 1))
            room -= len(parts[-1])
            if room < 0 or stream.unconsumed_tail:
                raise too_large(limit)
            if not stream.eof:
                raise MalformedRequest(_BROKEN)
            body = stream.unused_data  # of gzip, several may stand one behind the other
    except zlib.error as error:
        raise MalformedRequest(_BROKEN) from error
    return b"".join(parts)


_BROKEN = Sentence(
    "content-encoding: the body is not compressed as it says, or is cut off; send it again, or uncompressed",
    ko="content-encoding: 본문이 표시된 방식으로 압축되지 않았거나 잘렸습니다. 다시 보내거나 압축하지 않고 보내세요",
)
