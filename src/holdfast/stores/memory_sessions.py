"""Conversations in memory, gone when the process ends."""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from holdfast.clock import Clock
from holdfast.ports import sessions as port
from holdfast.ports.sessions import Full, Moved, Owner, Session, SessionHead

SESSIONS = 1_000
"""Sessions kept; the one unused longest goes first."""

BYTES = 50_000_000
"""Bytes kept of all sessions together; again the one unused longest goes first, but never the newest."""

Place = tuple[Owner, str]


class MemorySessions:
    """A bounded memory of sessions, safe from any thread; verbs as `holdfast.ports.Sessions`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Place, Session] = OrderedDict()
        self._bytes = 0

    async def load(self, id: str, owner: Owner) -> Session | None:
        with self._lock:
            return self._kept.get((owner, id))

    async def append(
        self, id: str, owner: Owner, messages: Sequence[bytes], *, expected: int
    ) -> int | Moved | Full:
        with self._lock:
            known = self._kept.get((owner, id))
            before = () if known is None else known.messages
            if len(before) != expected:
                return Moved(length=len(before))
            after = (*before, *messages)
            if not fits(len(after), _size(after)):
                return Full(length=len(before))
            if messages:
                self._keep((owner, id), self._grown(known, id, after))
            return len(after)

    async def branch(self, id: str, owner: Owner, *, to: str, at: int | None = None) -> bool:
        with self._lock:
            known = self._kept.get((owner, id))
            if known is None or (owner, to) in self._kept:
                return False
            self._keep((owner, to), replace(known, id=to, messages=known.messages[: _cut(at)], parent=id))
            return True

    async def list(
        self, owner: Owner, *, limit: int = 100, after: str | None = None
    ) -> tuple[SessionHead, ...]:
        with self._lock:
            known = sorted(name for of, name in self._kept if of == owner)
            first = 0 if after is None else bisect_right(known, after)
            return tuple(_head(self._kept[owner, name]) for name in known[first : first + max(0, limit)])

    async def forget(self, id: str, owner: Owner) -> bool:
        with self._lock:
            return self._drop([(owner, id)]) == 1

    async def forget_owner(self, owner: Owner) -> int:
        with self._lock:
            return self._drop([place for place in self._kept if place[0] == owner])

    def prune(self, before: datetime) -> int:
        """Forget sessions whose last message is from before a moment; how many there were."""
        with self._lock:
            return self._drop([place for place, one in self._kept.items() if one.last_at < before])

    def _grown(self, known: Session | None, id: str, messages: tuple[bytes, ...]) -> Session:
        now = self._clock.now()
        if known is None:
            return Session(id=id, messages=messages, first_at=now, last_at=now)
        return replace(known, messages=messages, last_at=now)

    def _keep(self, place: Place, session: Session) -> None:
        self._drop([place])
        self._kept[place] = session
        self._bytes += _size(session.messages)
        while len(self._kept) > 1 and (len(self._kept) > SESSIONS or self._bytes > BYTES):
            self._drop([next(iter(self._kept))])

    def _drop(self, places: Sequence[Place]) -> int:
        gone = [one for place in places if (one := self._kept.pop(place, None)) is not None]
        self._bytes -= sum(_size(one.messages) for one in gone)
        return len(gone)


def fits(length: int, size: int) -> bool:
    """Whether a session may have so many messages of so many bytes."""
    return length <= port.MOST_MESSAGES and size <= port.MOST_BYTES


def _cut(at: int | None) -> int | None:
    return None if at is None else max(0, at)


def _size(messages: Sequence[bytes]) -> int:
    return sum(map(len, messages))


def _head(session: Session) -> SessionHead:
    return SessionHead(
        id=session.id,
        length=len(session.messages),
        first_at=session.first_at,
        last_at=session.last_at,
        parent=session.parent,
    )
