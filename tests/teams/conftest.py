"""A team's world: that of an agent."""

from tests.agent.conftest import World, clean, hold, world

__all__ = ["World", "clean", "hold", "world"]
