"""Recordings in the register: one for each whom it names, and what is over makes way."""

from datetime import timedelta

import pytest

from holdfast.errors import ConfigError
from holdfast.operations.desk import Desk
from holdfast.operations.recordings import drop_recording, put_recording, recordings
from holdfast.policy.recording import RECORDING, Recording
from holdfast.settings import Settings
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def desk(clock: FakeClock) -> Desk:
    return Desk(store=MemoryStore(clock=clock), settings=Settings(), clock=clock, actor="kim")


def of(desk: Desk, value: str = "web", minutes: int = 15) -> Recording:
    until = desk.now + timedelta(minutes=minutes)
    return Recording(scope="key", value=value, by=desk.actor, at=desk.now, until=until)


async def test_the_one_that_ends_first_is_listed_first(desk: Desk) -> None:
    await put_recording(desk, of(desk, "b", minutes=30))
    await put_recording(desk, of(desk, "a", minutes=60))
    await put_recording(desk, of(desk, "c", minutes=15))
    assert [one.value for one in await recordings(desk)] == ["c", "b", "a"]


async def test_switching_on_again_takes_the_place_of_the_first(desk: Desk) -> None:
    await put_recording(desk, of(desk, minutes=15))
    await put_recording(desk, of(desk, minutes=30))
    (one,) = await recordings(desk)
    assert one.until == desk.now + timedelta(minutes=30)


async def test_what_is_over_is_not_listed_and_makes_way(desk: Desk, clock: FakeClock) -> None:
    await put_recording(desk, of(desk, "old"))
    clock.advance(15 * 60)
    assert await recordings(desk) == ()
    assert await drop_recording(desk, "key:none") is None
    await put_recording(desk, of(desk, "new"))
    assert [entry.name for entry in await desk.store.entries(RECORDING)] == ["key:new"]


async def test_a_key_given_as_a_name_is_not_written_down(desk: Desk) -> None:
    secret = "sk-" + "ant-api03-Qx93kdLwPz81mNvB72hsYtR5uGqWe04cXaJf6iZoKlT8bVnM"
    put = await put_recording(desk, of(desk, secret))
    assert put.value.startswith("hidden-key-")
    assert secret[14:30] not in str(await desk.store.audit(10)) + str(await desk.store.entries(RECORDING))


async def test_a_name_that_nobody_can_see_is_none(desk: Desk) -> None:
    with pytest.raises(ConfigError):
        await put_recording(desk, of(desk, "\u200b"))


async def test_a_document_that_cannot_be_read_keeps_no_other_from_being_listed(desk: Desk) -> None:
    await desk.store.put(RECORDING, "key:bad", b"{}", actor="kim")
    await put_recording(desk, of(desk))
    assert [one.value for one in await recordings(desk)] == ["web"]
