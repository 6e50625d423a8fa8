"""Stops: this machine first, then everybody; and the way back."""

import asyncio
import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.operations.stops import (
    Told,
    drop_stop,
    has_called,
    put_stop,
    stop_facts,
    stop_here,
    stops,
    stops_here,
    stops_of,
)
from holdfast.orders import Orders
from holdfast.policy.stops import Stop, StopScope, decoded
from holdfast.ports import AttemptRecord, Payer
from holdfast.settings import StoreConfig
from holdfast.stores.stop_file import stop_file
from holdfast.stores.watch import Watch
from holdfast.testing import FakeClock
from tests.operations.conftest import Office


def a_stop(office: Office, scope: StopScope = "run", value: str = "r1", *, hours: int | None = None) -> Stop:
    now = office.clock.now()
    until = None if hours is None else now + timedelta(hours=hours)
    return Stop(scope=scope, value=value, reason="circles", by="kim", at=now, until=until)


def file_of(office: Office) -> Path:
    path = stop_file(office.desk.settings.store_url)
    assert path is not None
    return path


def away(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the store does not answer."""

    async def silent(*_: object, **__: object) -> None:
        raise StoreUnavailable("The database does not answer.")

    for verb in ("entries", "put", "drop", "run"):
        monkeypatch.setattr(office.store, verb, silent)


async def names(office: Office) -> list[str]:
    return [one.name for one in await stops(office.desk)]


async def test_a_stop_is_in_the_file_and_in_the_register_with_its_reason(office: Office) -> None:
    word = a_stop(office)
    told = await put_stop(office.desk, word)
    (entry,) = await office.store.entries("stop")

    assert told == Told(stop=word, here=True, everywhere=True)
    assert (entry.name, decoded(entry.body)) == ("run:r1", word)
    assert [one["value"] for one in json.loads(file_of(office).read_bytes())] == ["r1"]
    assert file_of(office).stat().st_mode & 0o777 == 0o600
    assert await stops(office.desk) == (word,)
    assert await office.noted() == [("cli:kim", "put", "run:r1", "circles")]


async def test_workers_of_this_machine_obey_a_stop_that_the_database_never_heard_of(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(office.store, ["stop"], clock=FakeClock(), is_alone=True, file=file_of(office))
    orders = Orders(watch, {})
    away(office, monkeypatch)
    word = a_stop(office, "everything", "")
    told = await put_stop(office.desk, word)
    await watch.refresh()

    assert (told.here, told.everywhere, str(told.problem)) == (True, False, "The database does not answer.")
    assert orders.stops() == (word,)
    assert await stops(office.desk) == stops_here(office.desk.settings, office.clock.now()) == (word,)
    assert office.reports == ["The database does not answer."]


async def test_when_the_file_cannot_be_written_the_database_is_told_all_the_same(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "no-folder").write_text("")
    settings = replace(office.desk.settings, store=StoreConfig(url=f"sqlite:///{tmp_path}/no-folder/book.db"))
    told = await put_stop(replace(office.desk, settings=settings), a_stop(office))

    assert (told.here, told.everywhere) == (False, True)
    assert "book.db.stops.json" in str(told.problem)
    assert len(await office.store.entries("stop")) == 1


async def test_a_stop_that_reaches_nobody_is_an_error(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(office, monkeypatch)
    (tmp_path / "no-folder").write_text("")
    settings = replace(office.desk.settings, store=StoreConfig(url=f"sqlite:///{tmp_path}/no-folder/book.db"))
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await put_stop(replace(office.desk, settings=settings), a_stop(office))


async def test_a_store_in_memory_has_no_file_to_stop_by(office: Office) -> None:
    settings = replace(office.desk.settings, store=StoreConfig(url="memory:"))
    word = a_stop(office)

    assert await stop_here(settings, word, office.clock.now()) == Told(
        stop=word, here=False, everywhere=False
    )
    assert stops_here(settings, office.clock.now()) == ()


async def test_a_stop_that_only_the_file_could_take_is_no_error_but_one_in_memory_is(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(office, monkeypatch)
    settings = replace(office.desk.settings, store=StoreConfig(url="memory:"))
    with pytest.raises(StoreUnavailable):
        await put_stop(replace(office.desk, settings=settings), a_stop(office))


@pytest.mark.parametrize(
    ("scope", "value", "expected"),
    [
        ("everything", "", True),
        ("run", "r1", True),
        ("run", "r2", False),
        ("user", "alice", True),
        ("user", "alcie", False),
        ("key", "local", True),
        ("model", "m", True),
        ("model", "n", False),
    ],
)
async def test_a_name_that_nobody_has_called_by_is_noticed(
    office: Office, scope: StopScope, value: str, *, expected: bool
) -> None:
    row = AttemptRecord(
        request_id="q1",
        number=1,
        at=office.clock.now(),
        payer=Payer(user="alice", run="r1"),
        upstream="u",
        model="m",
    )
    await office.store.enter("r1", None, None, office.clock.now())
    await office.store.settle([row])

    assert await has_called(office.desk, a_stop(office, scope, value)) is expected


async def test_a_store_that_does_not_answer_has_no_doubts(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(office, monkeypatch)

    assert await has_called(office.desk, a_stop(office))


async def test_a_resume_ends_the_stop_in_both_places(office: Office) -> None:
    word, other = a_stop(office), a_stop(office, "user", "bob")
    await put_stop(office.desk, word)
    await put_stop(office.desk, other)
    ended = await drop_stop(office.desk, "run:r1", note="fixed")

    assert (ended, await stops(office.desk)) == (word, (other,))
    assert [entry.name for entry in await office.store.entries("stop")] == ["user:bob"]
    assert stops_here(office.desk.settings, office.clock.now()) == (other,)
    assert (await office.noted())[0] == ("cli:kim", "drop", "run:r1", "fixed")


async def test_a_resume_of_what_is_not_stopped_finds_nothing_and_leaves_no_file(office: Office) -> None:
    assert await drop_stop(office.desk, "run:r1") is None
    assert not file_of(office).exists()


async def test_a_resume_fails_while_the_database_may_go_on_to_hold_the_stop(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_stop(office.desk, a_stop(office))
    away(office, monkeypatch)
    with pytest.raises(StoreUnavailable):
        await drop_stop(office.desk, "run:r1")


async def test_a_stop_said_twice_is_one_stop_with_the_last_words(office: Office) -> None:
    await put_stop(office.desk, a_stop(office))
    last = replace(a_stop(office), reason="again")
    await put_stop(office.desk, last)

    assert await stops(office.desk) == (last,)
    assert stops_here(office.desk.settings, office.clock.now()) == (last,)


async def test_stops_that_are_over_bind_nobody_and_go_with_the_next_one(office: Office) -> None:
    await put_stop(office.desk, a_stop(office, hours=1))
    await put_stop(office.desk, a_stop(office, "user", "bob", hours=2))
    office.clock.advance(3600)
    now = await names(office)
    await put_stop(office.desk, a_stop(office, "key", "web"))

    assert now == ["user:bob"]
    assert [entry.name for entry in await office.store.entries("stop")] == ["key:web", "user:bob"]
    assert [one["value"] for one in json.loads(file_of(office).read_bytes())] == ["bob", "web"]


async def test_the_file_has_the_last_word_where_both_know_a_stop(office: Office) -> None:
    await put_stop(office.desk, a_stop(office))
    (entry,) = await office.store.entries("stop")
    later = replace(a_stop(office), reason="later")
    await stop_here(office.desk.settings, later, office.clock.now())

    assert stops_of([entry], file_of(office).read_bytes(), office.clock.now()) == (later,)


async def test_what_cannot_be_read_is_reported_and_lifts_no_other_stop(office: Office) -> None:
    await put_stop(office.desk, a_stop(office))
    await office.store.put("stop", "run:bad", b"{}", actor="somebody")
    file_of(office).write_text("no JSON")
    found = await names(office)

    assert found == ["run:r1"]
    assert ["cannot be read" in report for report in office.reports] == [True, True]


async def test_a_file_that_cannot_be_read_is_written_anew_by_the_next_word(office: Office) -> None:
    file_of(office).write_text("no JSON")
    await drop_stop(office.desk, "run:r1")
    assert file_of(office).read_bytes() == b"[]"
    file_of(office).write_text("no JSON")
    await put_stop(office.desk, a_stop(office))

    assert [one.name for one in stops_here(office.desk.settings, office.clock.now())] == ["run:r1"]


async def test_a_reason_that_nobody_would_read_is_refused(office: Office) -> None:
    with pytest.raises(ConfigError, match="501 characters"):
        await put_stop(office.desk, replace(a_stop(office), reason="x" * 501))
    assert await names(office) == []


async def test_commands_at_the_same_time_lose_nobodys_stop(office: Office) -> None:
    def say(number: int) -> None:
        word = a_stop(office, "user", f"user {number}")
        asyncio.run(stop_here(office.desk.settings, word, office.clock.now()))

    sayers = [threading.Thread(target=say, args=(number,)) for number in range(12)]
    for sayer in sayers:
        sayer.start()
    for sayer in sayers:
        sayer.join()

    assert len(stops_here(office.desk.settings, office.clock.now())) == 12


async def test_the_facts_of_a_stop_are_plain(office: Office) -> None:
    assert stop_facts(a_stop(office, hours=2)) == {
        "name": "run:r1",
        "scope": "run",
        "value": "r1",
        "reason": "circles",
        "by": "kim",
        "at": "2026-11-22T12:00:00Z",
        "until": "2026-11-22T14:00:00Z",
    }
