"""One call and what becomes of it: the values that doors, guards and the inner ring hand each other."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from holdfast.errors import HoldfastError, Refused
from holdfast.events import AnswerReused, AttemptEnded, RouteChosen
from holdfast.language import Sentence
from holdfast.leash import Leash
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.cache_bust import CacheStep
from holdfast.policy.caching import CacheConfig
from holdfast.policy.coverage import Coverage
from holdfast.policy.holds import Crossing
from holdfast.policy.quota import QuotaConfig
from holdfast.policy.recording import Recording
from holdfast.policy.route import RouteConfig
from holdfast.policy.story import GuardStep, Turned
from holdfast.ports import End
from holdfast.ports.answers import AnswerStore, Similar
from holdfast.wire.headers import Headers
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

Door = Literal["library", "sdk", "gateway"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whose call it is."""

    door: Door
    key: str = "local"
    user: str | None = None
    run: str | None = None
    agent: str | None = None
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A Messages request as a door received it."""

    body: bytes
    headers: Headers = ()
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """An attempt in vain, and what it used up; `estimated` when the upstream never said how much.

    `number` counts the attempts of its call from 1; `model` is what was asked there, `kind` how it failed.
    """

    upstream: str
    model: str
    usage: Usage
    estimated: bool
    number: int = 1
    served_model: str | None = None
    kind: str = "http"
    status: int | None = None


class Purse(Protocol):
    """Pays for the attempts of one call: nothing is sent that no money is held for."""

    async def hold(self, number: int, upstream: str, call: "Call") -> "Call":
        """Hold what attempt `number` may cost at most; the call as it may be sent there.

        Raises `BudgetExhausted` when a budget has no room, `StoreUnavailable` when nobody can tell.
        """
        ...

    def watch(self, number: int, meter: Meter) -> None:
        """The answer of that attempt has begun; `meter` says from now on what it uses."""
        ...

    async def lost(self, spent: Spent) -> None:
        """That attempt came to nothing: its hold goes back, less what it has used up; never raises."""
        ...


@dataclass(slots=True)
class Tried:
    """An attempt as its call's story will tell it; `began` and `wait` are seconds, `ended` is there once it is over."""

    number: int
    upstream: str
    model: str
    began: float
    ended: AttemptEnded | None = None
    error_code: str | None = None
    wait: float | None = None


@dataclass(slots=True)
class Capture:
    """The answer to a call whose bodies are recorded, as its caller gets it, in at most `room` bytes."""

    recording: Recording
    room: int
    answer: bytearray = field(default_factory=bytearray)
    is_cut: bool = False

    def add(self, chunk: bytes) -> None:
        """Take what has been sent."""
        self.is_cut = self.is_cut or len(chunk) > self.room
        self.answer += chunk[: self.room]
        self.room -= min(len(chunk), self.room)


@dataclass(slots=True)
class Tally:
    """What has been done for a call so far: the one thing about it that changes, and the only one to survive it.

    Attributes:
        notes: what of the call was examined; `steps` what each guard decided.
        held: pico-dollars held for attempts, by their number.
        turned: who let no attempt through, the last time that somebody did not.
        degraded: what the answer lacks of what was wanted; `notices` how many notes to the model it holds.
        trace_id: the trace it belongs to, where there is one.
        cache: what the cache of prompts did for it, if it was asked to do something.
        capture: where its answer is recorded, if somebody wants it to be.
    """

    attempts: int = 0
    asked_model: str | None = None
    """The model that was asked last, which may stand in for the one that the call names."""
    spent: list[Spent] = field(default_factory=list[Spent])
    is_answering: bool = False
    """Whether an upstream has begun a plain answer, all of which is billed, and has not come to its end."""
    notes: list[Coverage] = field(default_factory=list[Coverage])
    steps: list[GuardStep] = field(default_factory=list[GuardStep])
    tried: list[Tried] = field(default_factory=list[Tried])
    held: dict[int, int] = field(default_factory=dict[int, int])
    turned: Turned | None = None
    degraded: tuple[str, ...] = ()
    notices: int = 0
    trace_id: str | None = None
    cache: CacheStep | None = None
    capture: Capture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTools:
    """The tools of a call that its own door runs: no call of one is taken out of the answer.

    Attributes:
        doubted: told of each call that is not seen to be the user's wish: its id, and why.
        acting: names of tools that do something, whatever they are called.
        reading: names of those that do not.
        waits: whether no call goes out before `doubted` has heard of it, where calls may be held.
    """

    doubted: Callable[[str, Sentence], None]
    acting: frozenset[str] = frozenset()
    reading: frozenset[str] = frozenset()
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLimits:
    """Budgets and quotas, by name, that a call brings along besides those of the settings.

    `crossed` is told, once in a window, when a part of one of its budgets has been reached; `cure` says how
    to get larger ones.
    """

    budgets: Mapping[str, BudgetConfig] = field(default_factory=dict[str, BudgetConfig])
    quotas: Mapping[str, QuotaConfig] = field(default_factory=dict[str, QuotaConfig])
    crossed: Callable[[Crossing], None] | None = None
    cure: Sentence | None = None

    def tell(self, crossing: Crossing) -> None:
        """Tell of a threshold, if it is one of these budgets."""
        if self.crossed is not None and crossing.budget in self.budgets:
            self.crossed(crossing)


NO_LIMITS = OwnLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCache:
    """Answers that may be given again: which, where they are, and who is told of one that was.

    `similar` finds answers to questions that mean the same; `None` looks for none.
    """

    config: CacheConfig
    store: AnswerStore
    told: Callable[[AnswerReused | None], None] = lambda _: None
    """Told of every look-up: what was found, `None` for nothing."""
    similar: Similar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWays:
    """How a call wants to be routed and its answer kept, in place of what the settings say.

    Attributes:
        route: all that the call may ask for is routed by this, unless it names models.
        routed: told of every choice.
        cache: its answers are kept there.
        models: the only models that its caller may be sent to; empty is any.
    """

    route: RouteConfig | None = None
    routed: Callable[[RouteChosen], None] | None = None
    cache: OwnCache | None = None
    models: frozenset[str] = frozenset()


NO_WAYS = OwnWays()


Barrier = Callable[[str], Refused | None]
"""Why a call may not go to a model that stands in for the one it names; `None` when it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request on its way in: the client's own bytes and what holdfast read in them.

    `deadline` and `started` are moments of the monotonic clock in seconds; `attempts` lowers the configured
    number of attempts for this call; `degraded` says what it already lacks of what the caller wanted,
    `notices` what the model is to read in its own answer. `own_tools` are there when the door runs the tools.
    """

    request_id: str
    principal: Principal
    request: MessagesRequest
    body: bytes
    headers: Headers = ()
    query: str = ""
    arrived: datetime
    started: float
    deadline: float
    attempts: int | None = None
    purse: Purse | None = field(default=None, compare=False)
    leash: Leash = field(default_factory=Leash, compare=False)
    barrier: Barrier | None = field(default=None, compare=False)
    degraded: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    own_tools: OwnTools | None = field(default=None, compare=False)
    own_limits: OwnLimits = field(default=NO_LIMITS, compare=False)
    own_ways: OwnWays = field(default=NO_WAYS, compare=False)
    tally: Tally = field(default_factory=Tally, compare=False)


class Body(Protocol):
    """An open answer; whoever holds it must close it, even if it was never read."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer that has begun; `meter` knows more with every chunk of `body`, `length` is set if it is whole.

    `asked_model` is what the upstream was asked for, if not what the caller wants. `current` is there for one
    that was begun before its upstream had answered: it tells how things stand.
    """

    status: int
    headers: Headers
    body: Body
    meter: Meter
    length: int | None = None
    attempts: int = 0
    upstream: str | None = None
    asked_model: str | None = None
    label: Literal["answered", "cached", "fallback"] = "answered"
    current: Callable[[], "Response"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """No answer came: the error to raise instead, and who was asked last."""

    error: HoldfastError
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended; always carries the usage seen: a broken stream has still spent tokens.

    `usage` is that of the answer, `is_unbilled` when the API does not bill it (a refusal before any output);
    `spent` is what further attempts used up in vain.
    """

    end: End
    status: int
    usage: Usage = field(default_factory=Usage)
    estimated: bool = False
    is_unbilled: bool = False
    served_model: str | None = None
    stop_reason: str | None = None
    attempts: int = 0
    upstream: str | None = None
    asked_model: str | None = None
    error_code: str | None = None
    label: Literal["answered", "cached", "fallback"] = "answered"
    spent: tuple[Spent, ...] = ()
