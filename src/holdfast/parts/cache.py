"""A cache of answers to hold in the hand: which are kept and for how long, and what that has saved."""

import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal

from holdfast.call import OwnCache
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.events import AnswerReused
from holdfast.parts.duration import Duration, seconds
from holdfast.parts.similar import Embedder, SimilarAnswers
from holdfast.policy.caching import CacheConfig, Scope, Shelf, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What a cache has done so far.

    Attributes:
        hits: calls that were answered from it.
        misses: calls that asked it in vain.
        saved: exact dollars that the answers had cost when they were first given.
        entries: answers kept now.
        bytes: their size.
    """

    hits: int = 0
    misses: int = 0
    saved: Decimal = Decimal(0)
    entries: int = 0
    bytes: int = 0

    @property
    def hit_rate(self) -> float:
        """The part of the calls that was answered from it; 0 before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class MemoryAnswers:
    """Answers in this process, safe from any thread; verbs as `holdfast.ports.AnswerStore`."""

    def __init__(self, config: CacheConfig, clock: Clock = SYSTEM_CLOCK) -> None:
        self._shelf = Shelf(max_entries=config.max_entries, max_bytes=config.max_bytes)
        self._clock = clock
        self._lock = threading.Lock()

    async def find(self, name: str) -> Stored | None:
        with self._lock:
            return self._shelf.find(name, now=self._clock.now().timestamp())

    async def keep(self, name: str, answer: Stored) -> None:
        with self._lock:
            self._shelf.keep(name, answer)

    @property
    def entries(self) -> int:
        """How many there are."""
        return len(self._shelf)

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return self._shelf.size


@dataclass(eq=False, repr=False)
class Cache:
    """Answers that are given again to the very same question, for nothing.

    Give it to an agent: `ProductionAgent(cache=Cache(ttl=600))`. Kept in this process, safe among threads and tasks;
    what is asked for at the same time is asked once. Cut off, declined and failed answers are never kept, nor, unless
    asked for, those that call tools or have read what tools and documents say.

    Attributes:
        ttl: seconds or `timedelta` for which an answer may be given again.
        max_entries: answers kept; the one unused longest goes first.
        max_bytes: bytes of all of them.
        max_answer: bytes of one.
        scope: who may share an answer: a `user`, everybody with the same `key`, or one `run`.
        only_deterministic: only requests with a temperature of 0.
        tainted: also those that hold results of tools or documents.
        tool_calls: also answers that call a tool of a client; an agent asks anew before it acts.
        personalised: also those that name a user, with `scope="key"`.
        wait: seconds or `timedelta` that a call waits for another that asks the same.
        shared: also in the Redis of the fleet, if the hold has one.
        embedder: says what questions mean; then one that means the same gets the same answer.
        threshold: how much alike two questions must be for that, from 0 to 1.
        clock: where time comes from.

    Raises `ConfigError` for a bound that makes no sense.
    """

    ttl: Duration = 3600.0
    _: KW_ONLY
    max_entries: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    max_answer: int = 1024 * 1024
    scope: Scope = "user"
    only_deterministic: bool = False
    tainted: bool = False
    tool_calls: bool = False
    personalised: bool = False
    wait: float = 30.0
    shared: bool = True
    embedder: Embedder | None = None
    threshold: float = 0.95
    clock: Clock | None = None
    config: CacheConfig = field(init=False)
    own: OwnCache = field(init=False)

    def __post_init__(self) -> None:
        self.config = CacheConfig(
            enabled=True,
            ttl=seconds("ttl", self.ttl),
            max_entries=self.max_entries,
            max_bytes=self.max_bytes,
            max_answer=self.max_answer,
            scope=self.scope,
            only_deterministic=self.only_deterministic,
            tainted=self.tainted,
            tool_calls=self.tool_calls,
            personalised=self.personalised,
            wait=self.wait,
            shared=self.shared,
        )
        similar = None
        if self.embedder is not None:
            similar = SimilarAnswers(self.embedder, self.threshold, most=self.max_entries)
        self._lock = threading.Lock()
        self._begin(self.config, similar)

    def __repr__(self) -> str:
        return f"Cache(ttl={self.config.ttl:g}, scope={self.config.scope!r}, entries={self._answers.entries})"

    @classmethod
    def of(cls, config: CacheConfig, clock: Clock) -> "Cache":
        """The cache that settings describe."""
        cache = cls(clock=clock)
        cache.config = config
        cache._begin(config, None)
        return cache

    def stats(self) -> CacheStats:
        """What it has done so far."""
        with self._lock:
            return CacheStats(
                hits=self._hits,
                misses=self._misses,
                saved=self._saved,
                entries=self._answers.entries,
                bytes=self._answers.size,
            )

    def _begin(self, config: CacheConfig, similar: SimilarAnswers | None) -> None:
        self._hits = self._misses = 0
        self._saved = Decimal(0)
        self._answers = MemoryAnswers(config, self.clock or SYSTEM_CLOCK)
        told: Callable[[AnswerReused | None], None] = self._told
        self.own = OwnCache(config=config, store=self._answers, told=told, similar=similar)

    def _told(self, reused: AnswerReused | None) -> None:
        with self._lock:
            if reused is None:
                self._misses += 1
                return
            self._hits += 1
            self._saved += Decimal(reused.saved or 0)
