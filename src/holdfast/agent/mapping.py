"""Many inputs through one agent: what `ProductionAgent.map` does."""

import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from holdfast.agent.exchange import Content, Exchange, Plan
from holdfast.agent.player import Player
from holdfast.agent.reply import Reply
from holdfast.assembly import Runtime
from holdfast.call import OwnLimits
from holdfast.errand import Errand, Tab, current, sent_on, together
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.parts.bulk import Spree, in_order
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.money import Money, exact
from holdfast.portal import Portal
from holdfast.stores.journal import Journal
from holdfast.wire.usage import Usage

Inputs = Iterable[Content] | AsyncIterable[Content]
Outcome = Literal["answered", "cached", "failed", "not_run"]
Ask = Callable[[Content], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapResult:
    """What has become of one input.

    Attributes:
        number: which input it was, from 0.
        outcome: `not_run` when the money was spent, or an operator said stop, before its turn.
        reply: the answer; `None` where there is none. No fallback stands in for one here.
        error: why there is no answer.
        is_resumed: whether it was done before, and is read from the journal.
    """

    number: int
    input: Content
    outcome: Outcome
    reply: Reply | None = None
    error: HoldfastError | None = None
    is_resumed: bool = False

    @property
    def text(self) -> str:
        """The answer; empty where there is none."""
        return "" if self.reply is None else self.reply.text


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProgress:
    """How far it is: results handed out so far by their outcome, and exact dollars of those that have a price."""

    done: int = 0
    answered: int = 0
    failed: int = 0
    not_run: int = 0
    cost: Decimal = Decimal(0)

    def after(self, result: MapResult) -> "MapProgress":
        """How far it is behind this result; one read from a journal has cost nothing now."""
        cost = result.reply.cost if result.reply is not None and not result.is_resumed else None
        return MapProgress(
            done=self.done + 1,
            answered=self.answered + (result.outcome in ("answered", "cached")),
            failed=self.failed + (result.outcome == "failed"),
            not_run=self.not_run + (result.outcome == "not_run"),
            cost=self.cost + (cost or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlan:
    """How to go about many inputs; the arguments of `map`."""

    concurrency: int
    max_usd: Money | None
    on_progress: Callable[[MapProgress], None] | None
    resume: str | Path | None


@dataclass(frozen=True, slots=True)
class Many:
    """How an agent is asked many things that do not know of each other.

    `of` is what a journal is bound to: another system prompt gives other answers.
    """

    player: Player
    exchange: Callable[[Content], Exchange]
    plan: Callable[[], Plan]
    runtime: Runtime
    of: Mapping[str, str]

    async def ask(self, message: Content) -> Reply:
        """The reply to one message; raises what keeps it from coming."""
        return await self.player.replied(self.exchange(message), replace(self.plan(), fallback=None))


class Mapper:
    """Gives an agent `map`."""

    __slots__ = ()

    def map(
        self,
        inputs: Inputs,
        *,
        concurrency: int = 8,
        max_usd: Money | None = None,
        on_progress: Callable[[MapProgress], None] | None = None,
        resume: str | Path | None = None,
    ) -> AsyncGenerator[MapResult, None]:
        """Send many messages, each a conversation of its own, and get what becomes of them in their order.

        `inputs` may be any iterable, of any length: a few times `concurrency` of them are in memory. One that fails
        ends nothing, and no fallback stands in for its answer. At most `max_usd` dollars are spent: what is done
        then is kept, and the rest is `not_run`. `resume` is the path of a journal: whoever goes on with it after
        a crash pays for nothing twice but what was under way. Leave it early with `aclosing`. Raises `TypeError`
        for what is no message, and `ConfigError`.
        """
        plan = MapPlan(concurrency=concurrency, max_usd=max_usd, on_progress=on_progress, resume=resume)
        return _mapped(inputs, self._many(), plan)

    def map_sync(
        self,
        inputs: Iterable[Content],
        *,
        concurrency: int = 8,
        max_usd: Money | None = None,
        on_progress: Callable[[MapProgress], None] | None = None,
        resume: str | Path | None = None,
    ) -> Iterator[MapResult]:
        """`map` for scripts and notebooks: the results, each when it is there."""
        many = self._many()
        plan = MapPlan(concurrency=concurrency, max_usd=max_usd, on_progress=on_progress, resume=resume)
        return _in_thread(_mapped(inputs, many, plan), many.runtime.portal)

    def _many(self) -> Many:
        """How to ask this agent."""
        raise NotImplementedError


async def _mapped(inputs: Inputs, many: Many, plan: MapPlan) -> AsyncGenerator[MapResult, None]:
    errand = _errand(plan)
    journal = None if plan.resume is None else _journal(Path(plan.resume), many.of)
    work = _Work(ask=many.ask, errand=errand, spree=Spree(clock=many.runtime.clock), journal=journal)
    progress = MapProgress()
    results = in_order(inputs, work.on, concurrency=plan.concurrency)
    try:
        async with aclosing(results):
            async for result in results:
                progress = progress.after(result)
                if plan.on_progress is not None:
                    plan.on_progress(progress)
                yield result
    finally:
        if journal is not None:
            journal.close()


def _in_thread(results: AsyncGenerator[MapResult, None], portal: Portal) -> Iterator[MapResult]:
    """The results for a thread without an event loop; leaving early cancels what is under way."""

    async def following() -> MapResult | None:
        return await anext(results, None)

    try:
        while (result := portal.call(following())) is not None:
            yield result
    finally:
        portal.call(results.aclose())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    ask: Ask
    errand: Errand | None
    spree: Spree
    journal: Journal | None

    async def on(self, number: int, one: Content) -> MapResult:
        """Ask about one input, unless the journal knows."""
        kept = None if self.journal is None else _kept(self.journal, number, one)
        if kept is not None:
            return _result(number, one, kept, is_resumed=True)
        try:
            reply = await self.spree.run(lambda: self._asked(one))
        except ConfigError:
            raise
        except HoldfastError as error:
            return MapResult(number=number, input=one, outcome="failed", error=error)
        if reply is None:
            return MapResult(number=number, input=one, outcome="not_run", error=self.spree.over)
        if self.journal is not None and reply.outcome != "fallback":
            self.journal.add(number, {"input": fingerprint(one), **_row(reply)})
            await self.journal.sync()
        return _result(number, one, reply)

    async def _asked(self, one: Content) -> Reply:
        if self.errand is None:
            return await self.ask(one)
        with sent_on(self.errand):
            return await self.ask(one)


def _errand(plan: MapPlan) -> Errand | None:
    """In whose run and on whose money it is asked; with a limit of its own, all of it is one run."""
    if plan.max_usd is None:
        return current()
    name = f"map_{secrets.token_hex(8)}"
    usd = exact(plan.max_usd, name="max_usd")
    own = OwnLimits(budgets={name: BudgetConfig(usd=usd, per="total", alert_at=())})
    above = current()
    if above is None:
        return Errand(run=name, limits=own)
    return replace(above, limits=together(above.limits, own), tab=Tab(above=above.tab))


def _journal(path: Path, of: Mapping[str, str]) -> Journal:
    cure = Sentence(
        "Give the agent what it had then, or another path as resume.",
        ko="그때와 같은 설정으로 에이전트를 만들거나, resume에 다른 경로를 지정하세요.",
    )
    return Journal.open(path, of, run=f"map_{secrets.token_hex(8)}", cure=cure)


def _result(number: int, one: Content, reply: Reply, *, is_resumed: bool = False) -> MapResult:
    # What the settings let stand in for an answer is none, and may be asked for again.
    outcome: Outcome = "failed" if reply.outcome == "fallback" else reply.outcome
    return MapResult(
        number=number, input=one, outcome=outcome, reply=reply, error=reply.reason, is_resumed=is_resumed
    )


def fingerprint(one: object) -> str:
    """What no other value has."""
    return hashlib.blake2b(msgspec.json.encode(one), digest_size=16).hexdigest()


class _Kept(msgspec.Struct, kw_only=True):
    """A reply as the journal keeps it: what a script can go on with, and no calls that wait."""

    input: str
    text: str
    outcome: Literal["answered", "cached", "fallback"]
    usage: dict[str, object]
    cost: str | None
    model: str
    request_id: str
    stop_reason: str | None
    attempts: int
    conversation: str


def _row(reply: Reply) -> dict[str, object]:
    return {
        "text": reply.text,
        "outcome": reply.outcome,
        "usage": reply.usage.as_mapping(),
        "cost": None if reply.cost is None else f"{reply.cost:f}",
        "model": reply.model,
        "request_id": reply.request_id,
        "stop_reason": reply.stop_reason,
        "attempts": reply.attempts,
        "conversation": reply.conversation,
    }


def _kept(journal: Journal, number: int, one: Content) -> Reply | None:
    """The reply to an input that was answered before; raises `ConfigError` where it was another input."""
    row = journal.row(number)
    if row is None:
        return None
    kept = msgspec.convert(row, _Kept)
    if kept.input != fingerprint(one):
        raise _other_input(journal.path, number)
    return Reply(
        text=kept.text,
        outcome=kept.outcome,
        usage=Usage.of(kept.usage),
        cost=None if kept.cost is None else Decimal(kept.cost),
        model=kept.model,
        request_id=kept.request_id,
        stop_reason=kept.stop_reason,
        attempts=kept.attempts,
        conversation=kept.conversation,
    )


def _other_input(path: Path, number: int) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{path.name} is the journal of other inputs: number {number} was another one. Give the same inputs "
            "in the same order, or another path as resume.",
            ko=f"{path.name}은(는) 다른 입력의 기록입니다. {number}번 입력이 다릅니다. 같은 입력을 같은 순서로 주거나 "
            "resume에 다른 경로를 지정하세요.",
        )
    )
