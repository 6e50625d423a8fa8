"""`ProductionAgent`: the article's agent, with every call through the guarded pipeline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self, TypedDict

from holdfast.agent.archive import Archive, Where
from holdfast.agent.conversation import Conversing, Shelf, new_id
from holdfast.agent.delegation import delegated
from holdfast.agent.exchange import Content, Exchange, Plan
from holdfast.agent.fallback import POLITE, Fallback
from holdfast.agent.home import Hold, Home
from holdfast.agent.mapping import Many, Mapper, fingerprint
from holdfast.agent.mcp import Given as McpGiven
from holdfast.agent.mcp import servers_of
from holdfast.agent.mcp_bridge import Bridge
from holdfast.agent.memory import Memory, introduced
from holdfast.agent.options import check, check_decisions, check_message, check_names
from holdfast.agent.output import OutputType
from holdfast.agent.player import Player
from holdfast.agent.reminder import reminder_of
from holdfast.agent.reply import AgentMetrics, Reply
from holdfast.agent.stream import ReplyStream, in_thread
from holdfast.agent.toolbox import Approver, Toolbox
from holdfast.agent.tools import Tool
from holdfast.agent.ways import limits_of, ways_of
from holdfast.assembly import Runtime
from holdfast.call import NO_LIMITS
from holdfast.errand import current, together
from holdfast.language import Language
from holdfast.parts.budget import Budget
from holdfast.parts.cache import Cache
from holdfast.parts.quota import Quota
from holdfast.parts.route import Route
from holdfast.policy.sanitation import whole
from holdfast.policy.toolloop import LoopLimits


class AgentOptions(TypedDict, total=False):
    """What `ProductionAgent` takes beside a model, where a `Holdfast` makes it."""

    system: str | None
    tools: Sequence[Tool | Callable[..., object]]
    mcp: Sequence[McpGiven]
    memory: Memory | None
    budget: Budget | None
    quota: Quota | None
    cache: Cache | None
    route: Route | None
    fallback: Fallback | None
    max_tokens: int
    max_retries: int
    language: Language
    name: str | None
    limits: LoopLimits
    approve: Approver | None
    sessions: Where
    context_tokens: int | None


@dataclass(slots=True, eq=False)
class ProductionAgent(Mapper, Conversing):
    """An agent that stays up: validation, circuit breaker, retries, cost, record, and a fallback answer.

    Args:
        model: a model id; the configured standard model when left out.
        system: the system prompt.
        tools: functions that the model may call, made by `@tool` or taken as they are.
        mcp: MCP servers whose tools the model may call, too: `McpServer`, a URL, or a command line each.
        memory: what is remembered of users beyond a conversation; see `Memory`.
        budget: what this agent may spend, besides the budgets of the settings; counted in the store, so that it
            outlives the process and is shared by agents of the same name.
        quota: how often and how much it may be asked, counted in the same way.
        cache: answers that are given again to the very same question, in place of the cache of the settings.
        route: chooses the model of each call, in place of the rules of the settings.
        fallback: what `chat` answers when the input is refused, the circuit is open, the deadline is over or
            the upstream fails: a text, or a callable that gets the error; `None` raises the error instead.
        max_tokens: upper bound of one answer.
        max_retries: attempts in all, as in the article; 0 and 1 both mean a single one. On a shared `hold` it
            can only lower what its settings allow.
        language: of the fallback, `en` or `ko`; every error has both: `reply.reason.say("ko")`.
        hold: share the pipeline of a `Holdfast`; without it the agent opens one of its own.
        upstream: address of a Messages API, or `simulator`; only without `hold`.
        limits: how far one message may take the agent: turns, dollars, time.
        approve: decides on calls of tools that need a person; without it they wait in `reply.pending`.
        sessions: where conversations are kept: `memory`, gone with the agent, or the `store` of the settings, as they
            were said, unmasked, so that they can be gone on with after a restart; forgotten after `store.keep_days`.
        context_tokens: what the model takes of a conversation and its answer, of which older exchanges are left out;
            the whole window of the model when left out.

    Usable as it is, as `async with`, and as `with`; concurrent chats do not mix. Raises `ConfigError` for
    settings that make no sense, `KeyMissing` when asked without a key for its upstream.
    """

    model: str | None = None
    _: KW_ONLY
    system: str | None = field(default=None, repr=False)
    tools: Sequence[Tool | Callable[..., object]] = ()
    mcp: Sequence[McpGiven] = ()
    memory: Memory | None = None
    budget: Budget | None = None
    quota: Quota | None = None
    cache: Cache | None = None
    route: Route | None = None
    fallback: Fallback | None = POLITE
    max_tokens: int = 4096
    max_retries: int = 3
    language: Language = "en"
    name: str | None = None
    hold: Hold | None = None
    upstream: str | None = None
    limits: LoopLimits = field(default_factory=LoopLimits)
    approve: Approver | None = None
    sessions: Where = "memory"
    context_tokens: int | None = None
    _home: Home = field(init=False, repr=False)
    _box: Toolbox = field(init=False, repr=False)
    _bridge: Bridge = field(init=False, repr=False)
    _player: Player = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(partial(getattr, self))
        self._home = Home(self.hold, self.upstream, self._attempts)
        self._box = Toolbox((*self.tools, *introduced(self.memory, self._home.runtime)))
        self._bridge = Bridge(servers_of(self.mcp))
        self._player = Player(archive=Archive(self.sessions), reminder=reminder_of(self.memory))

    async def chat(
        self,
        message: Content,
        *,
        user: str | None = None,
        conversation: str | None = None,
        output_type: Any = None,
    ) -> Reply:
        """Send one message and wait for the whole answer, tools run and all.

        `message` is a text, or content blocks such as those of `image` and `document`. With `output_type`, a
        dataclass, TypedDict, msgspec Struct or pydantic model, the reply's `output` is a value of it.

        Raises:
            TypeError: `message` is neither.
            HoldfastError: only with `fallback=None`; `ConfigError` always.
        """
        output = None if output_type is None else OutputType(output_type)
        exchange = self._exchange(message, user, conversation)
        return await self._player.replied(exchange, self._plan(output), output=output)

    async def resume(
        self, conversation: str, decisions: Mapping[str, bool], *, user: str | None = None
    ) -> Reply:
        """Go on where `reply.pending` waits: `decisions` says by the id of a call whether it may be run.

        A call that acts and is not decided on counts as declined. Raises like `chat`.
        """
        check_decisions(decisions)
        exchange = self._exchange("", user, conversation)
        return await self._player.replied(exchange, self._plan(), decided=decisions)

    def chat_sync(
        self,
        message: Content,
        *,
        user: str | None = None,
        conversation: str | None = None,
        output_type: Any = None,
    ) -> Reply:
        """`chat` for scripts and notebooks: blocks this thread until the answer is there."""
        portal = self._home.runtime().portal
        chat = self.chat(message, user=user, conversation=conversation, output_type=output_type)
        return portal.call(chat)

    def stream(
        self, message: Content, *, user: str | None = None, conversation: str | None = None
    ) -> ReplyStream:
        """Send one message and read the answer as it comes: `async for text in agent.stream(...)`.

        A failure before the first text becomes the fallback; one after it raises `StreamInterrupted`.
        """
        exchange = self._exchange(message, user, conversation)
        return ReplyStream(lambda finished: self._player.play(exchange, self._plan(), finished, stream=True))

    def stream_sync(
        self, message: Content, *, user: str | None = None, conversation: str | None = None
    ) -> Iterator[str]:
        """`stream` for scripts and notebooks: the pieces of the text, each when it is there."""
        stream = self.stream(message, user=user, conversation=conversation)
        return in_thread(stream, self._home.runtime().portal)

    def as_tool(
        self,
        name: str | None = None,
        description: str | None = None,
        *,
        timeout: float | None = None,
        trusted: bool = False,
    ) -> Tool:
        """This agent as a tool of another: asked in the other's run, on its money, one level deeper.

        Its answers are tool results, and what it is asked is a document to it: neither is obeyed like a user, unless
        the task is `trusted`. `timeout` is in seconds. Raises `ConfigError` where neither has a name.
        """
        return delegated(self.chat, name or self.name, description, timeout=timeout, trusted=trusted)

    def metrics(self) -> AgentMetrics:
        """What this agent has used, and the state of its circuit."""
        runtime = self._home.opened
        circuit = "closed" if runtime is None else runtime.circuit_state(self._model(runtime))
        return AgentMetrics.of(self._player.costs.summary(), circuit)

    async def aclose(self) -> None:
        """Close the pipeline this agent opened for itself; may be called twice, and the agent used again."""
        await self._bridge.aclose()
        if self.memory is not None:
            await self.memory.aclose()
        await self._home.aclose()

    def close(self) -> None:
        """`aclose` for scripts and notebooks."""
        self._bridge.close()
        if self.memory is not None:
            self.memory.close()
        self._home.close()

    async def __aenter__(self) -> Self:
        self._home.runtime()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        self._home.runtime()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _attempts(self) -> int:
        return max(1, self.max_retries)

    def _model(self, runtime: Runtime) -> str:
        return self.model or runtime.settings.models.standard

    def _partner(self) -> "ProductionAgent":
        return self

    def _shelf(self, user: str | None) -> Shelf:
        name, user = self._who(user)
        return Shelf(archive=self._player.archive, runtime=self._home.runtime(), agent=name, user=user)

    def _who(self, user: str | None) -> tuple[str | None, str | None]:
        """Under which name it goes, and in whose it is asked."""
        errand = current()
        name = self.name or (None if errand is None else errand.name)
        user = user or (None if errand is None else errand.user)
        return None if name is None else whole(name), None if user is None else whole(user)

    def _many(self) -> Many:
        runtime, player = self._home.runtime(), self._player.apart()
        of = {"model": self._model(runtime), "system": fingerprint(self.system or "")}
        return Many(player, lambda message: self._exchange(message, None, None), self._plan, runtime, of)

    def _exchange(self, message: Content, user: str | None, conversation: str | None) -> Exchange:
        check_message(message)
        check_names(user=user, conversation=conversation)
        runtime = self._home.runtime()
        runtime.require_keys()
        errand = current()
        name, user = self._who(user)
        return Exchange(
            runtime=runtime,
            message=message,
            conversation=whole(conversation or new_id()),
            request_id=runtime.new_id(),
            model=self._model(runtime),
            user=user,
            agent=name,
            run=None if errand is None else errand.run,
            parent=None if errand is None else errand.parent,
            errand=errand,
        )

    def _plan(self, output: OutputType | None = None) -> Plan:
        errand = current()
        inherited = NO_LIMITS if errand is None else errand.limits
        return Plan(
            system=None if self.system is None else whole(self.system),
            max_tokens=self.max_tokens,
            attempts=self._attempts,
            box=self._box,
            bridge=self._bridge,
            limits=self.limits,
            fallback=self.fallback,
            language=self.language,
            approve=self.approve,
            own_limits=together(inherited, limits_of(self.name, self.budget, self.quota)),
            own_ways=ways_of(self.cache, self.route),
            context_tokens=self.context_tokens,
            extra={} if output is None else output.extra,
        )
