"""What an agent answers."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from holdfast.errors import HoldfastError
from holdfast.parts.cost import Record
from holdfast.wire.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of an agent; `str(reply)` is its text.

    Attributes:
        outcome: `answered` by the model, `cached`, or `fallback` when holdfast spoke instead.
        reason: the error behind a fallback, else `None`.
        cost: exact dollars; `None` when no price is known for the model that answered.
        attempts: how often the upstream was asked.
        conversation: pass it to the next `chat` to go on where this one ended.
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

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgentMetrics(Record):
    """What an agent has used since it was made, as attributes (`metrics.total_cost`) or like a dict.

    Attributes:
        total_input_tokens: without what was read from or written to the prompt cache.
        total_cost: exact dollars; an answer whose price is not known adds nothing.
        request_count: answers, those that broke off or were left early included.
        circuit_state: of the circuit that a chat meets first.
    """

    total_input_tokens: int
    total_output_tokens: int
    total_cost: Decimal
    request_count: int
    circuit_state: str
