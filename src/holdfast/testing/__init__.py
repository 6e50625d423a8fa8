"""Helpers for tests of agents, ours and yours: a clock moved by hand, a simulated Messages API, and drills."""

from typing import TYPE_CHECKING

from holdfast.testing.clock import FakeClock

if TYPE_CHECKING:
    from holdfast.testing.fixtures import drill, faults, ledger, sheet, simulator

FIXTURES = ("drill", "faults", "ledger", "sheet", "simulator")

__all__ = ["FakeClock", "drill", "faults", "ledger", "sheet", "simulator"]


def __getattr__(name: str) -> object:
    """Load the pytest fixtures on demand: the clock is of use without pytest installed."""
    if name in FIXTURES:
        from holdfast.testing import fixtures

        return vars(fixtures)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
