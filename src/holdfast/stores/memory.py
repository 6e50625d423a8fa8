"""The reference store: everything in this process, gone when it ends."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime
from itertools import islice
from typing import TypeVar

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.policy.holds import EMPTY, Counter, Crossing, Denied, Extend, Hold, Reserve, TopUp
from holdfast.ports import (
    AttemptRecord,
    CallPage,
    CallQuery,
    CallRecord,
    RunRecord,
    Spend,
    SpendQuery,
    Swept,
    Totals,
    attempt_id,
)
from holdfast.stores.draft import NOTHING, Draft, Filed, Group, Sums, mended_call, windows_of
from holdfast.stores.lineage import entered, joined
from holdfast.stores.listing import in_memory
from holdfast.stores.memory_register import MemoryRegister
from holdfast.stores.memory_sessions import MemorySessions
from holdfast.stores.reports import Row, bounds, fold

K = TypeVar("K")
V = TypeVar("V")

KEPT = 10_000
"""How many calls, runs and attempts that are over are kept each; the totals go on counting."""

GROUPS = 100_000
"""How many sums by hour and group are kept; the oldest are forgotten first."""


class MemoryStore(MemoryRegister):
    """A bounded store in memory, safe from any thread; verbs as `holdfast.ports.Store`.

    What is over is forgotten at the bounds, oldest first; an attempt that was forgotten would count again if it
    came again. What is under way and the counters of budgets are never forgotten.
    """

    def __init__(self, keep: int = KEPT, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self._keep = keep
        self._calls: OrderedDict[str, CallRecord] = OrderedDict()
        self._count = 0
        self._held: dict[str, Filed] = {}
        self._over: OrderedDict[str, Filed] = OrderedDict()
        self._numbers: dict[str, set[int]] = {}
        self._counters: dict[str, Counter] = {}
        self._totals = NOTHING
        self._groups: OrderedDict[Group, Sums] = OrderedDict()
        self._runs: OrderedDict[str, RunRecord] = OrderedDict()
        self.sessions = MemorySessions(clock)

    async def record(self, entry: CallRecord) -> None:
        with self._lock:
            if entry.request_id not in self._calls:
                self._calls[entry.request_id] = entry
                self._count += 1
                _bound(self._calls, self._keep)

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        with self._lock:
            draft = self._draft([attempt.id for attempt in attempts])
            for attempt in attempts:
                draft.settle(attempt, now=self._now())
            return self._keep_all(draft)

    async def find(self, request_id: str) -> CallRecord | None:
        with self._lock:
            return self._calls.get(request_id)

    async def calls(self, query: CallQuery) -> CallPage:
        with self._lock:
            kept = tuple(self._calls.values())
        found = in_memory(kept, query)
        return replace(found, calls=tuple(_untold(call) for call in found.calls))

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        with self._lock:
            kept = tuple(islice(reversed(self._calls.values()), max(0, limit)))
        return tuple(_untold(call) for call in kept)

    async def attempts_of(self, request_id: str) -> tuple[AttemptRecord, ...]:
        with self._lock:
            return tuple(self._attempts_of(request_id))

    async def attempts(self, *, after: str | None = None, limit: int = 1000) -> tuple[AttemptRecord, ...]:
        with self._lock:
            ids = sorted(name for name in (*self._held, *self._over) if after is None or name > after)
            filed = self._load(ids[: max(0, limit)])
        return tuple(one.record for one in filed.values())

    async def reprice(self, costs: Mapping[str, tuple[int, str]]) -> int:
        with self._lock:
            draft = self._draft(costs)
            changed = [draft.reprice(name, cost, version) for name, (cost, version) in costs.items()]
            self._keep_all(draft)
            return sum(changed)

    async def totals(self) -> Totals:
        with self._lock:
            sums = self._totals
            return Totals(
                calls=self._count,
                input_tokens=sums.input_tokens,
                output_tokens=sums.output_tokens,
                cost_pico=sums.cost_pico,
                unpriced=sums.unpriced,
            )

    async def spend(self, query: SpendQuery) -> tuple[Spend, ...]:
        since, until = bounds(query)
        with self._lock:
            rows = [_row(group, sums) for group, sums in self._groups.items() if since <= group.hour < until]
        return fold(rows, query)

    async def prune(self, before: datetime) -> int:
        with self._lock:
            calls = [name for name, call in self._calls.items() if call.at < before]
            attempts = [
                name
                for name, filed in self._over.items()
                if filed.record.at < before and filed.record.state != "expired"
            ]
            for name in calls:
                del self._calls[name]
            for name in attempts:
                self._forget(self._over.pop(name))
        return len(calls) + len(attempts) + self.sessions.prune(before)

    async def check(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        with self._lock:
            draft = self._draft([verb.id], windows_of(verb))
            answer = draft.reserve(verb, attempt, now=self._now())
            self._keep_all(draft)
            return answer

    async def extend(self, verbs: Sequence[Extend]) -> None:
        with self._lock:
            draft = self._draft([verb.id for verb in verbs])
            for verb in verbs:
                draft.extend(verb, now=self._now())
            self._keep_all(draft)

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        with self._lock:
            draft = self._draft([verb.id])
            answer = draft.top_up(verb, now=self._now())
            self._keep_all(draft)
            return answer

    async def sweep(self) -> Swept:
        with self._lock:
            now = self._now()
            held = sorted((filed.hold for filed in self._held.values()), key=lambda hold: hold.lease_until)
            due = [hold.id for hold in held if hold.lease_until <= now]
            draft = self._draft(due)
            expired = sum(draft.expire(name, now=now) for name in due)
            return Swept(expired=expired, crossings=self._keep_all(draft))

    async def used(self, windows: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        with self._lock:
            known = {key: self._counters[key] for key in windows if key in self._counters}
        return {key: (counter.settled, counter.reserved) for key, counter in known.items()}

    async def held(self) -> tuple[Hold, ...]:
        with self._lock:
            return tuple(self._held[name].hold for name in sorted(self._held))

    async def enter(self, run: str, agent: str | None, parent: str | None, at: datetime) -> RunRecord:
        with self._lock:
            record = entered(self._runs.get(run), run=run, agent=agent, parent=parent, at=at)
            self._keep_run(record)
            return record

    async def run(self, run: str) -> RunRecord | None:
        with self._lock:
            return self._runs.get(run)

    async def runs(self, limit: int) -> tuple[RunRecord, ...]:
        with self._lock:
            newest = sorted(self._runs.values(), key=lambda run: run.last_at, reverse=True)
        return tuple(newest[: max(0, limit)])

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _load(self, ids: Iterable[str]) -> dict[str, Filed]:
        found = {name: self._held.get(name) or self._over.get(name) for name in ids}
        return {name: filed for name, filed in found.items() if filed is not None}

    def _attempts_of(self, request_id: str) -> list[AttemptRecord]:
        numbers = sorted(self._numbers.get(request_id, ()))
        return [one.record for one in self._load(attempt_id(request_id, n) for n in numbers).values()]

    def _draft(self, ids: Iterable[str], windows: Iterable[str] = ()) -> Draft:
        filed = self._load(ids)
        keys = {*windows, *(key for one in filed.values() for key in windows_of(one.hold))}
        return Draft(filed=filed, counters={key: self._counters.get(key, EMPTY) for key in keys})

    def _keep_all(self, draft: Draft) -> tuple[Crossing, ...]:
        self._counters.update(draft.changed_counters())
        for filed in draft.changed.values():
            self._file(filed)
        for group, sums in draft.sums.items():
            self._totals = self._totals.plus(sums)
            self._groups[group] = self._groups.get(group, NOTHING).plus(sums)
        _bound(self._groups, GROUPS)
        for run, more in draft.runs.items():
            self._keep_run(joined(self._runs.get(run), more))
        for request_id in draft.mended & self._calls.keys():
            self._calls[request_id] = mended_call(self._calls[request_id], self._attempts_of(request_id))
        return draft.crossings

    def _file(self, filed: Filed) -> None:
        record = filed.record
        self._held.pop(record.id, None)
        if record.state == "held":
            self._held[record.id] = filed
        else:
            self._over[record.id] = filed
        self._numbers.setdefault(record.request_id, set()).add(record.number)
        while len(self._over) > self._keep:
            self._forget(self._over.popitem(last=False)[1])

    def _forget(self, filed: Filed) -> None:
        record = filed.record
        numbers = self._numbers[record.request_id]
        numbers.discard(record.number)
        if not numbers:
            del self._numbers[record.request_id]

    def _keep_run(self, run: RunRecord) -> None:
        self._runs[run.run] = run
        self._runs.move_to_end(run.run)
        _bound(self._runs, self._keep)


def _bound(kept: OrderedDict[K, V], size: int) -> None:
    while len(kept) > size:
        kept.popitem(last=False)


def _untold(call: CallRecord) -> CallRecord:
    """A call as lists have it: without its story."""
    return call if call.story is None else replace(call, story=None)


def _row(group: Group, sums: Sums) -> Row:
    values = (group.model, group.upstream, group.key, group.user, group.run)
    return group.hour, values, astuple(sums)
