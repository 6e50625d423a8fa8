"""What masking found in a text: a kind, a place, and the mark that goes there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hmac import digest
from typing import Literal, get_args

SecretKind = Literal["key", "jwt", "private_key", "secret", "cookie", "custom"]
PersonalKind = Literal["email", "phone", "rrn", "card", "iban", "ssn", "license", "passport", "account"]
Kind = SecretKind | PersonalKind

SECRET_KINDS: frozenset[Kind] = frozenset(get_args(SecretKind))
PERSONAL_KINDS: frozenset[Kind] = frozenset(get_args(PersonalKind))
KINDS: frozenset[Kind] = SECRET_KINDS | PERSONAL_KINDS

_KIND = "(?:" + "|".join(sorted(KINDS)) + ")"
MARK = re.compile(rf"\[(?:{_KIND}|REDACTED:{_KIND}:[0-9a-f]{{8}})\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters `start` up to `end` of the text are of this kind; `quote` surrounds the mark in JSON.

    `rule` says what gave it away: the beginning of a key, the name before a value, the shape of a number.
    """

    kind: Kind
    start: int
    end: int
    quote: str = ""
    rule: str = field(default="", compare=False)

    @property
    def mark(self) -> str:
        """What the reader sees instead: `[email]`, `[key]`, ..."""
        return f"{self.quote}[{self.kind}]{self.quote}"

    def tagged(self, value: str, key: bytes) -> str:
        """A mark that is the same wherever the value is the same, for those who hold the same `key` only."""
        tag = digest(key, value.encode("utf-8", "surrogatepass"), "sha256")[:4].hex()
        return f"{self.quote}[REDACTED:{self.kind}:{tag}]{self.quote}"


def merge(findings: Iterable[Finding], text: str) -> list[Finding]:
    """Findings in order, overlapping ones joined under the kind of the longest."""
    merged: list[Finding] = []
    for finding in sorted(_trimmed(findings, text), key=_place):
        last = merged[-1] if merged else None
        if last is None or finding.start >= last.end:
            merged.append(finding)
        elif finding.end > last.end:
            longest = max(last, finding, key=_length)
            merged[-1] = Finding(longest.kind, last.start, finding.end, longest.quote, longest.rule)
    return merged


def replace(text: str, findings: Iterable[Finding], key: bytes | None = None) -> str:
    """The text with every finding replaced by its mark; with a `key` by its tagged mark."""
    parts: list[str] = []
    end = 0
    for finding in findings:
        value = text[finding.start : finding.end]
        parts += text[end : finding.start], finding.mark if key is None else finding.tagged(value, key)
        end = finding.end
    parts.append(text[end:])
    return "".join(parts)


def _place(finding: Finding) -> tuple[int, int]:
    return finding.start, -finding.end


def _length(finding: Finding) -> int:
    return finding.end - finding.start


def _trimmed(findings: Iterable[Finding], text: str) -> Iterable[Finding]:
    """Never take half of an escape along: what is left would be broken JSON."""
    for finding in findings:
        start = _after_escape(text, finding.start)
        end = finding.end
        while end > start and text[end - 1] == "\\":
            end -= 1
        if end > start and not MARK.fullmatch(text, start, end):
            quote = finding.quote or (_json_quote(text, start, end) if text[start:end].isdigit() else "")
            yield Finding(finding.kind, start, end, quote, finding.rule)


_ESCAPE = re.compile(r"u[0-9a-fA-F]{4}|[nrtbf\"'/\\]")


def _after_escape(text: str, start: int) -> int:
    """Where to start so that an escape sequence that began before `start` stays whole."""
    backslashes = 0
    while backslashes < 8 and start - backslashes > 0 and text[start - backslashes - 1] == "\\":
        backslashes += 1
    if backslashes % 2 == 0:
        return start
    escape = _ESCAPE.match(text, start)
    return escape.end() if escape else start


_AFTER_NAME = re.compile(r"(\\*)([\"'])\s{0,8}:\s{0,8}\Z")
_AFTER_ITEM = re.compile(r"[\[,]\s{0,8}\Z")
_BEFORE_NEXT = re.compile(r"\s{0,8}[,}\]]")
_LAST_QUOTE = re.compile(r"(\\*)\"\s*([,:\]}]?)[^\"]*\Z")


def _json_quote(text: str, start: int, end: int) -> str:
    """The quote a mark needs where JSON had a bare number."""
    if not _BEFORE_NEXT.match(text, end):
        return ""
    before = text[max(0, start - 256) : start]
    if named := _AFTER_NAME.search(before[-64:]):
        return _escape_of(named[1]) + named[2]
    if not _AFTER_ITEM.search(before[-16:]):
        return ""
    return _item_quote(before)


def _item_quote(before: str) -> str:
    """Inside a string that holds JSON, quotes carry backslashes: one more level than the string's own."""
    last = _LAST_QUOTE.search(before)
    if not last:
        return '"'
    backslashes, closes = _escape_of(last[1]), last[2]
    return backslashes + '"' if closes else backslashes * 2 + '\\"'


def _escape_of(run: str) -> str:
    """The backslashes of a run that belong to the quote behind it: those of the content come in larger powers of two."""
    length = len(run)
    return "\\" * ((length ^ (length + 1)) >> 1)
