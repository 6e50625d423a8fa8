"""Findings: about lines that are there, each told once, whoever found it and in whatever order."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.teams.findings import (
    NEAR,
    SEVERITIES,
    Finding,
    Reported,
    are_alike,
    are_one,
    checked,
    is_at_least,
    merged,
)

TITLES = (
    "Division by zero",
    "Division by zero is possible",
    "Unused name",
    "이름이 모호합니다",
    "",
    "Zero division",
)


def reported(file: str = "a.py", line: int = 1, title: str = "Bug", confidence: float = 0.5) -> Reported:
    return Reported(
        file=file,
        line=line,
        severity="high",
        title=title,
        explanation="why",
        suggestion="do",
        confidence=confidence,
    )


findings = st.builds(
    Finding,
    file=st.sampled_from(["a.py", "b.py"]),
    line=st.integers(1, 12),
    severity=st.sampled_from(SEVERITIES),
    title=st.sampled_from(TITLES),
    explanation=st.sampled_from(["x", "y"]),
    suggestion=st.just(""),
    confidence=st.sampled_from([0.2, 0.5, 0.9]),
    reviewers=st.sampled_from([("correctness",), ("security",), ("style",)]),
)
many = st.lists(findings, max_size=12)


@given(many)
def test_the_order_in_which_reviewers_answer_makes_no_difference(found: list[Finding]) -> None:
    assert merged(sorted(found, key=lambda finding: (finding.title, finding.line))) == merged(found)
    assert merged(reversed(found)) == merged(found)


@given(many)
def test_merging_again_changes_nothing(found: list[Finding]) -> None:
    once = merged(found)
    assert merged(once) == once


@given(many)
def test_no_two_that_are_left_mean_the_same(found: list[Finding]) -> None:
    assert not any(are_one(one, other) for one, other in combinations(merged(found), 2))


@given(many)
def test_whoever_found_something_is_named_at_something_at_least_as_bad(found: list[Finding]) -> None:
    left = merged(found)
    for finding in found:
        assert any(
            told.file == finding.file
            and {*finding.reviewers} <= {*told.reviewers}
            and told.rank <= finding.rank
            for told in left
        )


@given(many)
def test_everything_that_is_left_was_found(found: list[Finding]) -> None:
    known = {(finding.file, finding.line, finding.title, finding.severity) for finding in found}
    assert {(told.file, told.line, told.title, told.severity) for told in merged(found)} <= known


@given(findings, findings)
def test_meaning_the_same_has_no_direction(one: Finding, other: Finding) -> None:
    assert are_one(one, other) == are_one(other, one)


def finding(line: int, reviewer: str) -> Finding:
    (made,), _ = checked([reported(line=line, title="Division by zero")], reviewer, {"a.py": range(1, 100)})
    return made


def test_two_reviewers_near_each_other_mean_the_same() -> None:
    (told,) = merged([finding(10, "security"), finding(10 + NEAR, "correctness")])
    assert (told.line, told.reviewers) == (10, ("correctness", "security"))


def test_two_reviewers_far_apart_do_not() -> None:
    assert len(merged([finding(10, "security"), finding(11 + NEAR, "correctness")])) == 2


def test_one_reviewer_may_find_the_same_in_two_lines() -> None:
    assert len(merged([finding(10, "style"), finding(11, "style")])) == 2
    assert len(merged([finding(10, "style"), finding(10, "style")])) == 1


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Division by zero", "division by ZERO!", True),
        ("Division by zero", "Possible division by zero", True),
        ("Division by zero", "Name is unclear", False),
        ("", "", True),
        ("", "Bug", False),
        ("!!", "??", False),
    ],
)
def test_titles_are_alike_by_their_words(one: str, other: str, *, alike: bool) -> None:
    assert are_alike(one, other) is alike


@pytest.mark.parametrize("name", ["a.py", "./a.py", "a/a.py", "b/a.py", " a.py "])
def test_a_file_is_known_however_its_name_is_written(name: str) -> None:
    found, made_up = checked([reported(file=name)], "style", {"a.py": [1]})
    assert ([one.file for one in found], made_up) == (["a.py"], [])


@pytest.mark.parametrize(
    "one", [reported(file="c.py"), reported(line=9), reported(line=0), reported(line=-1), reported(title=" ")]
)
def test_what_is_about_no_line_that_was_shown_is_made_up(one: Reported) -> None:
    assert checked([one], "style", {"a.py": [1, 2]}) == ([], [one])


@pytest.mark.parametrize(("said", "kept"), [(2.0, 1.0), (-1.0, 0.0), (float("nan"), 0.0), (0.25, 0.25)])
def test_confidence_is_a_part_of_one(said: float, kept: float) -> None:
    (found,), _ = checked([reported(confidence=said)], "style", {"a.py": [1]})
    assert found.confidence == kept


def test_severities_are_in_order() -> None:
    assert is_at_least("critical", "high")
    assert is_at_least("high", "high")
    assert not is_at_least("info", "low")
