import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.stores import sqlite as store
from holdfast.stores import sqlite_file
from holdfast.stores.memory import MemoryStore
from holdfast.stores.open import open_store
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.conformance import (
    a_record,
    an_attempt,
    no_limit_is_passed_while_workers_are_killed,
    what_was_acknowledged_survives_kill_9,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holdfast.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT", 0.2)
    monkeypatch.setattr(store, "PATIENCE", 0.6)


@contextlib.contextmanager
def held_by_another(path: Path) -> Generator[sqlite3.Connection]:
    """Another connection in the middle of a write."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("ROLLBACK")
    finally:
        other.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def speaks_both_languages(error: StoreUnavailable) -> bool:
    return "holdfast.db" in error.say("en") and "holdfast.db" in error.say("ko") and "원장" in error.say("ko")


async def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    await what_was_acknowledged_survives_kill_9(f"sqlite:///{path}")


async def test_no_limit_is_passed_while_workers_are_killed(path: Path) -> None:
    await no_limit_is_passed_while_workers_are_killed(f"sqlite:///{path}")


async def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    old = os.umask(0)
    try:
        ledger = SqliteStore(folder / "holdfast.db")
        await ledger.record(a_record("hfr_1"))
        assert mode(folder) == 0o700
        assert {file.name: mode(file) for file in folder.iterdir()} == {
            "holdfast.db": 0o600,
            "holdfast.db-shm": 0o600,
            "holdfast.db-wal": 0o600,
        }
        await ledger.aclose()
    finally:
        os.umask(old)


async def test_every_commit_is_synced_and_written_ahead(path: Path) -> None:
    ledger = SqliteStore(path)
    await ledger.aclose()
    with contextlib.closing(sqlite_file.open_file(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_file_that_is_no_database_is_refused_in_both_languages(path: Path) -> None:
    path.write_bytes(b"this is a letter to my aunt, and no database at all" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(path)
    assert speaks_both_languages(caught.value)


@pytest.mark.usefixtures("impatient")
def test_a_file_that_another_keeps_for_himself_is_reported_within_its_time(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.perf_counter()
        with pytest.raises(StoreUnavailable, match="locked") as caught:
            SqliteStore(path)
        assert time.perf_counter() - started < 1.5
        other.execute("ROLLBACK")
    assert speaks_both_languages(caught.value)


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path / "file" / "holdfast.db")
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path)


def test_a_file_of_a_newer_holdfast_is_left_alone(path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreUnavailable, match="newer holdfast") as caught:
        SqliteStore(path)
    assert speaks_both_languages(caught.value)


def test_a_file_whose_tables_are_somebody_elses_is_refused_untouched(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE totals (mine)")
    with pytest.raises(StoreUnavailable):
        SqliteStore(path)
    with contextlib.closing(sqlite3.connect(path)) as other:
        tables = [name for (name,) in other.execute("SELECT name FROM sqlite_master")]
    assert tables == ["totals"]


def test_a_writer_that_cannot_open_leaves_no_reader_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []
    once = sqlite_file.open_file

    def open_once(path: Path) -> sqlite3.Connection:
        if opened:
            raise StoreUnavailable("no more")
        opened.append(once(path))
        return opened[0]

    monkeypatch.setattr(store, "open_file", open_once)
    with pytest.raises(StoreUnavailable):
        SqliteStore(path)
    with pytest.raises(sqlite3.ProgrammingError):
        opened[0].execute("SELECT 1")


@pytest.mark.usefixtures("impatient")
async def test_a_locked_file_is_reported_within_its_time_and_heals(path: Path) -> None:
    ledger = SqliteStore(path)
    with held_by_another(path):
        started = time.perf_counter()
        with pytest.raises(StoreUnavailable, match="locked") as caught:
            await ledger.record(a_record("hfr_1"))
        assert time.perf_counter() - started < 1.0
        assert speaks_both_languages(caught.value)
        with pytest.raises(StoreUnavailable):
            await ledger.check()
    await ledger.check()
    await ledger.record(a_record("hfr_1"))
    assert (await ledger.totals()).calls == 1
    await ledger.aclose()


@pytest.mark.usefixtures("impatient")
async def test_nobody_waits_for_the_locks_of_those_before_him(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 1)
    ledger = SqliteStore(path)
    with held_by_another(path):
        started = time.perf_counter()
        answers = await asyncio.gather(
            *(ledger.record(a_record(f"hfr_{number}")) for number in range(8)), return_exceptions=True
        )
        assert time.perf_counter() - started < 1.0
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    await ledger.aclose()


@pytest.mark.usefixtures("impatient")
async def test_checks_of_a_locked_file_do_not_pile_up(path: Path) -> None:
    ledger = SqliteStore(path)
    with held_by_another(path):
        threads = threading.active_count()
        answers = await asyncio.gather(*(ledger.check() for _ in range(200)), return_exceptions=True)
        assert threading.active_count() <= threads
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    await ledger.check()
    await ledger.aclose()


@pytest.mark.usefixtures("impatient")
async def test_a_reader_kept_waiting_is_told_so(path: Path) -> None:
    ledger = SqliteStore(path)
    with ledger._worker._reading:  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(StoreUnavailable, match="did not answer within") as caught:
            await ledger.find("hfr_1")
        assert speaks_both_languages(caught.value)
    await ledger.aclose()


async def test_a_ledger_that_goes_bad_under_way_is_reported(path: Path) -> None:
    ledger = SqliteStore(path)
    await ledger.record(a_record("hfr_1"))
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE calls")
    for verb in (ledger.find("hfr_1"), ledger.newest(1), ledger.record(a_record("hfr_2"))):
        with pytest.raises(StoreUnavailable):
            await verb
    await ledger.aclose()


async def test_one_record_that_cannot_be_stored_takes_no_other_with_it(path: Path) -> None:
    ledger = SqliteStore(path)
    unspeakable = replace(a_record("hfr_bad"), user="\ud800")
    impossible = replace(a_record("hfr_worse"), duration_ms=float("nan"))
    huge = replace(a_record("hfr_huge"), attempts=2**70)
    answers = await asyncio.gather(
        *(ledger.record(a_record(f"hfr_{number}")) for number in range(5)),
        *(ledger.record(entry) for entry in (unspeakable, impossible, huge)),
        *(ledger.record(a_record(f"hfr_{number}")) for number in range(5, 10)),
        return_exceptions=True,
    )
    assert [type(answer).__name__ for answer in answers if answer is not None] == ["StoreUnavailable"] * 3
    assert (await ledger.totals()).calls == 10
    await ledger.record(a_record("hfr_after"))
    await ledger.aclose()


async def test_more_than_the_queue_holds_is_refused_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "QUEUE", 3)
    ledger = SqliteStore(path)
    with held_by_another(path):
        waiting = [asyncio.ensure_future(ledger.record(a_record(f"hfr_{number}"))) for number in range(20)]
        await asyncio.sleep(0.05)
        refused = [task for task in waiting if task.done()]
        assert len(refused) >= 16
        for task in refused:
            with pytest.raises(StoreUnavailable, match="wait for the disk"):
                await task
    await asyncio.gather(*(task for task in waiting if task not in refused))
    await ledger.aclose()


async def test_a_closed_ledger_answers_at_once_that_it_is_closed(path: Path) -> None:
    ledger = SqliteStore(path)
    await ledger.aclose()
    for verb in (ledger.record(a_record("hfr_1")), ledger.check(), ledger.totals()):
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(verb, 1.0)


async def test_records_that_race_with_the_end_are_written_or_refused_never_forgotten(path: Path) -> None:
    ledger = SqliteStore(path)

    async def record(number: int) -> bool:
        await asyncio.sleep(number / 10_000)
        try:
            await asyncio.wait_for(ledger.record(a_record(f"hfr_{number}")), 3.0)
        except StoreUnavailable:
            return False
        return True

    writing = [asyncio.ensure_future(record(number)) for number in range(100)]
    await asyncio.sleep(0.005)
    await ledger.aclose()
    taken = sum(await asyncio.gather(*writing))
    again = SqliteStore(path)
    assert (await again.totals()).calls == taken
    await again.aclose()


async def test_closing_twice_at_once_is_closing_once(path: Path) -> None:
    ledger = SqliteStore(path)
    await asyncio.gather(ledger.aclose(), ledger.aclose(), ledger.aclose())


async def test_a_record_whose_caller_was_cancelled_is_written_all_the_same(path: Path) -> None:
    ledger = SqliteStore(path)
    with held_by_another(path):
        task = asyncio.ensure_future(ledger.record(a_record("hfr_1")))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait({task})
    await ledger.check()
    assert await ledger.find("hfr_1") == a_record("hfr_1")
    await ledger.aclose()


def test_it_serves_one_event_loop_after_another(path: Path) -> None:
    ledger = SqliteStore(path)
    asyncio.run(ledger.record(a_record("hfr_1")))
    asyncio.run(ledger.record(a_record("hfr_2")))
    assert len(asyncio.run(ledger.newest(5))) == 2
    asyncio.run(ledger.aclose())


def test_a_loop_that_ended_before_the_answer_does_no_harm(path: Path) -> None:
    ledger = SqliteStore(path)

    async def leave_early() -> None:
        task = asyncio.ensure_future(ledger.record(a_record("hfr_1")))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave_early())
    assert asyncio.run(ledger.find("hfr_0")) is None
    asyncio.run(ledger.record(a_record("hfr_2")))
    asyncio.run(ledger.aclose())


class Switching:
    """A connection that finds others in the middle of the switch to WAL mode."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.asked = 0

    def execute(self, statement: str) -> None:
        self.asked += 1
        if self.asked < 3:
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = self.code
            raise busy


def test_a_switch_that_others_make_at_the_same_time_is_waited_for() -> None:
    switching = Switching(sqlite3.SQLITE_BUSY)
    sqlite_file.write_ahead(switching)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert switching.asked == 3


def test_a_switch_that_cannot_be_made_is_not_tried_again() -> None:
    switching = Switching(sqlite3.SQLITE_READONLY)
    with pytest.raises(sqlite3.OperationalError):
        sqlite_file.write_ahead(switching)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert switching.asked == 1


def test_many_processes_may_open_a_new_file_at_once(path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from holdfast.stores.sqlite import SqliteStore\n"
        "from holdfast.testing.conformance import a_record\n"
        "async def main():\n"
        "    ledger = SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "    await asyncio.gather(*(ledger.record(a_record(f'hfr_{sys.argv[2]}_{n}')) for n in range(50)))\n"
        "    await ledger.aclose()\n"
        "asyncio.run(main())\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(number)], stderr=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    errors = [writer.communicate()[1] for writer in writers]
    assert errors == [""] * 4
    ledger = SqliteStore(path)
    totals = asyncio.run(ledger.totals())
    asyncio.run(ledger.aclose())
    assert totals.calls == 200


def test_a_script_that_forgets_to_close_ends_all_the_same(path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from holdfast.stores.sqlite import SqliteStore\n"
        "from holdfast.testing.conformance import a_record\n"
        "ledger = SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "asyncio.run(ledger.record(a_record('hfr_1')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_address_says_which_store(tmp_path: Path) -> None:
    assert isinstance(open_store("memory:"), MemoryStore)
    ledger = open_store(f"sqlite:///{tmp_path}/deep/er/holdfast.db")
    assert isinstance(ledger, SqliteStore)
    asyncio.run(ledger.aclose())
    assert (tmp_path / "deep" / "er" / "holdfast.db").is_file()


@pytest.mark.parametrize(
    "url", ["", "sqlite:///", "sqlite:///:memory:", "sqlite:", "redis://localhost", "/tmp/x.db"]
)
def test_any_other_address_is_refused_with_the_right_ones(url: str) -> None:
    with pytest.raises(ConfigError, match=r"memory:.*sqlite:///") as caught:
        open_store(url)
    assert "저장소" in caught.value.say("ko")


def test_the_book_in_memory_is_bounded_and_goes_on_counting() -> None:
    async def main() -> None:
        ledger = MemoryStore(keep=3)
        for number in range(10):
            await ledger.record(a_record(f"hfr_{number}"))
        assert [entry.request_id for entry in await ledger.newest(10)] == ["hfr_9", "hfr_8", "hfr_7"]
        assert (await ledger.totals()).calls == 10

    asyncio.run(main())


def test_threads_share_the_book_in_memory_without_losing_a_call() -> None:
    ledger = MemoryStore()

    def write(thread: int) -> None:
        async def main() -> None:
            for number in range(300):
                await ledger.record(a_record(f"hfr_{thread}_{number}"))
                await ledger.settle([an_attempt(f"hfr_{thread}_{number}", cost_pico=1)])

        asyncio.run(main())

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    totals = asyncio.run(ledger.totals())
    assert (totals.calls, totals.cost_pico) == (1800, 1800)
