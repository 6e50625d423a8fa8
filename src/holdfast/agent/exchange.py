"""One message of a user on its way: what surrounds it, and the calls of the pipeline that it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import msgspec

from holdfast.agent.archive import Place
from holdfast.agent.fallback import Fallback
from holdfast.agent.mcp_bridge import Bridge
from holdfast.agent.toolbox import Approver, Toolbox
from holdfast.agent.transcript import Frame
from holdfast.assembly import Runtime
from holdfast.call import NO_LIMITS, NO_WAYS, Call, Incoming, OwnLimits, OwnTools, OwnWays, Principal
from holdfast.errand import Errand, Tab, inherited
from holdfast.errors import UnknownModel
from holdfast.language import Language
from holdfast.policy.breakpoints import marked
from holdfast.policy.toolloop import Block, LoopLimits
from holdfast.policy.trimming import CONTEXT_TOKENS
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

API_VERSION = "2023-06-01"
NO_KEY = "held-by-holdfast"
"""Stands where a key would be: an upstream of ours gets its own instead, a keyless one takes any text."""

HEADERS = (("content-type", "application/json"), ("anthropic-version", API_VERSION), ("x-api-key", NO_KEY))

Message = Mapping[str, object]
"""One turn as the Messages API writes it: its role and its content."""
Content = str | Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One message of a user, and where its answer belongs; `run` is the conversation unless it is part of more.

    `errand` is there when somebody else has sent the agent out; the user then only stands behind it.
    """

    runtime: Runtime
    message: Content
    conversation: str
    request_id: str
    model: str
    user: str | None
    agent: str | None
    run: str | None = None
    parent: str | None = None
    errand: Errand | None = None

    def sends_out(self, limits: OwnLimits) -> Errand:
        """The errand of whoever is called while the tools of this agent run; `limits` are the agent's."""
        errand = self.errand
        return Errand(
            run=self.run or self.conversation,
            parent=self.agent,
            user=self.user,
            above=1 if errand is None else errand.above + 1,
            limits=inherited(limits),
            tab=Tab(above=None if errand is None else errand.tab),
            conversations=self.above | {self.conversation},
        )

    @property
    def place(self) -> Place:
        """Whose conversation it is, and which."""
        return Place.of(self.agent, self.user, self.conversation)

    @property
    def above(self) -> frozenset[str]:
        """The conversations that wait for this one."""
        return frozenset() if self.errand is None else self.errand.conversations

    @property
    def principal(self) -> Principal:
        """In whose name it is asked."""
        return Principal(
            door="library",
            user=self.user,
            run=self.run or self.conversation,
            agent=self.agent,
            parent=self.parent,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an agent goes about a message; the same for every answer that it takes.

    `extra` are further members of the request, such as the form of its output.
    """

    system: str | None
    max_tokens: int
    attempts: int
    box: Toolbox
    limits: LoopLimits
    fallback: Fallback | None
    language: Language
    approve: Approver | None = None
    own_limits: OwnLimits = NO_LIMITS
    own_ways: OwnWays = NO_WAYS
    bridge: Bridge | None = None
    context_tokens: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    async def equipped(self, exchange: Exchange) -> "Plan":
        """The same plan with the tools that MCP servers have now; raises `ConfigError` where one cannot be asked."""
        if self.bridge is None:
            return self
        box = await self.bridge.join(self.box, exchange.runtime, exchange.request_id)
        return replace(self, box=box, bridge=None)

    def frame(self, exchange: Exchange) -> Frame:
        """What the messages are sent in; thinking holds only behind the same model, system prompt and tools."""
        prefix = msgspec.json.encode([exchange.model, self.system, self.box.offers])
        return Frame(prefix=prefix, limit=max(0, self._context(exchange) - self.max_tokens))

    def _context(self, exchange: Exchange) -> int:
        if self.context_tokens is not None:
            return self.context_tokens
        try:
            return exchange.runtime.prices.facts(exchange.model).context_window or CONTEXT_TOKENS
        except UnknownModel:
            return CONTEXT_TOKENS

    def call(
        self, exchange: Exchange, messages: Sequence[Message], *, stream: bool, own_tools: OwnTools | None
    ) -> Call:
        """The call that asks for the next answer."""
        body: dict[str, object] = {
            "model": exchange.model,
            "max_tokens": self.max_tokens,
            "messages": messages,
        }
        body |= {"system": self.system} if self.system else {}
        body |= {"tools": self.box.offers} if len(self.box) else {}
        body |= {"stream": True} if stream else {}
        facts = exchange.runtime.prices.table.find(exchange.model)
        least = None if facts is None else facts.facts.min_cacheable_tokens
        whole = marked({**body, **self.extra}, least=least)
        incoming = Incoming(body=msgspec.json.encode(whole), headers=HEADERS)
        call = exchange.runtime.call(
            incoming, exchange.principal, request_id=exchange.request_id, attempts=self.attempts
        )
        return replace(call, own_tools=own_tools, own_limits=self.own_limits, own_ways=self.own_ways)


@dataclass(slots=True)
class Asking:
    """One answer that is asked for: its call, and the meter of the answer, as soon as there are any."""

    exchange: Exchange
    call: Call | None = None
    meter: Meter | None = None
    is_counted: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether there is an answer."""
        return self.meter is not None and self.meter.started

    @property
    def tokens(self) -> int:
        """Of all that was sent and answered, as the API has counted them; 0 where it has not."""
        return 0 if self.meter is None else self.meter.usage.prompt_tokens + self.meter.usage.output_tokens

    @property
    def is_of_its_model(self) -> bool:
        """Whether the model that was asked has answered, and none that stood in for it."""
        said = None if self.meter is None else self.meter.model
        return said is None or self._known_as(said) == self._known_as(self.exchange.model)

    def _known_as(self, model: str) -> str:
        try:
            return self.exchange.runtime.prices.facts(model).id
        except UnknownModel:
            return model

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars so far, attempts in vain included; `None` when no price is known."""
        return Decimal(0) if self.call is None else self.exchange.runtime.cost(self.call, self.meter)


def used_by(askings: Sequence[Asking]) -> Usage:
    """The tokens of all answers together; of a single one its usage as it came."""
    used = [asking.meter.usage for asking in askings if asking.meter is not None]
    return used[0] if len(used) == 1 else Usage.total(used)


def attempts_of(askings: Sequence[Asking]) -> int:
    """How often upstreams were asked for all of them."""
    return sum(asking.call.tally.attempts for asking in askings if asking.call is not None)
