"""What a run in virtual time refuses: sockets, threads, subprocesses, and other loops."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

import pytest

from holdfast.testing.virtual import NotVirtual, VirtualClock, VirtualTimeError, run

CLOCK = VirtualClock()


def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


SOCKET = socket.socket()
SOCKET.close()
REAL: dict[str, Callable[[], Awaitable[object]]] = {
    "create_connection": lambda: asyncio.open_connection("localhost", 9),
    "create_server": lambda: asyncio.start_server(print, "localhost", 0),
    "create_datagram_endpoint": lambda: loop().create_datagram_endpoint(asyncio.DatagramProtocol),
    "getaddrinfo": lambda: loop().getaddrinfo("localhost", 9),
    "subprocess_exec": lambda: asyncio.create_subprocess_exec("true"),
    "subprocess_shell": lambda: asyncio.create_subprocess_shell("true"),
    "asyncio.to_thread": lambda: asyncio.to_thread(print),
    "sock_recv": lambda: loop().sock_recv(SOCKET, 1),
}


@pytest.mark.parametrize("name", REAL)
def test_the_real_world_is_refused_by_name(name: str) -> None:
    async def main() -> None:
        await REAL[name]()

    with pytest.raises(NotVirtual, match=name) as caught:
        run(main())
    assert name in caught.value.say("ko")


def test_readers_of_files_are_refused() -> None:
    async def main() -> None:
        loop().add_reader(0, print)

    with pytest.raises(NotVirtual, match="add_reader"):
        run(main())


def test_a_refusal_that_was_swallowed_still_fails_the_run() -> None:
    async def main() -> str:
        try:
            await asyncio.open_connection("localhost", 9)
        except VirtualTimeError:
            return "went on"
        return "connected"

    with pytest.raises(NotVirtual, match="create_connection"):
        run(main())


def test_a_refusal_that_was_swallowed_before_a_failure_is_a_note_of_it() -> None:
    async def main() -> None:
        try:
            await asyncio.open_connection("localhost", 9)
        except VirtualTimeError:
            raise LookupError("no route") from None

    with pytest.raises(LookupError) as caught:
        run(main())
    assert "create_connection" in caught.value.__notes__[0]


def test_another_thread_may_not_schedule_anything() -> None:
    errors: list[NotVirtual] = []

    async def main() -> None:
        here = loop()

        def intrude() -> None:
            try:
                here.call_soon_threadsafe(print)
            except NotVirtual as error:
                errors.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()

    with pytest.raises(NotVirtual, match="another thread"):
        run(main())
    assert len(errors) == 1


def test_its_own_thread_may_schedule_as_if_from_another() -> None:
    async def main() -> list[int]:
        log: list[int] = []
        loop().call_soon_threadsafe(log.append, 1)
        await asyncio.sleep(0)
        return log

    assert run(main()) == [1]


async def test_it_does_not_run_inside_of_another_loop() -> None:
    with pytest.raises(VirtualTimeError, match="plain function"):
        run(asyncio.sleep(0))


def test_a_virtual_clock_is_of_no_use_outside() -> None:
    with pytest.raises(VirtualTimeError, match=r"run\(\)") as caught:
        CLOCK.monotonic()
    assert caught.value.say("ko") != caught.value.say("en")


async def test_a_virtual_clock_is_of_no_use_in_a_real_loop() -> None:
    with pytest.raises(VirtualTimeError):
        await CLOCK.sleep(1)
