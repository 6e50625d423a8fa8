"""How a review looks at the command line: what is going on, and then what was found."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

from holdfast.cli.inert import printable
from holdfast.cli.table import width
from holdfast.language import Language, Sentence
from holdfast.policy.money import plain
from holdfast.teams.findings import Finding
from holdfast.teams.report import SEVERITY_NAMES, Review, by_reviewer, others
from holdfast.teams.review import Progress

COLUMNS = 100
_CLEAR = "\r\x1b[K"


@dataclass(slots=True, kw_only=True)
class Display:
    """Progress: one line that changes at a terminal, a line for each answer elsewhere."""

    stream: TextIO
    language: Language
    is_terminal: bool
    _is_shown: bool = field(default=False, init=False)

    @classmethod
    def of(cls, stream: TextIO, language: Language) -> "Display":
        """The display that suits a stream."""
        return cls(stream=stream, language=language, is_terminal=stream.isatty())

    def tell(self, progress: Progress) -> None:
        """Show how far it has come."""
        line = _cut(printable(_line(progress).say(self.language)))
        self.stream.write(f"{_CLEAR}{line}" if self.is_terminal else f"{line}\n")
        self.stream.flush()
        self._is_shown = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_terminal and self._is_shown:
            self.stream.write(_CLEAR)
            self.stream.flush()


def findings_told(review: Review, language: Language) -> str:
    """The findings in groups by reviewer, as plain text; nothing when there are none."""
    blocks: list[str] = []
    for reviewer, findings in by_reviewer(review):
        blocks.append(f"{printable(reviewer)}\n")
        blocks += [_told(finding, reviewer, language) for finding in findings]
    return "\n".join(blocks)


def _told(finding: Finding, reviewer: str, language: Language) -> str:
    severity = SEVERITY_NAMES[finding.severity].say(language)
    also = others(finding, reviewer)
    too = (
        Sentence(f" (also {', '.join(also)})", ko=f" ({', '.join(also)} 공통)").say(language) if also else ""
    )
    lines = [f"  {finding.file}:{finding.line}: {severity}: {finding.title}{too}"]
    lines += [f"    {line}" for line in finding.explanation.split("\n")]
    lines += [f"    → {line}" for line in finding.suggestion.split("\n") if line]
    return "".join(f"{printable(line).rstrip()}\n" for line in lines if line.strip())


def _line(progress: Progress) -> Sentence:
    cost = "?" if progress.cost is None else plain(progress.cost)
    what = progress.files[0] + (f" +{len(progress.files) - 1}" if len(progress.files) > 1 else "")
    count = progress.findings
    failed = ("", "") if progress.error is None else (" failed", " 실패")
    return Sentence(
        f"[{progress.done}/{progress.total}] {progress.reviewer}: {what}{failed[0]} · "
        f"{count} {'finding' if count == 1 else 'findings'} · ${cost}",
        ko=f"[{progress.done}/{progress.total}] {progress.reviewer}: {what}{failed[1]} · 지적 {count}건 · ${cost}",
    )


def _cut(line: str) -> str:
    while width(line) > COLUMNS:
        line = line[:-1]
    return line
