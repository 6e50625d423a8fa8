"""The heart: ask every guard in order, send, and settle in reverse, exactly once, whatever the ending."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from holdfast.call import Call, Outcome, Response, Tally, Unanswered
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import HoldfastError, Refused
from holdfast.events import Observer, SettleFailed, unobserved
from holdfast.leash import Leash
from holdfast.policy.story import GuardStep, details
from holdfast.ports import End
from holdfast.wire.errors import ApiError, error_event
from holdfast.wire.headers import get
from holdfast.wire.usage import Usage

T = TypeVar("T")

Settle = Callable[[Outcome], Awaitable[None]]
Through = Callable[[Call, Response], Response]
"""Takes the call as it was sent and the answer that has begun; what it returns is handed on in its place."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """Let the call on; `settle` runs on the way back, whatever happens, `through` where an answer begins."""

    call: Call
    settle: Settle | None = None
    through: Through | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the call here; the upstream is not asked."""

    response: Response


Guard = Callable[[Call], Awaitable[Proceed | Answer]]
Send = Callable[[Call], Awaitable[Response | Unanswered]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Ask every guard in order, then `send`; settle in reverse order, exactly once.

    What each guard decides, and how long it takes to, goes to the call's tally under the guard's `name`; of one
    without a name only that it broke the call off.
    """

    guards: Sequence[Guard]
    send: Send
    observe: Observer = unobserved
    clock: Clock = SYSTEM_CLOCK
    _named: tuple[tuple[str, Guard], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_named", tuple((_name_of(guard), guard) for guard in self.guards))

    async def __call__(self, call: Call) -> "Settling":
        settles: list[Settle] = []
        try:
            async with call.leash:
                found = await self._respond(call, settles)
        except BaseException as error:
            if isinstance(error, HoldfastError):
                error.attempts = call.tally.attempts
            await finish(unwind(settles, _ending_of(error, call.tally), self.observe))
            raise
        if isinstance(found, Response):
            return Settling(found, settles, self.observe, call=call)
        outcome = replace(_ending_of(found.error, call.tally), upstream=found.upstream)
        await finish(unwind(settles, outcome, self.observe))
        raise found.error

    async def _respond(self, call: Call, settles: list[Settle]) -> Response | Unanswered:
        tally, before = call.tally, self.clock.monotonic()
        throughs: list[Through] = []
        for name, guard in self._named:
            try:
                step = await guard(call)
            except BaseException as error:
                tally.steps.append(_broken_off(name or "guard", call, error, self._since(before)))
                raise
            now = self.clock.monotonic()
            if name:
                tally.steps.append(_decided(name, call, step, _ms(now - before)))
            before = now
            if isinstance(step, Answer):
                return step.response
            call = step.call
            if step.settle is not None:
                settles.append(step.settle)
            if step.through is not None:
                throughs.append(step.through)
        tally.degraded, tally.notices = call.degraded, len(call.notices)
        found = await self.send(call)
        return _seen(throughs, call, found) if isinstance(found, Response) else found

    def _since(self, before: float) -> float:
        return _ms(self.clock.monotonic() - before)


class Settling:
    """An answer on its way out: settles when its body ends, breaks, or is closed before either.

    It may be read and closed in another task than the one that made the call: uvicorn does that.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_cut_off",
        "_leash",
        "_observe",
        "_response",
        "_settled",
        "_settles",
        "_tally",
    )

    def __init__(
        self,
        response: Response,
        settles: Sequence[Settle],
        observe: Observer = unobserved,
        *,
        call: Call | None = None,
    ) -> None:
        self._response = response
        self._tally = Tally() if call is None else call.tally
        self._leash = Leash() if call is None else call.leash
        self._body = response.body
        self._settles = settles
        self._observe = observe
        self._begun = False
        self._cut_off: Outcome | None = None
        self._settled = False

    @property
    def response(self) -> Response:
        """The answer as it stands: of one begun ahead of its upstream, the real one as soon as it is there."""
        current = self._response.current
        return self._response if current is None else current()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._settled or self._cut_off is not None:
            await self._settle("failed")
            raise StopAsyncIteration
        try:
            async with self._leash:
                chunk = await self._body.__anext__()
        except StopAsyncIteration:
            await self._settle("failed" if self._went_wrong() else "answered")
            raise
        except HoldfastError as error:
            if error is not self._leash.error:
                await self._settle("failed", _code_of(error))
                raise
            return await self._cut(error)
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

    async def _cut(self, error: HoldfastError) -> bytes:
        """Somebody ended the call: a stream says so in an event of its own, a whole answer raises it.

        The upstream is hung up on and the reader is told at once; the books may take longer, and come after.
        """
        response = self.response
        kind = get(response.headers, "content-type") or ""
        if not kind.startswith("text/event-stream"):
            await self._settle("failed", error.error_code)
            raise error
        response.meter.error = ApiError(
            type=error.error_type, message=str(error), error_code=error.error_code, status=error.status
        )
        self._cut_off = _outcome("failed", response)
        await finish(unwind((self._close,), self._cut_off, self._observe))
        return error_event(error.error_type, str(error), error.error_code)

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
        await finish(self._wind_up(end, error_code))

    async def _wind_up(self, end: End, error_code: str | None) -> None:
        await unwind((self._close,), _outcome(end, self.response), self._observe)
        # Only now: an attempt that was still under way is paid for as soon as it has been hung up on, and until
        # then another may have been sent, or have found the answer.
        outcome = replace(_outcome(end, self.response), spent=tuple(self._tally.spent))
        if error_code is not None:
            outcome = replace(outcome, error_code=error_code)
        await unwind(self._settles, outcome, self._observe)

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
            free = isinstance(error, Refused) and not tally.attempts
            end, status = ("refused" if free else "failed"), error.status
        case asyncio.CancelledError():
            end, status = "abandoned", 499
        case _:
            pass
    code = None if end == "abandoned" else _code_of(error)
    return Outcome(end=end, status=status, error_code=code, attempts=tally.attempts, spent=tuple(tally.spent))


def _outcome(end: End, response: Response) -> Outcome:
    meter = response.meter
    error = meter.error
    return Outcome(
        end=end,
        status=response.status,
        usage=Usage() if meter.is_replayed else meter.usage,
        estimated=meter.estimated,
        is_unbilled=meter.is_unbilled,
        served_model=meter.model,
        stop_reason=meter.stop_reason,
        attempts=response.attempts,
        upstream=response.upstream,
        asked_model=response.asked_model,
        error_code=(error.error_code or error.type) if error else None,
        label=response.label,
    )


def _seen(throughs: Sequence[Through], call: Call, response: Response) -> Response:
    """The answer as it leaves the guards, the innermost first."""
    for through in reversed(throughs):
        response = through(call, response)
    return response


def _code_of(error: BaseException) -> str:
    return error.error_code if isinstance(error, HoldfastError) else type(error).__name__


def _name_of(guard: Guard) -> str:
    name: str = getattr(guard, "name", "")
    return name


def _ms(seconds: float) -> float:
    # Twice as fast as `round`, and it is asked for by every guard of every call.
    return int(seconds * 1_000_000) / 1000


def _decided(name: str, before: Call, step: Proceed | Answer, ms: float) -> GuardStep:
    """What a guard has made of a call; one that only adds to what is known of it has let it pass."""
    if isinstance(step, Answer):
        return GuardStep(guard=name, did="answered", ms=ms)
    after = step.call
    if after is before or (after.body is before.body and after.notices is before.notices):
        return GuardStep(guard=name, did="passed", ms=ms)
    marks = [mark for mark in after.degraded if mark not in before.degraded]
    noticed = ["notice"] if len(after.notices) > len(before.notices) else []
    return GuardStep(guard=name, did="changed", ms=ms, detail=", ".join((*marks, *noticed)))


def _broken_off(name: str, call: Call, error: BaseException, ms: float) -> GuardStep:
    """How a guard has ended a call, or was kept from finishing."""
    match error:
        case Refused():
            code, told = error.error_code, details(error.details)
            return GuardStep(guard=name, did="refused", ms=ms, code=code, detail=told)
        case asyncio.CancelledError():
            cut = call.leash.error
            return GuardStep(guard=name, did="failed", ms=ms, code=None if cut is None else cut.error_code)
        case _:
            return GuardStep(guard=name, did="failed", ms=ms, code=_code_of(error))
