"""The tools of one agent: offered together, run side by side, and each asked about where a person must decide."""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from holdfast.agent.patience import ended_within
from holdfast.agent.tools import Tool, ToolError, ToolResult, is_tool, shown_result, tool_of
from holdfast.agent.toolthreads import ToolThreads
from holdfast.clock import Clock
from holdfast.errors import ConfigError, HoldfastError
from holdfast.events import Observer, ToolRan, unobserved
from holdfast.language import Language, Sentence
from holdfast.policy.sanitation import whole
from holdfast.policy.toolloop import Block, ToolCall

AT_ONCE = 8
"""Tools that run at the same time: of one message, and in the threads of one agent."""
PATIENCE = 60.0
"""Seconds that a call waits for a thread, or as long as it may run itself, whichever is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCall:
    """A call of a tool that waits for a person; `why` says what makes it one to decide on.

    `input` is exactly what the tool would be given.
    """

    id: str
    tool: str
    input: object
    why: Sentence
    conversation: str = ""


Approver = Callable[[PendingCall], bool | Awaitable[bool | None] | None]
"""Decides on a call: `True` runs it, `False` tells the model that it was declined, `None` leaves it for later."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One result for the model; `block` is how a request carries it."""

    call: ToolCall
    result: ToolResult
    ms: float = 0.0

    @property
    def block(self) -> Block:
        """The result as a content block."""
        content = self.result.content
        block: dict[str, object] = {
            "type": "tool_result",
            "tool_use_id": self.call.id,
            "content": content if isinstance(content, str) else list(content),
        }
        return {**block, "is_error": True} if self.result.is_error else block


class Toolbox:
    """Tools by name; raises `ConfigError` for two of one name."""

    def __init__(self, tools: Iterable[Tool | Callable[..., object]] = ()) -> None:
        made = [one if is_tool(one) else tool_of(one) for one in tools]
        twice = [name for name, count in Counter(one.name for one in made).items() if count > 1]
        if twice:
            raise _twice(twice[0])
        self._tools = {one.name: one for one in made}
        self._threads: dict[asyncio.AbstractEventLoop, ToolThreads] = {}
        self._withheld: Mapping[str, str] = {}
        self._root = self

    def __len__(self) -> int:
        return len(self._tools)

    def get(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self._tools.get(name)

    @property
    def offers(self) -> list[dict[str, object]]:
        """How a request offers them, always in the same order, so that a prompt cache finds them again."""
        return [one.offer for one in self._tools.values()]

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All of them."""
        return tuple(self._tools.values())

    def joined(self, tools: Iterable[Tool], withheld: Mapping[str, str]) -> "Toolbox":
        """These tools and further ones, with the same threads; `withheld` says why some are not to be had."""
        box = Toolbox((*self.tools, *tools))
        box._withheld, box._root = withheld, self._root
        return box

    def absence(self, name: str) -> str:
        """Why there is no tool of that name, as the model is told."""
        known = f"There is no tool `{name[:128]}`. The tools are: {', '.join(self._tools)}."
        return self._withheld.get(name, known)

    def threads(self) -> ToolThreads:
        """Where functions run that are not asynchronous, for all conversations in this event loop."""
        kept = self._root._threads
        for loop, threads in list(kept.items()):
            if threads.is_over and kept.pop(loop, None) is not None:
                threads.close()
        loop = asyncio.get_running_loop()
        return kept.get(loop) or kept.setdefault(loop, ToolThreads(AT_ONCE))

    def close(self) -> None:
        """Let go of the threads; what still runs there runs on, and nobody waits for it."""
        for loop in list(self._threads):
            if threads := self._threads.pop(loop, None):
                threads.close()


@dataclass(slots=True)
class Workshop:
    """Runs the calls of one message: counts them, asks a person where it must, and keeps the loop going.

    Attributes:
        box: the tools.
        doubts: why a call is not seen to be the user's wish, by the id of the call.
        approve: the person, if there is one.
    """

    box: Toolbox
    clock: Clock
    request_id: str
    conversation: str
    language: Language = "en"
    approve: Approver | None = None
    observe: Observer = unobserved
    doubts: Mapping[str, Sentence] = field(default_factory=dict[str, Sentence])
    used: Counter[str] = field(default_factory=Counter[str])

    async def run(
        self, calls: Sequence[ToolCall], decided: Mapping[str, bool] | None = None
    ) -> tuple[list[Ran], list[PendingCall]]:
        """The results of the calls in their order, or those that wait for a person, and then nothing has been run.

        `decided` are answers given since, by the id of a call.
        """
        rulings = [await self._ruling(call, decided or {}) for call in calls]
        if waiting := [ruling for ruling in rulings if isinstance(ruling, PendingCall)]:
            return [], waiting
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(call: ToolCall, refused: ToolResult | None) -> Ran:
            if refused is not None:
                return self._told(Ran(call, refused), "refused")
            async with gate:
                return await self._timed(call)

        settled = [ruling for ruling in rulings if not isinstance(ruling, PendingCall)]
        jobs = [asyncio.ensure_future(one(call, no)) for call, no in zip(calls, settled, strict=True)]
        try:
            return list(await asyncio.gather(*jobs)), []
        except BaseException:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            raise

    async def _ruling(self, call: ToolCall, decided: Mapping[str, bool]) -> ToolResult | PendingCall | None:
        """Why a call is not run, or that it waits; `None` lets it run."""
        tool = self.box.get(call.name)
        if tool is None:
            return _error(self.box.absence(call.name))
        self.used[tool.name] += 1
        refused = self._refused(tool, call)
        if refused is not None:
            return _error(refused)
        why = self._why_ask(tool, call)
        return None if why is None else await self._decision(tool, call, why, decided)

    def _refused(self, tool: Tool, call: ToolCall) -> str | None:
        if tool.policy == "deny":
            return f"The tool `{tool.name}` may not be used here."
        if tool.calls is not None and self.used[tool.name] > tool.calls:
            return f"The tool `{tool.name}` was already called {tool.calls} times; go on without it."
        return (
            None if call.is_readable else "The input of the call is not valid JSON. Send it again, complete."
        )

    async def _decision(
        self, tool: Tool, call: ToolCall, why: Sentence, decided: Mapping[str, bool]
    ) -> ToolResult | PendingCall | None:
        pending = PendingCall(
            id=call.id, tool=tool.name, input=call.input, why=why, conversation=self.conversation
        )
        answer = decided.get(call.id)
        if answer is None:
            answer = await self._asked(pending)
        if answer is None:
            return pending
        return None if answer else _error(_DECLINED)

    def _why_ask(self, tool: Tool, call: ToolCall) -> Sentence | None:
        if tool.policy == "ask":
            return _ASKS
        return None if tool.policy == "allow" else self.doubts.get(call.id)

    async def _asked(self, pending: PendingCall) -> bool | None:
        if self.approve is None:
            return None
        answer = self.approve(pending)
        return await answer if inspect.isawaitable(answer) else answer

    async def _timed(self, call: ToolCall) -> Ran:
        tool = self.box.get(call.name)
        assert tool is not None
        begun = self.clock.monotonic()
        result, ending = await self._run(tool, call)
        return self._told(Ran(call, result, round((self.clock.monotonic() - begun) * 1000, 3)), ending)

    async def _run(self, tool: Tool, call: ToolCall) -> tuple[ToolResult, str]:
        try:
            result = await self._result(tool, call)
        except _Ended as ended:
            return _error(ended.text), ended.ending
        except HoldfastError as error:
            return _error(error.say(self.language)), error.error_code
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return _failed(error)
        except (Exception, SystemExit) as error:
            # A tool is somebody else's code, and its failure the model's to handle. What an exception says may hold
            # a secret or a path: the model learns only of what sort it was.
            return _failed(error)
        return result, "error" if result.is_error else "ok"

    async def _result(self, tool: Tool, call: ToolCall) -> ToolResult:
        try:
            arguments = tool.arguments(call.input)
        except (msgspec.ValidationError, ValueError, TypeError) as error:
            text = f"The input does not fit the tool: {error}. Mend it and call again."
            raise _Ended(text, "invalid") from error
        try:
            found = await self._called(tool, partial(tool.function, **arguments))
        except ToolError as error:
            found = ToolResult(content=str(error), is_error=True)
        return shown_result(found, tool.largest)

    async def _called(self, tool: Tool, work: Callable[[], object]) -> object:
        """What the function gave back; its time runs from when it is begun."""
        job = None if tool.is_asynchronous else await self._begun(tool, work)

        async def called() -> object:
            try:
                found = work() if job is None else await job
                return await found if inspect.isawaitable(found) else found
            except SystemExit as error:
                return _Exited(error)  # a task that ends with it would end the whole loop

        ended = await ended_within(called(), tool.timeout)
        if ended is None:
            raise _Ended(f"The tool gave no result within {tool.timeout:g} seconds.", "timeout")
        if isinstance(found := ended.result(), _Exited):
            raise found.error
        return found

    async def _begun(self, tool: Tool, work: Callable[[], object]) -> "asyncio.Future[object]":
        """The work in a thread of its own, once one is free; not for ever, as all may be held by what has no end."""
        patience = None if tool.timeout is None else max(tool.timeout, PATIENCE)
        try:
            async with asyncio.timeout(patience):
                return await self.box.threads().begun(work)
        except TimeoutError as error:
            raise _Ended(_BUSY, "busy") from error

    def _told(self, ran: Ran, ending: str) -> Ran:
        self.observe(ToolRan(request_id=self.request_id, tool=ran.call.name[:128], ms=ran.ms, ending=ending))
        return ran


@dataclass(frozen=True, slots=True)
class _Exited:
    """A tool wanted to end the program."""

    error: SystemExit


@dataclass(slots=True, eq=False)
class _Ended(Exception):
    """A call that has no result, as the model is told and as it is noted."""

    text: str
    ending: str


def _is_cancelled() -> bool:
    """Whether somebody wants this call to end; otherwise a tool broke with something that it cancelled itself."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _failed(error: BaseException) -> tuple[ToolResult, str]:
    return _error(f"The tool failed ({type(error).__name__})."), type(error).__name__


def _error(text: str) -> ToolResult:
    return ToolResult(content=whole(text), is_error=True)


_ASKS = Sentence("this tool is only run when a person agrees", ko="이 도구는 사람이 동의해야 실행됩니다")
_BUSY = "The tool was not run: earlier calls of tools still take up every thread. Try again later, or go on without it."
_DECLINED = "The user declined this call. Do not try it again; go on without it, or ask what to do instead."


def _twice(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"Two tools are called `{name}`. Give one of them another name with `tool(name=...)`.",
            ko=f"`{name}`이라는 도구가 둘입니다. `tool(name=...)`으로 하나의 이름을 바꾸세요.",
        )
    )
