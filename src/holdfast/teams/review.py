"""Review of code by several reviewers at once, on one budget: what they have found, checked and told once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import ConfigError, HoldfastError
from holdfast.hold import Holdfast
from holdfast.language import Language, Sentence
from holdfast.parts.budget import Budget
from holdfast.policy.money import Money
from holdfast.portal import Portal
from holdfast.settings import Settings
from holdfast.teams.chunks import Chunk, chunked
from holdfast.teams.findings import merged
from holdfast.teams.panel import Judged, Panel, Question
from holdfast.teams.report import Failure, Review
from holdfast.teams.reviewers import BUILT_IN, Reviewer, reviewers_of, system_of
from holdfast.teams.sources import Diff, gathered
from holdfast.teams.team import Terms

TOKENS = 6_000
"""Tokens of code in one question."""
AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a review has come: the question answered last, and how many of all there are."""

    reviewer: str
    files: tuple[str, ...]
    done: int
    total: int
    findings: int
    cost: Decimal | None
    error: HoldfastError | None = None


@dataclass(slots=True, eq=False)
class CodeReview:
    """Reviewers that read the same code side by side: `CodeReview().run("src")`.

    Attributes:
        reviewers: names of those that holdfast has (`correctness`, `security`, `style`, `tests`), or a `Reviewer`.
        model: asked by all of them; each takes a small, standard or large one of the settings when left out.
        hold: the pipeline to use; one of its own when left out.
        max_usd: dollars that one review may cost; it stops there with what it has.
        budget: the same as a `Budget`.
        deadline: seconds or `timedelta` for all of it; it stops there with what it has.
        at_once: questions under way at a time.
        tokens: of code in one question.
        max_tokens: of an answer.
        language: in which findings are written.

    Raises `ConfigError` for what makes no sense.
    """

    reviewers: Sequence[str | Reviewer] = tuple(BUILT_IN)
    _: KW_ONLY
    model: str | None = None
    hold: Holdfast | None = None
    max_usd: Money | None = None
    budget: Budget | None = None
    deadline: float | timedelta | None = None
    at_once: int = AT_ONCE
    tokens: int = TOKENS
    max_tokens: int = 4_096
    language: Language = "en"
    clock: Clock = SYSTEM_CLOCK
    _portal: Portal = field(default_factory=Portal, init=False, repr=False)
    _panel: tuple[Reviewer, ...] = field(init=False, repr=False)
    _terms: Terms = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._panel = reviewers_of(self.reviewers)
        self._terms = Terms(
            name="review", max_usd=self.max_usd, budget=self.budget, deadline=self.deadline, clock=self.clock
        )
        if min(self.at_once, self.tokens, self.max_tokens) < 1:
            raise ConfigError(
                Sentence(
                    "at_once, tokens and max_tokens must be at least 1",
                    ko="at_once, tokens, max_tokens는 1 이상이어야 합니다",
                )
            )

    async def __call__(self, text: str) -> str:
        """The review of a diff as Markdown: so that a review can be a member of a team."""
        return (await self.run(Diff(text))).markdown(self.language)

    async def run(
        self,
        source: str | Path | Diff,
        *,
        user: str | None = None,
        run: str | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> Review:
        """Review a file, a folder, or a `Diff`; `progress` is called after each question.

        What has failed is in the result. Raises `ConfigError` for a source that is not there.
        """
        sources, skipped = gathered(source)
        chunks = chunked(sources, tokens=self.tokens)
        if self.hold is not None:
            judged = await self._judged(self.hold, chunks, user, run, progress)
        else:
            async with Holdfast(Settings.load()) as hold:
                judged = await self._judged(hold, chunks, user, run, progress)
        review = _review(judged, tuple(reviewer.name for reviewer in self._panel))
        return replace(review, files=tuple(source.path for source in sources), skipped=tuple(skipped))

    def run_sync(
        self, source: str | Path | Diff, *, user: str | None = None, run: str | None = None
    ) -> Review:
        """`run` for scripts and notebooks."""
        return self._portal.call(self.run(source, user=user, run=run))

    async def _judged(
        self,
        hold: Holdfast,
        chunks: Sequence[Chunk],
        user: str | None,
        run: str | None,
        progress: Callable[[Progress], object] | None,
    ) -> Judged:
        models = hold.runtime.settings.models
        asked = {
            reviewer.name: self.model
            or {"small": models.small, "standard": models.standard}.get(reviewer.size, models.large)
            for reviewer in self._panel
        }
        agents = {
            name: hold.agent(
                model,
                name=name,
                system=system_of(self.language),
                fallback=None,
                max_tokens=self.max_tokens,
                language=self.language,
            )
            for name, model in asked.items()
        }
        panel = Panel(agents=agents, terms=self._terms, at_once=self.at_once)
        questions = self._questions(chunks, Counter(asked.values()), asked)
        return await panel.judge(questions, user=user, run=run, tell=_telling(progress, len(questions)))

    def _questions(
        self, chunks: Sequence[Chunk], shared: Mapping[str, int], asked: Mapping[str, str]
    ) -> list[Question]:
        """A few chunks at a time, and all of them to one reviewer before the next, who then finds them in the cache."""
        return [
            Question(reviewer, chunk, is_shared=shared[asked[reviewer.name]] > 1)
            for start in range(0, len(chunks), self.at_once)
            for reviewer in self._panel
            for chunk in chunks[start : start + self.at_once]
        ]


CodeReviewSystem = CodeReview
"""The name that the series of articles has for it."""


def _telling(
    progress: Callable[[Progress], object] | None, total: int
) -> Callable[[Judged, Question, HoldfastError | None], None]:
    """Tells how far a review has come."""

    def tell(judged: Judged, question: Question, error: HoldfastError | None) -> None:
        if progress is not None:
            progress(
                Progress(
                    reviewer=question.reviewer.name,
                    files=question.chunk.paths,
                    done=len(judged.answered) + len(judged.failed),
                    total=total,
                    findings=len(judged.findings),
                    cost=judged.cost,
                    error=error,
                )
            )

    return tell


def _review(judged: Judged, reviewers: tuple[str, ...]) -> Review:
    return Review(
        findings=merged(judged.findings),
        made_up=judged.made_up,
        reviewers=reviewers,
        files=(),
        skipped=(),
        answered=len(judged.answered),
        failures=tuple(
            Failure(reviewer=question.reviewer.name, files=question.chunk.paths, error=error)
            for question, error in judged.failed
        ),
        unreviewed=tuple(
            (question.reviewer.name, path) for question in judged.left for path in question.chunk.paths
        ),
        stopped=judged.stopped,
        cost=judged.cost,
        seconds=judged.seconds,
        run=judged.run,
    )
