"""One call and what becomes of it: the values that doors, guards and the inner ring hand each other."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from holdfast.errors import HoldfastError, Refused
from holdfast.leash import Leash
from holdfast.policy.coverage import Coverage
from holdfast.ports import End
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
class Tally:
    """What has been done for a call so far: the one thing about it that changes, and the only one to survive it."""

    attempts: int = 0
    asked_model: str | None = None
    """The model that was asked last, which may stand in for the one that the call names."""
    spent: list[Spent] = field(default_factory=list[Spent])
    is_answering: bool = False
    """Whether an upstream has begun a plain answer, all of which is billed, and has not come to its end."""
    notes: list[Coverage] = field(default_factory=list[Coverage])


Barrier = Callable[[str], Refused | None]
"""Why a call may not go to a model that stands in for the one it names; `None` when it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request on its way in: the client's own bytes and what holdfast read in them.

    `deadline` and `started` are moments of the monotonic clock in seconds; `attempts` lowers the configured
    number of attempts for this call; `degraded` says what it already lacks of what the caller wanted,
    `notices` what the model is to read in its own answer.
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
    spent: tuple[Spent, ...] = ()
