"""Where an agent keeps its conversations: read before a message is answered, added to behind it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

from holdfast.agent.claim import Claim, beside
from holdfast.agent.transcript import Addition, Frame, Note, Transcript, Window
from holdfast.agent.turnstile import Turnstile
from holdfast.assembly import Runtime
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import InputRejected, StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.trimming import Message
from holdfast.ports import Full, Moved, Owner, Sessions
from holdfast.ports import sessions as port
from holdfast.stores.memory_sessions import MemorySessions

Where = Literal["memory", "store"]
"""In this process alone, or in the store of the settings."""

TRIES = 20
"""How often an exchange is put behind what others have just added, before it has to wait for the next one."""
LATE = 1_000
"""Conversations with exchanges that the store has not taken yet; beyond that the oldest are given up."""
ROOM = 100
"""Messages that a conversation must have room for to go on."""
ROOM_BYTES = 1_000_000
"""Bytes, in the same way."""


Rows = tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One conversation: whose it is, and its id."""

    owner: Owner
    id: str

    @classmethod
    def of(cls, agent: str | None, user: str | None, id: str) -> "Place":
        """That of a user with an agent; agents of one name share theirs, as they share a budget."""
        return cls(owner=Owner(key="agent" if agent is None else f"agent {agent}", user=user), id=id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A conversation as it was found: `stored` messages are in the store, and behind them those of `late`."""

    transcript: Transcript = field(default_factory=Transcript)
    stored: int = 0
    late: tuple[Addition, ...] = ()


@dataclass(frozen=True, slots=True)
class _Late:
    """Exchanges that the store has not taken; the first was meant for behind `expected` messages."""

    expected: int
    additions: tuple[Addition, ...]

    def behind(self, rows: Rows) -> tuple[Addition, ...]:
        """Those that are not among `rows` after all: what did not come back in time may have been done."""
        first = self.additions[0].rows
        taken = rows[self.expected : self.expected + len(first)] == first
        return self.additions[1:] if taken else self.additions


@dataclass(slots=True)
class Page:
    """Where the next exchange of a conversation will stand; it is written on once."""

    archive: "Archive"
    place: Place
    runtime: Runtime
    told: Told
    window: Window
    is_written: bool = False

    async def write(self, messages: Sequence[Message], tokens: int, *, is_sealed: bool = True) -> None:
        """Keep an exchange; `tokens` are those of all that was sent and answered, 0 where nobody has counted.

        The thinking in one that is not sealed is never sent again.
        """
        if not self.is_written and messages:
            self.is_written = True
            note = self.window.note(tokens)
            if not is_sealed:
                note = Note(start=note.start, tokens=tokens)
            addition = Addition(messages=tuple(messages), note=note)
            await self.archive.keep(self.place, self.told, addition, self.runtime)


class Archive:
    """The conversations of an agent, of any number of users; each is one's own, and nobody else's is there for him.

    An exchange is added when it is over, in one piece: whoever is killed in the middle leaves nothing half. What a
    store does not take is kept here and given to it with the next exchange, so that an answer that was paid for is
    not lost for it.
    """

    def __init__(self, where: Where = "memory") -> None:
        self.where: Where = where
        self._memory = MemorySessions(SYSTEM_CLOCK)
        self._turnstile = Turnstile()
        self._lock = threading.Lock()
        self._late: OrderedDict[Place, _Late] = OrderedDict()

    def sessions(self, runtime: Runtime) -> Sessions:
        """Where they are."""
        return self._memory if self.where == "memory" else runtime.ledger.sessions

    def alone(
        self, place: Place, patience: float, above: frozenset[str]
    ) -> AbstractAsyncContextManager[None]:
        """One message of a conversation after the other, in this process.

        What is asked inside of a conversation that waits for it (`above`) goes first. Raises `TimeoutError`.
        """
        if place.id in above:
            return nullcontext()
        return self._turnstile.turn(place, patience=patience)

    async def open(self, place: Place, asked: Sequence[Message], frame: Frame, runtime: Runtime) -> Page:
        """The next page of a conversation. Raises as `read`."""
        told = await self.read(place, runtime)
        return Page(self, place, runtime, told, told.transcript.window(asked, frame))

    async def read(self, place: Place, runtime: Runtime) -> Told:
        """A conversation, empty when nobody has begun it. Raises `StoreUnavailable`, `InputRejected` for a full one."""
        rows = await self._rows(place, runtime)
        if (refusal := _full(rows)) is not None:
            raise refusal
        waiting = self._late.get(place)
        late = () if waiting is None else waiting.behind(rows)
        more = tuple(row for addition in late for row in addition.rows)
        return Told(transcript=Transcript.read((*rows, *more)), stored=len(rows), late=late)

    async def keep(self, place: Place, told: Told, addition: Addition, runtime: Runtime) -> None:
        """Add an exchange to what it was told behind, or behind what others have added meanwhile.

        It is kept here while the store is away. Of one that no longer fits nothing is kept.
        """
        expected, waiting = told.stored, [*told.late, addition]
        try:
            while waiting:
                expected = await self._add(place, waiting[0], expected, runtime)
                del waiting[0]
        except StoreUnavailable:
            self._wait(place, _Late(expected, tuple(waiting)))
        else:
            self._late.pop(place, None)

    def claim(self, place: Place, calls: Sequence[str], runtime: Runtime) -> Claim | None:
        """The claim to calls that wait, where other processes may answer them, too; here `alone` sees to it."""
        if self.where == "memory":
            return None
        sessions = self.sessions(runtime)
        return Claim(sessions=sessions, owner=place.owner, id=place.id, calls=tuple(calls))

    async def branch(self, place: Place, to: str, at: int | None, runtime: Runtime) -> bool:
        """Make the conversation `to` of the beginning of another; whether there was anything to make it of."""
        told = await self.read(place, runtime)
        cut = told.transcript.boundary(at)
        return await self.sessions(runtime).branch(place.id, place.owner, to=to, at=cut)

    async def forget(self, place: Place, runtime: Runtime) -> bool:
        """Delete a conversation; whether it was there. Raises `StoreUnavailable`."""
        self._late.pop(place, None)
        await self.sessions(runtime).forget(place.id, beside(place.owner))
        return await self.sessions(runtime).forget(place.id, place.owner)

    async def _add(self, place: Place, addition: Addition, expected: int, runtime: Runtime) -> int:
        """How many messages are stored with it; raises `StoreUnavailable` where others are always faster, too."""
        for _ in range(TRIES):
            rows = addition.rows
            match await self.sessions(runtime).append(place.id, place.owner, rows, expected=expected):
                case int(length):
                    return length
                case Full(length=length):
                    return length
                case Moved():
                    found = await self._rows(place, runtime)
            if rows and found[expected : expected + len(rows)] == rows:
                return len(found)
            addition, expected = addition.behind(Transcript.read(found)), len(found)
            if not addition.messages:
                return expected
        raise StoreUnavailable(_CROWDED)

    async def _rows(self, place: Place, runtime: Runtime) -> Rows:
        session = await self.sessions(runtime).load(place.id, place.owner)
        return () if session is None else session.messages

    def _wait(self, place: Place, late: _Late) -> None:
        with self._lock:
            self._late.pop(place, None)
            self._late[place] = late
            while len(self._late) > LATE:
                self._late.popitem(last=False)


def _full(rows: Rows) -> InputRejected | None:
    """Why a conversation of so many messages cannot go on, or `None`."""
    if len(rows) + ROOM <= port.MOST_MESSAGES and sum(map(len, rows)) + ROOM_BYTES <= port.MOST_BYTES:
        return None
    return InputRejected(
        Sentence(
            f"This conversation is full: it has {len(rows):,} messages. Begin a new one.",
            ko=f"대화가 가득 찼습니다(메시지 {len(rows):,}개). 새 대화를 시작하세요.",
        )
    )


_CROWDED = Sentence(
    "Too many others were adding to this conversation at the same time. Try again.",
    ko="이 대화에 동시에 추가하는 요청이 너무 많습니다. 다시 시도하세요.",
)
