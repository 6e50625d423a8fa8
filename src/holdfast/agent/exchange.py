"""One question on its way: from what a person said to a call of the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from holdfast.agent.conversation import Message
from holdfast.assembly import Runtime
from holdfast.call import Call, Incoming, Principal
from holdfast.wire.meter import Meter

API_VERSION = "2023-06-01"
NO_KEY = "held-by-holdfast"
"""Stands where a key would be: an upstream of ours gets its own instead, a keyless one takes any text."""

HEADERS = (("content-type", "application/json"), ("anthropic-version", API_VERSION), ("x-api-key", NO_KEY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One message of a user, and where its answer belongs."""

    runtime: Runtime
    message: str
    conversation: str
    request_id: str
    model: str
    user: str | None
    agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What surrounds a message when it is asked."""

    history: Sequence[Message]
    system: str | None
    max_tokens: int
    stream: bool

    def call(self, exchange: Exchange, *, attempts: int) -> Call:
        """The call that asks it."""
        body: dict[str, object] = {
            "model": exchange.model,
            "max_tokens": self.max_tokens,
            "messages": [*self.history, {"role": "user", "content": exchange.message}],
        }
        body |= {"system": self.system} if self.system else {}
        body |= {"stream": True} if self.stream else {}
        caller = Principal(
            door="library", user=exchange.user, run=exchange.conversation, agent=exchange.agent
        )
        incoming = Incoming(body=msgspec.json.encode(body), headers=HEADERS)
        return exchange.runtime.call(incoming, caller, request_id=exchange.request_id, attempts=attempts)


@dataclass(slots=True)
class Asking:
    """An exchange under way: the call that asks, and the meter of its answer, as soon as there are any."""

    exchange: Exchange
    call: Call | None = None
    meter: Meter | None = None
    is_counted: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether there is an answer."""
        return self.meter is not None and self.meter.started

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars so far, attempts in vain included; `None` when no price is known."""
        return Decimal(0) if self.call is None else self.exchange.runtime.cost(self.call, self.meter)
