"""The filter of requests: terms such as `outcome:fallback cost>0.05 -user:kim`, what they mean, and how they are written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import groupby
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import Any, Protocol, cast

from holdfast.policy import filter_errors
from holdfast.policy.filter_fields import DIGITS, FIELDS, OPS, Field, Kind, Op
from holdfast.policy.filter_words import Word, last_word, started, words
from holdfast.policy.period import DAY, LENGTH, UNITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """All texts that begin so; written with a `*` at the end."""

    start: str


Value = str | Prefix | int | float | Decimal | bool | datetime
"""Text fields: `str`, or `Prefix` for `=` and `!=`; status, tokens and attempts: `int`; cost: `Decimal` dollars of at
most twelve places; ms: `float`; stream: `bool`; since and until: `datetime` in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition; `since` has the operator `>=` and `until` `<`, both about the moment the call arrived."""

    field: Field
    op: Op
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests are meant: `=` terms of one field are alternatives, everything else must hold together.

    A text that a request does not have counts as empty, so that `user:""` finds requests without a user. A
    number it does not have (a cost without a price) is different from every number, and neither above nor below
    one. Letters are compared as they are, capitals as capitals.
    """

    terms: tuple[Term, ...] = ()


class CountedTokens(Protocol):
    """Tokens as `Usage` counts them."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...


class Filterable(Protocol):
    """What a filter reads of a finished call; `holdfast.ports.CallRecord` is one."""

    @property
    def request_id(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def door(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def run(self) -> str | None: ...
    @property
    def agent(self) -> str | None: ...
    @property
    def model(self) -> str: ...
    @property
    def served_model(self) -> str | None: ...
    @property
    def upstream(self) -> str | None: ...
    @property
    def stream(self) -> bool: ...
    @property
    def end(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def error_code(self) -> str | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def usage(self) -> CountedTokens: ...
    @property
    def cost(self) -> Decimal | None: ...
    @property
    def duration_ms(self) -> float: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def decided_by(self) -> str | None: ...
    @property
    def blame(self) -> str | None: ...


def parse(text: str, *, now: datetime) -> RequestFilter:
    """The filter that a text means; nothing at all means every request.

    `now` is what lengths such as `since:1h` are counted back from. Raises `FilterUnreadable`, which names the term.
    """
    return RequestFilter(terms=tuple(_term(word, now) for word in words(text)))


def completions(text: str) -> tuple[str, ...]:
    """Whole filters that the one being typed may become: its last word with a field, or with a word of that field."""
    done, word = last_word(text)
    begun = started(word)
    if begun is None:
        minus, name = word[: word.startswith("-")], word.removeprefix("-").lower()
        return tuple(f"{done}{minus}{_opened(field)}" for field in FIELDS if field.startswith(name))
    name, before, value = begun
    rule = FIELDS.get(cast("Field", name))
    known = () if rule is None else rule.words
    return tuple(f"{done}{before}{one}" for one in known if one.startswith(value) and one != value)


def matches(wanted: RequestFilter, record: Filterable) -> bool:
    """Whether a record is one of those meant."""
    return all(any(_holds(term, record) for term in either) for either in alternatives(wanted))


def alternatives(wanted: RequestFilter) -> tuple[tuple[Term, ...], ...]:
    """The filter as groups: of each group one term must hold, and of all groups."""
    same = [term for term in wanted.terms if term.op == "="]
    grouped = [tuple(terms) for _, terms in groupby(sorted(same, key=_field), key=_field)]
    return (*grouped, *((term,) for term in wanted.terms if term.op != "="))


def text_of(wanted: RequestFilter) -> str:
    """The filter as people write it; moments are written out, so that it means the same tomorrow."""
    return " ".join(map(_written, wanted.terms))


_field = attrgetter("field")
_COMPARED: Mapping[Op, Callable[[Any, Any], bool]] = {
    "=": eq,
    "!=": ne,
    ">": gt,
    ">=": ge,
    "<": lt,
    "<=": le,
}
_SEEN: Mapping[Field, Callable[[Filterable], object]] = {
    "outcome": attrgetter("outcome"),
    "end": attrgetter("end"),
    "model": attrgetter("model"),
    "served": attrgetter("served_model"),
    "upstream": attrgetter("upstream"),
    "key": attrgetter("key"),
    "user": attrgetter("user"),
    "run": attrgetter("run"),
    "agent": attrgetter("agent"),
    "door": attrgetter("door"),
    "blame": attrgetter("blame"),
    "code": attrgetter("error_code"),
    "status": attrgetter("status"),
    "cost": attrgetter("cost"),
    "tokens": lambda record: record.usage.prompt_tokens + record.usage.output_tokens,
    "ms": attrgetter("duration_ms"),
    "attempts": attrgetter("attempts"),
    "stream": attrgetter("stream"),
    "guard": attrgetter("decided_by"),
    "id": attrgetter("request_id"),
    "since": attrgetter("at"),
    "until": attrgetter("at"),
}


def _holds(term: Term, record: Filterable) -> bool:
    seen = _SEEN[term.field](record)
    if FIELDS[term.field].kind in ("text", "word"):
        return _reads(term.op, "" if seen is None else str(seen), term.value)
    if seen is None:
        return term.op == "!="
    return _COMPARED[term.op](seen, term.value)


def _reads(op: Op, seen: str, value: Value) -> bool:
    is_no = op in ("!=", "!~")
    match value:
        case Prefix():
            return seen.startswith(value.start) is not is_no
        case _ if op in ("~", "!~"):
            return (str(value) in seen) is not is_no
        case _:
            return (seen == value) is not is_no


def _written(term: Term) -> str:
    match term.op:
        case _ if term.field in ("since", "until"):
            return f"{term.field}:{_value(term.value)}"
        case "=":
            return f"{term.field}:{_value(term.value)}"
        case "!=":
            return f"-{term.field}:{_value(term.value)}"
        case "!~":
            return f"-{term.field}~{_value(term.value)}"
        case _:
            return f"{term.field}{term.op}{_value(term.value)}"


def _value(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Prefix():
            return f"{_bare(value.start)}*"
        case str():
            return _bare(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case int():
            return str(value)
        case _:
            return f"{Decimal(repr(value) if isinstance(value, float) else value):f}"


def _bare(text: str) -> str:
    """A text as it stands, or between quotes where it would mean something else."""
    if text and not any(letter.isspace() or letter in '"*\\' for letter in text) and text[0] not in "<>=~:!":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _opened(field: Field) -> str:
    """A field with the sign that it is asked for with most often."""
    return f"{field}>" if FIELDS[field].kind in ("count", "dollars", "milliseconds") else f"{field}:"


def _term(word: Word, now: datetime) -> Term:
    if word.name not in FIELDS:
        raise filter_errors.unknown_field(word.text, word.name)
    field = cast("Field", word.name)
    kind = FIELDS[field].kind
    if word.sign not in OPS[kind]:
        raise filter_errors.wrong_sign(word.text, field, OPS[kind])
    if kind == "moment":
        return _moment(word, field, now)
    op = _turned(word) if word.is_no else word.sign
    if word.has_star:
        return _prefix(word, field, op)
    return Term(field=field, op=op, value=_READ[kind](word, field))


def _turned(word: Word) -> Op:
    """The operator with a minus before it."""
    match word.sign:
        case "=":
            return "!="
        case "!=":
            return "="
        case "~":
            return "!~"
        case _:
            opposite = _OPPOSITE[word.sign]
            raise filter_errors.negated(word.text, f"{word.name}{opposite}{word.value}")


_OPPOSITE: Mapping[Op, Op] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def _prefix(word: Word, field: Field, op: Op) -> Term:
    """What ends with a star; a star alone is any text but none."""
    if op not in ("=", "!=") or FIELDS[field].kind not in ("text", "word"):
        raise filter_errors.stray_star(word.text)
    if not word.value:
        return Term(field=field, op="!=" if op == "=" else "=", value="")
    if FIELDS[field].kind == "word":
        raise filter_errors.stray_star(word.text)
    return Term(field=field, op=op, value=Prefix(start=word.value))


def _moment(word: Word, field: Field, now: datetime) -> Term:
    if word.is_no:
        other = "until" if field == "since" else "since"
        raise filter_errors.negated(word.text, f"{other}:{word.value}")
    try:
        at = _at(word.value.lower(), now).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise filter_errors.no_moment(word.text) from error
    return Term(field=field, op=">=" if field == "since" else "<", value=at)


def _at(text: str, now: datetime) -> datetime:
    if text in ("today", "yesterday"):
        midnight = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
        return midnight if text == "today" else midnight - DAY
    ago = LENGTH.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * UNITS[ago[2]]
    at = datetime.fromisoformat(text.upper())
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _text(word: Word, field: Field) -> Value:
    if not word.value and word.sign == "~":
        raise filter_errors.empty(word.text)
    return word.value


def _known(word: Word, field: Field) -> Value:
    known = FIELDS[field].words
    if word.value and word.value.lower() not in known:
        raise filter_errors.unknown_word(word.text, field, word.value, known)
    return word.value.lower()


def _truth(word: Word, field: Field) -> Value:
    known = FIELDS[field].words
    if word.value.lower() not in known:
        raise filter_errors.unknown_word(word.text, field, word.value, known)
    return word.value.lower() == "true"


def _count(word: Word, field: Field) -> Value:
    return int(_digits(word, field, places=0))


def _cost(word: Word, field: Field) -> Value:
    return Decimal(_digits(word, field, places=PLACES))


def _milliseconds(word: Word, field: Field) -> Value:
    return float(_digits(word, field, places=3))


def _digits(word: Word, field: Field, *, places: int) -> str:
    whole, point, part = word.value.removeprefix("$" if field == "cost" else "").partition(".")
    is_number = whole.isdecimal() and whole.isascii() and len(whole) <= DIGITS[field]
    is_part = part.isdecimal() and part.isascii() and len(part) <= places if point else True
    if not is_number or not is_part:
        raise filter_errors.no_number(word.text, field, DIGITS[field], places)
    return f"{whole}{point}{part}"


PLACES = 12
"""Pico-dollars: nothing is finer."""
_READ: Mapping[Kind, Callable[[Word, Field], Value]] = {
    "text": _text,
    "word": _known,
    "truth": _truth,
    "count": _count,
    "dollars": _cost,
    "milliseconds": _milliseconds,
}
