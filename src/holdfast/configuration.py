"""Reading typed values out of TOML and the environment, with the place of every value and every mistake."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Language, Sentence
from holdfast.wire.toml import Place, places, shown

Key = tuple[str, ...]
MISSED = object()
PREFIX = "HOLDFAST__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who set a value: a line of a file, a variable of the environment, or nobody."""

    kind: Literal["file", "environment", "default"]
    place: str

    def __str__(self) -> str:
        return self.place


DEFAULT = Origin(kind="default", place="default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What there is to read: the parsed file with its text, and the variables by the setting they name."""

    file: Path | None
    text: str
    table: Mapping[str, Any]
    environment: Mapping[Key, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake, and its place in a file or the variable of the environment that made it.

    `excerpt` is the line of the file as it may be shown, and the column in it where the mistake begins.
    """

    code: str
    what: Sentence
    file: Path | None = None
    place: Place | None = None
    excerpt: tuple[str, int] | None = None
    variable: str | None = None
    help: Sentence | None = None


@dataclass(slots=True)
class Reader:
    """Walks a tree of dataclasses beside the source and notes every origin and every problem."""

    source: Source
    problems: list[Problem] = field(default_factory=list[Problem])
    origins: dict[str, Origin] = field(default_factory=dict[str, Origin])
    _places: dict[Key, Place] = field(init=False)
    _heard: set[Key] = field(default_factory=set[Key], init=False)

    def __post_init__(self) -> None:
        self._places = places(self.source.text)

    def read(self, kind: type, *, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
        """The constructor arguments of `kind`, as far as they make sense; see `problems`."""
        values = self._section(kind, (), leave_out)
        for key, (variable, _) in self.source.environment.items():
            if key not in self._heard:
                self._note("HF112", key, _no_value(variable))
        self.problems.sort(key=lambda problem: problem.place.line if problem.place else 0)
        return values

    def _section(self, kind: type, key: Key, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
        hints = get_type_hints(kind)
        known = {spec.name: spec for spec in fields(kind) if spec.init and spec.name not in leave_out}
        self._report_unknown(key, known)
        values = {name: self._value(hints[name], spec, (*key, name)) for name, spec in known.items()}
        return {name: value for name, value in values.items() if value is not MISSED}

    def _value(self, hint: Any, spec: "Field[Any]", key: Key) -> object:
        if is_dataclass(hint):
            return self._built(cast("type", hint), key)
        if get_origin(hint) is Mapping and is_dataclass(get_args(hint)[1]):
            return self._named_sections(get_args(hint)[1], key)
        if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
            return self._listed_sections(get_args(hint)[0], key)
        # A word or a length of time is text, which its section reads itself.
        return self._leaf(str if timedelta in get_args(hint) else hint, spec, key)

    def _named_sections(self, kind: type, key: Key) -> object:
        if not self._is_table(key):
            return MISSED
        built = {name: self._built(kind, (*key, name)) for name in self._names(key)}
        return {name: value for name, value in built.items() if value is not MISSED}

    def _listed_sections(self, kind: type, key: Key) -> object:
        """An array of tables; the first of them is number 1."""
        written = self._in_file(key)
        if written is None:
            return MISSED
        if not isinstance(written, list):
            self._note("HF113", key, _wrong(key, _TABLES, _kind_of(written)))
            return MISSED
        numbers = range(1, len(cast("list[object]", written)) + 1)
        built = [self._built(kind, (*key, str(number))) for number in numbers]
        return tuple(value for value in built if value is not MISSED)

    def _built(self, kind: type, key: Key) -> object:
        before = len(self.problems)
        values = self._section(kind, key) if self._is_table(key) else {}
        if len(self.problems) > before:
            return MISSED
        try:
            return kind(**values)
        except ConfigError as error:
            self._note("HF114", self._culprit(error, key, values), error.sentence)
            return MISSED

    def _is_table(self, key: Key) -> bool:
        value = self._in_file(key)
        if isinstance(value, Mapping | None):
            return True
        self._note("HF113", key, _wrong(key, _TABLE, _kind_of(value)))
        return False

    def _culprit(self, error: ConfigError, key: Key, names: Iterable[str]) -> Key:
        """The setting that a sentence speaks of first, if it was set at all; else its section."""
        words = [word.strip("`'\"()[].,:;") for word in error.sentence.en.replace(".", " ").split()]
        named = [name for name in names if name in words]
        return (*key, min(named, key=words.index)) if named else key

    def _leaf(self, hint: Any, spec: "Field[Any]", key: Key) -> object:
        name = ".".join(key)
        if key in self.source.environment:
            variable, text = self.source.environment[key]
            self._heard.add(key)
            self.origins[name] = Origin(kind="environment", place=variable)
            return self._converted(hint, key, _from_text(text, hint), strict=False)
        if (value := self._in_file(key)) is not None:
            place = self._nearest(key)
            line = f":{place.line}" if place is not None else ""
            self.origins[name] = Origin(kind="file", place=f"{self.source.file}{line}")
            return self._converted(hint, key, _from_file(value, hint), strict=True)
        self.origins[name] = DEFAULT
        if spec.default is MISSING and spec.default_factory is MISSING:
            self._note(
                "HF111",
                key[:-1],
                Sentence(f"`{name}` is missing", ko=f"`{name}` 설정이 없습니다"),
                Sentence(f"add `{key[-1]} = ...` here", ko=f"여기에 `{key[-1]} = ...`을(를) 추가하세요"),
            )
        return MISSED

    def _converted(self, hint: Any, key: Key, value: object, *, strict: bool) -> object:
        try:
            return msgspec.convert(value, hint, strict=strict)
        except msgspec.ValidationError:
            self._note("HF113", key, _wrong(key, expected(hint), _kind_of(value)))
            return MISSED

    def _names(self, key: Key) -> list[str]:
        """The names that stand under `key` anywhere."""
        table = self._in_file(key)
        written = list(cast("Mapping[str, Any]", table)) if isinstance(table, Mapping) else []
        below = [
            name[len(key)]
            for name in self.source.environment
            if _is_below(name, key) and len(name) > len(key)
        ]
        return list(dict.fromkeys([*written, *below]))

    def _report_unknown(self, key: Key, known: Mapping[str, object]) -> None:
        for name in self._names(key):
            if name in known:
                continue
            unknown = (*key, name)
            where = f"[{'.'.join(key)}]" if key else (self.source.file or Path("holdfast.toml")).name
            self._note(
                "HF112",
                unknown,
                Sentence(
                    f"unknown key `{name}` in {where}", ko=f"{where}에 알 수 없는 키 `{name}`이(가) 있습니다"
                ),
                self._suggestion(unknown, list(known)),
            )
            self._heard |= {k for k in self.source.environment if _is_below(k, unknown)}

    def _suggestion(self, unknown: Key, known: list[str]) -> Sentence:
        near = difflib.get_close_matches(unknown[-1].lower(), known, n=1)
        if not near:
            return Sentence(f"known keys: {', '.join(known)}", ko=f"쓸 수 있는 키: {', '.join(known)}")
        meant = near[0]
        if self._variable(unknown) is not None:
            meant = PREFIX + "__".join([*unknown[:-1], meant]).upper()
        return Sentence(f"did you mean `{meant}`?", ko=f"혹시 `{meant}`인가요?")

    def _note(self, code: str, key: Key, what: Sentence, help: Sentence | None = None) -> None:
        variable = self._variable(key)
        place = self._nearest(key) if variable is None else None
        self.problems.append(
            Problem(
                code=code,
                what=what,
                file=self.source.file,
                place=place,
                excerpt=None if place is None else shown(self.source.text, place),
                variable=variable,
                help=help,
            )
        )

    def _variable(self, key: Key) -> str | None:
        """The variable that set `key`, or something below it that the file does not know."""
        if key in self.source.environment:
            return self.source.environment[key][0]
        if not key or key in self._places:
            return None
        found = (name for name in self.source.environment if _is_below(name, key))
        first = next(found, None)
        return None if first is None else self.source.environment[first][0]

    def _nearest(self, key: Key) -> Place | None:
        while key and key not in self._places:
            key = key[:-1]
        return self._places.get(key)

    def _in_file(self, key: Key) -> object:
        value: object = self.source.table
        for name in key:
            if isinstance(value, list):
                value = {str(number): item for number, item in enumerate(cast("list[object]", value), 1)}
            if not isinstance(value, Mapping):
                return None
            value = cast("Mapping[str, object]", value).get(name)
        return value


def _is_below(name: Key, key: Key) -> bool:
    return name[: len(key)] == key


def _from_text(text: str, hint: Any) -> object:
    """A variable holds TOML (`5`, `true`, `["a"]`), names after commas, or plain text."""
    kind = _required(hint)
    if kind is str:
        return text
    if kind is not hint and text.strip().lower() in ("none", "null"):
        return None
    if get_origin(kind) is tuple and not text.lstrip().startswith("["):
        return [name.strip() for name in text.split(",") if name.strip()]
    try:
        return tomllib.loads(f"value = {text.strip()}", parse_float=Decimal)["value"]
    except (ValueError, RecursionError):
        return _number(text) if kind is float else text


def _number(text: str) -> object:
    """`.5` and its like, which TOML does not take."""
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return text


def _from_file(value: object, hint: Any) -> object:
    """TOML has no word for nothing: `"none"` says it where a setting can be switched off."""
    kind = _required(hint)
    return None if value == "none" and kind is not hint and kind is not str else value


def _required(hint: Any) -> Any:
    """The type without its `None`."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(hint) and len(kinds) == 1 else hint


_TABLE = Sentence("a table", ko="테이블")
_TABLES = Sentence("a list of tables", ko="테이블 목록")
_KINDS: dict[object, Sentence] = {
    bool: Sentence("true or false", ko="true 또는 false"),
    int: Sentence("a whole number", ko="정수"),
    float: Sentence("a number", ko="숫자"),
    Decimal: Sentence("a number", ko="숫자"),
    str: Sentence("text", ko="문자열"),
    list: Sentence("a list", ko="목록"),
    dict: _TABLE,
}


def expected(hint: Any) -> Sentence:
    """What a setting takes, in words."""
    kind = _required(hint)
    if kind is not hint:
        inner = expected(kind)
        return Sentence(f'{inner.en} or "none"', ko=f'{inner.ko} 또는 "none"')
    if get_origin(hint) is Literal:
        words = ", ".join(f'"{word}"' for word in get_args(hint))
        return Sentence(f"one of {words}", ko=f"{words} 중 하나")
    if get_origin(hint) is Mapping:
        inner = expected(get_args(hint)[1])
        return Sentence(f"a table of {inner.en}", ko=f"테이블({inner.ko})")
    if get_origin(hint) is tuple:
        inner = expected(get_args(hint)[0])
        return Sentence(f"a list of {inner.en}", ko=f"목록({inner.ko})")
    return _KINDS[hint]


def _kind_of(value: object) -> Sentence:
    return _KINDS.get(type(value), Sentence("a date or time", ko="날짜나 시각"))


def _wrong(key: Key, expected: Sentence, found: Sentence) -> Sentence:
    """Says what was found by its kind only: the value itself may be a secret."""
    name = ".".join(key)
    return Sentence(
        f"wrong value for `{name}`: {expected.en} is expected, and this is {found.en}",
        ko=f"`{name}` 값이 잘못되었습니다. 필요한 값: {expected.ko}, 적힌 값: {found.ko}",
    )


def _no_value(variable: str) -> Sentence:
    return Sentence(
        f"{variable} names no single setting: it stands for a whole section, or for something inside a value",
        ko=f"{variable}은(는) 설정 하나를 가리키지 않습니다. 섹션 전체이거나 값의 안쪽을 가리킵니다",
    )


def describe(problem: Problem, language: Language) -> str:
    """A problem as a compiler would print it."""
    lines = [f"error[{problem.code}]: {problem.what.say(language)}"]
    help = problem.help.say(language) if problem.help else ""
    if problem.variable is not None:
        lines.append(f" --> {'환경 변수' if language == 'ko' else 'environment variable'} {problem.variable}")
    elif problem.place is not None:
        lines += _pointed_at(problem, problem.place, help)
        help = "" if problem.excerpt is not None else help
    elif problem.file is not None:
        lines.append(f" --> {problem.file}")
    return "\n".join([*lines, f"help: {help}"] if help else lines)


def _pointed_at(problem: Problem, place: Place, help: str) -> list[str]:
    gutter = " " * len(str(place.line))
    head = f"{gutter}--> {problem.file}:{place.line}:{place.column}"
    if problem.excerpt is None:
        return [head]
    line, column = problem.excerpt
    pointer = f"{' ' * (column - 1)}{'^' * place.length} {help}".rstrip()
    return [head, f"{gutter} |", f"{place.line} | {line}", f"{gutter} | {pointer}"]
