"""The mirrors of every upstream, account and model: told after each answer, asked before each attempt."""

import threading
from collections import OrderedDict

from holdfast.clock import Clock
from holdfast.policy.pacing import Mirror, Size
from holdfast.policy.routing import Target
from holdfast.wire.headers import Headers
from holdfast.wire.limits import RateLimit, read_limits

KEPT = 1_000
"""Mirrors kept: callers name models and bring keys, so the number must not be theirs to choose."""

Place = tuple[str, str, str]


class Pacing:
    """Finds the mirror of a target; thread-safe."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._mirrors: OrderedDict[Place, Mirror] = OrderedDict()

    def __len__(self) -> int:
        return len(self._mirrors)

    def observe(self, target: Target, headers: Headers) -> None:
        """An answer came from there, whatever its status; headers that say nothing change nothing."""
        limits = read_limits(headers, now=self._clock.now())
        if not limits:
            return
        with self._lock:
            mirror = self._mirrors.setdefault(_place(target), Mirror())
            self._mirrors.move_to_end(_place(target))
            mirror.observe(limits, now=self._clock.monotonic())
            if len(self._mirrors) > KEPT:
                self._mirrors.popitem(last=False)

    def wait(self, target: Target, size: Size) -> float:
        """Seconds until a call of that size should go there; 0 is now, and where nothing is known."""
        with self._lock:
            mirror = self._mirrors.get(_place(target))
            return 0.0 if mirror is None else mirror.wait(size, now=self._clock.monotonic())

    def left(self) -> dict[Place, tuple[RateLimit, ...]]:
        """What is left of the limits of every place, by upstream, credential and model."""
        with self._lock:
            now = self._clock.monotonic()
            return {place: mirror.left(now=now) for place, mirror in self._mirrors.items()}

    def sent(self, target: Target, size: Size) -> None:
        """A call of that size goes there now."""
        with self._lock:
            mirror = self._mirrors.get(_place(target))
            if mirror is None:
                return
            mirror.sent(size, now=self._clock.monotonic())
            if mirror.is_blank:
                del self._mirrors[_place(target)]


def _place(target: Target) -> Place:
    return target.upstream, target.account.credential, target.model
