import asyncio
import os
import threading
import warnings
from pathlib import Path

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import StoreUnavailable
from holdfast.stores.memory import MemoryStore
from holdfast.stores.watch import Watch
from holdfast.testing import FakeClock


class Away(MemoryStore):
    """A store that can be taken away."""

    away = False

    async def revision(self) -> int:
        if self.away:
            raise StoreUnavailable("gone")
        return await super().revision()


class Hanging(MemoryStore):
    """A store that may not answer for an hour."""

    hangs = False

    async def revision(self) -> int:
        if self.hangs:
            await asyncio.sleep(3600)
        return await super().revision()


def watch(store: MemoryStore) -> Watch:
    return Watch(store, ("stop",), clock=FakeClock(), is_alone=True)


async def test_a_change_is_known_after_the_next_look_and_told_once() -> None:
    store, told = MemoryStore(), list[int]()
    eye = watch(store)
    eye.listen(lambda: told.append(1))
    await eye.refresh()
    await store.put("stop", "everything:", b"{}", actor="me")
    assert await eye.refresh()
    assert not await eye.refresh()
    assert [entry.name for entry in eye.entries("stop")] == ["everything:"]
    assert len(told) == 2


async def test_only_the_kinds_that_were_asked_for_are_known() -> None:
    store = MemoryStore()
    await store.put("budget", "b", b"{}", actor="me")
    eye = watch(store)
    await eye.refresh()
    assert eye.entries("budget") == ()


async def test_while_the_store_is_away_what_was_last_known_stays_true() -> None:
    store = Away()
    await store.put("stop", "everything:", b"{}", actor="me")
    eye = watch(store)
    await eye.begin()
    store.away = True
    assert not await eye.refresh()
    assert len(eye.entries("stop")) == 1


async def test_the_file_is_heard_even_while_the_store_is_away(tmp_path: Path) -> None:
    store = Away()
    store.away = True
    file = tmp_path / "stops.json"
    eye, told = Watch(store, ("stop",), clock=FakeClock(), is_alone=True, file=file), list[bytes]()
    eye.listen(lambda: told.append(eye.text))
    await eye.begin()
    file.write_bytes(b"[1]")
    await eye.refresh()
    file.unlink()
    await eye.refresh()
    assert told == [b"[1]", b""]


async def test_it_goes_on_looking_in_a_thread_of_its_own_until_it_is_closed() -> None:
    store, heard, chores = MemoryStore(), asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()

    async def chore() -> None:
        chores.append(1)

    eye = Watch(store, ("stop",), clock=SYSTEM_CLOCK, chores=[(3600.0, chore)])
    await eye.begin()
    await eye.begin()
    eye.listen(lambda: loop.call_soon_threadsafe(heard.set))
    await store.put("stop", "everything:", b"{}", actor="me")
    async with asyncio.timeout(5):
        await heard.wait()
    await asyncio.to_thread(eye.close)
    assert chores == [1]


async def test_the_file_is_heard_while_the_register_and_a_chore_hang(tmp_path: Path) -> None:
    store, heard, hanging = Hanging(), asyncio.Event(), asyncio.Event()
    loop, file = asyncio.get_running_loop(), tmp_path / "stops.json"

    async def chore() -> None:
        loop.call_soon_threadsafe(hanging.set)
        await asyncio.sleep(3600)

    eye = Watch(store, ("stop",), clock=SYSTEM_CLOCK, file=file, chores=[(1.0, chore)])
    await eye.begin()
    store.hangs = True
    eye.listen(lambda: loop.call_soon_threadsafe(heard.set))
    async with asyncio.timeout(5):
        await hanging.wait()
        file.write_bytes(b"[1]")
        await heard.wait()
    assert eye.text == b"[1]"
    await asyncio.to_thread(eye.close)


def test_one_that_never_began_can_be_closed() -> None:
    watch(MemoryStore()).close()


async def test_what_goes_wrong_once_does_not_end_the_looking() -> None:
    store, told = MemoryStore(), list[str]()
    stumbled, heard = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def chore() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        raise OSError("another worker was faster")

    def stumble() -> None:
        if not eye.entries("stop"):
            return
        if len(eye.entries("stop")) == 1:
            loop.call_soon_threadsafe(stumbled.set)
            raise TypeError("a bug")
        loop.call_soon_threadsafe(heard.set)

    eye = Watch(store, ("stop",), clock=SYSTEM_CLOCK, chores=[(0.0, chore)])
    eye.listen(stumble)
    await eye.begin()
    await store.put("stop", "user:alice", b"{}", actor="me")
    async with asyncio.timeout(5):
        await stumbled.wait()
        await store.put("stop", "everything:", b"{}", actor="me")
        await heard.wait()
    await asyncio.to_thread(eye.close)
    assert set(told) == {"holdfast-watch failed and goes on"}


async def test_a_file_that_cannot_be_read_just_now_says_what_it_said_last(tmp_path: Path) -> None:
    file = tmp_path / "stops.json"
    file.write_bytes(b"[1]")
    eye = Watch(MemoryStore(), ("stop",), clock=FakeClock(), is_alone=True, file=file)
    await eye.refresh()
    file.unlink()
    file.mkdir()
    await eye.refresh()
    assert eye.text == b"[1]"


def test_a_process_that_forked_looks_with_a_thread_of_its_own() -> None:
    eye = Watch(MemoryStore(), ("stop",), clock=SYSTEM_CLOCK)
    asyncio.run(eye.begin())
    first = threading.enumerate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the danger that is tried out here
        child = os.fork()
    if child == 0:
        asyncio.run(eye.begin())
        os._exit(0 if "holdfast-watch" in {thread.name for thread in threading.enumerate()} else 1)
    _, status = os.waitpid(child, 0)
    eye.close()
    assert os.waitstatus_to_exitcode(status) == 0
    assert "holdfast-watch" in {thread.name for thread in first}


class Ending(MemoryStore):
    """A store whose threads are gone, as they are when the interpreter ends before the hold is closed."""

    ends = False

    async def revision(self) -> int:
        if self.ends:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return await super().revision()


async def test_a_program_that_ends_without_closing_is_not_told_of_failures() -> None:
    store, told, again = Ending(), list[str](), asyncio.Event()
    loop, looked = asyncio.get_running_loop(), list[float]()

    async def chore() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        looked.append(0.0)
        if len(looked) == 3:
            loop.call_soon_threadsafe(again.set)

    eye = Watch(store, ("stop",), clock=SYSTEM_CLOCK, chores=[(0.0, chore)])
    await eye.begin()
    store.ends = True
    async with asyncio.timeout(5):
        await again.wait()
    await asyncio.to_thread(eye.close)
    assert told == []
