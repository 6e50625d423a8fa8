"""A PostgreSQL that is stopped, frozen, restarted, emptied or in somebody else's hands."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.policy.holds import Extend, Hold, TopUp, nano
from holdfast.ports import CallQuery, SpendQuery
from holdfast.stores.open import open_store
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres_link import PATIENCE, session
from holdfast.testing.conformance_records import AT, NANO_DOLLAR, a_limit, a_record, an_attempt, held_by, hold
from tests.servers.fixtures import connected
from tests.servers.postgres import PostgresServer

LATE = PATIENCE + 0.1
"""Seconds within which every verb has answered or given up."""

BUSY = 0.9
"""Seconds more that a test allows itself on a machine that is busy with other things."""

VERBS: dict[str, Callable[[PostgresStore], Awaitable[object]]] = {
    "record": lambda store: store.record(a_record("hfr_1")),
    "settle": lambda store: store.settle([an_attempt("hfr_1")]),
    "reserve": lambda store: hold(store, "hfr_2", a_limit()),
    "extend": lambda store: store.extend([Extend(id="x", presumed=1, lease=1)]),
    "top_up": lambda store: store.top_up(TopUp(id="x", amount=1)),
    "sweep": lambda store: store.sweep(),
    "used": lambda store: store.used(["day"]),
    "held": lambda store: store.held(),
    "find": lambda store: store.find("hfr_1"),
    "newest": lambda store: store.newest(1),
    "calls": lambda store: store.calls(CallQuery()),
    "attempts_of": lambda store: store.attempts_of("hfr_1"),
    "attempts": lambda store: store.attempts(),
    "reprice": lambda store: store.reprice({"x": (1, "v")}),
    "totals": lambda store: store.totals(),
    "spend": lambda store: store.spend(SpendQuery()),
    "prune": lambda store: store.prune(AT),
    "check": lambda store: store.check(),
    "enter": lambda store: store.enter("run", None, None, AT),
    "run": lambda store: store.run("run"),
    "runs": lambda store: store.runs(1),
    "put": lambda store: store.put("k", "n", b"", actor="me"),
    "drop": lambda store: store.drop("k", "n", actor="me"),
    "entries": lambda store: store.entries("k"),
    "revision": lambda store: store.revision(),
    "audit": lambda store: store.audit(1),
}


@pytest.fixture
def server(postgres_server: PostgresServer) -> PostgresServer:
    return postgres_server


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[PostgresStore]:
    """On a server without any tables but those that the store itself makes."""
    async with connected(server.url) as db:
        await db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    store = PostgresStore(server.url)
    yield store
    await store.aclose()


@asynccontextmanager
async def frozen(server: PostgresServer) -> AsyncGenerator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def fails_in_time(verb: Awaitable[object]) -> None:
    begun = SYSTEM_CLOCK.monotonic()
    with pytest.raises(StoreUnavailable):
        await verb
    assert SYSTEM_CLOCK.monotonic() - begun < LATE + BUSY


async def works_again(store: PostgresStore) -> None:
    """Within two seconds, asked again and again as callers do."""
    end = SYSTEM_CLOCK.monotonic() + 2 + BUSY
    while True:
        try:
            await asyncio.gather(*(verb(store) for verb in VERBS.values()))
        except StoreUnavailable:
            assert SYSTEM_CLOCK.monotonic() < end
            await asyncio.sleep(0.05)
        else:
            return


async def test_every_verb_gives_up_in_time_when_the_database_is_frozen(
    server: PostgresServer, store: PostgresStore
) -> None:
    await works_again(store)
    async with frozen(server):
        await asyncio.gather(*(fails_in_time(verb(store)) for verb in VERBS.values()))
        await asyncio.gather(*(fails_in_time(verb(store)) for verb in VERBS.values()))
    await works_again(store)


async def test_a_store_that_never_had_a_connection_gives_up_in_time_too(
    server: PostgresServer, store: PostgresStore
) -> None:
    async with frozen(server):
        await asyncio.gather(fails_in_time(store.check()), fails_in_time(store.totals()))
    await works_again(store)


async def test_every_verb_gives_up_at_once_when_the_database_is_stopped_and_works_when_it_is_back(
    server: PostgresServer, store: PostgresStore
) -> None:
    await works_again(store)
    taken = await held_by(store, "hfr_kept", a_limit())
    server.stop()
    try:
        await asyncio.gather(*(fails_in_time(verb(store)) for verb in VERBS.values()))
    finally:
        server.start()
    await works_again(store)
    assert taken in await store.held()


async def test_a_gateway_may_start_before_its_database(server: PostgresServer, store: PostgresStore) -> None:
    server.stop()
    try:
        await fails_in_time(store.check())
    finally:
        server.start()
    await works_again(store)


async def test_a_database_that_comes_back_empty_gets_its_tables_again(
    server: PostgresServer, store: PostgresStore
) -> None:
    await works_again(store)
    server.restart_empty()
    await works_again(store)


async def test_a_frozen_database_is_left_without_locks_and_without_open_transactions(
    server: PostgresServer, store: PostgresStore
) -> None:
    await held_by(store, "hfr_1", a_limit())
    holds = [asyncio.ensure_future(hold(store, f"hfr_{number}", a_limit())) for number in range(2, 200)]
    await asyncio.sleep(0.005)
    async with frozen(server):
        await asyncio.wait(holds)
        assert all(isinstance(task.exception(), StoreUnavailable) or task.result() for task in holds)
    await works_again(store)
    async with connected(server.url) as db:
        assert await db.fetchval("SELECT count(*) FROM pg_stat_activity WHERE state ~ 'in transaction'") == 0
        await db.execute("SET lock_timeout = '200ms'")
        assert await db.fetch("SELECT FROM counters FOR UPDATE")


async def test_no_hold_is_half_there_after_a_crash_under_load(
    server: PostgresServer, store: PostgresStore
) -> None:
    limit = a_limit("crash", nano=None)
    taken: list[str] = []

    async def take(number: int) -> None:
        answer = await hold(store, f"hfr_crash_{number}", limit, amount=1_000)
        assert isinstance(answer, Hold)
        taken.append(answer.id)

    await take(-1)
    takes = asyncio.gather(*(take(number) for number in range(1_000)), return_exceptions=True)
    await asyncio.sleep(0.02)
    await asyncio.to_thread(server.kill)
    assert {type(answer) for answer in await takes} <= {type(None), StoreUnavailable}
    await asyncio.to_thread(server.start)
    await works_again(store)
    crashed = [one for one in await store.held() if one.windows == ("crash",)]
    assert {one.id for one in crashed} >= set(taken)
    assert await store.used(["crash"]) == {"crash": (0, sum(nano(one.amount) for one in crashed))}


async def test_a_lock_that_somebody_else_keeps_is_not_waited_for(
    server: PostgresServer, store: PostgresStore
) -> None:
    await held_by(store, "hfr_1", a_limit())
    async with connected(server.url) as db, db.transaction():
        await db.execute("SELECT FROM counters FOR UPDATE")
        await fails_in_time(hold(store, "hfr_2", a_limit()))
    assert isinstance(await hold(store, "hfr_3", a_limit()), Hold)


async def test_a_worker_that_stands_still_in_a_transaction_does_not_keep_its_locks(
    server: PostgresServer, store: PostgresStore
) -> None:
    await held_by(store, "hfr_2", a_limit())
    worker = await asyncpg.connect(server.url, server_settings=session(PATIENCE))
    await worker.execute("BEGIN")
    await worker.execute("SELECT FROM counters FOR UPDATE")
    await works_again(store)
    assert worker.is_closed()


async def test_a_text_that_cannot_be_stored_fails_alone(store: PostgresStore) -> None:
    await store.check()
    poisoned = [
        replace(an_attempt("hfr_zero"), payer=replace(an_attempt("x").payer, user="a\0b")),
        replace(an_attempt("hfr_half"), kind="\ud800"),
    ]
    whole = [an_attempt(f"hfr_{number}") for number in range(100)]
    answers = await asyncio.gather(
        *(store.settle([attempt]) for attempt in [*whole[:50], *poisoned, *whole[50:]]),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers if answer != ()] == [StoreUnavailable, StoreUnavailable]
    assert len(await store.attempts()) == 100


async def test_workers_that_start_at_once_make_the_tables_once(
    server: PostgresServer, store: PostgresStore
) -> None:
    workers = [PostgresStore(server.url) for _ in range(8)]
    await asyncio.gather(*(worker.record(a_record("hfr_1")) for worker in workers))
    assert (await store.totals()).calls == 1
    await asyncio.gather(*(worker.aclose() for worker in workers))


async def test_workers_that_settle_the_same_attempts_in_other_orders_do_not_stand_in_a_circle(
    server: PostgresServer, store: PostgresStore
) -> None:
    workers = [PostgresStore(server.url) for _ in range(4)]
    limits = [a_limit(f"w{number}", nano=None) for number in range(5)]
    ids = [f"hfr_{number}" for number in range(60)]
    for number, request_id in enumerate(ids):
        await held_by(store, request_id, limits[number % 5], limits[(number * 3 + 1) % 5], amount=1_000)
    over = [an_attempt(request_id, cost_pico=1_000) for request_id in ids]
    orders = [over, over[::-1], over[30:] + over[:30], over[::2] + over[1::2]]
    await asyncio.gather(
        *(worker.settle([one]) for worker, order in zip(workers, orders, strict=True) for one in order)
    )
    sums = await store.used([limit.window for limit in limits])
    assert sum(paid for paid, _ in sums.values()) == 2 * len(ids)
    assert {held for _, held in sums.values()} == {0}
    await asyncio.gather(*(worker.aclose() for worker in workers))


async def test_workers_that_take_the_same_hold_at_once_take_it_once(
    server: PostgresServer, store: PostgresStore
) -> None:
    workers = [PostgresStore(server.url) for _ in range(4)]
    answers = await asyncio.gather(
        *(hold(worker, f"hfr_{number}", a_limit(nano=None)) for number in range(40) for worker in workers)
    )
    assert {type(answer) for answer in answers} == {Hold}
    assert await store.used(["day"]) == {"day": (0, 40 * NANO_DOLLAR)}
    assert len(await store.held()) == 40
    await asyncio.gather(*(worker.aclose() for worker in workers))


def test_a_script_that_never_closes_its_store_ends_without_a_word(server: PostgresServer) -> None:
    script = (
        "import asyncio, sys; from holdfast.stores.open import open_store;"
        " asyncio.run(open_store(sys.argv[1]).totals())"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script, server.url], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_newer_holdfast_keeps_its_tables_to_itself(
    server: PostgresServer, store: PostgresStore
) -> None:
    await store.check()
    async with connected(server.url) as db:
        await db.execute("INSERT INTO holdfast_migrations VALUES (99)")
    older = PostgresStore(server.url)
    with pytest.raises(StoreUnavailable, match="newer holdfast"):
        await older.check()
    await older.aclose()


async def test_a_store_may_be_asked_from_any_event_loop(store: PostgresStore) -> None:
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            asyncio.run(store.record(a_record(f"hfr_{number}")))
        except StoreUnavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failures == []
    assert (await store.totals()).calls == 10


async def test_a_closed_store_says_so(server: PostgresServer) -> None:
    store = PostgresStore(server.url)
    await store.aclose()
    for verb in (store.check(), store.totals()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await verb


async def test_closing_while_the_database_is_frozen_does_not_hang(
    server: PostgresServer, store: PostgresStore
) -> None:
    await store.check()
    async with frozen(server):
        task = asyncio.ensure_future(store.record(a_record("hfr_1")))
        await asyncio.sleep(0.01)
        await asyncio.wait_for(store.aclose(), LATE + BUSY)
        with pytest.raises(StoreUnavailable):
            await task


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/x", "postgresql://h:no-port/x", "postgres://"]
)
async def test_an_address_where_no_database_is_fails_in_time(url: str) -> None:
    store = open_store(url)
    await fails_in_time(store.check())
    await store.aclose()


def test_a_missing_driver_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holdfast.stores.postgres", None)
    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[fleet\]'") as caught:
        open_store("postgresql://localhost/x")
    assert "pip install" in caught.value.say("ko")


def test_an_address_that_is_none_is_shown_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"postgressql://\*\*\*@host/db") as caught:
        open_store("postgressql://me:secret@host/db")
    assert "secret" not in caught.value.say("ko")
