"""The reference of all settings: path, meaning, what it takes, default, variable; and the JSON Schema of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from holdfast.catalogue.settings import MEANINGS
from holdfast.configuration import PREFIX, expected
from holdfast.language import Sentence
from holdfast.policy.masking import mask
from holdfast.settings import Settings

NAME = "NAME"
"""Stands for a name that the owner of the file chooses."""
FIRST = "1"
"""Stands for a place in a list of tables."""
_LENGTH = Sentence('a word or a length such as "24h"', ko='낱말 또는 "24h" 같은 길이')


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting as the reference tells it; `default` is how the file would spell it, empty where it must be given."""

    path: str
    meaning: Sentence
    takes: Sentence
    default: str
    variable: str


def reference() -> tuple[Entry, ...]:
    """Every setting, in the order of the sections."""
    return tuple(_entry(path, hint, spec) for path, hint, spec in _leaves(Settings, ()))


def _leaves(kind: type, above: tuple[str, ...]) -> Iterator[tuple[str, Any, "Field[Any]"]]:
    hints = get_type_hints(kind)
    for spec in fields(kind):
        if not spec.init or (not above and spec.name == "origins"):
            continue
        hint, path = hints[spec.name], (*above, spec.name)
        inner, step = section(hint)
        if inner is None:
            yield ".".join(path), hint, spec
        else:
            yield from _leaves(inner, (*path, *step))


def section(hint: Any) -> tuple[type | None, tuple[str, ...]]:
    """The table that a field holds, if it does, and what comes between its path and those below."""
    if is_dataclass(hint):
        return cast("type", hint), ()
    inner = [kind for kind in get_args(hint) if is_dataclass(kind)]
    if inner and get_origin(hint) is Mapping:
        return cast("type", inner[0]), (NAME,)
    if inner and get_origin(hint) is tuple:
        return cast("type", inner[0]), (FIRST,)
    return None, ()


def _entry(path: str, hint: Any, spec: "Field[Any]") -> Entry:
    return Entry(
        path=path,
        meaning=MEANINGS[path],
        takes=_LENGTH if timedelta in get_args(hint) else expected(hint),
        default=_default(spec),
        variable="" if f".{FIRST}." in path else PREFIX + path.replace(".", "__").upper(),
    )


def _default(spec: "Field[Any]") -> str:
    if spec.default is not MISSING:
        return spelled(spec.default)
    return "" if spec.default_factory is MISSING else spelled(spec.default_factory())


def spelled(value: object) -> str:
    """A value as TOML spells it."""
    match value:
        case None:
            return '"none"'
        case timedelta():
            return f'"{int(value.total_seconds())}s"'
        case tuple() | Mapping():
            return _spelled_many(cast("tuple[object, ...] | Mapping[str, object]", value))
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return str(value).lower() if isinstance(value, bool) else str(value)


def _spelled_many(values: tuple[object, ...] | Mapping[str, object]) -> str:
    if isinstance(values, tuple):
        return f"[{', '.join(spelled(item) for item in values)}]"
    return f"{{{', '.join(f'{spelled(key)} = {spelled(item)}' for key, item in values.items())}}}"


def written(settings: Settings, path: str) -> str:
    """What a setting is now, with its secrets masked."""
    value: object = settings
    for step in path.split("."):
        value = _below(value, step)
    return mask(spelled(value))


def _below(value: object, step: str) -> object:
    match value:
        case Mapping():
            return cast("Mapping[str, object]", value).get(step)
        case tuple() if step.isdigit():
            return cast("tuple[object, ...]", value)[int(step) - 1]
        case _:
            return getattr(value, step, None)


def document() -> dict[str, Any]:
    """The JSON Schema of `holdfast.toml`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "holdfast.toml",
        **_table(Settings, ()),
    }


def _table(kind: type, above: tuple[str, ...]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    members: dict[str, Any] = {}
    for spec in fields(kind):
        if not spec.init or (not above and spec.name == "origins"):
            continue
        path = (*above, spec.name)
        members[spec.name] = _member(hints[spec.name], path)
    return {"type": "object", "additionalProperties": False, "properties": members}


def _member(hint: Any, path: tuple[str, ...]) -> dict[str, Any]:
    inner, step = section(hint)
    match inner, step:
        case None, _:
            return {"description": MEANINGS[".".join(path)].en, **_kind(hint)}
        case _, (word,) if word == NAME:
            return {"type": "object", "additionalProperties": _table(inner, (*path, NAME))}
        case _, (word,) if word == FIRST:
            return {"type": "array", "items": _table(inner, (*path, FIRST))}
        case _:
            return _table(inner, path)


_PLAIN: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
}


def _kind(hint: Any) -> dict[str, Any]:
    """What a value may be; one that can be switched off takes the word "none" besides."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    match get_origin(hint):
        case origin if origin is Literal:
            return {"enum": list(get_args(hint))}
        case origin if origin is tuple:
            return {"type": "array", "items": _kind(kinds[0])}
        case origin if origin is Mapping:
            return {"type": "object", "additionalProperties": _kind(kinds[1])}
        case _ if timedelta in kinds:
            return {"type": "string"}
        case _:
            return {"anyOf": [*(_kind(kind) for kind in kinds), {"const": "none"}]}
