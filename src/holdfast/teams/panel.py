"""Reviewers at work: every question once, as many at a time as the budget holds money for, until all are answered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

from holdfast.agent.agent import ProductionAgent
from holdfast.agent.envelope import Envelope
from holdfast.agent.exchange import Content
from holdfast.errand import Tab, sent_on, together
from holdfast.errors import BudgetExhausted, ConfigError, HoldfastError, Stopped
from holdfast.teams.chunks import Chunk
from holdfast.teams.failure import too_late
from holdfast.teams.findings import Finding, Report, checked
from holdfast.teams.reviewers import Reviewer
from holdfast.teams.sources import Source
from holdfast.teams.stage import side_by_side
from holdfast.teams.team import Terms, errand_for, spanned

_ASK = "Review the code in the documents above. What to look for:"


@dataclass(frozen=True, slots=True)
class Question:
    """One reviewer and what it is to judge; `is_shared` when others are shown the same by the same model."""

    reviewer: Reviewer
    chunk: Chunk
    is_shared: bool = False

    @property
    def content(self) -> Content:
        """As it is asked: code is a document, which nobody obeys; the reviewer's words come last, behind the cache."""
        documents = [_document(source) for source in self.chunk.sources]
        if self.is_shared:
            documents[-1] = {**documents[-1], "cache_control": {"type": "ephemeral"}}
        return [*documents, Envelope(text=f"{_ASK}\n\n{self.reviewer.prompt}").block]


@dataclass(slots=True, kw_only=True)
class Judged:
    """What has come of the questions so far.

    Attributes:
        made_up: findings about lines that nobody was shown.
        left: questions that were not asked, in their order; `stopped` says why.
    """

    run: str
    tab: Tab
    findings: list[Finding] = field(default_factory=list[Finding])
    made_up: int = 0
    answered: list[Question] = field(default_factory=list[Question])
    failed: list[tuple[Question, HoldfastError]] = field(default_factory=list[tuple[Question, HoldfastError]])
    left: list[Question] = field(default_factory=list[Question])
    stopped: HoldfastError | None = None
    is_short: bool = False
    """Whether the budget has had no room for a question."""
    seconds: float = 0.0

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars so far; `None` when a price is not known."""
        return self.tab.cost

    def missing(self, questions: Sequence[Question]) -> list[Question]:
        """Those of the questions of which nothing has come yet."""
        over = {id(question) for question in (*self.answered, *(one for one, _ in self.failed))}
        return [question for question in questions if id(question) not in over]


Tell = Callable[[Judged, Question, HoldfastError | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The reviewers, on what terms they work, and how many questions are under way at a time."""

    agents: Mapping[str, ProductionAgent]
    terms: Terms
    at_once: int

    async def judge(
        self, questions: Sequence[Question], *, user: str | None, run: str | None, tell: Tell
    ) -> Judged:
        """Ask everything that there is money and time for."""
        begun = self.terms.clock.monotonic()
        errand = errand_for(user, run)
        errand = replace(errand, limits=together(errand.limits, self.terms.limits))
        judged = Judged(run=errand.run, tab=errand.tab)
        try:
            with sent_on(errand), spanned(self.terms.name):
                async with asyncio.timeout(self.terms.seconds):
                    await self._ask_all(questions, judged, tell)
        except TimeoutError:
            judged.stopped = too_late(self.terms.name, self.terms.seconds or 0.0)
        judged.left = judged.missing(questions)
        judged.seconds = self.terms.clock.monotonic() - begun
        return judged

    async def _ask_all(self, questions: Sequence[Question], judged: Judged, tell: Tell) -> None:
        """Side by side, until the budget has no room for one more; then one by one, as far as it reaches.

        A budget holds for every question what it may cost at most, and gives most of it back when it is answered: it
        is only used up when it has no room for a question although nobody else is asking.
        """
        jobs = [partial(self._ask_beside, question, judged, tell) for question in questions]
        await side_by_side(jobs, at_once=self.at_once, enough=lambda error: isinstance(error, Stopped))
        for question in judged.missing(questions):
            if judged.stopped is not None:
                return
            error = await self._ask(question, judged, tell)
            if isinstance(error, BudgetExhausted):
                judged.stopped = error

    async def _ask_beside(self, question: Question, judged: Judged, tell: Tell) -> HoldfastError | None:
        """One question, unless another one has found no room; those under way are let finish: they are paid for."""
        if judged.is_short:
            return None
        error = await self._ask(question, judged, tell)
        if isinstance(error, BudgetExhausted):
            judged.is_short = True
        return error

    async def _ask(self, question: Question, judged: Judged, tell: Tell) -> HoldfastError | None:
        """One question; a refusal of the budget is returned and counts as not asked."""
        error: HoldfastError | None = None
        try:
            reply = await self.agents[question.reviewer.name].chat(question.content, output_type=Report)
        except ConfigError:
            raise
        except Stopped as stopped:
            judged.stopped = error = stopped
            return error
        except BudgetExhausted as exhausted:
            return exhausted
        except HoldfastError as failure:
            error = failure
            judged.failed.append((question, failure))
        else:
            self._take(question, reply.output, judged)
        tell(judged, question, error)
        return error

    def _take(self, question: Question, report: object, judged: Judged) -> None:
        assert isinstance(report, Report)
        shown: dict[str, set[int]] = {}
        for source in question.chunk.sources:
            shown.setdefault(source.path, set()).update(source.lines)
        found, made_up = checked(report.findings, question.reviewer.name, shown)
        judged.findings += found
        judged.made_up += len(made_up)
        judged.answered.append(question)


def _document(source: Source) -> Mapping[str, object]:
    text = {"type": "text", "media_type": "text/plain", "data": "\n".join(source.lines.values())}
    return {"type": "document", "source": text, "title": source.path}
