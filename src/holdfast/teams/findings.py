"""What reviewers find in code: checked against the code itself, and told once however many have found it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated, Literal, get_args

import msgspec

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""

NEAR = 3
"""Lines that two reviewers may be apart when they mean the same."""
ALIKE = 0.5
"""The part of their words that two titles share at least when they mean the same."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One finding as a reviewer reports it."""

    file: Annotated[str, msgspec.Meta(description="the path exactly as the document's title says it")]
    line: Annotated[int, msgspec.Meta(description="the number in front of the line that it is about")]
    severity: Severity
    title: Annotated[str, msgspec.Meta(description="what is wrong, in at most ten words")]
    explanation: Annotated[str, msgspec.Meta(description="why, and what will happen")]
    suggestion: Annotated[str, msgspec.Meta(description="what to write instead")]
    confidence: Annotated[float, msgspec.Meta(description="how sure you are, from 0 to 1")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one reviewer has found in one piece of code; nothing when it is all right."""

    findings: list[Reported]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a line that is really there.

    Attributes:
        confidence: how sure the surest of its reviewers is, from 0 to 1.
        reviewers: who has found it.
    """

    file: str
    line: int
    severity: Severity
    title: str
    explanation: str
    suggestion: str
    confidence: float
    reviewers: tuple[str, ...]

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return SEVERITIES.index(self.severity)


def is_at_least(severity: Severity, least: Severity) -> bool:
    """Whether it is as bad as that, or worse."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(least)


def checked(
    reported: Sequence[Reported], reviewer: str, lines: Mapping[str, Iterable[int]]
) -> tuple[list[Finding], list[Reported]]:
    """Findings about lines that the reviewer was shown, by file; and those about none, which are made up."""
    shown = {file: frozenset(numbers) for file, numbers in lines.items()}
    found, made_up = list[Finding](), list[Reported]()
    for one in reported:
        file = _known(one.file, shown)
        if file is None or one.line not in shown[file] or not one.title.strip():
            made_up.append(one)
        else:
            found.append(_finding(one, file, reviewer))
    return found, made_up


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, by file and line; the order in which they came makes no difference.

    Two are one when they are in one file, their titles are alike, and they are about one line, or near each other
    and from different reviewers; so is whatever is one with either.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        by_file.setdefault(finding.file, []).append(finding)
    told = [_as_one(group) for inside in by_file.values() for group in _groups(sorted(inside, key=_order))]
    return tuple(sorted(told, key=_order))


def are_one(one: Finding, other: Finding) -> bool:
    """Whether two findings mean the same."""
    if one.file != other.file or not are_alike(one.title, other.title):
        return False
    is_near = abs(one.line - other.line) <= NEAR and not {*one.reviewers} & {*other.reviewers}
    return one.line == other.line or is_near


def are_alike(one: str, other: str) -> bool:
    """Whether two titles share most of their words."""
    words, others = ({*_WORD.findall(title.casefold())} for title in (one, other))
    return one == other or len(words & others) >= ALIKE * max(1, len(words | others))


def _known(file: str, shown: Mapping[str, object]) -> str | None:
    """The file that is meant, however its name is written."""
    plain = file.strip().replace("\\", "/")
    for name in (plain, plain.removeprefix("./"), plain[2:] if plain[:2] in ("a/", "b/") else plain):
        if name in shown:
            return name
    return None


def _finding(one: Reported, file: str, reviewer: str) -> Finding:
    sure = one.confidence if one.confidence == one.confidence else 0.0
    return Finding(
        file=file,
        line=one.line,
        severity=one.severity,
        title=" ".join(one.title.split()),
        explanation=one.explanation.strip(),
        suggestion=one.suggestion.strip(),
        confidence=min(1.0, max(0.0, sure)),
        reviewers=(reviewer,),
    )


def _groups(inside: Sequence[Finding]) -> list[list[Finding]]:
    """Those that are one with each other, directly or by way of others."""
    group_of = list(range(len(inside)))
    for one, other in combinations(range(len(inside)), 2):
        if are_one(inside[one], inside[other]):
            old, new = group_of[other], group_of[one]
            group_of = [new if group == old else group for group in group_of]
    groups: dict[int, list[Finding]] = {}
    for finding, group in zip(inside, group_of, strict=True):
        groups.setdefault(group, []).append(finding)
    return list(groups.values())


def _as_one(group: Sequence[Finding]) -> Finding:
    """The worst and surest of them, in the name of all."""
    worst = min(group, key=lambda finding: (finding.rank, -finding.confidence, _order(finding)))
    reviewers = sorted({reviewer for finding in group for reviewer in finding.reviewers})
    confidence = max(finding.confidence for finding in group)
    return replace(worst, reviewers=tuple(reviewers), confidence=confidence)


def _order(finding: Finding) -> tuple[object, ...]:
    return (
        finding.file,
        finding.line,
        finding.rank,
        finding.title,
        finding.explanation,
        finding.suggestion,
        -finding.confidence,
        finding.reviewers,
    )
