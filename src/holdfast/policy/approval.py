"""Approvals of single calls: a code that fits one tool, one input, one conversation, and a short time."""

from dataclasses import dataclass
from hashlib import blake2b

import msgspec

CODE_LENGTH = 20
"""Hexadecimal digits: nobody guesses one while it is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """The codes that came with a request, and what they are compared with.

    Attributes:
        codes: as they were shown.
        conversation: what tells this conversation from all others.
        period: the number of the stretch of time that it is now.
    """

    codes: frozenset[str]
    conversation: tuple[str, ...]
    period: int

    def cover(self, tool: str, source: bytes) -> bool:
        """Whether exactly this call was approved, a short while ago."""
        periods = (self.period, self.period - 1)
        return bool(self.codes) and any(
            _code(tool, source, self.conversation, at) in self.codes for at in periods
        )


def approvals_in(shown: str | None, *, conversation: tuple[str, ...], now: float, lasts: int) -> Approvals:
    """The approvals of a request; `now` in seconds, `lasts` for how many of them a code is good at least."""
    codes = {code.strip().lower() for code in (shown or "").split(",")}
    return Approvals(codes=frozenset(codes - {""}), conversation=conversation, period=int(now // lasts))


def code_of(tool: str, source: bytes, approvals: Approvals) -> str:
    """The code that approves this call from now on."""
    return _code(tool, source, approvals.conversation, approvals.period)


def _code(tool: str, source: bytes, conversation: tuple[str, ...], period: int) -> str:
    parts = [tool, _canonical(source), *conversation, period]
    return blake2b(msgspec.json.encode(parts), digest_size=CODE_LENGTH // 2).hexdigest()


def _canonical(source: bytes) -> str:
    """The same for the same input, however its members are ordered and spaced."""
    try:
        return msgspec.json.encode(msgspec.json.decode(source), order="sorted").decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return source.decode("utf-8", "replace")
