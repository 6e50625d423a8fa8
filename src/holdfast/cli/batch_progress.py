"""How far a batch is, as a bar on a terminal and as lines elsewhere, and how it ended."""

import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from holdfast.batches.work import Work
from holdfast.cli.desk import talk
from holdfast.cli.main import language
from holdfast.language import Sentence

BAR = 24
"""Columns of the bar."""
REDRAW = 0.1
"""Seconds between two drawings of it."""
STEPS = 10
"""Lines that are told of a whole batch where there is no terminal."""


@dataclass(slots=True)
class Progress:
    """Tells how far a batch is, on stderr."""

    work: Work
    _drawn: float = 0.0
    _step: int = 0
    _is_bar: bool = field(default_factory=lambda: sys.stderr.isatty())

    def __enter__(self) -> Self:
        counts = self.work.counts
        if done := counts.answered:
            talk(
                Sentence(
                    f"Going on: {done} of {counts.items} are done.",
                    ko=f"이어서 합니다. {counts.items}건 가운데 {done}건은 끝나 있습니다.",
                )
            )
        self._step = self._reached()
        return self

    def told(self) -> None:
        """Something has changed."""
        if self._is_bar:
            self._draw()
        elif self._reached() > self._step:
            self._step = self._reached()
            talk(said(self.work))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_bar:
            self._drawn = 0.0
            self._draw()
            click.echo(err=True)

    def _reached(self) -> int:
        counts = self.work.counts
        return (counts.answered + counts.failed) * STEPS // max(1, counts.items)

    def _draw(self) -> None:
        now = self.work.runtime.clock.monotonic()
        if now - self._drawn < REDRAW:
            return
        self._drawn = now
        counts = self.work.counts
        full = (counts.answered + counts.failed) * BAR // max(1, counts.items)
        bar = "█" * full + "░" * (BAR - full)
        click.echo(f"\r{bar} {said(self.work).say(language())}\x1b[K", err=True, nl=False)


def said(work: Work) -> Sentence:
    """How far it is, in a few words."""
    counts = work.counts
    done = counts.answered + counts.failed
    failed = Sentence("", ko="")
    if counts.failed:
        failed = Sentence(f", {counts.failed} failed", ko=f", 실패 {counts.failed}건")
    return Sentence(
        f"{done} of {counts.items}{failed.en} · ${_money(counts.cost)}",
        ko=f"{counts.items}건 중 {done}건{failed.ko} · ${_money(counts.cost)}",
    )


def summary(work: Work, output: Path) -> Sentence:
    """How it ended."""
    counts = work.counts
    parts = [Sentence(f"{counts.answered} answered", ko=f"답변 {counts.answered}건")]
    for number, kind in (
        (counts.failed, Sentence("failed", ko="실패")),
        (counts.unreadable, Sentence("unreadable", ko="읽을 수 없는 줄")),
        (counts.left, Sentence("not run", ko="실행하지 않음")),
    ):
        if number:
            parts.append(Sentence(f"{number} {kind.en}", ko=f"{kind.ko} {number}건"))
    english, korean = ", ".join(part.en for part in parts), ", ".join(part.ko for part in parts)
    return Sentence(
        f"{english} · ${_money(counts.cost)} · {output}", ko=f"{korean} · ${_money(counts.cost)} · {output}"
    )


def facts(work: Work) -> dict[str, object]:
    """The same for a program."""
    counts = work.counts
    return {
        "run": work.journal.run,
        "items": counts.items,
        "answered": counts.answered,
        "failed": counts.failed,
        "unreadable": counts.unreadable,
        "not_run": counts.left,
        "cost": f"{counts.cost:f}",
        "stopped_by": None if work.over is None else work.over.error_code,
    }


def _money(cost: Decimal) -> str:
    return f"{cost:.4f}" if cost >= Decimal("0.01") or not cost else f"{cost:f}"
