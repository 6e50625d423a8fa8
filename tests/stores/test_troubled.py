"""Filters that can only mean calls in trouble look through those alone, and never miss one."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.filter_fields import Field, Op
from holdfast.policy.request_filter import Prefix, RequestFilter, Term, Value, matches
from holdfast.ports import CallRecord
from holdfast.stores.sqlite_file import open_file
from holdfast.stores.troubled import TROUBLED, is_of_troubled
from holdfast.testing.conformance_listing import every_term
from holdfast.testing.conformance_records import a_record


@st.composite
def calls(draw: st.DrawFn) -> CallRecord:
    return replace(
        a_record("hfr_1"),
        end=draw(st.sampled_from(("answered", "refused", "failed", "abandoned"))),
        outcome=draw(st.sampled_from(("answered", "cached", "fallback"))),
        blame=draw(st.sampled_from((None, "us", "claude"))),
        status=draw(st.sampled_from((200, 429, 100))),
        error_code=draw(st.sampled_from((None, "", "overloaded_error"))),
    )


WORDS: tuple[tuple[Field, Op, Value], ...] = (
    ("status", "<", 200),
    ("status", "<=", 200),
    ("status", ">", 199),
    ("status", "!=", 200),
    ("status", "!=", 429),
    ("code", "=", ""),
    ("code", "!=", "overloaded_error"),
    ("code", "~", "over"),
    ("code", "~", ""),
    ("code", "=", Prefix(start="over")),
    ("code", "=", Prefix(start="")),
    ("blame", "=", ""),
    ("blame", "!=", "us"),
    ("end", "!=", "answered"),
    ("outcome", "!=", "cached"),
)
MORE = tuple(Term(field=field, op=op, value=value) for field, op, value in WORDS)


def is_troubled(call: CallRecord) -> bool:
    return (
        call.outcome != "answered"
        or call.status != 200
        or call.blame is not None
        or call.error_code is not None
    )


@given(calls(), st.lists(st.sampled_from((*every_term(), *MORE)), min_size=1, max_size=2))
def test_what_is_looked_for_among_the_troubled_is_one_of_them(call: CallRecord, terms: list[Term]) -> None:
    means = any(matches(RequestFilter(terms=(term,)), call) for term in terms)
    if is_of_troubled(terms) and means:
        assert is_troubled(call)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("outcome", "=", "cached"),
        ("end", "=", "refused"),
        ("end", "!=", "answered"),
        ("blame", "=", "network"),
        ("code", "~", "overloaded"),
        ("status", "=", 504),
        ("status", ">=", 400),
    ],
)
def test_the_usual_questions_about_trouble_are_among_them(field: Field, op: Op, value: Value) -> None:
    assert is_of_troubled((Term(field=field, op=op, value=value),))


def test_the_indexes_say_the_condition_to_the_letter() -> None:
    for name in ("sqlite_0005.sql", "postgres_0006.sql"):
        script = files("holdfast.stores").joinpath("sql", name).read_text("utf-8")
        assert f"WHERE {TROUBLED};" in script


def test_sqlite_looks_through_the_index_of_the_troubled(tmp_path: Path) -> None:
    statement = f'SELECT sequence FROM calls WHERE ({TROUBLED}) AND ("status" = 504) ORDER BY "at" DESC'
    with closing(open_file(tmp_path / "h.db")) as db:
        assert isinstance(db, sqlite3.Connection)
        plan = db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    assert "COVERING INDEX calls_troubled" in plan[0][-1]
