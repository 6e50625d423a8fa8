"""Helpers for tests of agents, ours and yours: a clock moved by hand and a simulated Messages API."""

from typing import TYPE_CHECKING

from holdfast.testing.clock import FakeClock

if TYPE_CHECKING:
    from holdfast.testing.fixtures import simulator

__all__ = ["FakeClock", "simulator"]


def __getattr__(name: str) -> object:
    """Load the pytest fixture on demand: the clock is of use without pytest installed."""
    if name == "simulator":
        from holdfast.testing import fixtures

        return fixtures.simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
