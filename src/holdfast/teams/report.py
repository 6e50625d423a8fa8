"""A review as people and machines read it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from holdfast.errors import HoldfastError
from holdfast.language import Language, Sentence
from holdfast.policy.money import plain
from holdfast.teams.findings import SEVERITIES, Finding, Severity, is_at_least
from holdfast.teams.sources import Skipped

SEVERITY_NAMES: dict[Severity, Sentence] = {
    "critical": Sentence("critical", ko="치명적"),
    "high": Sentence("high", ko="높음"),
    "medium": Sentence("medium", ko="보통"),
    "low": Sentence("low", ko="낮음"),
    "info": Sentence("info", ko="참고"),
}
_MARKUP = re.compile(r"([\\`*_\[\]<>|#!])")
MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reviewer that could not judge some files, and why."""

    reviewer: str
    files: tuple[str, ...]
    error: HoldfastError


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a review has found, and what it has not looked at.

    Attributes:
        findings: by file and line, each once.
        made_up: findings that were dropped, because the line that they are about is not there.
        reviewers: their names, in the order asked for.
        files: what was to be reviewed.
        skipped: files that nobody looks at.
        answered: questions that were, each a reviewer and some files.
        failures: what a reviewer could not judge.
        unreviewed: reviewers and files that were not reached.
        stopped: why they were not reached: the budget, the deadline, an operator.
        cost: exact dollars; `None` when a price is not known.
        seconds: how long it took.
        run: what all its calls are part of.
    """

    findings: tuple[Finding, ...]
    made_up: int
    reviewers: tuple[str, ...]
    files: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    answered: int
    failures: tuple[Failure, ...]
    unreviewed: tuple[tuple[str, str], ...]
    stopped: HoldfastError | None
    cost: Decimal | None
    seconds: float
    run: str

    @property
    def is_complete(self) -> bool:
        """Whether every reviewer has judged every file."""
        return not (self.failures or self.unreviewed or self.stopped)

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings that are as bad as that, or worse."""
        return tuple(finding for finding in self.findings if is_at_least(finding.severity, severity))

    def markdown(self, language: Language = "en") -> str:
        """As a comment on a pull request."""
        return as_markdown(self, language)

    def json(self) -> str:
        """As one JSON object."""
        return as_json(self)


def as_json(review: Review) -> str:
    """One JSON object; money is exact, as a string."""
    return msgspec.json.encode(facts_of(review)).decode()


def facts_of(review: Review) -> dict[str, object]:
    """What a machine is told."""
    return {
        "findings": [msgspec.to_builtins(finding) for finding in review.findings],
        "made_up": review.made_up,
        "reviewers": review.reviewers,
        "files": review.files,
        "skipped": [{"path": skipped.path, "why": skipped.why.en} for skipped in review.skipped],
        "failures": [
            {
                "reviewer": failure.reviewer,
                "files": failure.files,
                "error_code": failure.error.error_code,
                "error": str(failure.error),
            }
            for failure in review.failures
        ],
        "unreviewed": [{"reviewer": reviewer, "path": path} for reviewer, path in review.unreviewed],
        "stopped": None
        if review.stopped is None
        else {"error_code": review.stopped.error_code, "error": str(review.stopped)},
        "cost": None if review.cost is None else plain(review.cost),
        "seconds": round(review.seconds, 3),
        "run": review.run,
    }


def as_markdown(review: Review, language: Language) -> str:
    """As a comment on a pull request, one part for each reviewer."""
    parts = [f"# {Sentence('Code review', ko='코드 리뷰').say(language)}", summary(review).say(language)]
    for reviewer, findings in by_reviewer(review):
        parts.append(f"## {_escaped(reviewer)}")
        parts += [_told(finding, reviewer, language) for finding in findings]
    notes = [f"- {_escaped(note.say(language))}" for note in remarks(review)]
    if notes:
        parts += [f"## {Sentence('Not reviewed', ko='리뷰하지 못한 부분').say(language)}", "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def by_reviewer(review: Review) -> list[tuple[str, list[Finding]]]:
    """Each finding once, under the first of its reviewers; the worst first."""
    groups: dict[str, list[Finding]] = {name: [] for name in review.reviewers}
    for finding in review.findings:
        first = next(name for name in review.reviewers if name in finding.reviewers)
        groups[first].append(finding)
    return [(name, sorted(found, key=lambda one: one.rank)) for name, found in groups.items() if found]


def others(finding: Finding, reviewer: str) -> Sequence[str]:
    """Who else has found it."""
    return [name for name in finding.reviewers if name != reviewer]


def summary(review: Review) -> Sentence:
    """What came out, in one line."""
    found, files = len(review.findings), len(review.files)
    cost = ("price unknown", "가격 알 수 없음") if review.cost is None else (f"${plain(review.cost)}",) * 2
    counts: list[tuple[Severity, int]] = [
        (severity, count)
        for severity in SEVERITIES
        if (count := sum(finding.severity == severity for finding in review.findings))
    ]
    english = ", ".join(f"{count} {SEVERITY_NAMES[severity].en}" for severity, count in counts)
    korean = ", ".join(f"{SEVERITY_NAMES[severity].ko} {count}" for severity, count in counts)
    return Sentence(
        f"{found} {'finding' if found == 1 else 'findings'}{f' ({english})' if counts else ''} in {files} "
        f"{'file' if files == 1 else 'files'} · {cost[0]} · {review.seconds:.1f} s",
        ko=f"파일 {files}개에서 {found}건{f' ({korean})' if counts else ''} · {cost[1]} · {review.seconds:.1f}초",
    )


def remarks(review: Review) -> list[Sentence]:
    """What a reader must know of what is missing."""
    told: list[Sentence] = []
    if review.stopped is not None:
        left = Counter(reviewer for reviewer, _ in review.unreviewed)
        english = ", ".join(f"{name} {count}" for name, count in left.items()) or "nothing"
        korean = ", ".join(f"{name} {count}개" for name, count in left.items()) or "없음"
        told.append(
            Sentence(
                f"Stopped before it was done; files left by reviewer: {english}. {review.stopped.say('en')}",
                ko=f"끝나기 전에 중단되었습니다. 리뷰어별로 남은 파일: {korean}. {review.stopped.say('ko')}",
            )
        )
    told += [
        Sentence(
            f"{failure.reviewer} could not judge {_names(failure.files)}: {failure.error.say('en')}",
            ko=f"{failure.reviewer}이(가) {_names(failure.files)}을(를) 리뷰하지 못했습니다: {failure.error.say('ko')}",
        )
        for failure in review.failures
    ]
    told += [
        Sentence(f"{skipped.path}: {skipped.why.en}", ko=f"{skipped.path}: {skipped.why.ko}")
        for skipped in review.skipped[:MOST_NAMED]
    ]
    if (more := len(review.skipped) - MOST_NAMED) > 0:
        told.append(Sentence(f"{more} more files were skipped", ko=f"그 밖에 파일 {more}개를 건너뛰었습니다"))
    if review.made_up:
        told.append(
            Sentence(
                f"{review.made_up} findings were dropped: the lines that they are about are not there",
                ko=f"존재하지 않는 줄을 가리킨 지적 {review.made_up}건은 버렸습니다",
            )
        )
    return told


def _told(finding: Finding, reviewer: str, language: Language) -> str:
    also = ", ".join(others(finding, reviewer))
    sure = f"{finding.confidence:.0%}"
    head = (
        f"- **{SEVERITY_NAMES[finding.severity].say(language)}** `{_plain(finding.file)}:{finding.line}` "
        f"{_escaped(finding.title)} ({sure}{f'; {_escaped(also)}' if also else ''})"
    )
    texts = [_escaped(text) for text in (finding.explanation, finding.suggestion) if text]
    return "\n".join([head, *("\n" + _indented(text) for text in texts)])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.split("\n"))


def _escaped(text: str) -> str:
    """A text of a model as words alone: no links, pictures, markup, nor anything that cannot be seen."""
    seen = "".join(letter for letter in text if letter == "\n" or letter.isprintable())
    return _MARKUP.sub(r"\\\1", seen)


def _plain(path: str) -> str:
    """A path between back quotes, with nothing in it that ends them or cannot be seen."""
    return "".join(letter for letter in path if letter != "`" and letter.isprintable())


def _names(files: Sequence[str]) -> str:
    named = ", ".join(files[:3])
    return named if len(files) <= 3 else f"{named} (+{len(files) - 3})"
