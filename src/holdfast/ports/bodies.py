"""Recorded bodies: what is kept of them, and the verbs of the place where they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """The bodies of one call, masked and cut to size, as JSON.

    Attributes:
        recording: the name of the recording that it fell under.
        headers: those of the request that change what a model is asked: of the version, and of what is in beta.
        answer: what the caller got; `null` for a call that was not answered.
        is_cut: whether anything was left out, beyond what is masked.
    """

    request_id: str
    at: datetime
    recording: str
    key: str
    user: str | None
    run: str | None
    headers: Mapping[str, str]
    request: bytes
    answer: bytes
    is_cut: bool

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return len(self.request) + len(self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose recorded bodies are meant: everything that is said must be so; nothing said means all."""

    request_id: str | None = None
    key: str | None = None
    user: str | None = None
    run: str | None = None


class Bodies(Protocol):
    """Recorded bodies, in a place of their own; what is forgotten there is gone from the disk, too."""

    async def keep(self, entry: RecordedCall, room: int) -> None:
        """Write the bodies of a call down, once; the oldest go until all take at most `room` bytes.

        Raises `StoreUnavailable`.
        """
        ...

    async def find(self, request_id: str) -> RecordedCall | None:
        """The bodies of that call, or `None`. Raises `StoreUnavailable`."""
        ...

    async def forget(self, whose: Whose) -> int:
        """Delete what is meant, and say how many. Raises `StoreUnavailable`."""
        ...

    async def prune(self, before: datetime) -> int:
        """Delete what is older than a moment, and say how many. Raises `StoreUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Let go; never raises."""
        ...
