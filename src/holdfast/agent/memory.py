"""`Memory`: what an agent remembers of its users, in three tiers, each piece with its origin on it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from threading import Lock
from typing import Literal, get_args

import msgspec

from holdfast.agent.tools import Tool, ToolError, tool_of
from holdfast.assembly import Runtime
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errand import current
from holdfast.errors import ConfigError, HoldfastError, InputRejected
from holdfast.language import Sentence
from holdfast.operations.memories import exported
from holdfast.parts.redactor import Redactor
from holdfast.parts.suspicion import Suspicion
from holdfast.policy.recall import affordable, close, fused, impacts, nearest, packed, wanted
from holdfast.policy.sanitation import sanitize
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.summary import tokens_of
from holdfast.recollection import Embedder, Fact, Indexed, Owner, Recollections, Trust
from holdfast.stores.recollections import open_recollections

Summary = Literal["model", "extract", "off"]
LONGEST = 2_000
"""Characters of one fact."""
CANDIDATES = 4
"""Facts that are looked at for each one that may be recalled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a memory is at home."""

    store: Recollections
    suspicion: Suspicion
    clock: Clock


@dataclass(slots=True, eq=False, kw_only=True)
class Memory:
    """What agents remember; give one to `ProductionAgent(memory=...)`, or to several that shall share it.

    The working tier is the conversation itself. When it gets long it is summed up, and once its beginning is gone
    the model is shown the summary. Facts outlive the conversation: added by `remember`, or by the model with a tool
    of that name, and recalled by their words where a message of the same user asks for them. All of it is shown to
    the model as data with its origin, in the newest turn; guards take none of it for the user's own words. What a
    tool or a model has said is screened, and kept in quarantine where it reads like an attack.

    Args:
        store: an address as in `store.url`, a store, or `None` for the place where the agent keeps its books.
        tenant: on whose behalf; users of two tenants never meet.
        user: whose memory it is where a message names nobody; without it such messages have no long-term memory.
        embedder: turns texts into vectors, so that facts are found by their meaning, too.
        top: facts recalled for one message at most, in at most `tokens` tokens together.
        ttl: how long facts are kept, in seconds or a `timedelta`; `None` for as long as there is room.
        most: facts of one user; those unused longest make room.
        summary: made by the small `model`, or as an `extract` of what was said, without any.
        summary_after: messages after which a conversation is summed up, again and again.
        summary_tokens: how long a summary may be.
        tool: whether the model may remember something by itself; the tool goes through the gate as one that acts.
        clock: by which it forgets; the agent's when left out.

    Raises:
        ConfigError: for settings that make no sense.
    """

    store: str | Recollections | None = None
    tenant: str = "local"
    user: str | None = None
    embedder: Embedder | None = None
    top: int = 5
    tokens: int = 600
    ttl: float | timedelta | None = None
    most: int = 1_000
    summary: Summary = "model"
    summary_after: int = 40
    summary_tokens: int = 400
    tool: bool = True
    clock: Clock | None = None
    _runtime: Callable[[], Runtime] | None = field(default=None, init=False, repr=False)
    _place: _Place | None = field(default=None, init=False, repr=False)
    _finding: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if min(self.top, self.tokens, self.most, self.summary_after, self.summary_tokens) < 1:
            raise _senseless(
                "top, tokens, most, summary_after and summary_tokens must be at least 1",
                "top, tokens, most, summary_after, summary_tokens는 1 이상이어야 합니다",
            )
        if self.summary not in get_args(Summary):
            raise _senseless(
                f"summary is {self.summary!r}: write 'model', 'extract' or 'off'",
                f"summary 값이 {self.summary!r}입니다. 'model', 'extract', 'off' 가운데 하나를 쓰세요",
            )
        _lifetime(self.ttl)
        _ = Owner(tenant=self.tenant, user="")

    async def remember(
        self,
        text: str,
        *,
        user: str | None = None,
        trust: Trust = "user",
        source: str | None = None,
        conversation: str | None = None,
    ) -> Fact:
        """Keep a fact about a user; secrets in it are masked.

        `trust` says who has said it: the user, a tool or a model; `source` is their name. What is no user's word is
        screened: the fact that comes back may be `quarantined`. The same text said again is kept once, as the newer.

        Raises:
            InputRejected: it is empty or longer than `LONGEST`.
            ConfigError: nobody is named whose memory it is.
            StoreUnavailable: it is not kept.
        """
        owner, now, text = self._owner(user), self.now(), _fit(text)
        said_by = source or (owner.user if trust == "user" else trust)
        life = _lifetime(self.ttl)
        fact = Fact(
            id=_id_of(owner, trust, text),
            text=text,
            trust=trust,
            source=sanitize(said_by, collapse_whitespace=True)[:200],
            conversation=conversation,
            at=now,
            used=now,
            expires=None if life is None else now + life,
            quarantined=trust != "user" and self.is_suspicious(text),
        )
        entry = Indexed(fact=fact, impacts=impacts(text), vector=await self._vector(text))
        await self.kept.remember(owner, entry, most=self.most, now=now)
        return fact

    async def recall(self, question: str, *, user: str | None = None) -> tuple[Fact, ...]:
        """The facts about a user that a question asks for, best first. Raises `ConfigError`, `StoreUnavailable`."""
        return await self.recalled(self._owner(user), question)

    async def facts(self, *, user: str | None = None) -> tuple[Fact, ...]:
        """All facts about a user, oldest first, those in quarantine among them. Raises like `recall`."""
        return await self.kept.facts(self._owner(user), now=self.now())

    async def quarantined(self, *, user: str | None = None) -> tuple[Fact, ...]:
        """The facts that are never recalled since they read like attacks. Raises like `recall`."""
        return tuple(fact for fact in await self.facts(user=user) if fact.quarantined)

    async def forget(self, *, user: str | None = None, id: str | None = None) -> int:
        """Delete one fact of a user, or without an `id` everything, summaries too; how many facts there were.

        What was said stays in the conversation that it was said in. Raises like `recall`.
        """
        owner = self._owner(user)
        return await self.kept.forget_all(owner) if id is None else int(await self.kept.forget(owner, id))

    async def export(self, *, user: str | None = None) -> str:
        """Everything that is kept about a user, as JSON: a fact or a summary a line. Raises like `recall`."""
        return await exported(self.kept, self._owner(user), self.now())

    async def aclose(self) -> None:
        """Let go of files and connections; whoever uses it again opens them again."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """`aclose` for scripts and notebooks."""
        if self._place is not None:
            self._place.store.close()

    def attach(self, runtime: Callable[[], Runtime]) -> tuple[Tool, ...]:
        """Become the memory of an agent on this pipeline; the tools that its model is offered."""
        self._runtime = self._runtime or runtime
        noted = tool_of(self._noted, name="remember", description=_TOOL, acts=True)
        return (noted,) if self.tool else ()

    async def recalled(self, owner: Owner, question: str, shown: str = "") -> tuple[Fact, ...]:
        """What `recall` finds, without the facts whose ids stand in what is `shown` already."""
        now, wide = self.now(), self.top * CANDIDATES
        scored = await self.kept.search(owner, wanted(question), limit=wide, now=now)
        rankings = [close(scored)]
        if (vector := await self._vector(question)) is not None:
            rankings.append(nearest(vector, await self.kept.vectors(owner, now=now), wide))
        new = [name for name in fused(rankings) if name not in shown][: self.top]
        facts = await self.kept.recall(owner, new, now=now) if new else ()
        sound = _once([fact for fact in facts if fact.trust == "user" or not self.is_suspicious(fact.text)])
        return tuple(sound[at] for at in affordable((tokens_of(fact.text) for fact in sound), self.tokens))

    def owner_of(self, user: str | None) -> Owner:
        """Whose memory it is where a message names this user; one without a name has no facts."""
        return Owner(tenant=self.tenant, user=user or self.user or "")

    def is_suspicious(self, text: str) -> bool:
        """Whether the screen would not let a tool say that without a word."""
        return self._at_home().suspicion.is_suspicious(text)

    @property
    def kept(self) -> Recollections:
        """Where it is kept."""
        return self._at_home().store

    def now(self) -> datetime:
        """The time by which it forgets."""
        return self._at_home().clock.now()

    async def _vector(self, text: str) -> bytes | None:
        if self.embedder is None:
            return None
        with suppress(HoldfastError):  # then words alone decide
            return packed((await self.embedder.embed([text]))[0])
        return None

    async def _noted(self, fact: str) -> str:
        errand = current()
        user = (None if errand is None else errand.user) or self.user
        if errand is None or not user:
            raise ToolError("Nobody is named here whom this could be remembered of.")
        kept = await self.remember(
            fact, user=user, trust="model", source=errand.parent or "agent", conversation=errand.run
        )
        if kept.quarantined:
            raise ToolError("It reads like an instruction, so it was put aside for a person to look at.")
        return "Kept."

    def _owner(self, user: str | None) -> Owner:
        owner = self.owner_of(user)
        if not owner.user:
            raise _nobody()
        return owner

    def _at_home(self) -> _Place:
        with self._finding:
            if self._place is None:
                self._place = self._found()
            return self._place

    def _found(self) -> _Place:
        runtime = None if self._runtime is None else self._runtime()
        store = self.store
        if store is None and runtime is None:
            raise _nowhere()
        if store is None or isinstance(store, str):
            assert store is not None or runtime is not None
            store = open_recollections(
                runtime.settings.store_url if runtime and store is None else str(store)
            )
        screen = ScreenConfig() if runtime is None else runtime.settings.screen
        clock = SYSTEM_CLOCK if runtime is None else runtime.clock
        return _Place(store=store, suspicion=Suspicion(config=screen), clock=self.clock or clock)


def introduced(memory: Memory | None, runtime: Callable[[], Runtime]) -> tuple[Tool, ...]:
    """The tools of the memory of an agent that has one, on its pipeline."""
    return () if memory is None else memory.attach(runtime)


_TOOL = """Keep a fact about the user for later conversations, such as a name, a wish or a date that they told you.

Args:
    fact: one sentence that will still make sense on its own.
"""


@cache
def _secrets() -> Redactor:
    return Redactor(kinds=Redactor.SECRETS)


def _fit(text: str) -> str:
    """The text as it is kept; raises `InputRejected` for one that cannot be."""
    clean = sanitize(text, collapse_whitespace=True)
    if not clean or len(clean) > LONGEST:
        raise InputRejected(
            Sentence(
                f"A memory has between 1 and {LONGEST:,} characters, and this one has {len(clean):,}. Say it shorter.",
                ko=f"기억할 내용은 1~{LONGEST:,}자여야 하는데 {len(clean):,}자입니다. 더 짧게 적으세요.",
            )
        )
    return _secrets().redact(clean)


def _id_of(owner: Owner, trust: Trust, text: str) -> str:
    """The same for the same text of the same origin, so that it is kept once."""
    parts = msgspec.json.encode((owner.tenant, owner.user, trust, text.casefold()))
    return f"m_{blake2b(parts, digest_size=8).hexdigest()}"


def _once(facts: Sequence[Fact]) -> list[Fact]:
    """Each text once, whoever has said it."""
    return [*{fact.text.casefold(): fact for fact in reversed(facts)}.values()][::-1]


def _lifetime(ttl: float | timedelta | None) -> timedelta | None:
    if ttl is None:
        return None
    life = ttl if isinstance(ttl, timedelta) else timedelta(seconds=ttl)
    if life <= timedelta(0):
        raise _senseless(
            "ttl must be more than 0; leave it out to keep facts for good",
            "ttl은 0보다 커야 합니다. 계속 보관하려면 생략하세요",
        )
    return life


def _senseless(english: str, korean: str) -> ConfigError:
    return ConfigError(Sentence(f"Memory: {english}.", ko=f"메모리 설정: {korean}."))


def _nobody() -> ConfigError:
    return _senseless(
        "nobody is named whose memory it is; say user=..., or give Memory(user=...) one",
        "누구의 기억인지 알 수 없습니다. user=...를 넘기거나 Memory(user=...)로 지정하세요",
    )


def _nowhere() -> ConfigError:
    return _senseless(
        "it has no place yet; give it to an agent, or a store with Memory(store=...)",
        "저장할 곳이 없습니다. 에이전트에 넘기거나 Memory(store=...)로 지정하세요",
    )
