"""What is remembered of people across conversations: facts with their origin, and the port of where they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from unicodedata import normalize

from holdfast.errors import ConfigError
from holdfast.language import Sentence

Trust = Literal["user", "tool", "model"]
"""Who has said it: the user or the application in the user's name, a tool, or a model of itself."""
Maker = Literal["model", "extract"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose memory it is; nothing is kept or found without one.

    `user` is empty for conversations of nobody in particular, which have summaries and no facts. Names that differ
    only in how their letters are composed are one: what one of them forgets must be gone for the other. Raises
    `ConfigError` without a tenant.
    """

    tenant: str
    user: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant", normalize("NFC", self.tenant))
        object.__setattr__(self, "user", normalize("NFC", self.user))
        if not self.tenant:
            raise ConfigError(
                Sentence(
                    "A memory needs a tenant: write Memory(tenant=...) with the name of one.",
                    ko="메모리에는 테넌트가 필요합니다. Memory(tenant=...)에 이름을 적으세요.",
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something remembered of a user, and where it comes from.

    Attributes:
        source: the name of who said it: the user, a tool, an agent.
        conversation: in which it was said.
        at: when it was first said; `used` when it was recalled last, `uses` how often.
        expires: when it is forgotten; `None` for never.
        quarantined: it reads like an attack, so it is listed and never recalled.
    """

    id: str
    text: str
    trust: Trust
    source: str
    conversation: str | None
    at: datetime
    used: datetime
    uses: int = 0
    expires: datetime | None = None
    quarantined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A fact and what it is found by: its terms with their impacts (`holdfast.policy.recall`), and its vector."""

    fact: Fact
    impacts: Mapping[str, int]
    vector: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The summary of a conversation so far.

    Attributes:
        made_by: a model, or extracted without one.
        covers: how many messages it is about, from the first on.
    """

    conversation: str
    text: str
    made_by: Maker
    covers: int
    at: datetime


class Recollections(Protocol):
    """Where memories are kept; every verb is about one owner and sees no other's. Raises `StoreUnavailable`.

    Verbs that write delete whatever has expired by `now`, and durably when they return; the others do not see it.
    """

    async def remember(self, owner: Owner, entry: Indexed, *, most: int, now: datetime) -> None:
        """Keep a fact, in place of one of the same id; of more than `most`, those unused longest go."""
        ...

    async def facts(self, owner: Owner, *, now: datetime) -> tuple[Fact, ...]:
        """All facts, the quarantined among them, oldest first."""
        ...

    async def search(
        self, owner: Owner, terms: Sequence[str], *, limit: int, now: datetime
    ) -> tuple[tuple[str, int], ...]:
        """The ids of facts that have most of the terms, with their points, best first; none in quarantine."""
        ...

    async def vectors(self, owner: Owner, *, now: datetime) -> Mapping[str, bytes]:
        """The vectors of all facts that have one, by id; none in quarantine."""
        ...

    async def recall(self, owner: Owner, ids: Sequence[str], *, now: datetime) -> tuple[Fact, ...]:
        """These facts, in this order, each counted as used once more; ids that are not there are left out."""
        ...

    async def forget(self, owner: Owner, id: str) -> bool:
        """Delete a fact and all traces of it; whether it was there."""
        ...

    async def forget_all(self, owner: Owner) -> int:
        """Delete all facts and summaries and all traces of them; how many facts there were."""
        ...

    async def keep(self, owner: Owner, digest: Digest, *, most: int) -> None:
        """Keep the summary of a conversation in place of an older one; of more than `most`, the oldest go."""
        ...

    async def digest(self, owner: Owner, conversation: str) -> Digest | None:
        """The summary of a conversation."""
        ...

    async def digests(self, owner: Owner) -> tuple[Digest, ...]:
        """The summaries of all conversations, oldest first."""
        ...

    def close(self) -> None:
        """Let go of files and connections, which are opened again when next needed; never raises."""
        ...


class Embedder(Protocol):
    """Turns texts into vectors that point the same way where texts mean the same.

    One that cannot answer raises a `HoldfastError`; then words alone decide. All its vectors have one length.
    """

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector for each text, in their order."""
        ...
