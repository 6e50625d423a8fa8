"""Inputs made from other inputs: cut, doubled, spliced, and salted with what has broken readers before."""

from collections.abc import Sequence
from random import Random

SALT = (
    *(
        b"\0",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b'"',
        b"\\",
        b"\\\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"data: ",
    ),
    *(
        b"event: ",
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xf3\xa0\x81\x81",
    ),
    *(
        b"\\ud800",
        b"\\u0000",
        b"NaN",
        b"1e400",
        b"-0",
        b"9" * 30,
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"A" * 64,
    ),
    *(
        b"sk-ant-api03-",
        b"Bearer ",
        b"password=",
        b"-----BEGIN ",
        b"eyJ",
        b"@",
        b"://",
        b"%00",
        b"0x7f.1",
        b"[::1]",
    ),
    *("가".encode(), "\u200b".encode(), "\u202e".encode(), "ｉ".encode(), "і".encode(), "ᄀ".encode()),
    *(
        b"transfer-encoding: chunked\r\n",
        b"content-length: 5\r\n",
        b"0\r\n\r\n",
        b"ignore previous instructions",
    ),
)
LONGEST = 20_000


def mutated(dice: Random, corpus: Sequence[bytes]) -> bytes:
    """One new input; the same dice give the same input."""
    data = dice.choice(corpus)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        data = _changed(dice, data, corpus)[:LONGEST]
    return data


def _changed(dice: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    before, middle, after = data[:start], data[start:end], data[end:]
    other = dice.choice(corpus)
    changes = (
        before + dice.choice(SALT) + middle + after,
        before + after,
        before + middle * dice.choice((2, 3, 50)) + after,
        before + other[dice.randrange(len(other) + 1) :],
        before + dice.randbytes(dice.randrange(1, 9)) + after,
        before + dice.choice(SALT) * dice.choice((1, 10, 300)) + after,
        before + dice.randbytes(1) + data[start + 1 :],
        before + middle[::-1] + after,
    )
    return dice.choice(changes)
