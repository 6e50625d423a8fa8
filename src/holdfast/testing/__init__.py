"""Helpers for tests of agents, ours and yours: a clock moved by hand and a simulated Messages API."""

from holdfast.testing.clock import FakeClock

__all__ = ["FakeClock"]
