"""The words of a filter of requests: where one ends, and which field, sign and value it is made of."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdfast.policy.filter_errors import empty, no_field, stray_quote, stray_star, too_long, unprintable
from holdfast.policy.filter_fields import Op

LONGEST = 2_000
"""Characters of a filter."""
MOST = 32
"""Words of a filter."""
SIGNS: Mapping[str, Op] = {
    ":": "=",
    "=": "=",
    "!=": "!=",
    ">": ">",
    ">=": ">=",
    "<": "<",
    "<=": "<=",
    "~": "~",
}

_NAME = r"(?P<minus>-?)(?P<name>[A-Za-z_]+)(?P<sign>:?(?:>=|<=|!=|>|<|=|~)|:)"
_START = re.compile(_NAME)
_WORD = re.compile(
    _NAME + r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"(?P<star>\*?)|(?P<bare>[^\s"]*))(?=\s|\Z)', re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word, taken apart.

    Attributes:
        text: as it was written.
        is_no: it began with a minus.
        value: without quotes, escapes and the star.
        has_star: the value ended with a `*` outside quotes: anything may follow.
    """

    text: str
    is_no: bool
    name: str
    sign: Op
    value: str
    has_star: bool


def words(text: str) -> Iterator[Word]:
    """The words in their order; raises `FilterUnreadable` for what is none."""
    if len(text) > LONGEST:
        raise too_long(text, LONGEST)
    at, number = 0, 0
    while rest := text[at:].lstrip():
        at, number = len(text) - len(rest), number + 1
        if number > MOST:
            raise too_long(text, MOST)
        found = _WORD.match(text, at)
        if found is None:
            raise _unreadable(rest)
        yield _word(found)
        at = found.end()


def last_word(text: str) -> tuple[str, str]:
    """A filter that is being typed: what is finished, and the word at the cursor."""
    at = next((at for at in range(len(text), 0, -1) if text[at - 1].isspace()), 0)
    return text[:at], text[at:]


def started(word: str) -> tuple[str, str, str] | None:
    """The field, all before the value, and the value of a word that is being typed; `None` before its sign."""
    found = _START.match(word)
    return None if found is None else (found["name"].lower(), found[0], word[found.end() :])


def _word(found: re.Match[str]) -> Word:
    quoted, bare = found["quoted"], found["bare"]
    value, has_star = (
        _bare(found[0], bare) if bare is not None else (_ESCAPED.sub(r"\1", quoted), bool(found["star"]))
    )
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise unprintable(found[0])
    return Word(
        text=found[0],
        is_no=bool(found["minus"]),
        name=found["name"].lower(),
        sign=SIGNS[found["sign"].lstrip(":") or ":"],
        value=value,
        has_star=has_star,
    )


def _bare(word: str, value: str) -> tuple[str, bool]:
    if not value:
        raise empty(word)
    if "*" in value[:-1]:
        raise stray_star(word)
    return value.removesuffix("*"), value.endswith("*")


def _unreadable(rest: str) -> Exception:
    word = rest.split(maxsplit=1)[0]
    return no_field(word) if _START.match(word) is None else stray_quote(word)
