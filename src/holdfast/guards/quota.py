"""The station that keeps callers to their rates and to their number of calls at once."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from holdfast.call import Call, Outcome
from holdfast.clock import Clock
from holdfast.parts.fairness import WaitingRoom
from holdfast.parts.quota import refusal
from holdfast.pipeline import Proceed, finish
from holdfast.policy.counters import Ask, Granted, Limited, TooLarge, too_large
from holdfast.policy.estimate import input_bound
from holdfast.policy.expectation import Expectation
from holdfast.policy.fairness import Priority, Ticket
from holdfast.policy.quota import Name, Need, QuotaConfig, corrections, owner, wanted
from holdfast.ports import QuotaStore
from holdfast.wire.headers import get

PRIORITY = "x-holdfast-priority"
LEASE = 60.0
"""Seconds for which a call holds its places; renewed three times as often while it is under way."""
LONGEST = 3 * 3600.0
"""Seconds after which nobody believes that a call is still under way."""
BYTES_PER_TOKEN_MOST = 8
"""No text has more: a call needs at least so many tokens less than its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaGuard:
    """Takes what a call needs of every quota, all of it or nothing; one that has to wait a little waits here.

    Input tokens are debited as reckoned from the size, output tokens as 95 of 100 answers of the model need
    (`max_tokens` while too few have been seen), and both are corrected when the call is over. What is read
    from the prompt cache counts for nothing, as with the API's own limits.
    Raises `RateLimited`, and `OversizedCall` for a call that could never go.
    """

    name: ClassVar[str] = "quota"
    quotas: Mapping[str, QuotaConfig]
    store: QuotaStore
    room: WaitingRoom
    clock: Clock
    expectation: Expectation = field(default_factory=Expectation)
    _learning: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed:
        if not self.quotas and not call.own_limits.quotas:
            return Proceed(call)
        ask = self._ask(call)
        if (large := too_large(ask)) is not None:
            raise self._refusal(large, call)
        answer = await self.room.admit(_ticket(call, ask), lambda: self._acquire(ask))
        if isinstance(answer, Limited):
            raise self._refusal(answer, call)
        return Proceed(call, _Holding(self, call, answer).settle)

    def learn(self, model: str, output_tokens: int) -> None:
        """Take note of one answer that came to its end."""
        with self._learning:
            self.expectation.learn(model, output_tokens)

    def _all(self, call: Call) -> Mapping[str, QuotaConfig]:
        own = call.own_limits.quotas
        return {**own, **self.quotas} if own else self.quotas

    def _ask(self, call: Call) -> Ask:
        names: dict[Name, str | None] = {
            "key": call.principal.key,
            "user": call.principal.user,
            "model": call.request.model,
            "run": call.principal.run,
        }
        request = call.request
        with self._learning:
            usual = self.expectation.output_tokens(request.model)
        longest = request.max_tokens or 0
        need = Need(
            input_tokens=input_bound(request),
            output_tokens=longest if usual is None else min(longest, usual),
            certain_input=request.text_bytes // BYTES_PER_TOKEN_MOST,
        )
        quotas = [(name, config, config.subject(names)) for name, config in self._all(call).items()]
        return wanted(quotas, need, id=call.request_id, lease=LEASE)

    async def _acquire(self, ask: Ask) -> Granted | Limited:
        if not ask.slots:
            return await self.store.acquire(ask)
        taking = asyncio.ensure_future(self.store.acquire(ask))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await finish(self._give_back(taking))
            raise

    async def _give_back(self, taking: "asyncio.Future[Granted | Limited]") -> None:
        answer = await taking
        if isinstance(answer, Granted):
            await self.store.settle(answer, corrections(answer.ask, input_tokens=0, output_tokens=0))

    def _refusal(self, answer: Limited | TooLarge, call: Call) -> Exception:
        error = refusal(answer, self._all(call)[owner(answer.key)[0]])
        error.request_id = call.request_id
        return error


class _Holding:
    """What one call holds, from its grant to its settlement."""

    __slots__ = ("_beat", "_call", "_granted", "_guard", "_loop", "_renewing")

    def __init__(self, guard: QuotaGuard, call: Call, granted: Granted) -> None:
        self._guard = guard
        self._call = call
        self._granted = granted
        self._loop = asyncio.get_running_loop()
        self._renewing: asyncio.Task[None] | None = None
        self._beat = self._loop.call_later(LEASE / 3, self._renew) if granted.ask.slots else None

    async def settle(self, outcome: Outcome) -> None:
        """Correct the tokens by what was used, and give the places back."""
        self._stop()
        if outcome.end == "answered" and outcome.attempts > len(outcome.spent):
            self._guard.learn(self._call.request.model, outcome.usage.output_tokens)
        ask = self._granted.ask
        used_in, used_out = _used(outcome)
        await self._guard.store.settle(
            self._granted, corrections(ask, input_tokens=used_in, output_tokens=used_out)
        )
        self._guard.room.free({take.key for take in ask.takes} | {slot.key for slot in ask.slots})

    def _renew(self) -> None:
        """Keep the places of a call that takes long, such as a stream."""
        self._renewing = self._loop.create_task(self._guard.store.renew(self._granted))
        if self._guard.clock.monotonic() - self._call.started < LONGEST:
            self._beat = self._loop.call_later(LEASE / 3, self._renew)

    def _stop(self) -> None:
        if self._beat is None:
            return
        if self._loop is asyncio.get_running_loop():
            self._beat.cancel()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._beat.cancel)


def _used(outcome: Outcome) -> tuple[int, int]:
    """Tokens in and out, those of attempts in vain included; none when the upstream was never asked."""
    if not outcome.attempts:
        return 0, 0
    usages = [outcome.usage, *(spent.usage for spent in outcome.spent)]
    read = sum(usage.input_tokens + usage.cache_creation_input_tokens for usage in usages)
    return read, sum(usage.output_tokens for usage in usages)


def _ticket(call: Call, ask: Ask) -> Ticket:
    keys = frozenset([take.key for take in ask.takes] + [slot.key for slot in ask.slots])
    weight = sum(take.cost for take in ask.takes if take.dimension != "requests")
    who = call.principal
    return Ticket(
        subject=f"user={who.user}" if who.user else f"key={who.key}",
        priority=_priority(call),
        weight=max(1, weight),
        keys=keys,
        deadline=call.deadline,
    )


def _priority(call: Call) -> Priority:
    said = (get(call.headers, PRIORITY) or "").strip().lower()
    known: dict[str, Priority] = {"interactive": "interactive", "agent": "agent", "batch": "batch"}
    is_agent = call.principal.run is not None or call.principal.agent is not None
    door: Literal["agent", "interactive"] = "agent" if is_agent else "interactive"
    return known.get(said, door)
