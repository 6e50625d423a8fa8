"""A conversation as it is kept: its messages, and beside each answer what it was written behind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import msgspec

from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.estimate import BYTES_PER_TOKEN
from holdfast.policy.toolloop import Block
from holdfast.policy.trimming import (
    Measured,
    Message,
    begins_exchange,
    blocks_of,
    first_sent,
    open_calls,
    without_thoughts,
)

INTERRUPTED = "This was interrupted; whether it was done is not known."
UNANSWERED = "The user went on without answering whether this may be done, so it was not done."


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the messages that were added together.

    Attributes:
        seal: of what their answers were written behind; thinking is only sent again where it is still the same.
        start: the index of the first message that was sent.
        tokens: of all that was sent, and answered, as the API has counted them; 0 where it has not.
    """

    seal: str = ""
    start: int = 0
    tokens: int = 0


class _Row(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[dict[str, Any]]
    holdfast: Note | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Row).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a conversation is sent in: what stands before all messages, and how many tokens there may be in all."""

    prefix: bytes
    limit: int

    @property
    def overhead(self) -> int:
        """Rough tokens of what stands before all messages."""
        return -(-len(self.prefix) // BYTES_PER_TOKEN)

    def seal(self, start: int) -> str:
        """What tells it from any other, with messages sent from `start` on."""
        return blake2b(b"%d %b" % (start, self.prefix), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """All messages of a conversation; `notes` say of some messages what those before them were sent with.

    A note holds for the messages behind the previous note; its number is how many messages there were with it.
    """

    messages: tuple[Message, ...] = ()
    notes: tuple[tuple[int, Note], ...] = ()

    @classmethod
    def read(cls, rows: Sequence[bytes]) -> "Transcript":
        """From the rows of a store; raises `StoreUnavailable` for rows that nobody can have written as they are."""
        try:
            found = [_decode(row) for row in rows]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable() from error
        return cls(
            messages=tuple({"role": row.role, "content": row.content} for row in found),
            notes=tuple(
                (at, row.holdfast) for at, row in enumerate(found, start=1) if row.holdfast is not None
            ),
        )

    def window(self, asked: Sequence[Message], frame: Frame) -> "Window":
        """What of it is sent before `asked`."""
        length, note = self.notes[-1] if self.notes else (0, Note())
        start = first_sent(
            [*self.messages, *asked],
            limit=frame.limit,
            start=min(note.start, len(self.messages)),
            overhead=frame.overhead,
            measured=Measured(tokens=note.tokens, length=length) if note.tokens else None,
        )
        seal = frame.seal(start)
        return Window(history=self._sent(start, seal), seal=seal, start=start)

    def boundary(self, at: int | None) -> int:
        """The last place, up to `at` messages, at which an exchange is over and a branch can go its own way."""
        length = len(self.messages)
        if at is None or at >= length:
            return length
        return max(
            (n for n in range(max(0, at) + 1) if n == 0 or begins_exchange(self.messages[n])), default=0
        )

    def _sent(self, start: int, seal: str) -> tuple[Message, ...]:
        ends = [0, *(end for end, _ in self.notes), len(self.messages)]
        seals = [*(note.seal for _, note in self.notes), ""]
        sent: list[Message] = []
        for (begin, end), one in zip(pairwise(ends), seals, strict=True):
            part = self.messages[max(begin, start) : end]
            sent += part if one == seal else without_thoughts(part)
        return tuple(sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a conversation that is sent, from the message at `start` on."""

    history: tuple[Message, ...] = ()
    seal: str = ""
    start: int = 0

    def note(self, tokens: int) -> Note:
        """What is kept beside the answer to it."""
        return Note(seal=self.seal, start=self.start, tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Messages to be added to a conversation, and what is noted beside them."""

    messages: tuple[Message, ...]
    note: Note = field(default_factory=Note)

    @property
    def rows(self) -> tuple[bytes, ...]:
        """As a store keeps them; the note stands with the last one."""
        if not self.messages:
            return ()
        *most, last = self.messages
        return (*(_encode(_row(message)) for message in most), _encode(_row(last, self.note)))

    def behind(self, others: Transcript) -> "Addition":
        """The same behind messages that others have added since: then its thinking holds no more.

        Calls that wait at their end are answered first; results of calls that they have answered are left out.
        """
        waiting = open_calls(others.messages)
        start = others.notes[-1][1].start if others.notes else 0
        first, *more = self.messages
        answered = {str(block.get("tool_use_id", "")) for block in blocks_of(first)}
        if begins_exchange(first) or answered != set(waiting):
            rest = self.messages if begins_exchange(first) else tuple(more)
            messages = (results(waiting, UNANSWERED), *rest) if waiting and rest else rest
        else:
            messages = self.messages
        return Addition(messages=messages, note=Note(start=start))


def closed(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with results for the calls at their end, which were under way when it all ended."""
    calls = open_calls(messages)
    return (*messages, results(calls, INTERRUPTED)) if calls else tuple(messages)


def results(calls: Sequence[str], text: str) -> Message:
    """The message that says the same of all these calls."""
    blocks: list[Block] = [
        {"type": "tool_result", "tool_use_id": call, "content": text, "is_error": True} for call in calls
    ]
    return {"role": "user", "content": blocks}


def _row(message: Message, note: Note | None = None) -> dict[str, object]:
    return dict(message) if note is None else {**message, "holdfast": note}


def _unreadable() -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            "This conversation cannot be read: what is stored of it is damaged. Begin a new one.",
            ko="저장된 내용이 손상되어 이 대화를 읽을 수 없습니다. 새 대화를 시작하세요.",
        )
    )
