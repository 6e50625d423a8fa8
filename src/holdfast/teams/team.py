"""A team as one piece of work: asked in one run, on one budget, within one deadline, and stopped as one."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, Literal, TypedDict

from opentelemetry import trace

from holdfast.agent.envelope import Envelope, joined
from holdfast.call import NO_LIMITS, OwnLimits
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errand import Errand, Tab, current, sent_on, together
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.parts.budget import Budget
from holdfast.policy.money import Money
from holdfast.policy.sanitation import whole
from holdfast.portal import Portal
from holdfast.teams.failure import too_late
from holdfast.teams.happening import TeamEnded, TeamEvent, TeamResult
from holdfast.teams.stage import Stage
from holdfast.teams.step import Played
from holdfast.telemetry.names import INVOKE_WORKFLOW, OPERATION_NAME, SCOPE, WORKFLOW_NAME

Fail = Literal["stop", "continue"]
LONGEST = 200
"""Characters of a name in a span."""


class TeamOptions(TypedDict, total=False):
    """What every team takes beside its members; see `Terms`."""

    name: str
    max_usd: Money | None
    budget: Budget | None
    deadline: float | timedelta | None
    fail: Fail
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a team works.

    Attributes:
        name: what budgets and spans call it.
        max_usd: dollars that one run of it may cost, everybody together; held before they are spent.
        budget: the same as a `Budget`, such as `Budget(5, per="run")`, or one that counts by user and day.
        deadline: seconds or `timedelta` for all of it.
        fail: whether it ends with the first member that fails, or goes on without it.
        clock: where time comes from.

    Raises `ConfigError` for terms that make no sense.
    """

    name: str = "team"
    max_usd: Money | None = None
    budget: Budget | None = None
    deadline: float | timedelta | None = None
    fail: Fail = "stop"
    clock: Clock = SYSTEM_CLOCK

    def __post_init__(self) -> None:
        if self.max_usd is not None and self.budget is not None:
            raise _config_error(
                "give either max_usd or budget: both say what the team may cost",
                "max_usd와 budget은 둘 다 팀의 비용 한도입니다. 하나만 쓰세요",
            )
        if self.seconds is not None and not self.seconds > 0:
            raise _config_error(
                "deadline: 0 lets nothing through; leave it out for no limit",
                "deadline: 0이면 아무것도 실행할 수 없습니다. 제한하지 않으려면 빼세요",
            )
        if self.fail not in ("stop", "continue"):
            raise _config_error(
                f"fail is {self.fail!r}: write 'stop' or 'continue'",
                f"fail 값이 {self.fail!r}입니다. 'stop'이나 'continue'로 적으세요",
            )
        _ = self.limits

    @property
    def seconds(self) -> float | None:
        """The deadline in seconds."""
        return self.deadline.total_seconds() if isinstance(self.deadline, timedelta) else self.deadline

    @property
    def limits(self) -> OwnLimits:
        """What every call of the team is counted in, besides the budgets of its members and of the settings."""
        budget = self.budget
        if self.max_usd is not None:
            budget = Budget(self.max_usd, per="run")
        if budget is None:
            return NO_LIMITS
        return OwnLimits(budgets={f"team {self.name}": budget.config}, crossed=budget.crossed)


class Team:
    """Members that work as one; `Pipeline` and `Parallel` say how.

    Everything they do is one run: every call carries its id, so that `holdfast stop run ID` ends all of them, and
    is guarded like any other. A team may be a member of another and then works in the other's run.
    """

    kind: ClassVar[str] = "team"

    def __init__(self, options: TeamOptions) -> None:
        options.setdefault("name", self.kind)
        self.terms = Terms(**options)
        self._portal = Portal()

    @property
    def name(self) -> str:
        """What budgets and spans call it."""
        return self.terms.name

    async def run(self, text: str, *, user: str | None = None, run: str | None = None) -> TeamResult:
        """Work on a text; what has failed is in the result: `result.error`, `result.failures`.

        `run` is the id of the run to be part of; a new one when left out, and that of the agent that asks where one
        does. Raises `ConfigError`, and what is wrong with the program.
        """
        return await self._run(text, user, run, lambda event: None)

    def run_sync(self, text: str, *, user: str | None = None, run: str | None = None) -> TeamResult:
        """`run` for scripts and notebooks: blocks this thread until everybody is done."""
        return self._portal.call(self.run(text, user=user, run=run))

    async def stream(
        self, text: str, *, user: str | None = None, run: str | None = None
    ) -> AsyncGenerator[TeamEvent, None]:
        """`run`, told step by step; the last event is `TeamEnded`. Leaving early stops the team."""
        events: asyncio.Queue[TeamEvent | None] = asyncio.Queue()
        task = asyncio.ensure_future(self._run(text, user, run, events.put_nowait))
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            yield TeamEnded(result=task.result())
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def play(self, stage: Stage, heard: Sequence[Envelope]) -> Played:
        """Work as a member of another team, or as the whole of a run; never raises what a member has failed with."""
        limits = together(stage.errand.limits, self.terms.limits)
        stage = replace(stage, errand=replace(stage.errand, limits=limits))
        seconds = self.terms.seconds
        try:
            with spanned(self.name):
                async with asyncio.timeout(seconds):
                    return await self._work(stage, heard)
        except TimeoutError:
            return Played(error=too_late(self.name, seconds or 0.0))

    async def _work(self, stage: Stage, heard: Sequence[Envelope]) -> Played:
        raise NotImplementedError

    async def _run(
        self, text: str, user: str | None, run: str | None, tell: Callable[[TeamEvent], None]
    ) -> TeamResult:
        clock = self.terms.clock
        begun = clock.monotonic()
        errand = errand_for(user, run)
        asked = Envelope(text=text)
        stage = Stage(errand=errand, original=asked, tell=tell, clock=clock)
        with sent_on(errand):
            played = await self.play(stage, (asked,))
        return TeamResult(
            text=joined(played.envelopes) if played.error is None else "",
            error=played.error,
            steps=tuple(stage.results),
            cost=errand.tab.cost,
            seconds=clock.monotonic() - begun,
            run=errand.run,
        )


def ended(envelopes: Sequence[Envelope], errors: Sequence[HoldfastError]) -> Played:
    """What a team has said; its first failure where nobody has said anything."""
    if not envelopes and errors:
        return Played(error=errors[0])
    return Played(envelopes=tuple(envelopes))


def errand_for(user: str | None, run: str | None) -> Errand:
    """The errand of a team: part of the one that it is asked on, if any.

    A function of another team that asks this one stands above it like an agent, so that such teams end, too.
    """
    outer = current()
    if outer is None:
        return Errand(run=whole(run or f"team_{secrets.token_hex(12)}"), user=user)
    return replace(
        outer,
        run=whole(run or outer.run),
        user=user or outer.user,
        above=outer.above + (outer.name is not None),
        tab=Tab(above=outer.tab),
    )


@contextmanager
def spanned(name: str) -> Generator[None]:
    """One span around everything, so that the spans of all members stand in one trace."""
    tracer = trace.get_tracer(SCOPE)
    name = name[:LONGEST]
    attributes = {OPERATION_NAME: INVOKE_WORKFLOW, WORKFLOW_NAME: name}
    with tracer.start_as_current_span(f"{INVOKE_WORKFLOW} {name}", attributes=attributes):
        yield


def _config_error(english: str, korean: str) -> ConfigError:
    return ConfigError(Sentence(english, ko=korean))
