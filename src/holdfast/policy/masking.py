"""Masking: secrets and personal data in a text or a value become typed marks such as `[key]` or `[email]`."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from holdfast.policy.masking_findings import (
    KINDS,
    MARK,
    PERSONAL_KINDS,
    SECRET_KINDS,
    Finding,
    Kind,
    merge,
    replace,
)
from holdfast.policy.masking_json import Letters, inside, is_document
from holdfast.policy.masking_names import Strength, judge
from holdfast.policy.masking_pairs import find_pairs
from holdfast.policy.masking_personal import find_personal
from holdfast.policy.masking_pgpass import find_pgpass
from holdfast.policy.masking_sql import find_sql
from holdfast.policy.masking_tables import find_tables
from holdfast.policy.masking_tokens import find_tokens
from holdfast.policy.masking_values import Walk

__all__ = [
    "KINDS",
    "PERSONAL_KINDS",
    "SECRET_KINDS",
    "Finding",
    "Kind",
    "MaskingConfig",
    "Search",
    "abbreviate",
    "find",
    "mask",
    "mask_value",
]

_ROUNDS = 6

# Nothing is a secret without a digit, a sign or a long word: most short texts are done here.
_SUSPICIOUS = re.compile(r"[0-9@\uff20=:<>\"'`%&!#$^*+?~\\|]|--|[A-Za-z_\-]{12}")


Search = Callable[[str], Iterable[tuple[int, int]]]
"""Where a pattern of the house's own matches a text; it must take time in proportion to the text's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingConfig:
    """What is masked: the kinds, and the names, key prefixes and patterns known only to this house.

    Attributes:
        kinds: what is looked for.
        names: names of values that are secrets, lower case.
        prefixes: beginnings of keys.
        patterns: searches of the house's own, by name.
        tag_key: if given, marks become `[REDACTED:kind:tag]`, the same for the same value under this key.
    """

    kinds: frozenset[Kind] = KINDS
    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    patterns: tuple[tuple[str, Search], ...] = ()
    tag_key: bytes | None = field(default=None, repr=False)

    def judge(self, name: str) -> Strength | None:
        """How strongly `name` says that its value is a secret; `None` if it does not."""
        if "secret" not in self.kinds:
            return None
        return "always" if name.lower() in self.names else judge(name)


_EVERYTHING = MaskingConfig()


def find(text: str, config: MaskingConfig = _EVERYTHING) -> list[Finding]:
    """What `text` holds that must not be shown, in order and without overlaps; linear in its length.

    Letters that JSON has escaped are read as themselves.
    """
    return _find(text, config, _whole)


def mask(text: str, config: MaskingConfig = _EVERYTHING) -> str:
    """`text` with every finding replaced by its mark; a pure function of the text, and idempotent.

    JSON stays JSON: a text that was a document before is one afterwards.
    """
    masked = _masked(text, config)
    if masked != text and is_document(text) and not is_document(masked):
        return _masked(text, config, inside)
    return masked


_Cut = Callable[[Iterable[Finding], str], Iterable[Finding]]


def _whole(findings: Iterable[Finding], _text: str) -> Iterable[Finding]:
    return findings


def _find(text: str, config: MaskingConfig, cut: _Cut) -> list[Finding]:
    if not (config.prefixes or config.patterns or _SUSPICIOUS.search(text)):
        return []
    if "\\u" not in text:
        return merge(cut(_found(text, config), text), text)
    letters = Letters(text)
    return [
        letters.back(finding)
        for finding in merge(cut(_found(letters.text, config), letters.text), letters.text)
    ]


def _masked(text: str, config: MaskingConfig, cut: _Cut = _whole) -> str:
    """A mark can uncover a further finding beside it, so this looks again until there is nothing left to find.

    Every round leaves fewer characters that are not marks.
    """
    for _ in range(_ROUNDS):
        findings = _find(text, config, cut)
        if not findings:
            break
        text = replace(text, findings, config.tag_key)
    return text


def mask_value(value: object, config: MaskingConfig = _EVERYTHING) -> object:
    """A copy of `value` as plain data, masked at every depth in keys and values.

    Dataclasses and mappings become dicts, exceptions and unknown objects text; numbers stay, except under
    names such as `password` or `pin`. Cycles, more than 32 levels and more than 10,000 members become marks.
    """
    return Walk(lambda text: mask(text, config), judge=config.judge).value(value)


def abbreviate(key: str) -> str:
    """A key as an operator may see it, `sk-ant-…x4Q2`: its prefix and, if it is long, its last four letters."""
    if len(key) < 20:
        return "…"
    parts = key[:10].replace("_", "-").split("-")
    shown = len("-".join(parts[:-1])) + 1 if len(parts) > 1 else 0
    return f"{key[:shown]}…{key[-4:]}"


def _found(text: str, config: MaskingConfig) -> Iterator[Finding]:
    everything = chain(_secrets(text, config), _personal(text, config), _own(text, config))
    return (finding for finding in everything if finding.kind in config.kinds)


def _secrets(text: str, config: MaskingConfig) -> Iterator[Finding]:
    if not config.kinds & SECRET_KINDS:
        return
    yield from find_tokens(text, config.prefixes)
    yield from find_pairs(text, config.names)
    yield from find_sql(text)
    yield from find_tables(text)
    yield from find_pgpass(text)


def _personal(text: str, config: MaskingConfig) -> Iterator[Finding]:
    if config.kinds & PERSONAL_KINDS:
        yield from find_personal(text)


def _own(text: str, config: MaskingConfig) -> Iterator[Finding]:
    """What the house's own patterns match, but for what a mark already stands for."""
    if not config.patterns or "custom" not in config.kinds:
        return
    marks = [found.span() for found in MARK.finditer(text)]
    ends = [end for _, end in marks]
    for name, search in config.patterns:
        for start, end in search(text):
            after = bisect_right(ends, start)
            if end > start and (after == len(marks) or marks[after][0] >= end):
                yield Finding("custom", start, end, rule=f"pattern {name}")
