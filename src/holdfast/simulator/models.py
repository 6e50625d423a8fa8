"""The models the simulator answers for, with their limits, abilities and prices, read from `models.json`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Lifecycle = Literal["active", "deprecated", "retired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Dollars per million tokens."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The rates of a prompt longer than `above` tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Fast:
    """The rates of fast mode, while it is offered."""

    rates: Rates
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a model costs from `since` until the day before `until`."""

    rates: Rates
    since: date | None = None
    until: date | None = None
    bands: tuple[Band, ...] = ()
    fast: Fast | None = None

    def holds_on(self, day: date) -> bool:
        """Whether this card is in force."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: what it accepts and what it costs."""

    id: str
    name: str
    line: str
    aliases: tuple[str, ...] = ()
    lifecycle: Lifecycle = "active"
    released: date | None = None
    deprecated_on: date | None = None
    retires_on: date | None = None
    window: int
    max_output: int
    cache_minimum: int = 1024
    tokenizer: Literal["old", "new"]
    thinking: tuple[str, ...]
    forced_tool_choice: bool = False
    bound_thinking: bool = False
    account_bound: bool = False
    """Whether thoughts hold only for the account that they were thought for."""
    us_multiplier: Decimal | None = None
    fast_ignored: bool = False
    prices: tuple[Card, ...] = ()

    def is_retired(self, day: date) -> bool:
        """Whether requests that name it fail on `day`."""
        return self.lifecycle == "retired" or (self.retires_on is not None and self.retires_on <= day)

    def card(self, day: date) -> Card:
        """The price card of `day`; before the first card, the first one."""
        return next((card for card in self.prices if card.holds_on(day)), self.prices[0])

    def fast_rates(self, day: date) -> Rates | None:
        """The rates of fast mode on `day`, or `None` where it is not offered."""
        fast = self.card(day).fast
        return None if fast is None or (fast.until is not None and fast.until <= day) else fast.rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All models, newest first."""

    models: tuple[Model, ...]

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models)

    def find(self, name: str) -> Model | None:
        """The model with this id or alias."""
        return _by_name().get(name)


@cache
def catalogue() -> Catalogue:
    """The catalogue, read once."""
    raw = files("holdfast.simulator").joinpath("models.json").read_bytes()
    models = msgspec.json.decode(raw, type=Catalogue).models
    return Catalogue(models=tuple(sorted(models, key=lambda model: model.released or date.min, reverse=True)))


def is_served(name: str) -> bool:
    """Whether a model of this id or alias is there, and not retired for good."""
    model = catalogue().find(name)
    return model is not None and model.lifecycle != "retired"


@cache
def _by_name() -> dict[str, Model]:
    return {name: model for model in catalogue() for name in (model.id, *model.aliases)}
