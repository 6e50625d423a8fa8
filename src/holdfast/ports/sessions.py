"""The port of conversations that outlive the process: messages in their order, only ever added to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MOST_MESSAGES = 10_000
"""Messages of one session."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all messages of one session together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose session it is: a key or tenant, and a user of it; `None` is nobody in particular, a user of its own.

    An id means something to its owner only: two owners may use the same one, and neither ever learns of the other.
    """

    key: str = "local"
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session with all its messages, oldest first; `parent` is the id of the session that it branched off."""

    id: str
    messages: tuple[bytes, ...]
    first_at: datetime
    last_at: datetime
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHead:
    """A session as lists have it: without its messages."""

    id: str
    length: int
    first_at: datetime
    last_at: datetime
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Nothing was added: somebody else has added to the session, which has `length` messages now."""

    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """Nothing was added: the session has `length` messages, and no room for these."""

    length: int


class Sessions(Protocol):
    """Conversations by owner and id; a message is bytes of JSON, kept as given and never changed.

    They hold what people have said, unmasked, since a model has to be shown it again as it was: so a session is
    only kept where its program asks for it, and is forgotten with the records of calls (`store.keep_days`), counted
    from its last message.
    """

    async def load(self, id: str, owner: Owner) -> Session | None:
        """The session of that owner and id, or `None`. Raises `StoreUnavailable`."""
        ...

    async def append(
        self, id: str, owner: Owner, messages: Sequence[bytes], *, expected: int
    ) -> int | Moved | Full:
        """Add all of the messages to a session that has `expected` messages; its new length.

        A session that is not there has none, and is made. Durable when it returns. Raises `StoreUnavailable`; then
        it may have been done all the same.
        """
        ...

    async def branch(self, id: str, owner: Owner, *, to: str, at: int | None = None) -> bool:
        """Make the session `to` of the first `at` messages of another of the same owner, `None` for all of them.

        Whether it was made: it is not where there is no session `id`, or already one called `to`. Raises
        `StoreUnavailable`.
        """
        ...

    async def list(
        self, owner: Owner, *, limit: int = 100, after: str | None = None
    ) -> tuple[SessionHead, ...]:
        """The sessions of an owner by their ids, behind the id `after`, at most `limit`. Raises `StoreUnavailable`."""
        ...

    async def forget(self, id: str, owner: Owner) -> bool:
        """Delete a session; whether it was there. Branches of it stay. Raises `StoreUnavailable`."""
        ...

    async def forget_owner(self, owner: Owner) -> int:
        """Delete all sessions of an owner; how many there were. Raises `StoreUnavailable`."""
        ...
