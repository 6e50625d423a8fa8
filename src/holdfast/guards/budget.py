"""The station that holds money before it is spent."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call, Outcome, Spent
from holdfast.clock import Clock
from holdfast.errors import BudgetExhausted, BudgetUnavailable, StoreUnavailable
from holdfast.events import BudgetAlerted, BudgetLadder, Observer, unobserved
from holdfast.language import Sentence
from holdfast.parts.allowance import Allowance
from holdfast.parts.degradation import degraded, shortened
from holdfast.pipeline import Proceed, finish
from holdfast.policy.budget import BudgetConfig, denial, limit_of, rung_of
from holdfast.policy.ceiling import Ceiling
from holdfast.policy.expectation import Expectation
from holdfast.policy.holds import Denied, Extend, Hold, Limit, Reserve, TopUp, nano
from holdfast.ports import Book, Ceilings, Promises, attempt_id
from holdfast.wire.meter import Meter

LEASE = 30.0
"""Seconds after which an attempt of which nothing is heard counts as lost."""
BEAT = 10.0
"""Seconds between two signs of life."""
WATCH = 0.25
"""Seconds between two looks at an answer whose hold may have to grow."""
TOP_UP_AT = 0.8
"""The part of a hold that is used up when more is asked for."""
_LARGER = Sentence(
    "give it a larger budget where the program makes it", ko="프로그램에서 더 큰 예산을 주세요"
)
COME_BACK = 1.0
"""Seconds until it makes sense to ask a store again that did not answer."""


Budgets = Callable[[], Mapping[str, BudgetConfig]]
Approved = Callable[[str, str], bool]
"""Budget and window -> whether a person has let it go on past `ask`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetGuard:
    """Gives every call a purse that holds money for each attempt before it is sent.

    Attributes:
        budgets: the budgets of this moment, by name.
        approved: whether a person has let a budget's window go on past its rung `ask`.
        holds: keeps the promises; `ledger` settles them.
        prices: what an attempt may cost at most.
        owner: the name of this worker.
        emergency: pico-dollars that calls may cost in all, while the store is away, that only soft budgets count.
    """

    name: ClassVar[str] = "budget"
    budgets: Budgets
    approved: Approved
    holds: Promises
    ledger: Book
    prices: Ceilings
    books: Bookkeeper
    clock: Clock
    owner: str
    observe: Observer = unobserved
    expectation: Expectation = field(default_factory=Expectation)
    emergency: Allowance = field(default_factory=lambda: Allowance(0))
    _learning: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed:
        try:
            budgets = self.budgets()
        except StoreUnavailable as error:
            raise unavailable(error) from error
        if call.own_limits.budgets:
            budgets = {**call.own_limits.budgets, **budgets}
        if not budgets:
            return Proceed(call)
        if any(config.ladder for config in budgets.values()):
            call = await self._climb(call, budgets)
        purse = LeasedPurse(self, budgets)
        call = replace(call, purse=purse)
        purse.call = call
        return Proceed(call, purse.close)

    def learn(self, model: str, output_tokens: int) -> None:
        """Take note of one answer that came to its end."""
        with self._learning:
            self.expectation.learn(model, output_tokens)

    def expected(self, model: str) -> int | None:
        """The output tokens that most answers of a model stay within; `None` while too few have been seen."""
        with self._learning:
            return self.expectation.output_tokens(model)

    def limits(self, call: Call, budgets: Mapping[str, BudgetConfig]) -> tuple[Limit, ...]:
        """Every budget that counts an attempt of this call."""
        payer = _dimensions(call)
        found = (
            limit_of(name, config, payer=payer, model=call.request.model, at=self.clock.now())
            for name, config in budgets.items()
        )
        return tuple(limit for limit in found if limit is not None)

    async def _climb(self, call: Call, budgets: Mapping[str, BudgetConfig]) -> Call:
        """The call as the rungs leave it that its budgets have reached; raises where one of them refuses."""
        limits = [limit for limit in self.limits(call, budgets) if budgets[limit.budget].ladder]
        used = await self._used(limits, budgets)
        for limit in limits:
            config = budgets[limit.budget]
            settled, reserved = _sums(limit, used)
            rung = rung_of(config, settled + reserved)
            if rung is None or rung.do == "alert":
                continue
            self.observe(
                BudgetLadder(
                    request_id=call.request_id,
                    budget=limit.budget,
                    subject=limit.subject,
                    act=rung.do,
                    at=str(rung.at),
                )
            )
            if rung.do == "degrade":
                call = degraded(call, rung)
            elif rung.do == "refuse" or not self.approved(limit.budget, limit.window):
                denied = Denied(limit=limit, settled=settled, reserved=reserved, wanted=0)
                raise denial(denied, config, self.clock.now(), cure=_ask(limit) if rung.do == "ask" else None)
        return call

    async def _used(
        self, limits: Sequence[Limit], budgets: Mapping[str, BudgetConfig]
    ) -> Mapping[str, tuple[int, int]]:
        windows = [window for limit in limits for window in limit.counted]
        try:
            return await self.holds.used(windows)
        except StoreUnavailable as error:
            if any(budgets[limit.budget].hard for limit in limits):
                raise unavailable(error) from error
            return {}


@dataclass(slots=True, eq=False)
class _Attempt:
    """An attempt under way: the call as it was sent, its hold unless there is none, and the meter of its answer."""

    sent: Call
    hold: Hold | None = None
    meter: Meter | None = None


class LeasedPurse:
    """The money of one call: a hold for every attempt, renewed while it lasts; see `holdfast.call.Purse`."""

    __slots__ = ("_attempts", "_beat", "_budgets", "_due", "_guard", "_task", "call")

    def __init__(self, guard: BudgetGuard, budgets: Mapping[str, BudgetConfig]) -> None:
        self._guard = guard
        self._budgets = budgets
        self._attempts: dict[int, _Attempt] = {}
        self._beat: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None
        self.call: Call

    async def hold(self, number: int, upstream: str, call: Call) -> Call:
        limits = self._guard.limits(call, self._budgets)
        if not limits:
            return call
        found = await self._reserve(number, upstream, call, limits)
        if isinstance(found, Denied) and (shorter := self._clamped(call, found)) is not None:
            call = shorter
            found = await self._reserve(number, upstream, call, limits)
        if isinstance(found, Denied):
            del self._attempts[number]
            raise self._denial(found)
        if found is not None:
            self._attempts[number].hold = found
            call.tally.held[number] = found.amount
            self._live()
        return call

    def watch(self, number: int, meter: Meter) -> None:
        attempt = self._attempts.get(number)
        if attempt is None:
            return
        attempt.meter = meter
        if self._is_expecting:
            self._schedule(sooner=True)

    async def lost(self, spent: Spent) -> None:
        attempt = self._attempts.pop(spent.number, None)
        if attempt is not None and attempt.hold is not None:
            # To its end, whoever is cancelled meanwhile: the alerts that it sets off come only once.
            await finish(self._settle(spent))

    async def close(self, outcome: Outcome) -> None:
        """The call is over: whoever writes it down settles its attempts; what was never sent is given back here."""
        numbers, self._attempts = tuple(self._attempts), {}
        if self._beat is not None:
            self._beat.cancel()
        if self._task is not None:
            self._task.cancel()
        guard = self._guard
        # Of what stands in for an answer nothing is learned: all attempts were in vain then.
        is_answer = outcome.attempts > len(outcome.spent)
        if outcome.end == "answered" and is_answer and not outcome.estimated:
            # By the name that is asked for, for by that name it will be looked up.
            guard.learn(outcome.asked_model or self.call.request.model, outcome.usage.output_tokens)
        unsent = [number for number in numbers if number > outcome.attempts]
        if unsent:
            rows = [guard.books.held(self.call, number, "") for number in unsent]
            await guard.ledger.settle([replace(row, state="released", kind="unsent") for row in rows])

    @property
    def _is_expecting(self) -> bool:
        return any(config.mode == "expected" for config in self._budgets.values())

    async def _settle(self, spent: Spent) -> None:
        guard = self._guard
        try:
            crossings = await guard.ledger.settle([guard.books.lost(self.call, spent)])
        except StoreUnavailable:
            return  # it comes once more when the call is over
        for crossing in crossings:
            guard.observe(BudgetAlerted.of(crossing))
            self.call.own_limits.tell(crossing)

    async def _reserve(
        self, number: int, upstream: str, call: Call, limits: tuple[Limit, ...]
    ) -> Hold | Denied | None:
        """The hold, or who has no room; `None` where soft budgets let the call go without one."""
        guard = self._guard
        ceiling = self._ceiling(call, limits)
        verb = Reserve(
            id=attempt_id(call.request_id, number),
            limits=limits,
            amount=ceiling.pico,
            presumed=ceiling.presumed_pico,
            lease=LEASE,
            owner=guard.owner,
        )
        record = replace(guard.books.held(call, number, upstream), hold_pico=ceiling.pico)
        # From here on a hold may be there, even if we do not hear of it.
        self._attempts[number] = _Attempt(call)
        try:
            found = await guard.holds.reserve(verb, record)
        except StoreUnavailable as error:
            if any(limit.nano is not None for limit in limits) or not guard.emergency.take(ceiling.pico):
                raise unavailable(error) from error
            return None
        guard.emergency.refill()
        return found

    def _ceiling(self, call: Call, limits: Sequence[Limit]) -> Ceiling:
        """What to hold: the most it can cost, or what such calls use where every budget is content with that."""
        modes = {self._budgets[limit.budget].mode for limit in limits}
        model, request = call.request.model, call.request
        usual = self._guard.expected(model) if modes == {"expected"} else None
        if usual is None or usual >= (request.max_tokens or usual + 1):
            return self._guard.prices.ceiling(model, request, at=call.arrived)
        return self._guard.prices.ceiling(model, request, at=call.arrived, max_tokens=max(1, usual))

    def _clamped(self, call: Call, denied: Denied) -> Call | None:
        """The same call with as long an answer as a budget that clamps has room for; `None` if that is too short."""
        request, config = call.request, self._budgets[denied.limit.budget]
        if config.mode != "clamp":
            return None
        room = denied.remaining * 1_000
        tokens = self._guard.prices.affordable_max_tokens(request.model, request, room, at=call.arrived)
        return None if tokens is None or tokens < config.min_tokens else shortened(call, tokens)

    def _denial(self, denied: Denied) -> BudgetExhausted:
        is_own = denied.limit.budget in self.call.own_limits.budgets
        config = self._budgets[denied.limit.budget]
        cure = (self.call.own_limits.cure or _LARGER) if is_own else None
        return denial(denied, config, self._guard.clock.now(), cure=cure)

    def _live(self) -> None:
        """A new hold lasts for a lease: its first sign of life is due a beat from now, if none is due sooner."""
        if self._beat is None and self._task is None:
            self._due = self._guard.clock.monotonic() + BEAT - WATCH / 2
        self._schedule()

    def _schedule(self, *, sooner: bool = False) -> None:
        if self._task is not None:
            return  # it goes on by itself
        if self._beat is not None and sooner:
            self._beat.cancel()
            self._beat = None
        if self._beat is None:
            is_watched = self._is_expecting and any(one.meter is not None for one in self._attempts.values())
            self._beat = asyncio.get_running_loop().call_later(
                WATCH if is_watched else BEAT, self._start_beat
            )

    def _start_beat(self) -> None:
        self._beat = None
        self._task = asyncio.get_running_loop().create_task(self._live_on())
        self._task.add_done_callback(self._go_on)

    def _go_on(self, _: "asyncio.Task[None]") -> None:
        self._task = None
        if any(attempt.hold is not None for attempt in self._attempts.values()):
            self._schedule()

    async def _live_on(self) -> None:
        """Ask for more where a hold runs out, and say now and then that the attempts are alive, and what they have used."""
        guard = self._guard
        try:
            for number, attempt in tuple(self._attempts.items()):
                if attempt.hold is not None:
                    await self._top_up(attempt, attempt.hold)
                    self.call.tally.held[number] = attempt.hold.amount
            if guard.clock.monotonic() >= self._due:
                self._due = guard.clock.monotonic() + BEAT - WATCH / 2
                await guard.holds.extend(
                    [
                        Extend(
                            id=hold.id, presumed=max(hold.presumed, self._seen(attempt, hold)), lease=LEASE
                        )
                        for attempt in self._attempts.values()
                        if (hold := attempt.hold) is not None
                    ]
                )
        except StoreUnavailable:
            pass  # the lease is three beats long: the next one may come through

    async def _top_up(self, attempt: _Attempt, hold: Hold) -> None:
        """Raise a hold that is nearly used up to the most that the answer can still cost, or cut the answer off."""
        seen = self._seen(attempt, hold)
        if seen < hold.amount * TOP_UP_AT:
            return
        guard, request = self._guard, attempt.sent.request
        most = guard.prices.ceiling(request.model, request, at=self.call.arrived).pico
        more = min(max(most, seen), max(2 * hold.amount, seen))
        if nano(more) <= nano(hold.amount):
            return
        found = await guard.holds.top_up(TopUp(id=hold.id, amount=more))
        if attempt not in self._attempts.values():
            return  # it was lost meanwhile
        if isinstance(found, Denied):
            self.call.leash.cut(self._denial(found))
        elif found is not None:
            attempt.hold = found

    def _seen(self, attempt: _Attempt, hold: Hold) -> int:
        """Pico-dollars that an attempt has used up as far as its answer tells; without a price, all that is held."""
        meter = attempt.meter
        if meter is None:
            return 0
        model = meter.model or attempt.sent.request.model
        cost = self._guard.books.price(model, meter.usage, self.call.arrived)
        return hold.amount if cost is None else cost


def unavailable(error: StoreUnavailable) -> BudgetUnavailable:
    """What a caller hears while nobody can tell what is left of a hard budget."""
    sentence = error.sentence
    return BudgetUnavailable(
        Sentence(
            f"Nothing is sent while the budgets cannot be read. {sentence.en}",
            ko=f"예산을 확인할 수 없는 동안에는 아무것도 보내지 않습니다. {sentence.ko}",
        ),
        retry_after=COME_BACK,
    )


def _dimensions(call: Call) -> Mapping[str, str | None]:
    principal = call.principal
    return {
        "door": principal.door,
        "key": principal.key,
        "user": principal.user,
        "run": principal.run,
        "agent": principal.agent,
        **{f"tag:{name}": value for name, value in principal.tags.items()},
    }


def _sums(limit: Limit, used: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    found = [used.get(window, (0, 0)) for window in limit.counted]
    return sum(settled for settled, _ in found), sum(reserved for _, reserved in found)


def _ask(limit: Limit) -> Sentence:
    return Sentence(
        f"ask an operator to let it go on with `holdfast budgets approve {limit.budget}`",
        ko=f"운영자에게 `holdfast budgets approve {limit.budget}` 승인을 요청하세요",
    )
