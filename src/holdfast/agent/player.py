"""Plays one message after the other: from what a person said to the reply, with or without a fallback."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, field, replace

from holdfast.agent.archive import Archive, Page
from holdfast.agent.claim import Claim, taken
from holdfast.agent.exchange import Asking, Content, Exchange, Message, Plan
from holdfast.agent.fallback import ANSWERABLE, spoken
from holdfast.agent.happening import Happening, Replied, TextDelta
from holdfast.agent.output import OutputType
from holdfast.agent.reminder import Reminder
from holdfast.agent.reply import Reply
from holdfast.agent.shares import CacheShares
from holdfast.agent.toolbox import PendingCall
from holdfast.agent.turn import Turn, open_calls
from holdfast.errors import DeadlineExceeded, HoldfastError, InputRejected, StoreUnavailable
from holdfast.language import Sentence
from holdfast.parts.cost import CostTracker
from holdfast.parts.validator import InputValidator
from holdfast.policy.toolloop import Block
from holdfast.wire.usage import Usage

LONGEST = 100_000
"""Characters of a message, as in the article, where `screen.max_length` sets no other limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """What an agent keeps between messages: its conversations, and what they have cost."""

    costs: CostTracker = field(default_factory=CostTracker)
    archive: Archive = field(default_factory=Archive)
    reminder: Reminder | None = None
    shares: CacheShares = field(default_factory=CacheShares)

    def apart(self) -> "Player":
        """One that shares what things cost and no conversation: many short ones would drive the long ones out."""
        return replace(self, archive=Archive())

    async def replied(
        self,
        exchange: Exchange,
        plan: Plan,
        *,
        decided: Mapping[str, bool] | None = None,
        output: OutputType | None = None,
    ) -> Reply:
        """The reply to one message; raises what `fallback=None` does not stand in for."""
        replies: list[Reply] = []
        playing = self.play(exchange, plan, replies.append, stream=False, decided=decided, output=output)
        async with aclosing(playing):
            async for _ in playing:
                pass
        return replies[0]

    async def play(
        self,
        exchange: Exchange,
        plan: Plan,
        finished: Callable[[Reply], None],
        *,
        stream: bool,
        decided: Mapping[str, bool] | None = None,
        output: OutputType | None = None,
    ) -> AsyncGenerator[Happening, None]:
        """Answer one message; `finished` is told the reply when it is there."""
        scene = _Scene()
        async with AsyncExitStack() as alone:
            try:
                await self._wait(alone, exchange)
                turn = await self._begin(
                    scene, exchange, await plan.equipped(exchange), decided, stream=stream
                )
                async with aclosing(turn):
                    while (happening := await turn.advance()) is not None:
                        scene.has_spoken = scene.has_spoken or isinstance(happening, TextDelta)
                        yield happening
                reply = await self._answered(scene, turn, output)
            except ANSWERABLE as error:
                await scene.end()
                reply = scene.fallback = await self._instead(scene, exchange, plan, error)
            except BaseException:
                if scene.turn is not None and scene.turn.askings:
                    self._count(scene.turn.asking)
                await asyncio.shield(scene.end())
                raise
        # Whoever waits to speak in this conversation need not wait for the reader of what follows.
        if scene.fallback is not None:
            yield TextDelta(text=reply.text)
        finished(reply)
        yield Replied(reply=reply)

    async def _wait(self, alone: AsyncExitStack, exchange: Exchange) -> None:
        """Until what was said before in this conversation is answered; raises `DeadlineExceeded`."""
        patience = exchange.runtime.settings.timeouts.deadline
        try:
            await alone.enter_async_context(self.archive.alone(exchange.place, patience, exchange.above))
        except TimeoutError as error:
            raise _never_over(patience) from error

    async def _begin(
        self,
        scene: "_Scene",
        exchange: Exchange,
        plan: Plan,
        decided: Mapping[str, bool] | None,
        *,
        stream: bool,
    ) -> Turn:
        """The message and what it takes to answer it; raises `InputRejected` for one that makes no sense."""
        if exchange.errand is not None:
            exchange.errand.begin(exchange.runtime.settings.runs)
        is_new = decided is None
        exchange = _checked(exchange) if is_new else exchange
        asked: list[Message] = [{"role": "user", "content": exchange.message}] if is_new else []
        page = await self.archive.open(exchange.place, asked, plan.frame(exchange), exchange.runtime)
        if is_new and self.reminder is not None:
            exchange = await self.reminder.reminded(exchange, page)
            asked = [{"role": "user", "content": exchange.message}]
        calls = [call.id for call in open_calls(page.window.history)]
        if not is_new and not calls:
            raise _nothing_waits()
        scene.page = page
        is_mine = await scene.take(
            self.archive.claim(exchange.place, calls, exchange.runtime) if calls else None
        )
        if not is_new and not is_mine:
            raise taken()
        scene.turn = Turn(
            exchange=exchange,
            plan=plan,
            history=page.window.history,
            count=self._count,
            stream=stream,
            decided=decided,
            is_doubtful=not is_mine,
            messages=asked,
        )
        return scene.turn

    def _count(self, asking: Asking) -> None:
        """Count what was used, once; what failed without an answer counts where it has cost something."""
        if not asking.is_counted and (asking.has_begun or asking.cost != 0):
            asking.is_counted = True
            meter = asking.meter
            usage = Usage() if meter is None or meter.is_replayed else meter.usage
            self.costs.add_charge(asking.exchange.model, usage, asking.cost)
            if asking.exchange.errand is not None:
                asking.exchange.errand.tab.add(asking.cost)

    async def _answered(self, scene: "_Scene", turn: Turn, output: OutputType | None) -> Reply:
        if turn.is_worth_keeping:
            # The API takes no empty turn, and goes on refusing where a refusal stands in the history; words of
            # ours are none of the model's.
            await scene.keep(turn.messages)
            if self.reminder is not None and scene.page is not None:
                said = (*scene.page.told.transcript.messages, *turn.messages)
                await self.reminder.settled(turn.exchange, turn.plan, said, self._count)
        await scene.end()
        reply = turn.reply(_waiting(turn.pending).say(turn.plan.language) if turn.pending else None)
        meters = [asking.meter for asking in turn.askings if asking.meter is not None]
        reply = replace(reply, cache_hit_share=self.shares.add(reply.conversation, meters))
        is_answer = output is not None and not turn.pending and reply.outcome != "fallback"
        return replace(reply, output=output.read(reply)) if output is not None and is_answer else reply

    async def _instead(self, scene: "_Scene", exchange: Exchange, plan: Plan, error: HoldfastError) -> Reply:
        """What is replied in place of an answer; raises `error` where nothing can be, or part of one was heard."""
        turn = scene.turn
        asking = Asking(exchange) if turn is None or not turn.askings else turn.asking
        self._count(asking)
        if scene.has_spoken:
            error.request_id = error.request_id or asking.exchange.request_id
            raise error
        reply = await _fallen_back(plan, asking, error)
        return reply if turn is None else replace(reply, cost=turn.cost)


@dataclass(slots=True)
class _Scene:
    """How far one message has come."""

    turn: Turn | None = None
    page: Page | None = None
    claim: Claim | None = None
    has_spoken: bool = False
    fallback: Reply | None = None

    async def keep(self, messages: Sequence[Message]) -> None:
        """Add what was said to the conversation, once."""
        if self.page is not None and self.turn is not None:
            askings = self.turn.askings
            # Thinking holds for the model that has written it, which may have stood in for the one that is asked next.
            is_sealed = all(asking.is_of_its_model for asking in askings)
            await self.page.write(messages, askings[-1].tokens if askings else 0, is_sealed=is_sealed)

    async def take(self, claim: Claim | None) -> bool:
        """Whether the calls that wait are this one's to answer."""
        if claim is None:
            return True
        is_mine = await claim.take()
        self.claim = claim if is_mine else None
        return is_mine

    async def end(self) -> None:
        """What tools have done has happened, whether or not the model got to say so; what was not done waits on."""
        if self.turn is not None and self.turn.has_acted:
            await self.keep(self.turn.deeds)
        claim, self.claim = self.claim, None
        if claim is not None and self.page is not None and not self.page.is_written:
            with suppress(StoreUnavailable):
                await claim.free()


async def _fallen_back(plan: Plan, asking: Asking, error: HoldfastError) -> Reply:
    """The reply in place of an answer, at the cost of the attempts in vain; raises `error` without a fallback."""
    exchange = asking.exchange
    error.request_id = error.request_id or exchange.request_id
    if plan.fallback is None:
        raise error
    return Reply(
        text=await spoken(plan.fallback, error, plan.language),
        outcome="fallback",
        reason=error,
        usage=Usage(),
        cost=asking.cost,
        model=exchange.model,
        request_id=exchange.request_id,
        stop_reason=None,
        attempts=error.attempts,
        conversation=exchange.conversation,
    )


def _checked(exchange: Exchange) -> Exchange:
    # The pipeline screens every text once, for all doors; here only what makes no sense to send is refused.
    return replace(exchange, message=_checked_content(exchange, exchange.message))


def _checked_content(exchange: Exchange, message: Content) -> Content:
    if not message:
        return _checked_text(exchange, "")
    if isinstance(message, str):
        return _checked_text(exchange, message)
    checked: list[Block] = []
    for block in message:
        text = block.get("text")
        is_text = block.get("type") == "text" and isinstance(text, str)
        checked.append({**block, "text": _checked_text(exchange, str(text))} if is_text else block)
    return checked


def _checked_text(exchange: Exchange, text: str) -> str:
    longest = exchange.runtime.settings.screen.max_length or LONGEST
    validator = InputValidator(detector=None, max_length=longest)
    checked = validator.validate(text)
    if not checked.is_valid:
        korean = replace(validator, language="ko").validate(text)
        raise InputRejected(Sentence(" ".join(checked.errors), ko=" ".join(korean.errors)))
    return checked.sanitized_input


def _waiting(pending: tuple[PendingCall, ...]) -> Sentence:
    """What a person reads while calls wait for them."""
    names = ", ".join(f"`{one.tool}`" for one in pending)
    return Sentence(
        f"This waits for your approval: {names}. Answer with `resume`.",
        ko=f"승인을 기다리고 있습니다: {names}. `resume`으로 답하세요.",
    )


def _nothing_waits() -> InputRejected:
    return InputRejected(
        Sentence(
            "Nothing waits for an answer here: it was answered already, or this user has no such conversation. Resume "
            "once, with the id and the user that it was begun with.",
            ko="답을 기다리는 호출이 없습니다. 이미 답했거나 이 사용자에게 그런 대화가 없습니다. 대화를 시작할 때와 같은 "
            "id와 user로 한 번만 resume하세요.",
        )
    )


def _never_over(patience: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        Sentence(
            f"An earlier message of this conversation is still being answered after {patience:g} seconds, so this one "
            "was not asked. Read or close its stream, then ask again.",
            ko=f"이 대화의 이전 메시지에 대한 답변이 {patience:g}초가 지나도록 끝나지 않아 요청하지 않았습니다. 그 스트림을 "
            "끝까지 읽거나 닫은 뒤 다시 요청하세요.",
        )
    )
