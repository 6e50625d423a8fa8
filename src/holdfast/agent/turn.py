"""From one message of a user to its reply: the answers of the model, and the tools that it wants run."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, cast

from holdfast.agent.exchange import Asking, Exchange, Message, Plan, attempts_of, used_by
from holdfast.agent.happening import Happening, TextDelta, ThinkingDelta, ToolEnded, ToolStarted
from holdfast.agent.reading import Reading, answer_of, failure_of
from holdfast.agent.reply import Reply
from holdfast.agent.toolbox import PendingCall, Ran, Workshop
from holdfast.agent.tools import Tool
from holdfast.agent.transcript import INTERRUPTED, UNANSWERED, closed
from holdfast.call import OwnTools
from holdfast.errand import Errand, sent_on
from holdfast.language import Sentence
from holdfast.pipeline import Settling
from holdfast.policy.toolloop import AskAgain, Block, Done, RunTools, ToolCall, is_empty, next_step
from holdfast.wire.assembling import text_in
from holdfast.wire.meter import Meter


@dataclass(slots=True)
class Turn:
    """Everything that happens between one message and its reply; `count` is told of each answer, once.

    Attributes:
        history: what was said before; never changed.
        stream: whether answers are read as they come.
        decided: goes on where the history ends with calls that wait: who may run, by their ids.
        is_doubtful: somebody else has begun to run the calls that wait, and nobody knows how far they came.
        messages: what has been said since, to be added to the history.
        askings: the answers asked for so far.
        pending: calls of tools that wait for a person; then nothing was run, and the turn is over.
    """

    exchange: Exchange
    plan: Plan
    history: Sequence[Message]
    count: Callable[[Asking], None]
    stream: bool = False
    decided: Mapping[str, bool] | None = None
    is_doubtful: bool = False
    messages: list[Message] = field(default_factory=list[Message])
    askings: list[Asking] = field(default_factory=list[Asking])
    pending: tuple[PendingCall, ...] = ()
    _queue: deque[Happening] = field(default_factory=deque[Happening])
    _waiting: tuple[ToolCall, ...] = ()
    _reading: Reading | None = None
    _is_over: bool = False
    _has_run: bool = False
    _texts: list[str] = field(default_factory=list[str])
    _said: list[str] = field(default_factory=list[str])
    _last: Settling | None = None
    _stop_reason: str | None = None
    _unreadable: frozenset[int] = frozenset()
    _doubts: dict[str, Sentence] = field(default_factory=dict[str, Sentence])
    _workshop: Workshop = field(init=False)
    _begun: float = field(init=False)
    _errand: Errand = field(init=False)

    def __post_init__(self) -> None:
        runtime = self.exchange.runtime
        self._begun = runtime.clock.monotonic()
        self._errand = self.exchange.sends_out(self.plan.own_limits)
        self._workshop = Workshop(
            box=self.plan.box,
            clock=runtime.clock,
            request_id=self.exchange.request_id,
            conversation=self.exchange.conversation,
            language=self.plan.language,
            approve=self.plan.approve,
            observe=runtime.pipeline.observe,
            doubts=self._doubts,
        )
        self._resume()

    @property
    def has_acted(self) -> bool:
        """Whether tools were run, so that what was said must not be forgotten even if no reply came."""
        return self._has_run

    @property
    def deeds(self) -> list[Message]:
        """What is to be remembered of a message whose answer never came; a call in the air is said to be one."""
        before = self.history[-1:] if self.decided is not None else ()
        return [*closed([*before, *self.messages])[len(before) :]]

    @property
    def asking(self) -> Asking:
        """The answer asked for last."""
        return self.askings[-1]

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars of all answers, those of agents that were asked on the way too; `None` when one has no price."""
        costs = [self._errand.tab.cost, *(asking.cost for asking in self.askings)]
        return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))

    async def advance(self) -> Happening | None:
        """What happens next; `None` when there is a reply. Raises what the pipeline raises.

        No generator: of several of them, one within the other, an event loop that shuts down closes the innermost
        twice.
        """
        while not self._queue and not self._is_over:
            await self._go_on()
        return self._queue.popleft() if self._queue else None

    async def aclose(self) -> None:
        """Let go of an answer that is still being read; what it has cost is counted."""
        if self._reading is not None:
            await self._finish(self._reading)

    async def _go_on(self) -> None:
        if self._waiting:
            await self._run(self._waiting)
        elif self._reading is not None:
            await self._read_on(self._reading)
        else:
            await self._ask()

    def _calls(self, content: Sequence[Block]) -> tuple[ToolCall, ...] | None:
        """Put the answer where it belongs; the tools to run before the next, `None` when this was the last."""
        unreadable, self._unreadable = self._unreadable, frozenset()
        match next_step(content, self._stop_reason, unreadable=unreadable):
            case Done(kept=kept):
                if kept and not self._is_fallback():
                    self.messages.append({"role": "assistant", "content": _plain(kept)})
                return None
            case AskAgain():
                said = _without_blanks(content)
                self.messages += [{"role": "assistant", "content": said}] if said else []
                return () if said else None
            case RunTools(calls=calls):
                self.messages.append({"role": "assistant", "content": _without_blanks(content)})
                self._said, self._texts = self._texts, []
                return calls

    def _answered(self, content: Sequence[Block]) -> None:
        calls = self._calls(content)
        self._is_over = calls is None
        self._begin(calls or ())

    def _begin(self, calls: Sequence[ToolCall]) -> None:
        self._waiting = tuple(calls)
        self._queue.extend(ToolStarted(id=call.id, tool=call.name, input=call.input) for call in calls)

    def reply(self, text: str | None = None) -> Reply:
        """The reply when everything has been played; no model was asked where calls wait for a person once more."""
        response = None if self._last is None else self._last.response
        meter = Meter() if response is None else response.meter
        asked = self.asking.exchange if self.askings else self.exchange
        return Reply(
            text="".join(self._texts or self._said) if text is None else text,
            outcome="answered" if response is None else response.label,
            usage=used_by(self.askings),
            cost=self.cost,
            model=meter.model or self.exchange.model,
            request_id=asked.request_id,
            stop_reason=self._stop_reason or meter.stop_reason,
            attempts=attempts_of(self.askings),
            conversation=self.exchange.conversation,
            pending=self.pending,
        )

    @property
    def is_worth_keeping(self) -> bool:
        """Whether what was said may stand in a history: not a refusal, not an empty answer, no words of ours."""
        is_said = bool("".join(self._texts).strip()) or self.has_acted or bool(self.pending)
        return is_said and self._stop_reason != "refusal" and not self._is_fallback()

    def _resume(self) -> None:
        """Settle the calls at the end of the history before anything else is said."""
        calls = open_calls(self.history)
        if not calls:
            return
        if self.decided is None:
            said = INTERRUPTED if self.is_doubtful else UNANSWERED
            self.messages.insert(0, _results([_unanswered(call, said) for call in calls]))
            return
        left_open = [call for call in calls if call.id in self.decided or self._acts(call.name)]
        self._doubts |= {call.id: _LEFT_OPEN for call in left_open}
        self.decided = {**{call.id: False for call in left_open}, **self.decided}
        self._begin(calls)

    def _acts(self, name: str) -> bool:
        tool = self.plan.box.get(name)
        return tool is not None and _does_something(tool, self.exchange)

    async def _ask(self) -> None:
        """Ask for one answer of the model; one that comes in one piece is read at once."""
        asking = self._next()
        asking.call = self.plan.call(
            asking.exchange,
            [*self.history, *self.messages],
            stream=self.stream,
            own_tools=_own_tools(self.plan.box.tools, self._doubts.__setitem__),
        )
        answer = self._last = await asking.exchange.runtime.pipeline(asking.call)
        if self.stream:
            self._reading = Reading(answer, asking.exchange.request_id)
            return
        body = await answer.read()
        if (failure := failure_of(answer, body, asking.exchange.request_id)) is not None:
            raise failure
        asking.meter = answer.response.meter
        self.count(asking)
        blocks, self._stop_reason = answer_of(answer, body, asking.exchange.request_id)
        self._texts += [text] if (text := text_in(blocks)) else []
        self._answered(blocks)

    async def _read_on(self, reading: Reading) -> None:
        try:
            piece = await reading.next()
        except BaseException:
            await self._finish(reading)
            raise
        if piece is None:
            await self._finish(reading)
            self._unreadable = frozenset(reading.built.unreadable)
            self._stop_reason = reading.built.stop_reason
            self._answered(reading.built.content)
        elif piece.kind == "text":
            self._texts.append(piece.text)
            self._queue.append(TextDelta(text=piece.text))
        else:
            self._queue.append(ThinkingDelta(text=piece.text))

    async def _finish(self, reading: Reading) -> None:
        """Behind its end: an attempt that was still under way is on the tally only then."""
        self._reading = None
        try:
            await reading.answer.aclose()
        finally:
            self.asking.meter = reading.answer.response.meter
            self.count(self.asking)

    def _next(self) -> Asking:
        """The next answer to ask for; raises `RunCapReached` when there were enough."""
        runtime = self.exchange.runtime
        reached = self.plan.limits.reached(
            turns=len(self.askings),
            spent=self.cost or Decimal(0),
            elapsed=runtime.clock.monotonic() - self._begun,
        )
        if reached is not None:
            raise reached
        is_first = not self.askings
        exchange = self.exchange if is_first else replace(self.exchange, request_id=runtime.new_id())
        asking = Asking(exchange)
        self.askings.append(asking)
        self._workshop.request_id = exchange.request_id
        return asking

    async def _run(self, calls: Sequence[ToolCall]) -> None:
        self._waiting = ()
        had_run, self._has_run = self._has_run, True
        with sent_on(self._errand):
            ran, waiting = await self._workshop.run(calls, self.decided)
        if waiting:
            self._has_run = had_run
            self._is_over = True
            self.pending = _to_decide(waiting, [call for call in calls if self._acts(call.name)])
            return
        self.messages.append(_results([one.block for one in ran]))
        self._queue.extend(map(_ended, ran))

    def _is_fallback(self) -> bool:
        return self._last is not None and self._last.response.label == "fallback"


def _to_decide(waiting: Sequence[PendingCall], acting: Sequence[ToolCall]) -> tuple[PendingCall, ...]:
    """The calls that wait, and those that act and would have been made with them: nothing of it was done."""
    asked = {one.id for one in waiting}
    together = [
        replace(waiting[0], id=call.id, tool=call.name, input=call.input, why=_TOGETHER)
        for call in acting
        if call.id not in asked
    ]
    return (*waiting, *together)


def _does_something(tool: Tool, exchange: Exchange) -> bool:
    """Whether a tool acts on the world, as far as anybody has said, or by its name."""
    if tool.acts is None:
        return tool.policy == "ask" or exchange.runtime.settings.tools.is_consequential(tool.name)
    return tool.acts


def _own_tools(tools: Sequence[Tool], doubted: Callable[[str, Sentence], None]) -> OwnTools | None:
    if not tools:
        return None
    return OwnTools(
        doubted=doubted,
        acting=frozenset(tool.name for tool in tools if tool.acts is True),
        reading=frozenset(tool.name for tool in tools if tool.acts is False),
    )


def _plain(kept: Sequence[Block]) -> str | Sequence[Block]:
    """An answer that is nothing but text, as the text that it is."""
    is_text = all(set(block) == {"type", "text"} for block in kept)
    return "".join(str(block["text"]) for block in kept) if is_text else kept


def _results(blocks: Sequence[Block]) -> Message:
    role: Literal["user"] = "user"
    return {"role": role, "content": list(blocks)}


def _ended(ran: Ran) -> ToolEnded:
    return ToolEnded(id=ran.call.id, tool=ran.call.name, is_error=ran.result.is_error, ms=ran.ms)


def _without_blanks(content: Sequence[Block]) -> list[Block]:
    return [block for block in content if not is_empty(block)]


def open_calls(history: Sequence[Message]) -> tuple[ToolCall, ...]:
    """The calls at the end of a history that nobody has answered."""
    if not history or history[-1].get("role") != "assistant":
        return ()
    content = history[-1].get("content")
    if not isinstance(content, list | tuple):
        return ()
    step = next_step(cast("Sequence[Block]", content), "tool_use")
    return step.calls if isinstance(step, RunTools) else ()


def _unanswered(call: ToolCall, said: str) -> Block:
    return {"type": "tool_result", "tool_use_id": call.id, "content": said, "is_error": True}


_TOGETHER = Sentence(
    "it was asked for together with a call that waits", ko="결정을 기다리는 호출과 함께 요청되었습니다"
)
_LEFT_OPEN = Sentence("it was left for a person to decide", ko="사람의 결정을 기다리던 호출입니다")
