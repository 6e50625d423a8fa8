"""What an agent answers."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from holdfast.agent.toolbox import PendingCall
from holdfast.errors import HoldfastError
from holdfast.parts.cost import CostSummary, Record
from holdfast.wire.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of an agent; `str(reply)` is its text.

    Attributes:
        outcome: `answered` by the model, `cached`, or `fallback` when holdfast spoke instead.
        reason: the error behind a fallback, else `None`.
        cost: exact dollars, attempts in vain and agents asked as tools included, also behind a fallback; `None` when
            no price is known.
        attempts: how often the upstream was asked.
        conversation: pass it to the next `chat` of the same user to go on where this one ended.
        pending: calls of tools that wait for a person; answer them with `resume`.
        output: the answer as a value of the type asked for.
        cache_hit_share: the part of the prompts of this conversation, so far, that the API has read from its cache
            instead of being paid anew; `None` where nothing was sent.
    """

    text: str
    outcome: Literal["answered", "cached", "fallback"]
    reason: HoldfastError | None = None
    usage: Usage
    cost: Decimal | None
    model: str
    request_id: str
    stop_reason: str | None
    attempts: int
    conversation: str
    pending: tuple[PendingCall, ...] = ()
    output: object = None
    cache_hit_share: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgentMetrics(Record):
    """What an agent has used since it was made, as attributes (`metrics.total_cost`) or like a dict.

    Attributes:
        total_input_tokens: without what was read from or written to the prompt cache.
        total_cost: exact dollars; an answer whose price is not known adds nothing.
        request_count: answers, those that broke off or were left early included, and what cost without one.
        circuit_state: of the circuit that a chat meets first.
    """

    total_input_tokens: int
    total_output_tokens: int
    total_cost: Decimal
    request_count: int
    circuit_state: str

    @classmethod
    def of(cls, spent: CostSummary, circuit_state: str) -> "AgentMetrics":
        """The sums of a tracker, under the names of the article."""
        return cls(
            total_input_tokens=spent.total_input_tokens,
            total_output_tokens=spent.total_output_tokens,
            total_cost=spent.total_cost,
            request_count=spent.request_count,
            circuit_state=circuit_state,
        )
