"""`MemoryAgent`: an agent that remembers its users, from the day of the series that gives agents a memory."""

from dataclasses import dataclass, field

from holdfast.agent.agent import ProductionAgent
from holdfast.agent.memory import Memory


@dataclass(slots=True, eq=False)
class MemoryAgent(ProductionAgent):
    """A `ProductionAgent` that has a `Memory` unless it is given one; everything else is the same."""

    memory: Memory | None = field(default_factory=Memory, kw_only=True)
