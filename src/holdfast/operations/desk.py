"""The desk that an operator works at: the store, the settings, and in whose name."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.ports import Entry, Store
from holdfast.settings import Settings

T = TypeVar("T")
Report = Callable[[Sentence], object]
"""Hears of what could not be done or read, and does not keep the rest from it."""


def unreported(sentence: Sentence) -> None:
    """The report of those who do not want to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every verb of an operator needs.

    Attributes:
        actor: who does it; stands in the audit.
        random: so many random bytes; keys are made of them.
        report: hears of documents that cannot be read.
    """

    store: Store
    settings: Settings
    clock: Clock = SYSTEM_CLOCK
    actor: str = "operator"
    random: Callable[[int], bytes] = field(default=secrets.token_bytes, repr=False)
    report: Report = unreported

    @property
    def now(self) -> datetime:
        """This moment, in UTC."""
        return self.clock.now()


def readable(desk: Desk, entry: Entry, decode: Callable[[bytes], T]) -> T | None:
    """What a document says; `None`, and a report, for one that cannot be read."""
    try:
        return decode(entry.body)
    except ConfigError as error:
        desk.report(
            Sentence(
                f"{entry.kind} `{entry.name}`: {error.sentence.en}",
                ko=f"{entry.kind} `{entry.name}`: {error.sentence.ko}",
            )
        )
        return None


def instant(at: datetime | None) -> str | None:
    """A moment as JSON shows it: UTC, to the second; parts of a second only where there are some."""
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(timespec="microseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def after(desk: Desk, length: timedelta | None) -> datetime | None:
    """The moment so long from now, in whole seconds; `None` for never."""
    return None if length is None else (desk.now + length).replace(microsecond=0)
