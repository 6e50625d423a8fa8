"""Masking of structured values: every leaf and every key, at any depth, within bounds."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from typing import cast

from holdfast.policy.masking_names import Strength, is_placeholder, judge, looks_secret

DEPTH = 32
NODES = 10_000
CYCLE, DEEP, CUT, SECRET = "[cycle]", "[deep]", "[cut]", "[secret]"

_NAMES = ("name", "key", "field", "header", "param")
_VALUES = ("value", "val", "content")


def shown(value: object) -> str:
    """The text of an object nothing else is known about; the error's name and message for an exception."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {_read(lambda: str(value))}"
    return _read(lambda: repr(value))


def _read(text: Callable[[], str]) -> str:
    """What is logged or masked may be anything, also an object that cannot say what it is."""
    try:
        return text()
    except Exception:
        return "(cannot be shown)"


class Walk:
    """One pass over one value; what lies beyond `depth` levels or `nodes` members becomes a mark."""

    def __init__(
        self,
        text: Callable[[str], str],
        *,
        judge: Callable[[str], Strength | None] = judge,
        plain: Callable[[object], str] = shown,
        depth: int = DEPTH,
        nodes: int = NODES,
    ) -> None:
        self._text = text
        self._judge = judge
        self._plain = plain
        self._depth = depth
        self._nodes = nodes
        self._path: set[int] = set()

    def value(self, value: object, strength: Strength | None = None, level: int = 0) -> object:
        """The masked copy of `value`, which stands under a name of this strength."""
        self._nodes -= 1
        if self._nodes < 0:
            return CUT
        match value:
            case None | bool():
                return value
            case int() | float():
                return SECRET if strength == "always" else value
            case str() | bytes() | bytearray() | memoryview():
                return self._leaf(cast("str | bytes", value), strength)
            case _:
                return self._container(value, strength, level)

    def _leaf(self, value: str | bytes, strength: Strength | None) -> str | bytes:
        if isinstance(value, str):
            return self._masked(value, strength)
        plain = bytes(value).decode("utf-8", "backslashreplace")
        return self._masked(plain, strength).encode("utf-8", "backslashreplace")

    def _masked(self, text: str, strength: Strength | None) -> str:
        masked = self._text(text)
        if strength is None or is_placeholder(text):
            return masked
        return masked if strength == "maybe" and not looks_secret(text) else SECRET

    def _container(self, value: object, strength: Strength | None, level: int) -> object:
        if id(value) in self._path:
            return CYCLE
        if level >= self._depth:
            return DEEP
        self._path.add(id(value))
        try:
            return self._members(value, strength, level + 1)
        finally:
            self._path.discard(id(value))

    def _members(self, value: object, strength: Strength | None, level: int) -> object:
        match value:
            case Mapping():
                return self._pairs(cast("Mapping[object, object]", value).items(), strength, level)
            case list():
                return self._row(cast("list[object]", value), strength, level)
            case tuple():
                return self._tuple(cast("tuple[object, ...]", value), strength, level)
            case Set():
                return self._set(cast("Set[object]", value), strength, level)
            case _ if is_dataclass(value) and not isinstance(value, type | BaseException):
                named = ((member.name, getattr(value, member.name, None)) for member in fields(value))
                return self._pairs(named, strength, level)
            case _:
                return self._masked(self._plain(value), strength)

    def _pairs(
        self, pairs: Iterable[tuple[object, object]], strength: Strength | None, level: int
    ) -> dict[object, object]:
        items = list(pairs)
        told = _told(items)
        masked: dict[object, object] = {}
        for name, value in items:
            if self._nodes < 0:
                masked[CUT] = CUT
                break
            own = self._judge(name) if isinstance(name, str) else None
            if told is not None and name in _VALUES:
                own = self._judge(told)
            masked[_free(self._key(name), masked)] = self.value(value, own or strength, level)
        return masked

    def _key(self, name: object) -> object:
        if isinstance(name, str):
            return self._text(name)
        return name if isinstance(name, int | float | None) else self._text(self._plain(name))

    def _tuple(self, row: tuple[object, ...], strength: Strength | None, level: int) -> object:
        names = getattr(row, "_fields", None)
        if isinstance(names, tuple):
            return self._pairs(zip(cast("tuple[str, ...]", names), row, strict=False), strength, level)
        return tuple(self._row(row, strength, level))

    def _row(self, row: Iterable[object], strength: Strength | None, level: int) -> list[object]:
        items = list(row)
        if strength is None and self._is_header(items):
            return [self.value(items[0], None, level), self.value(items[1], "maybe", level)]
        masked: list[object] = []
        for item in items:
            masked.append(self.value(item, strength, level))
            if self._nodes < 0:
                break
        return masked

    def _is_header(self, items: list[object]) -> bool:
        """`("x-api-key", "...")`; as both may be names of columns, only what looks like a secret is one."""
        if len(items) != 2:
            return False
        name = items[0].decode("latin-1") if isinstance(items[0], bytes) else items[0]
        return isinstance(name, str) and self._judge(name) is not None

    def _set(self, members: Iterable[object], strength: Strength | None, level: int) -> object:
        masked = self._row(members, strength, level)
        try:
            return set(masked)
        except TypeError:
            return masked


def _told(items: list[tuple[object, object]]) -> str | None:
    """The name told by a pair like `{"name": "password", "value": "..."}`."""
    if not 2 <= len(items) <= 8:
        return None
    told = next((value for name, value in items if name in _NAMES), None)
    return told if isinstance(told, str) else None


def _free(name: object, taken: Mapping[object, object]) -> object:
    """A key that is not taken: two addresses must not become one entry."""
    if name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"
