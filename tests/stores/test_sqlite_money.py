import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.policy.holds import Extend, Hold, TopUp
from holdfast.ports import CallQuery, SpendQuery
from holdfast.stores import sqlite as store_module
from holdfast.stores import sqlite_file, sqlite_money
from holdfast.stores.rows import CALL_COLUMNS, call_columns
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing import FakeClock
from holdfast.testing.conformance import a_record, an_attempt
from holdfast.testing.conformance_attempts import sums_agree
from holdfast.testing.conformance_records import AT, DOLLAR, NANO_DOLLAR, a_limit, held_by, hold


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holdfast.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.2)
    monkeypatch.setattr(store_module, "PATIENCE", 0.6)


CALLED_THEN = CALL_COLUMNS[: CALL_COLUMNS.index("outcome")]
"""What was kept of a call before it had a story."""


def an_old_file(path: Path, *costs: int | None) -> None:
    """A file of the first holdfast: calls with costs, and no attempts."""
    script = files("holdfast.stores").joinpath("sql", "sqlite_0001.sql").read_text("utf-8")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        for number, cost in enumerate(costs):
            known = call_columns(a_record(f"hfr_old_{number}", cost_pico=cost))
            columns = {name: known[name] for name in CALLED_THEN}
            names = ", ".join(f'"{name}"' for name in columns)
            db.execute(
                f"INSERT INTO calls ({names}) VALUES ({', '.join('?' * len(columns))})", [*columns.values()]
            )
        sums = {
            "calls": len(costs),
            "input_tokens": 10 * len(costs),
            "output_tokens": 7 * len(costs),
            "cost_pico": sum(cost or 0 for cost in costs),
            "unpriced": costs.count(None),
        }
        db.executemany(
            "UPDATE totals SET value = ? WHERE name = ?", [(str(value), name) for name, value in sums.items()]
        )
        db.execute("PRAGMA user_version = 1")
        db.commit()


async def test_a_file_of_the_first_holdfast_keeps_its_calls_and_its_sums(path: Path) -> None:
    an_old_file(path, 100, None, 2**70)
    store = SqliteStore(path)
    assert await store.find("hfr_old_2") == a_record("hfr_old_2", cost_pico=2**70)
    before = await store.totals()
    assert (before.calls, before.cost_pico, before.unpriced) == (3, 100 + 2**70, 1)
    await store.settle([an_attempt("hfr_new", cost_pico=5), an_attempt("hfr_none", cost_pico=None)])
    await store.record(a_record("hfr_new", cost_pico=5))
    after = await store.totals()
    assert (after.calls, after.cost_pico, after.unpriced) == (4, 105 + 2**70, 2)
    assert (after.input_tokens, after.output_tokens) == (50, 35)
    await store.aclose()
    again = SqliteStore(path)
    assert await again.totals() == after
    await again.aclose()


async def test_a_migration_that_fails_leaves_the_old_file_as_it_was(path: Path) -> None:
    an_old_file(path, 100)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE register (mine)")
    with pytest.raises(StoreUnavailable, match="register"):
        SqliteStore(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'attempts'").fetchone() == (0,)


def scribble_over(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


Verb = Callable[[SqliteStore], Awaitable[object]]

WRITES: dict[str, Verb] = {
    "settle": lambda store: store.settle([an_attempt("hfr_9")]),
    "reserve": lambda store: hold(store, "hfr_9", a_limit()),
    "extend": lambda store: store.extend([Extend(id="hfr_1/1", presumed=1, lease=1.0)]),
    "top_up": lambda store: store.top_up(TopUp(id="hfr_1/1", amount=2 * DOLLAR)),
    "sweep": lambda store: store.sweep(),
    "reprice": lambda store: store.reprice({"hfr_2/1": (1, "new")}),
    "prune": lambda store: store.prune(AT),
    "enter": lambda store: store.enter("run", None, None, AT),
    "put": lambda store: store.put("budget", "a", b"{}", actor="me"),
    "drop": lambda store: store.drop("budget", "a", actor="me"),
}
READS: dict[str, Verb] = {
    "find": lambda store: store.find("hfr_1"),
    "attempts_of": lambda store: store.attempts_of("hfr_1"),
    "attempts": lambda store: store.attempts(),
    "totals": lambda store: store.totals(),
    "calls": lambda store: store.calls(CallQuery()),
    "spend": lambda store: store.spend(SpendQuery(by=("day",))),
    "used": lambda store: store.used(["day"]),
    "held": lambda store: store.held(),
    "run": lambda store: store.run("run"),
    "runs": lambda store: store.runs(5),
    "entries": lambda store: store.entries("budget"),
    "revision": lambda store: store.revision(),
    "audit": lambda store: store.audit(5),
}


@pytest.mark.usefixtures("impatient")
async def test_a_locked_file_refuses_every_write_in_time_and_answers_every_read(path: Path) -> None:
    store = SqliteStore(path)
    await held_by(store, "hfr_1", a_limit())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.perf_counter()
        answers = await asyncio.gather(*(do(store) for do in WRITES.values()), return_exceptions=True)
        assert time.perf_counter() - started < 1.5
        assert [type(answer) for answer in answers] == [StoreUnavailable] * len(WRITES)
        for read in READS.values():
            await read(store)
        other.execute("ROLLBACK")
    await store.check()
    assert isinstance(await hold(store, "hfr_5", a_limit()), Hold)
    await store.aclose()


@pytest.mark.parametrize("verb", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
async def test_every_verb_of_a_closed_store_says_so_at_once(path: Path, verb: Verb) -> None:
    store = SqliteStore(path)
    await store.aclose()
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(asyncio.ensure_future(verb(store)), 1.0)


async def test_a_file_that_is_overwritten_under_way_is_reported_and_nothing_hangs(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(200):
        await store.settle([an_attempt(f"hfr_{number}")])
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    scribble_over(path)
    answers = await asyncio.wait_for(
        asyncio.gather(*(do(store) for do in (*WRITES.values(), *READS.values())), return_exceptions=True),
        8.0,
    )
    assert any(isinstance(answer, StoreUnavailable) for answer in answers)
    assert all(isinstance(a, StoreUnavailable) for a in answers if isinstance(a, BaseException))
    await asyncio.wait_for(store.aclose(), 5.0)


async def test_what_a_row_says_in_no_known_form_is_reported_and_the_store_goes_on(path: Path) -> None:
    store = SqliteStore(path)
    await held_by(store, "hfr_1", a_limit())
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE attempts SET limits = 'no JSON'")
        db.commit()
    for verb in (store.held(), store.settle([an_attempt("hfr_1")])):
        with pytest.raises(StoreUnavailable):
            await verb
    await store.settle([an_attempt("hfr_2")])
    await store.aclose()


async def test_a_disk_without_room_refuses_and_heals(path: Path) -> None:
    store = SqliteStore(path)
    await store.check()
    await store._worker.write(lambda sheet: sheet.db.execute("PRAGMA max_page_count = 1").fetchall())  # pyright: ignore[reportPrivateUsage]
    big = replace(an_attempt("hfr_big"), kind="x" * 2_000_000)
    with pytest.raises(StoreUnavailable, match="full"):
        await store.settle([big])
    await store._worker.write(lambda sheet: sheet.db.execute("PRAGMA max_page_count = 1000000").fetchall())  # pyright: ignore[reportPrivateUsage]
    await store.settle([big])
    await store.aclose()


async def test_amounts_beyond_63_bits_fail_alone(path: Path) -> None:
    store = SqliteStore(path)
    answers = await asyncio.gather(
        *(hold(store, f"hfr_{n}", a_limit(nano=None), amount=DOLLAR) for n in range(20)),
        hold(store, "hfr_huge", a_limit(nano=None), amount=2**64),
        store.settle([an_attempt("hfr_more", cost_pico=2**63)]),
        *(hold(store, f"hfr_{n}", a_limit(nano=None), amount=DOLLAR) for n in range(20, 40)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [type(answer) for answer in refused] == [StoreUnavailable] * 2
    assert await store.used(["day"]) == {"day": (0, 40 * NANO_DOLLAR)}
    await store.aclose()


async def test_a_sum_that_would_outgrow_its_column_is_refused_not_rounded(path: Path) -> None:
    store = SqliteStore(path)
    await store.settle([an_attempt("hfr_1", cost_pico=2**62)])
    with pytest.raises(StoreUnavailable):
        await store.settle([an_attempt("hfr_2", cost_pico=2**62)])
    await store.settle([an_attempt("hfr_3", cost_pico=2**62 - 1)])
    assert (await store.totals()).cost_pico == 2**63 - 1
    await sums_agree(store)
    await store.aclose()


async def test_what_is_long_goes_on_in_several_transactions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_money, "SWEEP", 7)
    monkeypatch.setattr(sqlite_money, "PRUNE", 3)
    monkeypatch.setattr(store_module, "REPRICE", 4)
    clock = FakeClock()
    store = SqliteStore(path, clock=clock)
    for number in range(20):
        await held_by(store, f"hfr_{number}", a_limit(nano=None, alerts=(NANO_DOLLAR, 4 * NANO_DOLLAR)))
    clock.advance(61)
    swept = await store.sweep()
    assert swept.expired == 20
    assert [crossing.threshold for crossing in swept.crossings] == [NANO_DOLLAR, 4 * NANO_DOLLAR]
    assert await store.held() == ()
    await store.settle([an_attempt(f"hfr_{number}", cost_pico=1) for number in range(20)])
    assert await store.reprice({f"hfr_{number}/1": (2, "new") for number in range(20)}) == 20
    assert (await store.totals()).cost_pico == 40
    assert await store.prune(AT) == 0
    assert await store.prune(clock.now()) == 20
    await store.aclose()


async def test_a_timezone_that_nobody_knows_is_the_callers_fault(path: Path) -> None:
    store = SqliteStore(path)
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(ConfigError) as caught:
            await store.spend(SpendQuery(by=("day",), timezone=name))
        assert "시간대" in caught.value.say("ko")
    await store.aclose()


async def test_a_hold_that_nobody_waits_for_any_more_is_not_taken(path: Path) -> None:
    store = SqliteStore(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        first = asyncio.ensure_future(store.check())
        await asyncio.sleep(0.05)
        waiting = asyncio.ensure_future(hold(store, "hfr_1", a_limit()))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
    await first
    await store.check()
    assert await store.held() == ()
    assert await store.used(["day"]) == {}
    await store.aclose()


async def test_a_file_that_turns_read_only_refuses_every_write_and_answers_every_read(path: Path) -> None:
    store = SqliteStore(path)
    await held_by(store, "hfr_1", a_limit())
    # Who may do anything may write to any file, so the connection is made to refuse instead.
    await store._worker.write(lambda sheet: sheet.db.execute("PRAGMA query_only = 1").fetchall())  # pyright: ignore[reportPrivateUsage]
    for write in WRITES.values():
        with pytest.raises(StoreUnavailable, match="readonly"):
            await write(store)
    for read in READS.values():
        await read(store)
    await store.aclose()


def test_many_processes_may_bring_an_old_file_up_to_date_at_once(path: Path) -> None:
    an_old_file(path, *range(50))
    program = (
        "import asyncio, sys, pathlib\n"
        "from holdfast.stores.sqlite import SqliteStore\n"
        "from holdfast.testing.conformance import an_attempt\n"
        "async def main():\n"
        "    store = SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "    await store.settle([an_attempt(f'hfr_{sys.argv[2]}', cost_pico=1)])\n"
        "    await store.aclose()\n"
        "asyncio.run(main())\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(number)], stderr=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    assert [writer.communicate()[1] for writer in writers] == [""] * 4

    async def sums() -> tuple[int, int]:
        store = SqliteStore(path)
        totals = await store.totals()
        await store.aclose()
        return totals.calls, totals.cost_pico

    assert asyncio.run(sums()) == (50, sum(range(50)) + 4)
