"""Encoded stretches of an answer, and the text that they stand for."""

import base64
import re
from collections.abc import Iterator

SHORTEST = 20
"""Characters of one encoded stretch; words are shorter."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{20,}+(?:\r?\n[A-Za-z0-9+/_\-]{8,}+)*+")
_HEX = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s:,]{0,2}){12,}+")
_BINARY = re.compile(r"(?:[01]{8}[\s,]{0,2}){8,}+")
_NOT_HEX = re.compile(r"0x|\\x|[^0-9A-Fa-f]")
_URL_SAFE = str.maketrans("-_", "+/")


def decoded_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each encoded stretch begins and ends, and what it says; linear in the length of the text.

    A stretch that may have begun before the text is read from each of its first four characters on.
    """
    for found in _BASE64.finditer(text):
        run = "".join(found.group().split()).translate(_URL_SAFE)
        for shift in range(4 if found.start() == 0 else 1):
            yield *found.span(), _plain(_from_base64(run[shift:]))
    for found in _HEX.finditer(text):
        digits = _NOT_HEX.sub("", found.group())
        yield *found.span(), _plain(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for found in _BINARY.finditer(text):
        octets: list[str] = re.findall("[01]{8}", found.group())
        yield *found.span(), _plain(bytes(int(octet, 2) for octet in octets))


def _from_base64(run: str) -> bytes:
    return base64.b64decode(run[: len(run) // 4 * 4])


def _plain(raw: bytes) -> str:
    return raw.decode("utf-8", "ignore")
