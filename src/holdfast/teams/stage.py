"""Where the members of a team work: one run, one budget, one deadline, and everybody sees what happens."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from holdfast.agent.agent import ProductionAgent
from holdfast.agent.envelope import Envelope, joined
from holdfast.agent.reply import Reply
from holdfast.clock import Clock
from holdfast.errand import Errand, Tab, sent_on
from holdfast.errors import ConfigError, HoldfastError, Stopped
from holdfast.teams.failure import cut_off, failed, waits
from holdfast.teams.happening import StepEnded, StepStarted, TeamEvent
from holdfast.teams.step import INPUT, ORIGINAL, Played, Said, Speaking, Step, StepResult

T = TypeVar("T")
MIXED = "several"
"""The origin of a text that a template has made of what several members have written."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a member has said, and how."""

    envelopes: tuple[Envelope, ...] = ()
    error: HoldfastError | None = None
    reply: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What surrounds the steps of one team, or of a team inside it.

    Attributes:
        errand: the run, its user, and the budgets above.
        original: what the outermost team was asked.
        tell: hears of every step.
        path: the names of the teams around.
        results: of the steps so far, in the order in which they ended.
    """

    errand: Errand
    original: Envelope
    tell: Callable[[TeamEvent], None]
    clock: Clock
    path: tuple[str, ...] = ()
    results: list[StepResult] = field(default_factory=list[StepResult])

    def inside(self, errand: Errand, path: tuple[str, ...]) -> "Stage":
        """The stage of a team that takes a step of this one."""
        return replace(self, errand=errand, path=path, results=[])

    async def take(
        self, name: str, step: Step, heard: Sequence[Envelope], said: Said | None = None
    ) -> tuple[StepResult, tuple[Envelope, ...]]:
        """Let a member work; what it says to the others. Programming errors of agents are raised."""
        errand = replace(self.errand, name=name, tab=Tab(above=self.errand.tab))
        inner = self.inside(errand, (*self.path, name))
        self.tell(StepStarted(path=inner.path))
        begun = self.clock.monotonic()
        ended = _Said(error=cut_off(name))
        try:
            with sent_on(errand):
                told = {INPUT: heard, ORIGINAL: (self.original,), **(said or {})}
                ended = await _asked(name, step, told, inner)
        finally:
            result = StepResult(
                name=name,
                path=inner.path,
                text=joined(ended.envelopes) if ended.error is None else "",
                error=ended.error,
                reply=ended.reply,
                cost=errand.tab.cost,
                seconds=self.clock.monotonic() - begun,
                steps=tuple(inner.results),
            )
            self.results.append(result)
            self.tell(StepEnded(step=result))
        return result, ended.envelopes


def is_final(error: HoldfastError | None) -> bool:
    """Whether no other member can do anything about it: an operator has stopped the run."""
    return isinstance(error, Stopped)


async def side_by_side(
    jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]], *, at_once: int, enough: Callable[[T], bool]
) -> None:
    """Do all jobs, so many at once, until one of them was enough; what then still runs is cancelled and awaited."""
    gate = asyncio.Semaphore(at_once)

    async def one(job: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with gate:
            return await job()

    tasks = [asyncio.ensure_future(one(job)) for job in jobs]
    try:
        for next_ended in asyncio.as_completed(tasks):
            if enough(await next_ended):
                break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _asked(name: str, step: Step, said: Said, inner: Stage) -> _Said:
    member = step.member
    try:
        if isinstance(member, ProductionAgent):
            return _replied(name, step, await member.chat(step.content(said)))
        if callable(member):
            return await _called(name, step, member, step.text(said))
        played: Played = await member.play(inner, _heard(step, said))
        spoken = tuple(replace(one, is_trusted=one.is_trusted or step.trusted) for one in played.envelopes)
        return _Said(spoken, played.error)
    except ConfigError:
        raise
    except HoldfastError as error:
        return _Said(error=error)


def _heard(step: Step, said: Said) -> Sequence[Envelope]:
    """What a team inside is told: its own members see who has written what, unless a template says otherwise."""
    if step.template == f"{{{INPUT}}}":
        return said[INPUT]
    is_data = any(one.is_data for name in step.names for one in said[name])
    return (Envelope(text=step.text(said), origin=MIXED if is_data else None),)


def _replied(name: str, step: Step, reply: Reply) -> _Said:
    error = reply.reason
    if reply.pending:
        error = waits(name, ", ".join(f"`{call.tool}`" for call in reply.pending))
    if error is not None:
        return _Said(error=error, reply=reply)
    return _Said((Envelope(text=reply.text, origin=name, is_trusted=step.trusted),), reply=reply)


async def _called(name: str, step: Step, function: Speaking, text: str) -> _Said:
    try:
        found = await _answer(function, text)
    except HoldfastError:
        raise
    except Exception as error:
        # A function is somebody else's code: the others may be able to do without it, and the report names it.
        return _Said(error=failed(name, error))
    return _Said((Envelope(text=str(found), origin=name, is_trusted=step.trusted),))


async def _answer(function: Speaking, text: str) -> str:
    """What a function says: an asynchronous one in the loop, another in a thread, so that nobody has to wait."""
    call = type(function).__call__ if not inspect.isroutine(function) else function
    is_asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
    found = function(text) if is_asynchronous else await asyncio.to_thread(function, text)
    return await found if inspect.isawaitable(found) else found
