"""Quotes as masking meets them: of every kind, escaped to any depth, and cut off."""

import re
from functools import cache

from holdfast.policy.masking_findings import MARK

QUOTE = r"(?:\\{0,31}(?:\"\"\"|'''|[\"'`])|&quot;|&#3[49];|%22|\\u0022)"
"""A quote, with the backslashes of what it is nested in."""


def closing(text: str, start: int, quote: str) -> int:
    """Where the quoted text ends; with no closing quote (a cut line) the end of the line."""
    plain = quote.lstrip("\\")
    if quote == plain and len(quote) == 1:
        closed = re.compile(rf"(?:[^{quote}\\\n]|\\.)*+{quote}").match(text, start)
    elif len(quote) == 3 and quote == plain:
        closed = re.compile(rf"(?s:.)*?{quote}").match(text, start)
    else:
        content = _nested(len(quote) - len(plain))
        closed = re.compile(rf"{content}{re.escape(quote)}").match(text, start)
    if closed:
        return closed.end() - len(quote)
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline


def _nested(depth: int) -> str:
    """What may stand before a closing quote that carries `depth` backslashes.

    A backslash of the content was doubled by every level of nesting, so that runs of twice `depth + 1` are content.
    """
    return rf"[^\n]*?(?<!\\)(?:\\{{{2 * (depth + 1)}}})*+"


@cache
def tokens(depth: int) -> re.Pattern[str]:
    """Strings, marks and brackets of JSON whose quotes carry `depth` backslashes."""
    if depth:
        quoted = rf"(?P<q>(?<!\\)\\{{{depth}}}[\"'])(?P<inner>{_nested(depth)})(?P=q)"
    else:
        quoted = r"(?P<q>[\"'])(?P<inner>(?:(?!(?P=q))[^\\\n]|\\.)*+)(?P=q)"
    return re.compile(rf"{quoted}|{MARK.pattern}|[\[\](){{}}]")
