"""What an agent has used so far."""

from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock

from holdfast.agent.reply import AgentMetrics
from holdfast.policy import money
from holdfast.wire.usage import Usage


@dataclass(slots=True)
class Tally:
    """Exact sums over the answers of one agent; safe between threads."""

    _lock: Lock = field(default_factory=Lock)
    _input_tokens: int = 0
    _output_tokens: int = 0
    _pico: int = 0
    _requests: int = 0

    def add(self, usage: Usage, cost: Decimal | None) -> None:
        """Count one answer; without a known price its tokens count all the same."""
        spent = 0 if cost is None else money.pico(cost, name="cost")
        with self._lock:
            self._input_tokens += usage.input_tokens
            self._output_tokens += usage.output_tokens
            self._pico += spent
            self._requests += 1

    def metrics(self, circuit_state: str) -> AgentMetrics:
        """All sums at one moment."""
        with self._lock:
            return AgentMetrics(
                total_input_tokens=self._input_tokens,
                total_output_tokens=self._output_tokens,
                total_cost=money.dollars(self._pico),
                request_count=self._requests,
                circuit_state=circuit_state,
            )
