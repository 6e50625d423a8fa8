"""Bodies on their way up: one that flows through, and one that is set aside until it is whole."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import IO, Any
from weakref import WeakKeyDictionary

from holdfast.errors import HoldfastError
from holdfast.gateway.reading import pieces, unless_gone
from holdfast.gateway.responding import ClientGone, Message, Receive
from holdfast.wire.headers import Headers

IN_MEMORY = 1024 * 1024
"""Bytes of a body that may come in beside others without a place of its own."""


class Upload:
    """A body that is sent on as it comes; what goes wrong with it is kept, for the way up hides it."""

    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self._receive = receive
        self._pieces = pieces(receive, headers, limit)
        self._ended = asyncio.Event()
        self.error: HoldfastError | ClientGone | None = None
        self.on_end: Callable[[], None] = lambda: None
        """Called once the whole body has been handed on."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._pieces.__anext__()
        except StopAsyncIteration:
            self._ended.set()
            self.on_end()
            raise
        except (HoldfastError, ClientGone) as error:
            self.error = error
            self._ended.set()
            raise

    async def receive(self) -> Message:
        """What the client says once its body is in: nothing, or that it leaves."""
        await self._ended.wait()
        if isinstance(self.error, ClientGone):
            return {"type": "http.disconnect"}
        return await self._receive()

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what sends it on, until that is over or the client has left."""
        await unless_gone(work, self.receive)


class Aside:
    """Large bodies that must be whole before they are looked at: they wait on the disk, and come up one by one.

    So a worker never has more than one of them in its memory.
    """

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def read(self, receive: Receive, headers: Headers, limit: int) -> "Waiting":
        """The body, set aside. Raises as `read_body` does."""
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))
            async for piece in pieces(receive, headers, limit):
                file.write(piece)
            stack.pop_all()
        loop = asyncio.get_running_loop()
        return Waiting(file, self._turns.setdefault(loop, asyncio.Lock()))


class Waiting:
    """One body that has been set aside; `async with` gives it, and waits for its turn if it is large."""

    def __init__(self, file: IO[bytes], turn: asyncio.Lock) -> None:
        self._file = file
        self._turn = turn
        self._is_large = file.tell() > IN_MEMORY

    async def __aenter__(self) -> bytes:
        if self._is_large:
            await self._turn.acquire()
        self._file.seek(0)
        with self._file:
            return self._file.read()

    async def __aexit__(self, *_: object) -> None:
        if self._is_large:
            self._turn.release()
