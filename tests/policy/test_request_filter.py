"""The filter of requests: what its words mean, how they are written back, and what is said of those that mean nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy import filter_words
from holdfast.policy.filter_errors import FilterUnreadable
from holdfast.policy.filter_fields import DIGITS, FIELDS, OPS, Field, Op
from holdfast.policy.request_filter import (
    Filterable,
    Prefix,
    RequestFilter,
    Term,
    alternatives,
    completions,
    matches,
    parse,
    text_of,
)
from holdfast.ports import CallRecord
from holdfast.wire.usage import Usage

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
CHIPS = (
    "outcome:fallback model:sonnet key:web cost>0.05 since:1h -blame:client status:>=500 "
    'user:"kim@example.com"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A call as plain as a filter can see one."""

    request_id: str = "hfr_1"
    at: datetime = NOW
    door: str = "gateway"
    key: str = "web"
    user: str | None = None
    run: str | None = None
    agent: str | None = None
    model: str = "claude-sonnet-5-5"
    served_model: str | None = None
    upstream: str | None = "anthropic"
    stream: bool = False
    end: str = "answered"
    status: int = 200
    error_code: str | None = None
    attempts: int = 1
    usage: Usage = field(default_factory=Usage)
    cost: Decimal | None = Decimal("0.01")
    duration_ms: float = 10.0
    outcome: str | None = "answered"
    decided_by: str | None = None
    blame: str | None = None


def means(text: str, **seen: Any) -> bool:
    return matches(parse(text, now=NOW), Seen(**seen))


def problem(text: str) -> FilterUnreadable:
    with pytest.raises(FilterUnreadable) as caught:
        parse(text, now=NOW)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.sentence.ko != caught.value.sentence.en
    return caught.value


def test_the_chips_of_the_console_are_a_filter() -> None:
    assert parse(CHIPS, now=NOW).terms == (
        Term(field="outcome", op="=", value="fallback"),
        Term(field="model", op="=", value="sonnet"),
        Term(field="key", op="=", value="web"),
        Term(field="cost", op=">", value=Decimal("0.05")),
        Term(field="since", op=">=", value=NOW - timedelta(hours=1)),
        Term(field="blame", op="!=", value="client"),
        Term(field="status", op=">=", value=500),
        Term(field="user", op="=", value="kim@example.com"),
    )


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_filter_means_every_request(text: str) -> None:
    assert parse(text, now=NOW) == RequestFilter()
    assert means(text)


def test_terms_of_one_field_are_alternatives_and_everything_else_must_hold() -> None:
    text = "model:a model:b -key:batch status>=500"
    assert means(text, model="a", status=500)
    assert means(text, model="b", status=529)
    assert not means(text, model="c", status=500)
    assert not means(text, model="a", status=200)
    assert not means(text, model="a", status=500, key="batch")
    assert means("status:500 status:529", status=529)


def test_a_text_is_the_whole_one_its_beginning_or_a_part_of_it() -> None:
    assert means("model:claude-sonnet-5-5")
    assert not means("model:sonnet")
    assert means("model:claude-*")
    assert not means("model:sonnet*")
    assert means("model~sonnet")
    assert not means("model~opus")
    assert not means("-model:claude-*")
    assert means("-model~opus")
    assert not means("-model~sonnet")
    assert not means("model:Claude-Sonnet-5-5")


def test_what_a_request_does_not_have_counts_as_empty() -> None:
    assert means('user:""')
    assert not means('-user:""')
    assert means("-user:kim")
    assert not means("user:*")
    assert means("user:*", user="kim")
    assert means("-user:*")
    assert not means("user~k")
    assert means('blame:""')
    assert means("blame:*", blame="us")


def test_a_request_without_a_price_is_neither_above_nor_below_one() -> None:
    assert not any(means(f"cost{sign}0", cost=None) for sign in ("=", ">", ">=", "<", "<="))
    assert means("-cost:0", cost=None)


def test_numbers_are_compared_exactly() -> None:
    assert means("cost=0.01 cost<=$0.01 cost>=0.010")
    assert not means("cost>0.01")
    assert means("cost>0.000000000001")
    assert means("cost!=0.02 -status!=200")
    assert means("ms>9.5 ms<10.5 attempts:1 status:200 stream:false")
    assert not means("stream:true")
    assert means("-stream:true")


def test_all_tokens_count() -> None:
    used = Usage(
        input_tokens=1, output_tokens=10, cache_read_input_tokens=100, cache_creation_input_tokens=1000
    )
    assert means("tokens:1111", usage=used)


def test_every_other_field_is_what_it_is_called() -> None:
    said = {
        "end": ("end", "failed"),
        "served": ("served_model", "x"),
        "upstream": ("upstream", "x"),
        "run": ("run", "x"),
        "agent": ("agent", "x"),
        "door": ("door", "x"),
        "code": ("error_code", "x"),
        "guard": ("decided_by", "x"),
        "id": ("request_id", "x"),
    }
    for name, (member, value) in said.items():
        assert means(f"{name}:{value}", **{member: value})
        assert not means(f"{name}:{value}")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("7d", NOW - timedelta(days=7)),
        ("today", datetime(2026, 11, 22, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T09:30z", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
        ("2026-11-20T09:30:15.5+09:00", datetime(2026, 11, 20, 0, 30, 15, 500_000, tzinfo=UTC)),
    ],
)
def test_moments_are_lengths_days_or_moments(text: str, at: datetime) -> None:
    here = NOW.astimezone(timezone(timedelta(hours=9)))
    assert parse(f"since:{text} until={text}", now=here).terms == (
        Term(field="since", op=">=", value=at),
        Term(field="until", op="<", value=at),
    )


def test_a_span_has_its_beginning_and_not_its_end() -> None:
    text = "since:2026-11-22T12:30Z until:2026-11-22T12:31Z"
    assert means(text, at=NOW)
    assert not means(text, at=NOW + timedelta(minutes=1))
    assert not means(text, at=NOW - timedelta(microseconds=1))


def test_quotes_are_around_what_has_blanks_stars_or_quotes() -> None:
    assert means('user:"kim lee"', user="kim lee")
    assert means(r'user:"a \"b\" \\c"', user='a "b" \\c')
    assert means('user:"a*"', user="a*")
    assert not means('user:"a*"', user="ab")
    assert means('user:"a b"*', user="a bc")


@pytest.mark.parametrize(
    ("text", "term", "said"),
    [
        ("key:web sonnet", "sonnet", "model~sonnet"),
        ("-", "-", "model~sonnet"),
        ("modl:x", "modl:x", "did you mean `model`?"),
        ("zzzzz:x", "zzzzz:x", "fields: outcome, end, model"),
        ("outcome:fallbak", "outcome:fallbak", "did you mean `fallback`?"),
        ("blame:zzzzzz", "blame:zzzzzz", "it is one of: client, us"),
        ("blame:cl*", "blame:cl*", "`*` may only end"),
        ("stream:yes", "stream:yes", "true, false"),
        ("stream>true", "stream>true", "it takes : !="),
        ("model>x", "model>x", "it takes : != ~"),
        ("status~5", "status~5", "it takes : != > >= < <="),
        ("since>1h", "since>1h", "it takes :"),
        ("-cost>0.05", "-cost>0.05", "write `cost<=0.05`"),
        ("-ms<=5", "-ms<=5", "write `ms>5`"),
        ("-since:1h", "-since:1h", "write `until:1h`"),
        ("-until:1h", "-until:1h", "write `since:1h`"),
        ("key:we*b", "key:we*b", "use `~`"),
        ("key~web*", "key~web*", "use `~`"),
        ("user>=5*", "user>=5*", "it takes : != ~"),
        ("status:5*", "status:5*", "use `~`"),
        ('user:"kim', 'user:"kim', "quote"),
        ('user:k"im', 'user:k"im', "quote"),
        ("user:", "user:", 'write ""'),
        ('user~""', 'user~""', "missing"),
        ("cost>abc", "cost>abc", "6 digits before the point and 12 behind"),
        ("cost>.5", "cost>.5", "a number such as 0.05"),
        ("cost>1.", "cost>1.", "a number such as 0.05"),
        ("cost>1000000", "cost>1000000", "6 digits"),
        ("cost>0.0000000000001", "cost>0.0000000000001", "12 behind"),
        ("status:-1", "status:-1", "whole number of at most 3 digits"),
        ("status:1.5", "status:1.5", "whole number"),
        ("status:٥", "status:٥", "whole number"),
        ("attempts:99999999999", "attempts:99999999999", "9 digits"),
        ("since:soon", "since:soon", "this is no time"),
        ("since:999999d", "since:999999d", "this is no time"),
        ("since:0001-01-01T00:00+09:00", "since:0001-01-01T00:00+09:00", "this is no time"),
        ("user:a\x07b", "user:a\x07b", "control characters"),
        ("user:a\ud800b", "user:a\ud800b", "control characters"),
    ],
)
def test_what_means_nothing_is_named_with_the_cure(text: str, term: str, said: str) -> None:
    error = problem(text)
    assert error.term == term
    assert said in str(error)


def test_too_much_is_refused() -> None:
    assert "2,000" in str(problem("user:" + "x" * filter_words.LONGEST))
    assert "32" in str(problem("user:x " * (filter_words.MOST + 1)))
    assert len(parse("user:x " * filter_words.MOST, now=NOW).terms) == filter_words.MOST


def test_what_is_wrong_is_shown_without_anything_that_moves_a_cursor() -> None:
    shown = problem("mo\x1b[2J‮dl:x" + "y" * 200).sentence
    assert shown.en.isprintable()
    assert shown.ko.isprintable()
    assert len(shown.en) < 400


def test_what_is_typed_can_be_completed() -> None:
    assert completions("key:web ou") == ("key:web outcome:",)
    assert completions("-ou") == ("-outcome:",)
    assert completions("co") == ("code:", "cost>")
    assert completions("outcome:f") == ("outcome:fallback", "outcome:failed")
    assert completions("x:1 -outcome:failed") == ()
    assert completions("since:") == tuple(f"since:{one}" for one in FIELDS["since"].words)
    assert completions("model:cl") == ()
    assert completions("nothing:x") == ()
    assert len(completions("")) == len(FIELDS)


def test_everything_offered_is_a_filter_or_the_beginning_of_one() -> None:
    for name in FIELDS:
        for offered in completions(f"{name}:"):
            assert parse(offered, now=NOW).terms


def test_every_field_says_what_it_means_in_both_languages() -> None:
    assert set(FIELDS) == set(get_args(Field))
    assert all(rule.meaning.en and rule.meaning.ko for rule in FIELDS.values())


def test_a_record_of_the_ledger_can_be_filtered(a_record: CallRecord) -> None:
    record: Filterable = a_record
    assert matches(parse("outcome:answered door:gateway ms>0", now=NOW), record)


@pytest.fixture
def a_record() -> CallRecord:
    return CallRecord(
        request_id="hfr_1",
        at=NOW,
        door="gateway",
        key="web",
        user=None,
        run=None,
        agent=None,
        model="claude-sonnet-5-5",
        served_model=None,
        upstream=None,
        stream=False,
        end="answered",
        status=200,
        error_code=None,
        attempts=1,
        stop_reason=None,
        usage=Usage(),
        estimated=False,
        cost_pico=1,
        price_version=None,
        duration_ms=1.0,
    )


letters = st.characters(exclude_categories=("Cc", "Cs"))
texts = st.text(letters, max_size=12)
awkward = st.text(st.sampled_from('a*"\\ -:~<>=!'), max_size=6)


def _numbers(digits: int, places: int) -> st.SearchStrategy[str]:
    return st.builds(_number, st.integers(0, 10**digits - 1), st.integers(0, 10**places - 1), st.just(places))


def _number(whole: int, part: int, places: int) -> str:
    return f"{whole}.{part:0{places}}"


DAWN = datetime(1, 1, 3, tzinfo=UTC)
moments = st.timedeltas(timedelta(0), timedelta(days=3_652_000)).map(lambda later: DAWN + later)


def _value(draw: st.DrawFn, name: Field, op: Op) -> Any:
    rule = FIELDS[name]
    values: Mapping[str, st.SearchStrategy[Any]] = {
        "text": texts | awkward if op in ("=", "!=") else (texts | awkward).filter(bool),
        "word": st.sampled_from(("", *rule.words)),
        "truth": st.booleans(),
        "count": st.integers(0, 10 ** DIGITS.get(name, 1) - 1),
        "dollars": _numbers(DIGITS.get(name, 1), 12).map(Decimal),
        "milliseconds": _numbers(DIGITS.get(name, 1), 3).map(float),
        "moment": moments,
    }
    return draw(values[rule.kind])


@st.composite
def terms(draw: st.DrawFn) -> Term:
    name = draw(st.sampled_from(sorted(FIELDS)))
    kind = FIELDS[name].kind
    op: Op = draw(st.sampled_from(OPS[kind]))
    value = _value(draw, name, op)
    if kind == "moment":
        op = ">=" if name == "since" else "<"
    if kind == "text" and op in ("=", "!=") and value and draw(st.booleans()):
        value = Prefix(start=value)
    return Term(field=name, op=op, value=value)


@given(st.lists(terms(), max_size=6))
def test_a_filter_that_is_written_and_read_is_the_same(wanted: list[Term]) -> None:
    meant = RequestFilter(terms=tuple(wanted))
    assert parse(text_of(meant), now=NOW) == meant


@given(st.text(max_size=60) | awkward)
def test_whatever_is_typed_is_read_or_refused_with_a_sentence(text: str) -> None:
    said = ""
    try:
        meant = parse(text, now=NOW)
    except FilterUnreadable as error:
        said = error.sentence.en
    else:
        assert parse(text_of(meant), now=NOW) == meant
    assert said.isprintable()


MEMBERS: Mapping[str, str] = {"served": "served_model", "code": "error_code", "guard": "decided_by"}
words = st.sampled_from(["", "a", "ab", "b"])
seen = st.builds(
    Seen,
    key=words,
    user=words | st.none(),
    error_code=words | st.none(),
    status=st.sampled_from([200, 404, 500]),
    cost=st.sampled_from([None, Decimal(0), Decimal("0.5")]),
    stream=st.booleans(),
)
SIMPLE: tuple[Field, ...] = ("key", "user", "code", "status", "cost", "stream")


@st.composite
def simple_terms(draw: st.DrawFn) -> Term:
    name = draw(st.sampled_from(SIMPLE))
    kind = FIELDS[name].kind
    values: Mapping[str, st.SearchStrategy[Any]] = {
        "text": words,
        "count": st.sampled_from([200, 404, 500]),
        "dollars": st.sampled_from([Decimal(0), Decimal("0.5")]),
        "truth": st.booleans(),
    }
    op = draw(st.sampled_from(OPS[kind]))
    value: Any = draw(values[kind])
    if kind == "text" and op in ("=", "!=") and draw(st.booleans()):
        value = Prefix(start=value)
    return Term(field=name, op=op, value=value)


def naive(term: Term, record: Seen) -> bool:
    """One condition, spelled out."""
    value: Any = getattr(record, MEMBERS.get(term.field, term.field))
    if FIELDS[term.field].kind == "text":
        value = value or ""
        start = term.value.start if isinstance(term.value, Prefix) else None
        same = value.startswith(start) if start is not None else value == term.value
        is_in = str(term.value) in value
        return bool({"=": same, "!=": not same, "~": is_in, "!~": not is_in}[str(term.op)])
    if value is None:
        return term.op == "!="
    want: Any = term.value
    signs = {"=": value == want, "!=": value != want, ">": value > want, "<": value < want}
    return bool({**signs, ">=": not signs["<"], "<=": not signs[">"]}[term.op])


@given(st.lists(simple_terms(), max_size=5), seen)
def test_a_filter_means_what_its_terms_mean_one_by_one(wanted: list[Term], record: Seen) -> None:
    meant = RequestFilter(terms=tuple(wanted))
    by_field = {name: [term for term in wanted if term.field == name and term.op == "="] for name in SIMPLE}
    expected = all(naive(term, record) for term in wanted if term.op != "=") and all(
        any(naive(term, record) for term in either) for either in by_field.values() if either
    )
    assert matches(meant, record) is expected
    assert {term for either in alternatives(meant) for term in either} == set(wanted)
