import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.policy.holds import Crossing
from holdfast.policy.stops import Stop
from holdfast.ports import AttemptRecord, CallRecord, Payer
from holdfast.stores import spool as spool_module
from holdfast.stores.memory import MemoryStore
from holdfast.stores.spool import Row, Spool, SpooledLedger
from holdfast.stores.stop_file import read_stops, spool_folder, stop_file, write_stops
from holdfast.testing import FakeClock
from holdfast.wire.usage import Iteration, Usage

CLOCK = FakeClock()
USAGE = Usage(input_tokens=10, output_tokens=5, iterations=(Iteration(input_tokens=3),), extra={"a": [1]})


class Away(MemoryStore):
    """A store that can be taken away."""

    away = False

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        if self.away:
            raise StoreUnavailable("gone")
        return await super().settle(attempts)

    async def record(self, entry: CallRecord) -> None:
        if self.away:
            raise StoreUnavailable("gone")
        await super().record(entry)


def an_attempt(request_id: str = "r1") -> AttemptRecord:
    return AttemptRecord(
        request_id=request_id,
        number=1,
        at=CLOCK.now(),
        payer=Payer(user='앨리스 \n"', tags={"team": "search"}),
        upstream="main",
        model="claude-sonnet-5-5",
        usage=USAGE,
        cost_pico=70,
    )


def a_record(request_id: str = "r1") -> CallRecord:
    return CallRecord(
        request_id=request_id,
        at=CLOCK.now(),
        door="gateway",
        key="local",
        user=None,
        run=None,
        agent=None,
        model="claude-sonnet-5-5",
        served_model=None,
        upstream="main",
        stream=False,
        end="answered",
        status=200,
        error_code=None,
        attempts=1,
        stop_reason="end_turn",
        usage=USAGE,
        estimated=False,
        cost_pico=70,
        price_version="v1",
        duration_ms=1.5,
    )


def a_spool(folder: Path) -> Spool:
    return Spool(folder / "spool", clock=CLOCK)


async def test_a_store_that_answers_gets_everything_at_once(tmp_path: Path) -> None:
    store = Away()
    book = SpooledLedger(store, a_spool(tmp_path), clock=CLOCK)
    await book.settle([an_attempt()])
    await book.record(a_record())
    assert ((await store.totals()).calls, (await store.totals()).cost_pico) == (1, 70)
    assert not (tmp_path / "spool").exists()


async def test_what_a_store_did_not_take_waits_and_comes_once(tmp_path: Path) -> None:
    store, spool = Away(), a_spool(tmp_path)
    book = SpooledLedger(store, spool, clock=CLOCK)
    store.away = True
    assert await book.settle([an_attempt()]) == ()
    await book.record(a_record())
    with pytest.raises(StoreUnavailable):
        await spool.bring(store)
    store.away = False
    await spool.bring(store)
    await spool.bring(store)
    totals = await store.totals()
    assert (totals.calls, totals.cost_pico) == (1, 70)
    assert await store.attempts_of("r1") == (an_attempt(),)
    assert list((tmp_path / "spool").iterdir()) == []


async def test_a_store_that_does_not_answer_keeps_nobody_waiting_and_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(MemoryStore):
        asked = 0

        async def record(self, entry: CallRecord) -> None:
            self.asked += 1
            await asyncio.Event().wait()

    monkeypatch.setattr(spool_module, "PATIENCE", 0.01)
    store, spool, clock = Slow(), a_spool(tmp_path), FakeClock()
    book = SpooledLedger(store, spool, clock=clock)
    await book.record(a_record("r1"))
    await book.record(a_record("r2"))
    assert store.asked == 1
    clock.advance(spool_module.AWAY)
    await book.record(a_record("r3"))
    assert store.asked == 2
    kept = MemoryStore()
    await spool.bring(kept)
    assert (await kept.totals()).calls == 3


async def test_what_a_lost_worker_left_behind_is_brought_by_another_one(tmp_path: Path) -> None:
    store, lost, heir = MemoryStore(), a_spool(tmp_path), a_spool(tmp_path)
    await lost.keep([Row(attempt=an_attempt())])
    await heir.bring(store)
    assert (await store.totals()).cost_pico == 0
    (left,) = (tmp_path / "spool").glob("*.jsonl")
    long_ago = CLOCK.now().timestamp() - 61
    os.utime(left, (long_ago, long_ago))
    await heir.bring(store)
    assert (await store.totals()).cost_pico == 70


async def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    store, spool = MemoryStore(), a_spool(tmp_path)
    await spool.keep([Row(attempt=an_attempt())])
    (file,) = (tmp_path / "spool").iterdir()
    file.write_bytes(file.read_bytes() + b'{"attempt":{"req')
    await spool.bring(store)
    assert (await store.totals()).cost_pico == 70


async def test_a_spool_is_bounded_and_readable_by_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = a_spool(tmp_path)
    await spool.keep([Row(attempt=an_attempt())])
    (file,) = (tmp_path / "spool").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(spool_module, "LARGEST", 10)
    with pytest.raises(StoreUnavailable, match="10 bytes"):
        await spool.keep([Row(attempt=an_attempt())])


async def test_a_disk_that_takes_nothing_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="spool"):
        await a_spool(tmp_path).keep([Row(attempt=an_attempt())])


async def test_without_a_folder_there_is_nothing_to_bring(tmp_path: Path) -> None:
    assert await a_spool(tmp_path).bring(MemoryStore()) == ()


def test_stops_travel_through_the_stop_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "stops.json"
    stop = Stop(scope="user", value="앨리스", at=CLOCK.now())
    write_stops(path, [stop])
    assert read_stops(path.read_bytes()) == (stop,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_stops(b" \n") == ()


def test_a_stop_file_that_makes_no_sense_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stop file"):
        read_stops(b"[{")
    (tmp_path / "stops.json").mkdir()
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        write_stops(tmp_path / "stops.json", [])


def test_every_store_that_is_shared_has_a_place_on_this_machine(tmp_path: Path) -> None:
    assert stop_file(f"sqlite:///{tmp_path}/a.db") == tmp_path / "a.db.stops.json"
    assert spool_folder(f"sqlite:///{tmp_path}/a.db") == tmp_path / "a.db.spool"
    assert stop_file("memory:") is None
    one, other = stop_file("postgresql://a/b"), stop_file("postgresql://a/c")
    assert one is not None
    assert one != other


async def test_a_long_spool_is_handed_over_in_portions_that_a_store_can_take(tmp_path: Path) -> None:
    class Counting(Away):
        portions: list[int]

        async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
            self.portions.append(len(attempts))
            return await super().settle(attempts)

    store, spool = Counting(), a_spool(tmp_path)
    store.portions = []
    await spool.keep([Row(attempt=an_attempt(f"r{number}")) for number in range(450)])
    await spool.bring(store)
    assert store.portions == [200, 200, 50]
    assert (await store.totals()).cost_pico == 450 * 70


async def test_a_row_that_was_added_while_another_worker_took_the_file_over_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, spool = MemoryStore(), a_spool(tmp_path)
    sync, taken = os.fsync, list[Path]()

    def taken_over(file: int) -> None:
        sync(file)
        if not taken:
            (path,) = (tmp_path / "spool").iterdir()
            taken.append(path)
            path.unlink()

    monkeypatch.setattr(os, "fsync", taken_over)
    await spool.keep([Row(attempt=an_attempt())])
    await spool.bring(store)
    assert taken
    assert (await store.totals()).cost_pico == 70


async def test_a_worker_that_was_slower_than_another_finds_nothing_and_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, heir = a_spool(tmp_path), a_spool(tmp_path)
    await lost.keep([Row(attempt=an_attempt())])
    (left,) = (tmp_path / "spool").iterdir()
    long_ago = CLOCK.now().timestamp() - 61
    os.utime(left, (long_ago, long_ago))
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        rename(path, target)
        return rename(path, target)  # as if somebody else had just done it

    monkeypatch.setattr(Path, "rename", renamed)
    store = MemoryStore()
    await heir.bring(store)
    assert (await store.totals()).cost_pico == 70


async def test_a_file_that_another_worker_has_brought_meanwhile_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, store = a_spool(tmp_path), MemoryStore()
    await spool.keep([Row(attempt=an_attempt())])

    def gone(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert await spool.bring(store) == ()
    assert (await store.totals()).cost_pico == 0
