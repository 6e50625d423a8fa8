"""A budget to hold in the hand: promises of money that together never pass its limit."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, islice
from math import inf
from threading import Lock
from types import TracebackType
from typing import Self

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import BudgetExhausted, ConfigError
from holdfast.language import Sentence
from holdfast.policy import money
from holdfast.policy.budget import BudgetConfig, Mode, Presumption, Rung, Share, denial, limit_of, share
from holdfast.policy.holds import EMPTY, NANO, Crossing, Denied, Limit, Page, Release, Reserve, Settle
from holdfast.policy.money import Money
from holdfast.policy.period import period

SUBJECTS_MAX = 100_000
"""Subjects that one budget in memory keeps apart at a time; it refuses further ones rather than forget one."""

LOOKED_THROUGH = 2
"""Subjects that every promise looks through for windows that are over: more than it can add."""

_LARGER = Sentence("make the budget larger (usd)", ko="예산(usd)을 늘리세요")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """A part of the limit was reached, for the first time in its window; money in exact dollars.

    Attributes:
        budget: the name of the budget.
        subject: whom it is about, such as `user alice`.
        threshold: the sum that was reached.
        spent: what has been spent.
        limit: the whole limit.
        resets_at: the end of the window, `None` where there is none.
    """

    budget: str
    subject: str
    threshold: Decimal
    spent: Decimal
    limit: Decimal
    resets_at: datetime | None


class BudgetHold:
    """Money promised to one piece of work: settle it with what the work has cost, or release it.

    Used with `with` or `async with`, it is charged whole if the block is left without either: work that
    nobody accounts for may have cost all of it. Whatever comes after the first word changes nothing.
    """

    __slots__ = ("_close", "amount", "subject")

    def __init__(self, amount: Decimal, subject: str | None, close: Callable[[int | None], None]) -> None:
        self.amount = amount
        self.subject = subject
        self._close = close

    def __repr__(self) -> str:
        return f"BudgetHold({self.amount:f}, subject={self.subject!r})"

    def settle(self, amount: Money) -> None:
        """The work is over and has cost so many dollars, which may be more than the hold.

        Raises `ConfigError` for what is no amount; then the hold stays.
        """
        self._close(_pico("amount", amount))

    def release(self) -> None:
        """The work is over and has certainly cost nothing."""
        self._close(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle(self.amount)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


@dataclass(eq=False, repr=False)
class Budget:
    """At most so many dollars in a time, for each user by itself or for whomever `scope` says.

    What a piece of work may cost is held before it begins, so that many at once cannot spend the same
    dollars. Kept in this process, exact, safe among threads and tasks; a fleet shares its budgets through
    the store of `Holdfast`. Whoever is not named counts as one subject.

    Attributes:
        usd: the limit in dollars.
        per: `hour`, `day`, `month`, `total`, `run`, or a `timedelta` (or text such as `24h`) that rolls.
        alert_at: parts of the limit that call `on_alert`, once each in a window.
        scope: `user`, `organisation` for everybody together, `key`, `model`, `run`, `agent`, `tag:NAME`; with
            `per="run"` each run has its own.
        timezone: whose hours, days and months count.
        name: what errors and alerts call it.
        mode: how much an agent or a gateway holds for a call; see `BudgetConfig`, as for the next two.
        presumption: what a call is charged that was lost without a word.
        ladder: what happens on the way to the limit.
        on_alert: a plain function that is called with a `BudgetAlert` in the thread that settled, after that.
        clock: where time comes from.

    Raises `ConfigError` for a setting that makes no sense.

    Example:
        >>> budget = Budget(usd=1, per="day")
        >>> with budget.reserve("0.30", subject="alice") as hold:
        ...     hold.settle("0.21")
        >>> budget.remaining("alice")
        Decimal('0.79')
    """

    usd: Money
    _: KW_ONLY
    per: str | timedelta = "day"
    alert_at: Share | Iterable[Share] = 0.8
    scope: str = "user"
    timezone: str = "UTC"
    name: str = "budget"
    mode: Mode = "strict"
    presumption: Presumption | None = None
    ladder: tuple[Rung, ...] = ()
    on_alert: Callable[[BudgetAlert], object] | None = None
    clock: Clock | None = None
    config: BudgetConfig = field(init=False)

    def __post_init__(self) -> None:
        if inspect.iscoroutinefunction(self.on_alert):
            raise ConfigError(
                Sentence(
                    "on_alert is an async function, which nothing would await: pass a plain function",
                    ko="on_alert가 async 함수라서 아무도 await하지 않습니다. 일반 함수를 넘겨 주세요",
                )
            )
        self.config = _config(self)
        self._now = (self.clock or SYSTEM_CLOCK).now
        self._lock = Lock()
        self._ids = count(1)
        self._pages: OrderedDict[str | None, Page] = OrderedDict()

    def __repr__(self) -> str:
        return f"Budget({self.config.usd:f}, per={self.per!r}, scope={self.config.scope!r})"

    def reserve(self, amount: Money, *, subject: str | None = None) -> BudgetHold:
        """Hold so many dollars, for a subject such as the user's name.

        Raises `BudgetExhausted`, with `retry_after` in seconds, when what is spent and held leaves less;
        `ConfigError` for what is no amount.
        """
        wanted, now = _pico("amount", amount), self._now()
        subject = self._known(subject)
        with self._lock:
            id = str(next(self._ids))
            self._look_through(now)
            denied = self._reserve(id, wanted, subject, now)
        if denied is not None:
            raise denial(denied, self.config, now, cure=_LARGER)

        def close(actual: int | None) -> None:
            self._close(subject, id, actual)

        return BudgetHold(money.dollars(wanted), subject, close)

    def crossed(self, crossing: Crossing) -> None:
        """Call `on_alert` for a threshold that was passed where a store counts for this budget."""
        if self.on_alert is not None:
            self.on_alert(_alert(crossing, self.config))

    def spent(self, subject: str | None = None) -> Decimal:
        """Dollars settled in the window of this moment."""
        return self._sums(subject)[0]

    def reserved(self, subject: str | None = None) -> Decimal:
        """Dollars held for work under way."""
        return self._sums(subject)[1]

    def remaining(self, subject: str | None = None) -> Decimal:
        """Dollars that can be held now; never below zero."""
        spent, reserved = self._sums(subject)
        return max(money.dollars(0), money.dollars(self.config.nano * NANO) - spent - reserved)

    def _known(self, subject: str | None) -> str | None:
        return None if self.config.scope == "organisation" else subject or None

    def _reserve(self, id: str, wanted: int, subject: str | None, now: datetime) -> Denied | None:
        if subject not in self._pages and len(self._pages) >= SUBJECTS_MAX:
            raise _too_many(self.name)
        page = self._pages.get(subject) or Page()
        limits = (self._limit(subject, now),)
        verb = Reserve(id=id, limits=limits, amount=wanted, presumed=wanted, lease=inf)
        answer = page.apply(verb, now=0.0)
        if isinstance(answer, Denied):
            return answer
        self._pages[subject] = page
        return None

    def _close(self, subject: str | None, id: str, actual: int | None) -> None:
        with self._lock:
            page = self._pages.get(subject) or Page()
            page.apply(Release(id=id) if actual is None else Settle(id=id, actual=actual), now=0.0)
            page.holds.pop(id, None)
            crossings, page.crossings = page.crossings, []
        if self.on_alert is not None:
            # The stack calls all of them even where one raises, and lets the exception out at the end.
            with ExitStack() as alerts:
                for crossing in reversed(crossings):
                    alerts.callback(self.on_alert, _alert(crossing, self.config))

    def _sums(self, subject: str | None) -> tuple[Decimal, Decimal]:
        subject = self._known(subject)
        now = self._now()
        with self._lock:
            page = self._pages.get(subject) or Page()
            counters = [page.counters.get(key, EMPTY) for key in self._limit(subject, now).counted]
        return (
            money.dollars(sum(counter.settled for counter in counters) * NANO),
            money.dollars(sum(counter.reserved for counter in counters) * NANO),
        )

    def _look_through(self, now: datetime) -> None:
        """Forget the windows of some subjects that are over and owed nothing, those looked at longest ago first."""
        for subject, page in list(islice(self._pages.items(), LOOKED_THROUGH)):
            counted = {*self._limit(subject, now).counted}
            counted.update(window for hold in page.holds.values() for window in hold.windows)
            page.counters = {
                key: counter for key, counter in page.counters.items() if key in counted and counter != EMPTY
            }
            self._pages.move_to_end(subject)
            if not (page.counters or page.holds):
                del self._pages[subject]

    def _limit(self, subject: str | None, now: datetime) -> Limit:
        payer = {self.config.scope: subject}
        limit = limit_of(self.name, self.config, payer=payer, model=subject or "", at=now)
        assert limit is not None, "a budget without `where` counts everything"
        return limit


def _config(budget: Budget) -> BudgetConfig:
    shares = budget.alert_at
    return BudgetConfig(
        usd=money.exact(budget.usd, name="usd"),
        per=period(budget.per),
        scope="run" if (budget.per, budget.scope) == ("run", "user") else budget.scope,
        timezone=budget.timezone,
        alert_at=tuple(
            share("alert_at", part)
            for part in ([shares] if isinstance(shares, int | float | Decimal) else shares)
        ),
        mode=budget.mode,
        presumption=budget.presumption,
        ladder=tuple(budget.ladder),
    )


def _pico(key: str, amount: Money) -> int:
    exact = money.pico(amount, name=key)
    if exact < 0:
        raise ConfigError(
            Sentence(
                f"{key} is {amount}, less than nothing: write 0 dollars or more",
                ko=f"{key} 값이 {amount}입니다. 0 이상의 금액을 적으세요",
            )
        )
    return exact


def _alert(crossing: Crossing, config: BudgetConfig) -> BudgetAlert:
    return BudgetAlert(
        budget=crossing.budget,
        subject=crossing.subject,
        threshold=money.dollars(crossing.threshold * NANO),
        spent=money.dollars(crossing.settled * NANO),
        limit=money.dollars(config.nano * NANO),
        resets_at=crossing.resets_at,
    )


def _too_many(name: str) -> BudgetExhausted:
    return BudgetExhausted(
        Sentence(
            f"The budget `{name}` counts {SUBJECTS_MAX} subjects already and forgets none of them within its "
            "window, so no further one fits: keep the budget in a store, or count something coarser (scope).",
            ko=f"예산 `{name}`이(가) 이미 {SUBJECTS_MAX}개 대상을 세고 있고 기간이 끝나기 전에는 하나도 지울 수 "
            "없어 새 대상을 받을 수 없습니다. 저장소에 예산을 두거나 더 큰 단위(scope)로 세세요.",
        ),
        details={"budget": name},
    )
