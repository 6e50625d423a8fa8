"""A store in memory that looks at its budgets whenever one of its verbs is done."""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

from holdfast.clock import Clock
from holdfast.policy.holds import Counter, Crossing, Denied, Extend, Hold, Limit, Reserve, TopUp
from holdfast.ports import AttemptRecord, CallRecord
from holdfast.stores.draft import Filed
from holdfast.stores.memory import KEPT, MemoryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """A moment at which more was paid and promised in a window than its limit; amounts in nano-dollars."""

    limit: Limit
    used: int
    by: str


class Book(MemoryStore):
    """Remembers what was written, what was promised for it, and every moment at which a limit was passed."""

    def __init__(self, keep: int = KEPT, *, clock: Clock) -> None:
        super().__init__(keep=keep, clock=clock)
        self.written: list[CallRecord] = []
        self.promised: dict[str, tuple[Limit, ...]] = {}
        self.denied: list[str] = []
        self.overruns: list[Overrun] = []
        self.looks = 0

    @property
    def counters(self) -> MutableMapping[str, Counter]:
        """Every window that was ever counted in."""
        return self._counters

    @property
    def under_way(self) -> MutableMapping[str, Filed]:
        """Every attempt that money is held for."""
        return self._held

    @property
    def over(self) -> MutableMapping[str, Filed]:
        """Every attempt that is over, as it is kept."""
        return self._over

    async def record(self, entry: CallRecord) -> None:
        self.written.append(entry)
        await super().record(entry)

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        found = await super().reserve(verb, attempt)
        if isinstance(found, Denied):
            self.denied.append(verb.id)
        else:
            self.promised[verb.id] = verb.limits
        self._look(verb.id, "reserve")
        return found

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        found = await super().top_up(verb)
        self._look(verb.id, "top_up")
        return found

    async def extend(self, verbs: Sequence[Extend]) -> None:
        await super().extend(verbs)
        for verb in verbs:
            self._look(verb.id, "extend")

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        found = await super().settle(attempts)
        for attempt in attempts:
            self._look(attempt.id, "settle")
        return found

    def forget(self) -> None:
        """Let go of what was seen; the store goes on counting."""
        for kept in (self.written, self.promised, self.denied, self.overruns):
            kept.clear()

    def _look(self, attempt: str, verb: str) -> None:
        self.looks += 1
        for limit in self.promised.get(attempt, ()):
            used = sum(self._counters[key].used for key in limit.counted if key in self._counters)
            if limit.nano is not None and used > limit.nano:
                self.overruns.append(Overrun(limit=limit, used=used, by=f"{verb} {attempt}"))
