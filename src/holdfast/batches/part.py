"""Parts of a file that were sent as one batch each, as the journal remembers them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import msgspec

from holdfast.batches.remote import MessageBatches
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.stores.journal import Journal

LOOKED_THROUGH = 100
"""Batches that are looked through for one that was made when no answer came."""


class _Note(msgspec.Struct, kw_only=True):
    part: str
    at: datetime | None = None
    numbers: tuple[int, ...] = ()
    before: str | None = None
    batch: str | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lines that were sent together.

    Attributes:
        key: what their names at the API begin with.
        before: the newest batch at the API before this one was made.
        batch: the name of the batch; `None` while nobody knows whether it was made.
    """

    key: str
    at: datetime
    numbers: tuple[int, ...] = ()
    before: str | None = None
    batch: str | None = None

    @classmethod
    def new(cls, at: datetime) -> Self:
        """One that nothing has been sent of."""
        return cls(key=secrets.token_hex(8), at=at)

    def begun(self, numbers: tuple[int, ...], before: str | None) -> "Part":
        """About to be sent."""
        return replace(self, numbers=numbers, before=before)

    def made(self, batch: str) -> "Part":
        """Sent, and known by this name at the API."""
        return replace(self, batch=batch)

    def begin_note(self) -> dict[str, object]:
        """What the journal must have before it is sent."""
        return {
            "part": self.key,
            "at": self.at.isoformat(),
            "numbers": list(self.numbers),
            "before": self.before,
        }

    def made_note(self) -> dict[str, object]:
        """What the journal must have behind that."""
        return {"part": self.key, "batch": self.batch}

    def end_note(self) -> dict[str, object]:
        """Nothing is left to fetch of it."""
        return {"part": self.key, "is_over": True}


def name_of(key: str, number: int) -> str:
    """What a line is called at the API."""
    return f"{key}-{number}"


def number_in(name: str, key: str) -> int:
    """Which line that is; -1 for one that is not of this part."""
    head, _, number = name.rpartition("-")
    return int(number) if head == key and number.isdecimal() else -1


def parts_of(journal: Journal) -> list[Part]:
    """The parts that were sent, or may have been, and are not over."""
    found: dict[str, Part] = {}
    for note in journal.notes:
        said = msgspec.convert(note, _Note)
        if said.at is not None:
            found[said.part] = Part(key=said.part, at=said.at, numbers=said.numbers, before=said.before)
        elif said.is_over:
            found.pop(said.part, None)
        elif said.batch is not None:
            found[said.part] = found[said.part].made(said.batch)
    return list(found.values())


async def adopted(part: Part, remote: MessageBatches, journal: Journal) -> Part:
    """The part with its name at the API, if it was sent and no answer came to that.

    It is told by its size from among those that are newer than all there were. Raises `ConfigError` where several
    may be it.
    """
    if part.batch is not None:
        return part
    known = {one.batch for one in parts_of(journal)}
    candidates: list[str] = []
    for standing in await remote.newest(LOOKED_THROUGH):
        if standing.id == part.before:
            break
        if standing.size == len(part.numbers) and standing.id not in known:
            candidates.append(standing.id)
    if len(candidates) > 1:
        raise _several(candidates)
    if not candidates:
        journal.note(part.end_note())
        return part
    made = part.made(candidates[0])
    journal.note(made.made_note())
    return made


def _several(names: Sequence[str]) -> ConfigError:
    shown = ", ".join(names)
    return ConfigError(
        Sentence(
            f"The last session ended while it made a batch, and several may be it: {shown}. Cancel and delete those "
            "that nobody needs, then give the same command again.",
            ko=f"지난 실행이 배치를 만들던 중에 끝났고, 그 배치일 수 있는 것이 여러 개입니다: {shown}. "
            "필요 없는 배치를 취소하고 삭제한 뒤 같은 명령을 다시 실행하세요.",
        )
    )
