"""Recorded bodies in this process, gone when it ends."""

import threading
from datetime import datetime

from holdfast.ports import RecordedCall, Whose


class MemoryBodies:
    """Bodies in memory, safe from any thread; verbs as `holdfast.ports.Bodies`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, RecordedCall] = {}

    async def keep(self, entry: RecordedCall, room: int) -> None:
        with self._lock:
            self._kept.setdefault(entry.request_id, entry)
            taken = sum(one.size for one in self._kept.values())
            while taken > room:
                taken -= self._kept.pop(next(iter(self._kept))).size

    async def find(self, request_id: str) -> RecordedCall | None:
        with self._lock:
            return self._kept.get(request_id)

    async def forget(self, whose: Whose) -> int:
        return self._drop([one for one in self._kept.values() if _is_meant(one, whose)])

    async def prune(self, before: datetime) -> int:
        return self._drop([one for one in self._kept.values() if one.at < before])

    async def aclose(self) -> None:
        with self._lock:
            self._kept.clear()

    def _drop(self, gone: list[RecordedCall]) -> int:
        with self._lock:
            return sum(self._kept.pop(one.request_id, None) is not None for one in gone)


def _is_meant(entry: RecordedCall, whose: Whose) -> bool:
    wanted = (whose.request_id, whose.key, whose.user, whose.run)
    found = (entry.request_id, entry.key, entry.user, entry.run)
    return all(said is None or said == own for said, own in zip(wanted, found, strict=True))
