"""Rule files: words by concept, patterns over them, and where a match is no attack.

In a file a space stands for one to three blanks, or for any number including none where words run
together, and `{name}` for one of the words listed under that name.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.lookalikes import fold_letter
from holdfast.policy.screening import CHANNELS, Channel, Exemption, Pattern, Reach, Rule

_WORD_BEGINS = r"(?<!\w)"
_WORD_ENDS = r"(?!\w)"
_NAMED = re.compile(r"\{([a-z_]+)\}")


class _RuleEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: str
    patterns: tuple[tuple[str, ...], ...]
    en: str
    ko: str
    weight: float = 0.9
    gap: int = 40
    channels: tuple[Channel, ...] = CHANNELS
    reach: Reach = "every"
    exempt: bool = True


class _Exempt(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    negated: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    quoted: tuple[str, ...]


class _RuleFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    language: str
    rules: tuple[_RuleEntry, ...]
    spaced: bool = True
    requires: str = ""
    words: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    unless: _Exempt | None = None


def parse_rules(toml: str) -> tuple[Rule, ...]:
    """The rules of one rule file.

    Raises:
        ConfigError: it is not TOML, has an unknown or missing member, or an expression that cannot be used.
    """
    try:
        book = msgspec.convert(tomllib.loads(toml), type=_RuleFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            Sentence(
                f"A rule file of the screen cannot be read: {error}.",
                ko=f"검사 규칙 파일을 읽을 수 없습니다: {error}.",
            )
        ) from error
    unless = _exemption(book) if book.unless else None
    return tuple(_rule(entry, book, unless if entry.exempt else None) for entry in book.rules)


def _rule(entry: _RuleEntry, book: _RuleFile, unless: Exemption | None) -> Rule:
    return Rule(
        id=entry.id,
        patterns=tuple(_pattern(steps, entry.gap, book) for steps in entry.patterns),
        description=Sentence(entry.en, ko=entry.ko),
        weight=entry.weight,
        language=book.language,
        channels=entry.channels,
        reach=entry.reach,
        requires=_folded(book.requires),
        unless=unless,
    )


def _pattern(steps: tuple[str, ...], gap: int, book: _RuleFile) -> Pattern:
    whole = tuple(_expanded(step, book) for step in steps)
    if not book.spaced:
        loose = tuple(step.replace(" ", r"\s{0,3}") for step in whole)
        return Pattern(steps=loose, gap=gap, loose=loose)
    run = tuple(_without_edges(step).replace(" ", "") for step in whole)
    return Pattern(steps=tuple(step.replace(" ", r"\s{1,3}") for step in whole), gap=gap, loose=run)


def _without_edges(step: str) -> str:
    return step.replace(_WORD_BEGINS, "").replace(_WORD_ENDS, "").replace(r"\b", "")


def _expanded(step: str, book: _RuleFile) -> str:
    """The step with its words in place, bounded where the language puts spaces between words."""
    before, after = (_WORD_BEGINS, _WORD_ENDS) if book.spaced else ("", "")

    def words(match: re.Match[str]) -> str:
        try:
            return f"(?:{'|'.join(book.words[match[1]])})"
        except KeyError:
            raise ConfigError(
                Sentence(
                    f"The rule file for {book.language!r} names the words {match[1]!r} but does not list them.",
                    ko=f"{book.language!r} 규칙 파일에 {match[1]!r} 낱말 목록이 없습니다.",
                )
            ) from None

    return _folded(f"{before}(?:{_NAMED.sub(words, step)}){after}")


def _exemption(book: _RuleFile) -> Exemption:
    assert book.unless is not None
    return Exemption(
        negated=_any(book.unless.negated, book),
        before=_any(book.unless.before, book),
        after=_any(book.unless.after, book),
        quoted=_any(book.unless.quoted, book),
    )


def _any(sources: tuple[str, ...], book: _RuleFile) -> str:
    blank = r"\s{1,3}" if book.spaced else r"\s{0,3}"
    return _folded("|".join(f"(?:{source})" for source in sources) or "(?!)").replace(" ", blank)


def _folded(expression: str) -> str:
    """Its letters as the folded view shows them; what is ASCII is syntax and stays."""
    composed = unicodedata.normalize("NFC", expression)
    return "".join(char if char.isascii() else fold_letter(char) or char for char in composed)
