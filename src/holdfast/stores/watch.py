"""What the register says now, known to a worker without asking it for every call."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.ports import Entry, Register

EVERY = 0.25
"""Seconds between two looks."""

Chore = Callable[[], Awaitable[None]]
Kinds = dict[str, tuple[Entry, ...]]


class Watch:
    """Keeps the documents of some kinds at hand, and tells whoever wants to know when one has changed.

    A register that does not answer changes nothing: what was last known stays true. `file`, if there is one,
    is looked at as well, so that a word can reach a worker while its database is away. The register is looked
    at again and again, in a thread of its own, unless nobody else can write to it (`is_alone`); then `refresh`
    tells of a change. The same thread does `chores`, each every so many seconds.
    """

    def __init__(
        self,
        register: Register,
        kinds: Sequence[str],
        *,
        clock: Clock,
        is_alone: bool = False,
        file: Path | None = None,
        chores: Sequence[tuple[float, Chore]] = (),
    ) -> None:
        self._register = register
        self._kinds = tuple(kinds)
        self._clock = clock
        self._is_alone = is_alone
        self._file = file
        self._chores = tuple(chores)
        self._known: Kinds = {}
        self._text = b""
        self._revision: int | None = None
        self._listeners: list[Callable[[], object]] = []
        self._begun = False
        self._over = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def entries(self, kind: str) -> tuple[Entry, ...]:
        """The documents of a kind as last heard of."""
        return self._known.get(kind, ())

    @property
    def revision(self) -> int:
        """The revision of the register that was last heard of; -1 before the first."""
        return -1 if self._revision is None else self._revision

    @property
    def is_informed(self) -> bool:
        """Whether the register has been read at all: until then nothing that stands there is known."""
        return self._revision is not None

    @property
    def text(self) -> bytes:
        """What stands in the file; empty when there is none."""
        return self._text

    def listen(self, listener: Callable[[], object]) -> None:
        """Call `listener` after every change, from any thread."""
        self._listeners.append(listener)

    async def begin(self) -> None:
        """Look for the first time, and begin to look again and again; any further time nothing happens."""
        if self._begun and self._is_looking:
            return
        await self.refresh()
        self._begun = True
        with self._starting:
            if not self._is_looking:
                self._thread = threading.Thread(target=self._look_on, name="holdfast-watch", daemon=True)
                self._thread.start()

    @property
    def _is_looking(self) -> bool:
        """Whether nothing is left to begin; a process that forked has the thread of its parent, which does not run."""
        return self._is_alone or self._over.is_set() or (self._thread is not None and self._thread.is_alive())

    async def refresh(self) -> bool:
        """Look now; whether anything had changed."""
        changed = self._read_file()
        if changed:
            # Told before the register is asked, which may be slow to say that it is away.
            self._tell()
        try:
            revision = await self._register.revision()
            if revision != self._revision:
                self._known = {kind: await self._register.entries(kind) for kind in self._kinds}
                self._revision = revision
                changed = True
                self._tell()
        except StoreUnavailable:
            pass
        return changed

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def close(self) -> None:
        """Look no more."""
        with self._starting:
            self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _read_file(self) -> bool:
        if self._file is None:
            return False
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            text = b""
        except OSError:
            return False  # there, and not to be read just now: what it said last stays true
        changed, self._text = text != self._text, text
        return changed

    async def _heed_file(self) -> None:
        if self._read_file():
            self._tell()

    def _look_on(self) -> None:
        asyncio.run(self._look())

    async def _look(self) -> None:
        """Read the file at every turn, whatever the register and the chores are waiting for meanwhile."""
        often = [_Work(0.0, self._heed_file), _Work(0.0, self.refresh)]
        works = [*often, *(_Work(every, chore) for every, chore in self._chores)]
        while not self._over.is_set():
            for work in works:
                work.begin(self._clock.monotonic())
            await self._clock.sleep(EVERY)


class _Work:
    """Something that is done again and again, `every` so many seconds, and never twice at once."""

    __slots__ = ("_do", "_done", "_due", "_every")

    def __init__(self, every: float, do: Callable[[], Awaitable[object]]) -> None:
        self._every = every
        self._do = do
        self._due = 0.0
        self._done: asyncio.Future[object] | None = None

    def begin(self, now: float) -> None:
        """Do it, if it is due and the last time is over; what goes wrong is told, and it comes again all the same."""
        if self._done is not None and not self._done.done():
            return
        if now >= self._due:
            self._due = now + self._every
            self._done = asyncio.ensure_future(self._do())
            self._done.add_done_callback(_tell_failure)


def _tell_failure(done: "asyncio.Future[object]") -> None:
    """A fault of our own, which must be seen, and must not end the looking: then no stop would be heard any more."""
    if not done.cancelled() and (error := done.exception()) is not None and not _is_the_end(error):
        context = {"message": "holdfast-watch failed and goes on", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)


def _is_the_end(error: BaseException) -> bool:
    """Whether the interpreter ends under a hold that nobody closed: no thread can be begun then, and nobody listens."""
    return isinstance(error, RuntimeError) and str(error).startswith("cannot schedule new futures after")
