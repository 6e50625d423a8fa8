"""Memories in this process, gone when it ends: the reference for the other stores."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from holdfast.policy.recall import weights
from holdfast.recollection import Digest, Fact, Indexed, Owner


@dataclass(slots=True)
class _Shelf:
    """What one owner has; facts in the order in which they were written."""

    entries: dict[str, Indexed] = field(default_factory=dict[str, Indexed])
    digests: dict[str, Digest] = field(default_factory=dict[str, Digest])

    def expire(self, now: datetime) -> None:
        for entry in [*self.entries.values()]:
            if not _is_alive(entry.fact, now):
                del self.entries[entry.fact.id]

    def bound(self, most: int, newest: str) -> None:
        """Let those go that were unused longest, but never the newest."""
        if len(self.entries) <= most:
            return
        others = [entry.fact for entry in self.entries.values() if entry.fact.id != newest]
        others.sort(key=lambda fact: (fact.used, fact.at, fact.id))
        for fact in others[: len(self.entries) - most]:
            del self.entries[fact.id]


class MemoryRecollections:
    """Memories of every owner in memory, safe from any thread; verbs as `holdfast.recollection.Recollections`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shelves: dict[Owner, _Shelf] = {}
        self._soonest: datetime | None = None

    async def remember(self, owner: Owner, entry: Indexed, *, most: int, now: datetime) -> None:
        with self._lock:
            self._expire(now)
            shelf = self._shelves.setdefault(owner, _Shelf())
            shelf.entries.pop(entry.fact.id, None)
            shelf.entries[entry.fact.id] = entry
            shelf.bound(most, entry.fact.id)
            self._soonest = _sooner(self._soonest, entry.fact.expires)

    async def facts(self, owner: Owner, *, now: datetime) -> tuple[Fact, ...]:
        with self._lock:
            facts = [entry.fact for entry in self._shelf(owner).entries.values()]
        facts.sort(key=lambda fact: (fact.at, fact.id))
        return tuple(fact for fact in facts if _is_alive(fact, now))

    async def search(
        self, owner: Owner, terms: Sequence[str], *, limit: int, now: datetime
    ) -> tuple[tuple[str, int], ...]:
        with self._lock:
            entries = [one for one in self._shelf(owner).entries.values() if not one.fact.quarantined]
        asked = frozenset(terms)
        often = Counter(term for entry in entries for term in asked & entry.impacts.keys())
        weighed = weights(often, len(entries))
        scored = [
            (entry.fact.id, _points(entry, weighed)) for entry in entries[::-1] if _is_alive(entry.fact, now)
        ]
        scored.sort(key=lambda one: -one[1])
        return tuple((name, points) for name, points in scored[:limit] if points > 0)

    async def vectors(self, owner: Owner, *, now: datetime) -> Mapping[str, bytes]:
        with self._lock:
            entries = [*self._shelf(owner).entries.values()]
        return {
            entry.fact.id: entry.vector
            for entry in entries
            if entry.vector is not None and not entry.fact.quarantined and _is_alive(entry.fact, now)
        }

    async def recall(self, owner: Owner, ids: Sequence[str], *, now: datetime) -> tuple[Fact, ...]:
        with self._lock:
            self._expire(now)
            entries = self._shelf(owner).entries
            for name in entries.keys() & set(ids):
                fact = replace(entries[name].fact, used=now, uses=entries[name].fact.uses + 1)
                entries[name] = replace(entries[name], fact=fact)
            return tuple(entries[name].fact for name in ids if name in entries)

    async def forget(self, owner: Owner, id: str) -> bool:
        with self._lock:
            return self._shelf(owner).entries.pop(id, None) is not None

    async def forget_all(self, owner: Owner) -> int:
        with self._lock:
            return len(self._shelves.pop(owner, _Shelf()).entries)

    async def keep(self, owner: Owner, digest: Digest, *, most: int) -> None:
        with self._lock:
            digests = self._shelves.setdefault(owner, _Shelf()).digests
            digests[digest.conversation] = digest
            others = [one for one in _in_order(digests) if one.conversation != digest.conversation]
            for one in others[: max(0, len(digests) - most)]:
                del digests[one.conversation]

    async def digest(self, owner: Owner, conversation: str) -> Digest | None:
        with self._lock:
            return self._shelf(owner).digests.get(conversation)

    async def digests(self, owner: Owner) -> tuple[Digest, ...]:
        with self._lock:
            return tuple(_in_order(self._shelf(owner).digests))

    def close(self) -> None:
        return None

    def _shelf(self, owner: Owner) -> _Shelf:
        return self._shelves.get(owner, _Shelf())

    def _expire(self, now: datetime) -> None:
        if self._soonest is None or now < self._soonest:
            return
        self._soonest = None
        for shelf in self._shelves.values():
            shelf.expire(now)
            for entry in shelf.entries.values():
                self._soonest = _sooner(self._soonest, entry.fact.expires)


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    moments = [moment for moment in (one, other) if moment is not None]
    return min(moments, default=None)


def _is_alive(fact: Fact, now: datetime) -> bool:
    return fact.expires is None or fact.expires > now


def _in_order(digests: Mapping[str, Digest]) -> list[Digest]:
    return sorted(digests.values(), key=lambda digest: (digest.at, digest.conversation))


def _points(entry: Indexed, weighed: Mapping[str, int]) -> int:
    return sum(weight * entry.impacts.get(term, 0) for term, weight in weighed.items())
