"""The cost tracker: what has been spent so far, and a call when it nears a limit."""

import inspect
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from threading import Lock
from typing import SupportsIndex, TypedDict, Unpack

from holdfast.clock import Clock
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.parts.prices import PriceBook, UsageLike, as_usage
from holdfast.policy import money
from holdfast.policy.money import Money
from holdfast.policy.price_table import UnknownModelPolicy
from holdfast.wire.usage import Usage

BudgetAlert = Callable[[Decimal, Decimal], object]
"""Called with (dollars spent, limit in dollars)."""

Share = float | Decimal
"""A part of the limit: 0.8 is 80 %."""

MODEL_ROWS = 100
"""Models with a row of their own; what further names spend is added up under `OTHER`."""

OTHER = "other"


class UsageDetails(TypedDict, total=False):
    """What `CostTracker.track_usage` takes beside model, input and output; see `Usage` for the words."""

    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    """All cache writes."""
    cache_creation_1h_input_tokens: int
    """Those of them that live one hour."""
    web_search_requests: int
    service_tier: str | None
    speed: str | None
    inference_geo: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """One tracked message; `estimated_cost` is in exact dollars."""

    model: str
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    cache_creation_1h_input_tokens: int
    web_search_requests: int
    estimated_cost: Decimal
    assumed: bool
    """No price is known for the model: the dearest known price was taken."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record(Mapping[str, object]):
    """A value that also reads like a dict: `record.name`, `record["name"]` and `dict(record)`."""

    def __getitem__(self, key: str) -> object:
        if key not in [f.name for f in fields(self)]:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return (f.name for f in fields(self))

    def __len__(self) -> int:
        return len(fields(self))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelCost(Record):
    """What one model used; `cost` is in exact dollars."""

    request_count: int
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostSummary(Record):
    """What a tracker has seen since it was made or reset; money is in exact dollars."""

    total_input_tokens: int
    total_output_tokens: int
    total_cache_read_input_tokens: int
    total_cache_creation_input_tokens: int
    total_cost: Decimal
    request_count: int
    by_model: Mapping[str, ModelCost]
    """By the name that was tracked; past 100 models the rest is under `other`."""
    budget_limit: Decimal | None
    remaining: Decimal | None
    """Never below zero."""
    unpriced_count: int
    """Messages among `request_count` whose cost is not known; they add nothing to it."""


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    pico: int = 0

    def add(self, usage: Usage, pico: int) -> None:
        self.requests += 1
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        self.cache_read += usage.cache_read_input_tokens
        self.cache_creation += usage.cache_creation_input_tokens
        self.pico += pico

    def row(self) -> ModelCost:
        return ModelCost(
            request_count=self.requests,
            input_tokens=self.input,
            output_tokens=self.output,
            cache_read_input_tokens=self.cache_read,
            cache_creation_input_tokens=self.cache_creation,
            cost=money.dollars(self.pico),
        )


class CostTracker:
    """Adds up what messages cost, exactly, and calls when the sum nears a limit. Safe between threads.

    `budget_limit` is in dollars; `None` means no limit. The tracker tells, it does not stop anything: that
    is what `Budget` is for. `on_budget_alert(spent, limit)` is a plain function, called once for every
    part of the limit in `alert_at` (0.8 is 80 %) when the sum reaches it, in the thread that tracked the
    message; it may use the tracker. What it raises reaches that caller after the message was counted.

    `unknown_model` decides about models without a price: `refuse` (as the book does by default) raises
    `UnknownModel` and counts nothing, `dearest` takes the dearest known price. Where the money is spent already,
    `add_charge` counts the tokens of such a message and keeps it apart as unpriced.

    Example:
        >>> tracker = CostTracker("10.00", lambda spent, limit: print(f"{spent:.2f} of {limit:.2f}"))
        >>> tracker.track_usage("claude-opus-5-5", 500_000, 300_000).estimated_cost
        8.00 of 10.00
        Decimal('8.00')
    """

    def __init__(
        self,
        budget_limit: Money | None = None,
        on_budget_alert: BudgetAlert | None = None,
        *,
        alert_at: Share | Iterable[Share] = 0.8,
        prices: PriceBook | None = None,
        clock: Clock | None = None,
        unknown_model: UnknownModelPolicy | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(on_budget_alert):
            raise ConfigError(
                Sentence(
                    "on_budget_alert is an async function, which nothing would await: pass a plain function",
                    ko="on_budget_alert가 async 함수라서 아무도 await하지 않습니다. 일반 함수를 넘겨 주세요",
                )
            )
        book = PriceBook.default(clock=clock) if prices is None else prices
        self._prices = book if unknown_model is None else book.assuming(unknown_model)
        self._clock = clock
        self._limit = None if budget_limit is None else _limit(budget_limit)
        self._alert = on_budget_alert
        self._thresholds = _thresholds(self._limit, alert_at)
        self._lock = Lock()
        self._total = _Sum()
        self._by_model: dict[str, _Sum] = {}
        self._alerted = 0
        self._unpriced = 0

    def __repr__(self) -> str:
        return f"CostTracker(total_cost={self.total_cost:f}, budget_limit={self.budget_limit})"

    def track_usage(
        self, model: str, input_tokens: int, output_tokens: int, **details: Unpack[UsageDetails]
    ) -> TokenUsage:
        """Count one message by its numbers.

        Raises `ConfigError` for a number that is no count, `UnknownModel` for a model without a price; then
        nothing is counted.
        """
        at = details.pop("at", None)
        return self.track(model, _counted(input_tokens, output_tokens, details), at=at)

    def track(
        self, model: str, usage: UsageLike, *, at: datetime | None = None, refused_empty: bool = False
    ) -> TokenUsage:
        """Count one message by the `usage` of its answer, iterations included; raises `UnknownModel`.

        `refused_empty` says that the answer was a refusal before any output, which is not billed.
        """
        used = as_usage(usage)
        moment = self._clock.now() if at is None and self._clock is not None else at
        charge = self._prices.charge(model, used, at=moment, refused_empty=refused_empty)
        self._call(*self._add(model, used, charge.pico))
        return TokenUsage(
            model=model,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cache_read_input_tokens=used.cache_read_input_tokens,
            cache_creation_input_tokens=used.cache_creation_input_tokens,
            cache_creation_1h_input_tokens=used.cache_creation_1h_input_tokens,
            web_search_requests=used.web_search_requests,
            estimated_cost=charge.usd,
            assumed=charge.assumed,
        )

    def add_charge(self, model: str, usage: UsageLike, cost: Decimal | None) -> None:
        """Count one message whose cost in dollars is known already; with `None` its tokens count all the same."""
        pico = None if cost is None else money.pico(cost, name="cost")
        self._call(*self._add(model, as_usage(usage), pico))

    @property
    def total_cost(self) -> Decimal:
        """Exact dollars spent."""
        return money.dollars(self._total.pico)

    @property
    def budget_limit(self) -> Decimal | None:
        """Dollars, or `None` for no limit."""
        return None if self._limit is None else money.dollars(self._limit)

    def summary(self) -> CostSummary:
        """All sums at one moment, readable by attribute or like a dict."""
        with self._lock:
            total = self._total.row()
            rows = {model: row.row() for model, row in self._by_model.items()}
            left = None if self._limit is None else max(0, self._limit - self._total.pico)
            unpriced = self._unpriced
        return CostSummary(
            total_input_tokens=total.input_tokens,
            total_output_tokens=total.output_tokens,
            total_cache_read_input_tokens=total.cache_read_input_tokens,
            total_cache_creation_input_tokens=total.cache_creation_input_tokens,
            total_cost=total.cost,
            request_count=total.request_count,
            by_model=rows,
            budget_limit=self.budget_limit,
            remaining=None if left is None else money.dollars(left),
            unpriced_count=unpriced,
        )

    def reset(self) -> None:
        """Start a new window: every sum is zero and every alert can fire again."""
        with self._lock:
            self._total = _Sum()
            self._by_model = {}
            self._alerted = 0
            self._unpriced = 0

    def _add(self, model: str, usage: Usage, cost: int | None) -> tuple[int, int]:
        """The sum after this message, and how many thresholds this message crossed."""
        pico = cost or 0
        with self._lock:
            self._unpriced += cost is None
            self._total.add(usage, pico)
            name = model if model in self._by_model or len(self._by_model) < MODEL_ROWS else OTHER
            self._by_model.setdefault(name, _Sum()).add(usage, pico)
            before = self._alerted
            while (
                self._alerted < len(self._thresholds) and self._total.pico >= self._thresholds[self._alerted]
            ):
                self._alerted += 1
            return self._total.pico, self._alerted - before

    def _call(self, spent: int, times: int) -> None:
        if not times or self._alert is None or self._limit is None:
            return
        # The stack calls all of them even where one raises, and lets the exception out at the end.
        with ExitStack() as alerts:
            for _ in range(times):
                alerts.callback(self._alert, money.dollars(spent), money.dollars(self._limit))


def _limit(amount: Money) -> int:
    limit = money.pico(amount, name="budget_limit")
    if limit <= 0:
        raise ConfigError(
            Sentence(
                f"budget_limit is {amount}, so every message would be over it: "
                "write an amount above 0, or None for no limit",
                ko=f"budget_limit 값이 {amount}이면 모든 메시지가 한도를 넘습니다. "
                "0보다 큰 금액을 적거나, 한도를 두지 않으려면 None을 넘겨 주세요",
            )
        )
    return limit


def _thresholds(limit: int | None, alert_at: Share | Iterable[Share]) -> tuple[int, ...]:
    """The sums, in pico-dollars and rising, that set off an alert."""
    shares = [alert_at] if isinstance(alert_at, int | float | Decimal) else list(alert_at)
    exact = sorted({_share(share) for share in shares})
    return () if limit is None else tuple(-(-limit * s.numerator // s.denominator) for s in exact)


def _share(share: Share) -> Fraction:
    # By its digits: 0.8 is meant as four fifths, not as the binary number next to it.
    try:
        exact = Fraction(str(share))
    except ValueError:
        exact = Fraction(0)
    if isinstance(share, bool) or not 0 < exact <= 1:
        raise ConfigError(
            Sentence(
                f"alert_at has {share!r}: write parts of the limit above 0 and up to 1, such as 0.8",
                ko=f"alert_at에 {share!r}이(가) 있습니다. 0.8처럼 0보다 크고 1 이하인 비율을 적어 주세요",
            )
        )
    return exact


def _counted(input_tokens: int, output_tokens: int, details: UsageDetails) -> Usage:
    if strange := sorted(details.keys() - UsageDetails.__optional_keys__):
        raise TypeError(f"track_usage() got an unexpected keyword argument {strange[0]!r}")
    written = _count("cache_creation_input_tokens", details.get("cache_creation_input_tokens", 0))
    long_lived = _count("cache_creation_1h_input_tokens", details.get("cache_creation_1h_input_tokens", 0))
    return Usage(
        input_tokens=_count("input_tokens", input_tokens),
        output_tokens=_count("output_tokens", output_tokens),
        cache_read_input_tokens=_count("cache_read_input_tokens", details.get("cache_read_input_tokens", 0)),
        cache_creation_input_tokens=max(written, long_lived),
        cache_creation_1h_input_tokens=long_lived,
        web_search_requests=_count("web_search_requests", details.get("web_search_requests", 0)),
        service_tier=details.get("service_tier"),
        speed=details.get("speed"),
        inference_geo=details.get("inference_geo"),
    )


def _count(name: str, value: SupportsIndex) -> int:
    try:
        count = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = -1
    if count < 0:
        raise ConfigError(
            Sentence(
                f"{name} is {value!r}, so nothing was recorded: pass a whole number, 0 or more",
                ko=f"{name} 값 {value!r}은(는) 개수가 아니어서 기록하지 않았습니다. "
                "0 이상의 정수를 넘겨 주세요",
            )
        )
    return count
