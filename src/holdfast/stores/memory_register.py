"""The register of the reference store."""

import threading
from itertools import islice

from holdfast.clock import Clock
from holdfast.ports import AuditEntry, Entry

LINES = 10_000
"""How many lines of the audit are kept."""


class MemoryRegister:
    """Named documents in memory, safe from any thread; verbs as `holdfast.ports.Register`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._revision = 0
        self._audit: list[AuditEntry] = []

    async def put(self, kind: str, name: str, body: bytes, *, actor: str, note: str = "") -> int:
        with self._lock:
            self._revision += 1
            at = self._clock.now()
            self._entries[kind, name] = Entry(kind=kind, name=name, body=body, revision=self._revision, at=at)
            self._note(AuditEntry(at=at, actor=actor, action="put", kind=kind, name=name, note=note))
            return self._revision

    async def drop(self, kind: str, name: str, *, actor: str, note: str = "") -> bool:
        with self._lock:
            if self._entries.pop((kind, name), None) is None:
                return False
            self._revision += 1
            at = self._clock.now()
            self._note(AuditEntry(at=at, actor=actor, action="drop", kind=kind, name=name, note=note))
            return True

    async def entries(self, kind: str) -> tuple[Entry, ...]:
        with self._lock:
            return tuple(entry for (of, _), entry in sorted(self._entries.items()) if of == kind)

    async def revision(self) -> int:
        return self._revision

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        with self._lock:
            return tuple(islice(reversed(self._audit), max(0, limit)))

    def _note(self, line: AuditEntry) -> None:
        self._audit.append(line)
        del self._audit[:-LINES]
