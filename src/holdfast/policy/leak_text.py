"""Texts squeezed to their letters, so that the same words read alike however they are spelled and set."""

import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from holdfast.policy.lookalikes import LATIN_TWINS, fold_letter

LONGEST_ESCAPE = 12
"""Characters of one escape; only the UTF-8 of one letter in a URL is as long."""

_HEX = "[0-9A-Fa-f]"
_MORE = f"%[89ABab]{_HEX}"
_ESCAPE = re.compile(
    rf"%[0-7]{_HEX}|%[CDcd]{_HEX}{_MORE}|%[Ee]{_HEX}(?:{_MORE}){{2}}|%[Ff][0-7](?:{_MORE}){{3}}"
    rf"|\\u{_HEX}{{4}}|\\x{_HEX}{{2}}|\\[nrtbf]|&(?:#[0-9]{{1,7}}|#[xX]{_HEX}{{1,6}}|[A-Za-z]{{2,8}});"
)
_CUT_ESCAPE = re.compile(
    rf"(?:(?:%[C-Fc-f]{_HEX}(?:{_MORE}){{0,2}})?(?:%{_HEX}?)?|\\(?:u{_HEX}{{0,3}}|x{_HEX}?)?|&#?[A-Za-z0-9]{{0,8}})\Z"
)
_SIGNS = re.compile(r"[%\\&]")
_MOST_LETTERS = 20_000
_ASCII_LETTERS = bytes(range(256)).lower()
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())


class _Letters(dict[int, str]):
    """What each letter is squeezed to: several units for one that says more than a Latin letter does."""

    def __missing__(self, point: int) -> str:
        units = _units(chr(point))
        if len(self) < _MOST_LETTERS:
            self[point] = units
        return units


def squeeze(text: str) -> str:
    """The letters of a text in small, plain form, without spaces, digits and signs.

    A syllable of Hangul becomes its two or three letters, a kana two units and a Chinese character three, so
    that the same number of units says about as much in every script.
    """
    if text.isascii():
        return text.encode().translate(_ASCII_LETTERS, _NO_LETTERS).decode()
    return text.translate(_TABLE)


def unescape(text: str) -> str:
    """The text with escapes of URLs, JSON and HTML undone, one level deep."""
    return _ESCAPE.sub(_unescaped, text) if _SIGNS.search(text) else text


def tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """The characters and escapes of a text: where each begins and ends, and the units it stands for."""
    at = 0
    for found in _ESCAPE.finditer(text):
        yield from ((place, place + 1, squeeze(text[place])) for place in range(at, found.start()))
        yield *found.span(), squeeze(_unescaped(found))
        at = found.end()
    yield from ((place, place + 1, squeeze(text[place])) for place in range(at, len(text)))


def cut_at(text: str) -> int:
    """Where an escape begins that may go on behind the end of the text; else the end."""
    found = _CUT_ESCAPE.search(text, max(0, len(text) - LONGEST_ESCAPE))
    is_cut = found is not None and not _ESCAPE.fullmatch(found.group())
    return found.start() if found is not None and is_cut else len(text)


def _unescaped(found: re.Match[str]) -> str:
    run = found.group()
    if run[0] == "%":
        return unquote(run, errors="ignore")
    if run[0] == "&":
        return html.unescape(run)
    if run[1] not in "ux":
        return " "
    point = int(run[2:], 16)
    return " " if 0xD800 <= point < 0xE000 else chr(point)


def _units(char: str) -> str:
    if not char.isalpha():
        # Letters of Hangul that stand apart count as letters; marks and signs do not.
        return ""
    if "가" <= char <= "힣":
        return unicodedata.normalize("NFD", char)
    plain = "".join(letter for letter in fold_letter(char).translate(LATIN_TWINS) if letter.isalpha())
    return plain * _density(plain)


def _density(plain: str) -> int:
    """How many Latin letters one of these is worth."""
    if "\u3040" <= plain[:1] <= "\u30ff":
        return 2
    return 3 if "\u3400" <= plain[:1] <= "\u9fff" or plain[:1] >= "\U00020000" else 1


_TABLE = _Letters()
