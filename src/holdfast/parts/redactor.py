"""Redactor: takes secrets and personal data out of texts and values."""

from collections.abc import Collection
from typing import cast

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.masking import KINDS, Finding, Kind, MaskingConfig, find, mask, mask_value

__all__ = ["Finding", "Kind", "Redactor"]


class Redactor:
    """Replaces what must not be shown by typed marks: `[email]`, `[key]`, `[card]`, ...

    The same text always gives the same result, and redacting a second time changes nothing.

    Args:
        kinds: what to look for, by default everything; see `Redactor.KINDS`.
        names: further names of fields whose values are secrets, whatever their case.
        prefixes: further beginnings of keys, such as `acme_live_`.

    Raises:
        ConfigError: a kind is unknown, or a name or prefix is empty.

    Example:
        >>> Redactor().redact("write to minji@example.com, total_tokens=123")
        'write to [email], total_tokens=123'
    """

    KINDS: frozenset[Kind] = KINDS

    def __init__(
        self,
        *,
        kinds: Collection[str] | None = None,
        names: Collection[str] = (),
        prefixes: Collection[str] = (),
    ) -> None:
        self._config = MaskingConfig(
            kinds=KINDS if kinds is None else _known(kinds),
            names=frozenset(name.lower() for name in _said(names, "names")),
            prefixes=tuple(_said(prefixes, "prefixes")),
        )

    def __repr__(self) -> str:
        return f"Redactor(kinds={sorted(self._config.kinds)})"

    def redact(self, text: str) -> str:
        """The text without what must not be shown."""
        return mask(text, self._config)

    def redact_value(self, value: object) -> object:
        """A copy of the value, redacted at every depth, in keys and in values; numbers stay."""
        return mask_value(value, self._config)

    def find(self, text: str) -> list[Finding]:
        """What would be replaced: `kind`, `start` and `end` of each place, in order."""
        return find(text, self._config)


def _known(kinds: Collection[str]) -> frozenset[Kind]:
    unknown = sorted(set(kinds) - KINDS)
    if unknown:
        known = ", ".join(sorted(KINDS))
        raise ConfigError(
            Sentence(
                f"Redactor does not know the kind {unknown[0]!r}; choose from {known}.",
                ko=f"Redactor가 모르는 종류입니다: {unknown[0]!r}. 다음 중에서 고르세요: {known}.",
            )
        )
    return cast("frozenset[Kind]", frozenset(kinds))


def _said(words: Collection[str], what: str) -> Collection[str]:
    if isinstance(words, str) or not all(words):
        raise ConfigError(
            Sentence(
                f"Redactor({what}=...) takes a list of non-empty strings; an empty one would match everything.",
                ko=f"Redactor({what}=...)에는 비어 있지 않은 문자열 목록을 주세요. 빈 문자열은 모든 것에 걸립니다.",
            )
        )
    return words
