"""An allowance: what may be spent without asking the store, until it has been heard of again."""

import threading


class Allowance:
    """So many pico-dollars in all; safe from any thread."""

    __slots__ = ("_left", "_lock", "amount")

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self._left = amount
        self._lock = threading.Lock()

    def take(self, pico: int) -> bool:
        """Whether there is so much left; then it is taken."""
        with self._lock:
            if pico > self._left:
                return False
            self._left -= pico
            return True

    def refill(self) -> None:
        """The store has been heard of."""
        with self._lock:
            self._left = self.amount
