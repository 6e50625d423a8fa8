"""Counts of the last seconds, in buckets, so that memory does not grow with the traffic."""

BUCKETS = 10


class Window:
    """Calls, failures and slow calls of the last `length` seconds, a tenth of it at most forgotten early."""

    __slots__ = ("_buckets", "_epoch", "_width", "calls", "failures", "slow")

    def __init__(self, length: float) -> None:
        self._width = length / BUCKETS
        self.clear()

    def clear(self) -> None:
        self._buckets = [[0, 0, 0] for _ in range(BUCKETS)]
        self._epoch = 0
        self.calls = self.failures = self.slow = 0

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        self.roll(now)
        bucket = self._buckets[self._epoch % BUCKETS]
        bucket[0] += 1
        self.calls += 1
        if failed:
            bucket[1] += 1
            self.failures += 1
        elif slow:
            bucket[2] += 1
            self.slow += 1

    def roll(self, now: float) -> None:
        epoch = int(now / self._width)
        # Threads read the clock before they queue for the lock: one may come a little late.
        if epoch <= self._epoch:
            return
        for passed in range(max(self._epoch + 1, epoch - BUCKETS + 1), epoch + 1):
            bucket = self._buckets[passed % BUCKETS]
            self.calls -= bucket[0]
            self.failures -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = (0, 0, 0)
        self._epoch = epoch
