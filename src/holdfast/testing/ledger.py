"""The bills of a simulator as a test reads them."""

from decimal import Decimal

from holdfast.simulator import CapturedRequest, LedgerEntry
from holdfast.simulator.server import RunningSimulator


class LedgerView:
    """What a running simulator was asked and has billed; it waits until answers under way have ended."""

    def __init__(self, running: RunningSimulator) -> None:
        self._running = running

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        """The bills, oldest first; errors are free and have none."""
        self._running.drain()
        return self._running.simulator.ledger

    @property
    def total(self) -> Decimal:
        """Their sum in dollars."""
        self._running.drain()
        return self._running.simulator.billed

    @property
    def requests(self) -> tuple[CapturedRequest, ...]:
        """The requests that arrived, oldest first, billed or not."""
        return self._running.simulator.requests
