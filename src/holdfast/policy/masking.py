"""Masking: secrets and personal data in a text or a value become typed marks such as `[key]` or `[email]`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from holdfast.policy.masking_findings import (
    KINDS,
    PERSONAL_KINDS,
    SECRET_KINDS,
    Finding,
    Kind,
    merge,
    replace,
)
from holdfast.policy.masking_names import Strength, judge
from holdfast.policy.masking_pairs import find_pairs, find_sql
from holdfast.policy.masking_personal import find_personal
from holdfast.policy.masking_tokens import find_tokens
from holdfast.policy.masking_values import Walk

__all__ = [
    "KINDS",
    "PERSONAL_KINDS",
    "SECRET_KINDS",
    "Finding",
    "Kind",
    "MaskingConfig",
    "abbreviate",
    "find",
    "mask",
    "mask_value",
]

_ROUNDS = 6

# Nothing is a secret without a digit, a sign or a long word: most short texts are done here.
_SUSPICIOUS = re.compile(r"[0-9@\uff20=:<>\"'`%&!#$^*+?~\\|]|--|[A-Za-z_\-]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingConfig:
    """What is masked: the kinds, and the names and key prefixes known only to this house."""

    kinds: frozenset[Kind] = KINDS
    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def judge(self, name: str) -> Strength | None:
        """How strongly `name` says that its value is a secret; `None` if it does not."""
        if "secret" not in self.kinds:
            return None
        return "always" if name.lower() in self.names else judge(name)


_EVERYTHING = MaskingConfig()


def find(text: str, config: MaskingConfig = _EVERYTHING) -> list[Finding]:
    """What `text` holds that must not be shown, in order and without overlaps; linear in its length."""
    if not (config.prefixes or _SUSPICIOUS.search(text)):
        return []
    return merge(_found(text, config), text)


def mask(text: str, config: MaskingConfig = _EVERYTHING) -> str:
    """`text` with every finding replaced by its mark; a pure function of the text, and idempotent.

    A mark can uncover a further finding beside it, so this looks again until there is nothing left to find;
    every round leaves fewer characters that are not marks.
    """
    for _ in range(_ROUNDS):
        findings = find(text, config)
        if not findings:
            break
        text = replace(text, findings)
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
    everything = chain(_secrets(text, config), _personal(text, config))
    return (finding for finding in everything if finding.kind in config.kinds)


def _secrets(text: str, config: MaskingConfig) -> Iterator[Finding]:
    if not config.kinds & SECRET_KINDS:
        return
    yield from find_tokens(text, config.prefixes)
    yield from find_pairs(text, config.names)
    yield from find_sql(text)


def _personal(text: str, config: MaskingConfig) -> Iterator[Finding]:
    if config.kinds & PERSONAL_KINDS:
        yield from find_personal(text)
