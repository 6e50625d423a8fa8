"""Where the keys of a TOML text stand, which its parser does not tell."""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

Key = tuple[str, ...]

_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}"
    r"""|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"|(?P<mark>[\[\]{}=,.\n])"
    r"|(?P<word>[^\s\[\]{}=,.\"'#]+)"
    r"|(?P<idle>\#[^\n]*|[^\S\n]+)",
    re.DOTALL,
)
_VALUE = re.compile(r"""("{3}|'{3}|"|')(?:\\.|(?!\1).)*(?:\1|$)|\#.*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A key in the text: line and column from 1, and how many characters it is long."""

    line: int
    column: int
    length: int


def places(text: str) -> dict[Key, Place]:
    """The first place of every key and table of `text`, which must be valid TOML; those in arrays are left out."""
    walk = _Walk(text)
    walk.document()
    return walk.found


def shown(text: str, place: Place) -> tuple[str, int]:
    """The line of a key as it may be shown, and the column of the key in it.

    Texts may be secrets and are blanked out, comments are left out.
    """
    line = text.split("\n")[place.line - 1].replace("\t", " ")
    start = place.column - 1
    end = start + place.length
    before = _blanked(line[:start])
    return (before + line[start:end] + _blanked(line[end:])).rstrip(), len(before) + 1


def _blanked(line: str) -> str:
    return _VALUE.sub(lambda match: "" if match[0].startswith("#") else '"…"', line)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass(slots=True)
class _Walk:
    text: str
    found: dict[Key, Place] = field(default_factory=dict[Key, Place])
    _tokens: "Iterator[_Token]" = field(init=False)
    _next: "_Token | None" = field(init=False)
    _lines: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self._tokens = _tokens_of(self.text)
        self._next = next(self._tokens, None)

    def document(self) -> None:
        table: Key = ()
        while self._next is not None:
            if self._next.text == "\n":
                self._take()
            elif self._next.text == "[":
                while self._is_at("["):
                    self._take()
                table = self._key((), "]")
                self._skip_line()
            else:
                self._assignment(table)

    def _assignment(self, table: Key) -> None:
        path = self._key(table, "=")
        self._take()
        if self._is_at("{"):
            self._inline_table(path)
        else:
            self._skip_value()

    def _inline_table(self, path: Key) -> None:
        self._take()
        while not self._is_at("}"):
            if self._is_at(",", "\n"):
                self._take()
            else:
                self._assignment(path)
        self._take()

    def _skip_value(self) -> None:
        depth = 0
        while self._next is not None and (depth or not self._is_at(",", "}", "\n")):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(self._next.text, 0)
            self._take()

    def _skip_line(self) -> None:
        while self._next is not None and not self._is_at("\n"):
            self._take()

    def _key(self, path: Key, end: str) -> Key:
        """Read a dotted key up to `end`, and note the place of each part not seen before."""
        start = self._next.start if self._next is not None else 0
        while self._next is not None and not self._is_at(end):
            token = self._take()
            if token.text != ".":
                path = (*path, _name(token))
                self.found.setdefault(path, self._place(start, token.start + len(token.text)))
        return path

    def _place(self, start: int, end: int) -> Place:
        line = bisect_right(self._lines, start)
        return Place(line=line, column=start - self._lines[line - 1] + 1, length=end - start)

    def _is_at(self, *marks: str) -> bool:
        return self._next is not None and self._next.kind == "mark" and self._next.text in marks

    def _take(self) -> _Token:
        assert self._next is not None
        taken, self._next = self._next, next(self._tokens, None)
        return taken


def _tokens_of(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "idle":
            yield _Token(str(match.lastgroup), match[0], match.start())


def _name(token: _Token) -> str:
    if token.kind == "word":
        return token.text
    return next(iter(tomllib.loads(f"{token.text} = 0")))
