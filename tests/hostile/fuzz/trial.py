"""One input tried on one target: it ends as announced, and soon enough for its length."""

from time import thread_time

from tests.hostile.fuzz.targets import TARGETS

AT_LEAST = 1.0
"""Seconds of processor time that any input may take: compiling and loading happen at the first one."""
PER_BYTE = 0.000_25
"""Seconds that a byte may take beyond that; the screen, the slowest, takes a twentieth."""


class TooSlow(AssertionError):
    """An input took more time than its length explains."""


def attempt(target: str, data: bytes) -> None:
    """Raises whatever the target did not announce, and `TooSlow`."""
    started = thread_time()
    TARGETS[target](data)
    spent = thread_time() - started
    if spent > AT_LEAST + PER_BYTE * len(data):
        raise TooSlow(f"{target}: {spent:.2f} s for {len(data)} bytes")
