"""The price book: what a message costs today, or cost on any day."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, Self

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy import ceiling, money, price_table, pricing
from holdfast.policy.ceiling import Ceiling
from holdfast.policy.charge import Charge, Term
from holdfast.policy.price_table import ModelFacts, PriceTable, UnknownModelPolicy
from holdfast.policy.pricing import PricingConfig
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Usage


class SdkUsage(Protocol):
    """The `usage` of a message of the official SDK."""

    def model_dump(self) -> dict[str, Any]:
        """Its members as the API sent them."""
        ...


UsageLike = Usage | Mapping[str, Any] | SdkUsage

_first_load = Lock()


class PriceBook:
    """Prices of the Messages API by model and day, with the facts of the models.

    Costs are exact: whole pico-dollars inside, `Decimal` dollars outside. `at` is the moment of the answer
    and defaults to now. Every method that prices raises `UnknownModel` for an id without a price.

    Example:
        >>> usage = {"input_tokens": 1_000, "output_tokens": 200}
        >>> book = PriceBook.default()
        >>> book.cost("claude-sonnet-5-5", usage, at=datetime(2026, 11, 22))
        Decimal('0.004')
    """

    __slots__ = ("_clock", "_table")

    def __init__(self, table: PriceTable, *, clock: Clock | None = None) -> None:
        self._table = table
        self._clock = SYSTEM_CLOCK if clock is None else clock

    def __repr__(self) -> str:
        return f"PriceBook({self.version!r})"

    @classmethod
    def default(cls, *, config: PricingConfig | None = None, clock: Clock | None = None) -> Self:
        """The book that ships with holdfast, read once per process."""
        with _first_load:
            table = _shipped()
        return cls(_configured(table, config), clock=clock)

    @classmethod
    def load(
        cls, path: str | Path, *, config: PricingConfig | None = None, clock: Clock | None = None
    ) -> Self:
        """A book of your own in the same JSON shape; raises `ConfigError` when it cannot be read or used."""
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(
                Sentence(
                    f"The price list {path} cannot be read ({error.strerror}): check path and permissions",
                    ko=f"요금표 {path}을(를) 읽을 수 없습니다({error.strerror}). 경로와 권한을 확인해 주세요",
                )
            ) from error
        return cls(_configured(price_table.read(raw), config), clock=clock)

    def assuming(self, unknown_model: UnknownModelPolicy) -> "PriceBook":
        """The same prices with another answer to unknown models: `refuse`, or take the `dearest`."""
        return PriceBook(replace(self._table, unknown_model=unknown_model), clock=self._clock)

    @property
    def version(self) -> str:
        """Date and hash of the prices: the same version gives the same cost for ever."""
        return self._table.version

    @property
    def as_of(self) -> date:
        """The day the prices were last checked."""
        return self._table.as_of

    def cost(self, model: str, usage: UsageLike, *, at: datetime | date | None = None) -> Decimal:
        """What a message costs, in exact, unrounded dollars."""
        return self.charge(model, usage, at=at).usd

    def cost_pico(
        self, model: str, usage: UsageLike, *, at: datetime | date | None = None, refused_empty: bool = False
    ) -> int:
        """What a message costs, in pico-dollars; `refused_empty` as in `charge`."""
        return self.charge(model, usage, at=at, refused_empty=refused_empty).pico

    def charge(
        self, model: str, usage: UsageLike, *, at: datetime | date | None = None, refused_empty: bool = False
    ) -> Charge:
        """What a message costs and why.

        `refused_empty` says that the answer was a refusal before any output
        (`holdfast.policy.pricing.is_unbilled_refusal`), whose tokens are not billed.
        """
        moment = self._clock.now() if at is None else at
        return pricing.cost(self._table, model, as_usage(usage), at=moment, refused_empty=refused_empty)

    def explain(
        self, model: str, usage: UsageLike, *, at: datetime | date | None = None
    ) -> dict[str, object]:
        """The cost and each of its terms as plain data for JSON; dollars are decimal text."""
        charge = self.charge(model, usage, at=at)
        return {
            "model": charge.model,
            "day": charge.day.isoformat(),
            "price_version": charge.version,
            "assumed": charge.assumed,
            "cost": money.plain(charge.usd),
            "cost_pico": charge.pico,
            "terms": [_plain(term) for term in charge.terms],
        }

    def ceiling(
        self,
        model: str,
        request: MessagesRequest,
        *,
        at: datetime | None = None,
        max_tokens: int | None = None,
        input_tokens: int | None = None,
    ) -> Ceiling:
        """The most that an answer to a request can be billed (`holdfast.policy.ceiling`).

        `max_tokens` replaces the request's, `input_tokens` the estimate of its prompt.
        """
        moment = self._clock.now() if at is None else at
        return ceiling.ceiling(
            self._table, model, request, at=moment, max_tokens=max_tokens, input_tokens=input_tokens
        )

    def affordable_max_tokens(
        self,
        model: str,
        request: MessagesRequest,
        pico: int,
        *,
        at: datetime | None = None,
        input_tokens: int | None = None,
    ) -> int | None:
        """The largest `max_tokens`, up to what the request asks for, whose ceiling fits into pico-dollars.

        `None` where even the least that the API takes does not fit.
        """
        moment = self._clock.now() if at is None else at
        return ceiling.affordable_max_tokens(
            self._table, model, request, pico, at=moment, input_tokens=input_tokens
        )

    @property
    def table(self) -> PriceTable:
        """Every card of every model, with the operator's changes in it."""
        return self._table

    def models(self) -> tuple[str, ...]:
        """Every known model id, retired ones included."""
        return tuple(self._table.models)

    def facts(self, model: str) -> ModelFacts:
        """What is known of a model, by id or alias; raises `UnknownModel`."""
        found = self._table.find(model)
        if found is None:
            raise pricing.unknown(self._table, model)
        return found.facts

    def retiring(self, *, within: timedelta, on: date | None = None) -> tuple[ModelFacts, ...]:
        """The models that still answer and stop to within that time of `on` (today), soonest first."""
        day = pricing.day_of(self._clock.now()) if on is None else on
        return price_table.retiring(self._table, on=day, within=within.days)


@functools.cache
def _shipped() -> PriceTable:
    return price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())


def _configured(table: PriceTable, config: PricingConfig | None) -> PriceTable:
    return table if config is None else pricing.configured(table, config)


def as_usage(usage: UsageLike) -> Usage:
    """The counts of any of the three shapes."""
    return Usage.of(usage if isinstance(usage, Usage | Mapping) else usage.model_dump())


def _plain(term: Term) -> dict[str, object]:
    return {
        "name": term.name,
        "source": term.source,
        "model": term.model,
        "card": term.card,
        "scale": money.plain(money.dollars(int(term.scale * money.PICO))),
        "quantity": term.quantity,
        "unit_cost": money.plain(money.dollars(term.unit_pico)),
        "cost": money.plain(money.dollars(term.pico)),
        "cost_pico": term.pico,
    }
