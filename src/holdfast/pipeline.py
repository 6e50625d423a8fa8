"""The heart: ask every guard in order, send, and settle in reverse, exactly once, whatever the ending."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Protocol, Self, TypeVar

from holdfast.errors import HoldfastError, Refused
from holdfast.events import Observer, SettleFailed, unobserved
from holdfast.ports import End
from holdfast.wire.headers import Headers
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

Door = Literal["library", "sdk", "gateway"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whose call it is."""

    door: Door
    key: str = "local"
    user: str | None = None
    run: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A Messages request as a door received it."""

    body: bytes
    headers: Headers = ()
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one attempt used up in vain; `estimated` when the upstream never said how much."""

    upstream: str
    model: str
    usage: Usage
    estimated: bool


@dataclass(slots=True)
class Tally:
    """What has been done for a call so far: the one thing about it that changes, and the only one to survive it."""

    attempts: int = 0
    spent: list[Spent] = field(default_factory=list[Spent])


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request on its way in: the client's own bytes and what holdfast read in them.

    `deadline` and `started` are moments of the monotonic clock in seconds; `attempts` lowers the configured
    number of attempts for this call.
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
    tally: Tally = field(default_factory=Tally, compare=False)


class Body(Protocol):
    """An open answer; whoever holds it must close it, even if it was never read."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer that has begun; `meter` knows more with every chunk of `body`, `length` is set if it is whole.

    `current` is there for one that was begun before its upstream had answered: it tells how things stand.
    """

    status: int
    headers: Headers
    body: Body
    meter: Meter
    length: int | None = None
    attempts: int = 0
    upstream: str | None = None
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
    error_code: str | None = None
    spent: tuple[Spent, ...] = ()


Settle = Callable[[Outcome], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Proceed:
    """Let the call on; `settle` runs on the way back, whatever happens."""

    call: Call
    settle: Settle | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the call here; the upstream is not asked."""

    response: Response


Guard = Callable[[Call], Awaitable[Proceed | Answer]]
Send = Callable[[Call], Awaitable[Response | Unanswered]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Ask every guard in order, then `send`; settle in reverse order, exactly once."""

    guards: Sequence[Guard]
    send: Send
    observe: Observer = unobserved

    async def __call__(self, call: Call) -> "Settling":
        settles: list[Settle] = []
        try:
            found = await self._respond(call, settles)
        except BaseException as error:
            await finish(unwind(settles, _ending_of(error, call.tally), self.observe))
            raise
        if isinstance(found, Response):
            return Settling(found, settles, self.observe, tally=call.tally)
        outcome = replace(_ending_of(found.error, call.tally), upstream=found.upstream)
        await finish(unwind(settles, outcome, self.observe))
        raise found.error

    async def _respond(self, call: Call, settles: list[Settle]) -> Response | Unanswered:
        for guard in self.guards:
            step = await guard(call)
            if isinstance(step, Answer):
                return step.response
            call = step.call
            settles += [step.settle] if step.settle else []
        return await self.send(call)


class Settling:
    """An answer on its way out: settles when its body ends, breaks, or is closed before either.

    It may be read and closed in another task than the one that made the call: uvicorn does that.
    """

    __slots__ = ("_begun", "_body", "_observe", "_response", "_settled", "_settles", "_tally")

    def __init__(
        self,
        response: Response,
        settles: Sequence[Settle],
        observe: Observer = unobserved,
        *,
        tally: Tally | None = None,
    ) -> None:
        self._response = response
        self._tally = tally or Tally()
        self._body = response.body
        self._settles = settles
        self._observe = observe
        self._begun = False
        self._settled = False

    @property
    def response(self) -> Response:
        """The answer as it stands: of one begun ahead of its upstream, the real one as soon as it is there."""
        current = self._response.current
        return self._response if current is None else current()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._settled:
            raise StopAsyncIteration
        try:
            chunk = await self._body.__anext__()
        except StopAsyncIteration:
            await self._settle("failed" if self._went_wrong() else "answered")
            raise
        except asyncio.CancelledError:
            await self._settle(self._end_if_left())
            raise
        except BaseException as error:
            await self._settle("failed", _code_of(error))
            raise
        self._begun = True
        return chunk

    async def aclose(self) -> None:
        """Let go of the answer; one that had not ended counts as abandoned."""
        await self._settle(self._end_if_left())

    async def read(self) -> bytes:
        """The whole body."""
        try:
            return b"".join([chunk async for chunk in self])
        finally:
            await self.aclose()

    def _went_wrong(self) -> bool:
        return self.response.status >= 400 or self.response.meter.error is not None

    def _end_if_left(self) -> End:
        """How it ends for a reader who leaves now: many leave after the last event, before the last byte."""
        if self._went_wrong():
            return "failed"
        return "answered" if self._begun and self.response.meter.complete else "abandoned"

    async def _settle(self, end: End, error_code: str | None = None) -> None:
        if self._settled:
            return
        self._settled = True
        response = self.response
        outcome = _outcome(end, response, tuple(self._tally.spent))
        if error_code is not None:
            outcome = replace(outcome, error_code=error_code)
        await finish(unwind((*self._settles, self._close), outcome, self._observe))

    async def _close(self, outcome: Outcome) -> None:
        await self._body.aclose()


async def unwind(settles: Sequence[Settle], outcome: Outcome, observe: Observer) -> None:
    """Settle last in, first out; one that fails is announced and keeps none of the others from settling."""
    if not settles:
        return
    *earlier, latest = settles
    try:
        await latest(outcome)
    except (Exception, asyncio.CancelledError) as error:  # nobody is left to tell, and the others must settle
        observe(SettleFailed(guard=getattr(latest, "__qualname__", repr(latest)), error=repr(error)))
    finally:
        await unwind(earlier, outcome, observe)


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end even if the caller is cancelled meanwhile, then pass the cancellation on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # Unlike `shield`, this neither raises what the work raised nor hands our cancellation down to it.
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()


def _ending_of(error: BaseException, tally: Tally) -> Outcome:
    end: End = "failed"
    status = 500
    match error:
        case HoldfastError():
            end, status = ("refused" if isinstance(error, Refused) else "failed"), error.status
        case asyncio.CancelledError():
            end, status = "abandoned", 499
        case _:
            pass
    code = None if end == "abandoned" else _code_of(error)
    return Outcome(end=end, status=status, error_code=code, attempts=tally.attempts, spent=tuple(tally.spent))


def _outcome(end: End, response: Response, spent: tuple[Spent, ...]) -> Outcome:
    meter = response.meter
    error = meter.error
    return Outcome(
        end=end,
        status=response.status,
        usage=meter.usage,
        estimated=meter.estimated,
        is_unbilled=meter.is_unbilled,
        served_model=meter.model,
        stop_reason=meter.stop_reason,
        attempts=response.attempts,
        upstream=response.upstream,
        error_code=(error.error_code or error.type) if error else None,
        spent=spent,
    )


def _code_of(error: BaseException) -> str:
    return error.error_code if isinstance(error, HoldfastError) else type(error).__name__
