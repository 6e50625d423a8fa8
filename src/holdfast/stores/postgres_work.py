"""What is asked of a PostgreSQL store in one transaction, for as many as ask at the same time.

Locks are taken in one order everywhere, so that workers wait for each other and never in a circle: attempts by
id, counters by key, sums by group, totals, runs by name, the revision of the register.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from holdfast.policy.holds import Crossing, Denied, Extend, Hold, Reserve, TopUp
from holdfast.ports import AttemptRecord, CallRecord, RunRecord, Swept
from holdfast.stores import postgres_register as register
from holdfast.stores.draft import Draft, mended_call, windows_of
from holdfast.stores.lineage import entered, joined
from holdfast.stores.postgres_link import Db
from holdfast.stores.postgres_table import (
    MEND_CALL,
    NOW,
    SELECT_ATTEMPTS,
    SELECT_CALLS,
    add_sums,
    lock_attempts,
    lock_counters,
    lock_runs,
    make_counters,
    to_attempt,
    to_call,
    write_attempts,
    write_calls,
    write_counters,
    write_runs,
)

SWEPT = 500
"""Holds that one transaction expires at most."""

DUE = (
    f"SELECT id FROM attempts WHERE state = 'held' AND lease_until <= (SELECT {NOW})"
    f" ORDER BY lease_until LIMIT {SWEPT} FOR UPDATE SKIP LOCKED"
)


@dataclass(frozen=True, slots=True)
class Reserving:
    """`Holds.reserve`."""

    verb: Reserve
    attempt: AttemptRecord


@dataclass(frozen=True, slots=True)
class Extending:
    """`Holds.extend`."""

    verbs: tuple[Extend, ...]


@dataclass(frozen=True, slots=True)
class ToppingUp:
    """`Holds.top_up`."""

    verb: TopUp


@dataclass(frozen=True, slots=True)
class Settling:
    """`Ledger.settle`."""

    attempts: tuple[AttemptRecord, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """`Ledger.record`; without a call, only to find out whether a commit goes through."""

    call: CallRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """`Runs.enter`."""

    run: str
    agent: str | None
    parent: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """`Register.put`, or `Register.drop` where there is no body."""

    kind: str
    name: str
    body: bytes | None
    actor: str
    note: str


Work = Reserving | Extending | ToppingUp | Settling | Recording | Entering | Filing


Answer = Hold | Denied | RunRecord | tuple[Crossing, ...] | int | None
"""What the verbs answer, each its own."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that somebody waits for."""

    work: Work
    done: Future[Any] = field(default_factory=Future[Any])


async def perform(db: Db, works: Sequence[Work]) -> list[Answer]:
    """Do all of it, in its order, inside the transaction that is open; the answers, once it is committed."""
    # Those that only write a call down lock nothing and need no clock.
    touched = {name for work in works for name in _attempts_of(work)}
    wanted = {key for work in works if isinstance(work, Reserving) for key in windows_of(work.verb)}
    now = await make_counters(db, wanted) if touched else 0.0
    draft = await _read(db, touched, wanted)
    known = set(draft.filed)
    answers = [_apply(draft, work, now) for work in works]
    calls = [work.call for work in works if isinstance(work, Recording) and work.call is not None]
    await _write(db, draft, known)
    await add_sums(db, draft.sums, calls=await write_calls(db, calls))
    await _mend(db, draft.mended)
    runs = await _write_runs(db, draft, [work for work in works if isinstance(work, Entering)])
    filed = [await _file(db, work) for work in works if isinstance(work, Filing)]
    return [_answer(work, answer, runs, filed) for work, answer in zip(works, answers, strict=True)]


def _answer(work: Work, answer: Answer, runs: list[RunRecord], filed: list[int | bool]) -> Answer:
    match work:
        case Entering():
            return runs.pop(0)
        case Filing():
            return filed.pop(0)
        case Reserving() | Extending() | ToppingUp() | Settling() | Recording():
            return answer


async def _file(db: Db, work: Filing) -> int | bool:
    if work.body is None:
        return await register.drop(db, work.kind, work.name, actor=work.actor, note=work.note)
    return await register.put(db, work.kind, work.name, work.body, actor=work.actor, note=work.note)


async def expire(db: Db) -> Swept:
    """Expire holds whose lease is over and that nobody else has under lock."""
    names = [row["id"] for row in await db.fetch(DUE)]
    if not names:
        return Swept()
    now = await make_counters(db, ())
    draft = await _read(db, names, ())
    known = set(draft.filed)
    expired = sum(draft.expire(name, now=now) for name in names)
    await _keep(db, draft, known)
    return Swept(expired=expired, crossings=draft.crossings)


async def reprice(db: Db, costs: Mapping[str, tuple[int, str]]) -> int:
    """Give settled attempts another price; how many changed."""
    draft = await _read(db, costs, ())
    known = set(draft.filed)
    changed = sum(draft.reprice(name, *costs[name]) for name in sorted(costs))
    await _keep(db, draft, known)
    return changed


def _attempts_of(work: Work) -> Sequence[str]:
    match work:
        case Reserving(verb=verb) | ToppingUp(verb=verb):
            return (verb.id,)
        case Extending(verbs=verbs):
            return [verb.id for verb in verbs]
        case Settling(attempts=attempts):
            return [attempt.id for attempt in attempts]
        case Recording() | Entering() | Filing():
            return ()


async def _read(db: Db, names: Collection[str], wanted: Collection[str]) -> Draft:
    filed = await lock_attempts(db, names)
    keys = {*wanted, *(key for one in filed.values() for key in windows_of(one.hold))}
    return Draft(filed=filed, counters=await lock_counters(db, keys))


def _apply(draft: Draft, work: Work, now: float) -> Answer:
    match work:
        case Reserving(verb=verb, attempt=attempt):
            return draft.reserve(verb, attempt, now=now)
        case Extending(verbs=verbs):
            for extend in verbs:
                draft.extend(extend, now=now)
            return None
        case ToppingUp(verb=verb):
            return draft.top_up(verb, now=now)
        case Settling(attempts=attempts):
            before = len(draft.crossings)
            for attempt in attempts:
                draft.settle(attempt, now=now)
            return draft.crossings[before:]
        case Recording() | Entering() | Filing():
            return None


async def _keep(db: Db, draft: Draft, known: Collection[str]) -> None:
    await _write(db, draft, known)
    await add_sums(db, draft.sums, calls=0)
    await _mend(db, draft.mended)
    await _write_runs(db, draft, ())


async def _write(db: Db, draft: Draft, known: Collection[str]) -> None:
    await write_attempts(db, draft.changed, known)
    await write_counters(db, draft.changed_counters())


async def _mend(db: Db, request_ids: Collection[str]) -> None:
    """Give calls the cost that their attempts have by now."""
    for request_id in sorted(request_ids):
        row = await db.fetchrow(f"{SELECT_CALLS} WHERE request_id = $1 FOR UPDATE", request_id)
        if row is None:
            continue
        rows = await db.fetch(f"{SELECT_ATTEMPTS} WHERE request_id = $1 ORDER BY number", request_id)
        call = mended_call(to_call(row), [to_attempt(one) for one in rows])
        await db.execute(MEND_CALL, request_id, call.cost_pico, call.price_version)


async def _write_runs(db: Db, draft: Draft, entering: Sequence[Entering]) -> list[RunRecord]:
    """Charge the runs of settled attempts, enter those that begin; how each of the latter then stands."""
    begun = {work.run for work in entering}
    runs = await lock_runs(db, {*draft.runs, *begun}, with_agents=begun)
    for run, more in draft.runs.items():
        runs[run] = joined(runs.get(run), more)
    answers: list[RunRecord] = []
    for work in entering:
        known = runs.get(work.run)
        record = entered(known, run=work.run, agent=work.agent, parent=work.parent, at=work.at)
        runs[work.run] = record
        answers.append(record)
    await write_runs(db, runs.values(), with_agents=begun)
    return answers
