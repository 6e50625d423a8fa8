"""One conversation with an agent: to speak in, to look back on, to branch off from, to be forgotten."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from holdfast.agent.archive import Archive, Place
from holdfast.agent.exchange import Content
from holdfast.agent.reply import Reply
from holdfast.agent.stream import ReplyStream
from holdfast.assembly import Runtime
from holdfast.policy.sanitation import whole
from holdfast.policy.trimming import Message


def new_id() -> str:
    """An id that no other conversation has."""
    return f"conv_{secrets.token_hex(12)}"


class Partner(Protocol):
    """An agent, as far as one can converse with it."""

    async def chat(
        self,
        message: Content,
        *,
        user: str | None = None,
        conversation: str | None = None,
        output_type: Any = None,
    ) -> Reply: ...

    def stream(
        self, message: Content, *, user: str | None = None, conversation: str | None = None
    ) -> ReplyStream: ...

    async def resume(
        self, conversation: str, decisions: Mapping[str, bool], *, user: str | None = None
    ) -> Reply: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where the conversations of one user with one agent are."""

    archive: Archive
    runtime: Runtime
    agent: str | None
    user: str | None

    def place(self, id: str) -> Place:
        """That of one of them."""
        return Place.of(self.agent, self.user, id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A handle on one conversation of one user; another one with the same id and user is the same conversation.

    It is there for its user only: under the same id somebody else begins one of their own. With `sessions="store"`
    it can be gone on with after a restart and from other processes; messages sent at once from two of them are both
    answered behind what each has read, and stand one behind the other.
    """

    id: str
    user: str | None = None
    _partner: Partner = field(repr=False)
    _shelf: Callable[[], Shelf] = field(repr=False)

    async def say(self, message: Content, *, output_type: Any = None) -> Reply:
        """Send a message and wait for the answer, as `chat` of the agent."""
        return await self._partner.chat(
            message, user=self.user, conversation=self.id, output_type=output_type
        )

    def stream(self, message: Content) -> ReplyStream:
        """Send a message and read the answer as it comes, as `stream` of the agent."""
        return self._partner.stream(message, user=self.user, conversation=self.id)

    async def resume(self, decisions: Mapping[str, bool]) -> Reply:
        """Go on where `reply.pending` waits, as `resume` of the agent."""
        return await self._partner.resume(self.id, decisions, user=self.user)

    async def history(self) -> tuple[Message, ...]:
        """Everything that was said, oldest first, also what is no longer sent. Raises `StoreUnavailable`."""
        shelf = self._shelf()
        return (await shelf.archive.read(shelf.place(self.id), shelf.runtime)).transcript.messages

    async def branch(self, at: int | None = None) -> "Conversation":
        """A new conversation that begins with the first `at` messages of this one, `None` for all of them.

        An exchange that is cut through is left out whole. Raises `StoreUnavailable`.
        """
        shelf, id = self._shelf(), new_id()
        await shelf.archive.branch(shelf.place(self.id), id, at, shelf.runtime)
        return replace(self, id=id)

    async def forget(self) -> bool:
        """Delete what was said, for good; whether there was anything. Branches stay. Raises `StoreUnavailable`."""
        shelf = self._shelf()
        return await shelf.archive.forget(shelf.place(self.id), shelf.runtime)


class Conversing:
    """Gives an agent `conversation`."""

    __slots__ = ()

    def conversation(self, id: str | None = None, *, user: str | None = None) -> Conversation:
        """The conversation of that id with that user, a new one without an id."""
        return Conversation(
            id=whole(id or new_id()), user=user, _partner=self._partner(), _shelf=lambda: self._shelf(user)
        )

    def _partner(self) -> Partner:
        """Who answers."""
        raise NotImplementedError

    def _shelf(self, user: str | None) -> Shelf:
        """Where the conversations of a user are."""
        raise NotImplementedError
