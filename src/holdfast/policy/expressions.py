"""Regular expressions that cannot run away: every repeat gets a ceiling, none may hold another."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

REPEAT_CEILING = 200

_TOKEN = re.compile(
    r"""
      (?P<escape> \\. )
    | (?P<set>    \[ \^? \]? (?: [^\]\\] | \\. )* \] )
    | (?P<open>   \( (?: \? (?: <[=!] | P[<=>] | [:=!>\#(] | [a-zA-Z-]+:? ) )? )
    | (?P<close>  \) )
    | (?P<either> \| )
    | (?P<repeat> [*+] | \{ \d* ,? \d* \} )
    | (?P<option> \? )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BRACES = re.compile(r"\{(\d*)(,?)(\d*)\}")


@lru_cache(maxsize=4096)
def compiled(source: str) -> re.Pattern[str]:
    """`source` compiled without regard to case, `^` and `$` at line ends, every repeat with a ceiling.

    `*`, `+` and `{n,}` go no further than `REPEAT_CEILING`, so that the time a search takes grows with
    the text and never with its square.

    Raises:
        re.error: it is not a regular expression.
        ValueError: a repeated group holds a repeat, an option or an alternative: such an expression can take
            exponential time.
    """
    re.compile(source)
    return re.compile(_Ceiling().apply(source), re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class _Ceiling:
    """Walks an expression once; `varying` says for each open group whether its length can vary."""

    varying: list[bool] = field(default_factory=lambda: [False])
    closed: bool = False
    after_repeat: bool = False

    def apply(self, source: str) -> str:
        return "".join(self._next(match) for match in _TOKEN.finditer(source))

    def _next(self, match: re.Match[str]) -> str:
        token, kind = match.group(), match.lastgroup
        group_varies, self.closed = self.closed, False
        repeated, self.after_repeat = self.after_repeat, False
        match kind:
            case "open":
                self.varying.append(False)
            case "close":
                self.closed = self._close()
            case "either":
                self.varying[-1] = True
            case "repeat":
                return self._repeat(token, group_varies=group_varies, repeated=repeated)
            case "option":
                self.varying[-1] = True
            case _:
                pass
        return token

    def _close(self) -> bool:
        varies = self.varying.pop()
        self.varying[-1] |= varies
        return varies

    def _repeat(self, token: str, *, group_varies: bool, repeated: bool) -> str:
        if repeated:  # a possessive plus behind a repeat
            return token
        low, high = _limits(token)
        if group_varies and high > 1:
            raise ValueError("a repeated group holds a repeat, an option or an alternative")
        self.varying[-1] |= low != high
        self.after_repeat = True
        return f"{{{low},{high}}}"


def _limits(token: str) -> tuple[int, int]:
    if token == "*":
        return 0, REPEAT_CEILING
    if token == "+":
        return 1, REPEAT_CEILING
    match = _BRACES.fullmatch(token)
    assert match is not None
    low = int(match[1] or 0)
    if not match[2]:
        return low, low
    return low, int(match[3]) if match[3] else low + REPEAT_CEILING


@lru_cache(maxsize=4096)
def needs(source: str) -> frozenset[str]:
    """Plain strings, in lower case, of which every match holds at least one; empty when none can be named.

    A substring is found a hundred times faster than an expression, so a text without any of them is done.
    """
    return _Needs(tuple(_TOKEN.finditer(source))).either()


@dataclass(slots=True)
class _Needs:
    """Reads an expression once, branch by branch, for the literals it cannot do without."""

    tokens: tuple[re.Match[str], ...]
    at: int = 0

    def either(self) -> frozenset[str]:
        """What all branches up to the closing bracket need: one of any of theirs."""
        branches = [self._branch()]
        while self._kind() == "either":
            self.at += 1
            branches.append(self._branch())
        return frozenset[str]().union(*branches) if all(branches) else frozenset()

    def _kind(self) -> str | None:
        return self.tokens[self.at].lastgroup if self.at < len(self.tokens) else None

    def _branch(self) -> frozenset[str]:
        """The most telling need of one row of elements."""
        best: frozenset[str] = frozenset()
        run = ""
        while self._kind() not in {None, "either", "close"}:
            literal, group = self._element()
            absent, repeated = self._quantified()
            run = run + literal if literal and not absent else ""
            found: frozenset[str] = frozenset() if absent else group or frozenset({run} - {""})
            best = max(best, found, key=_tells)
            run = "" if repeated else run
        return best

    def _element(self) -> tuple[str, frozenset[str]]:
        """One element: its literal character if it is one, and what it needs if it is a group."""
        token = self.tokens[self.at]
        self.at += 1
        if token.lastgroup == "open":
            inner = self.either()
            self.at += 1
            return "", inner if token.group() in {"(", "(?:"} else frozenset()
        if token.lastgroup == "other" and token.group() not in ".^$":
            return token.group().lower(), frozenset()
        return "", frozenset()

    def _quantified(self) -> tuple[bool, bool]:
        """Whether the element just read may be absent, and whether it may come again; steps over that."""
        absent = repeated = False
        while self._kind() in {"repeat", "option"}:
            token = self.tokens[self.at]
            absent |= token.lastgroup == "option" or _limits(token.group())[0] == 0
            repeated = True
            self.at += 1
        return absent, repeated


def _tells(needed: frozenset[str]) -> int:
    """How telling a set of needs is: its shortest member's length."""
    return min(map(len, needed), default=0)


@lru_cache(maxsize=4096)
def telling(sources: tuple[str, ...]) -> tuple[str, ...]:
    """The expressions, the one that plain text is least likely to match first."""
    return tuple(sorted(sources, key=lambda source: -_tells(needs(source))))
