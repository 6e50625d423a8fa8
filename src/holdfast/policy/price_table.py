"""The price table: what every model costs on every day, and the facts of the models."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence

UnknownModelPolicy = Literal["refuse", "dearest"]
Status = Literal["active", "legacy", "deprecated", "retired", "custom"]

PICO_PER_MTOK_DOLLAR = 10**6
"""One dollar per million tokens is a million pico-dollars per token."""

PICO_PER_THOUSAND_DOLLAR = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One row of prices, in whole pico-dollars per token."""

    name: str
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The cards of a model from the day `starts` until the day before the next period, in UTC."""

    starts: date | None
    standard: Card
    bands: tuple[tuple[int, Card], ...] = ()
    """(limit, card), limits rising: a prompt strictly longer than the limit takes that card."""
    fast: Card | None = None
    fast_ends: date | None = None
    """The first day without fast mode."""

    def card(self, prompt_tokens: int, *, fast: bool, day: date) -> Card:
        """The card that one sampling iteration is billed by, its output included."""
        if fast and (quick := self.fast_on(day)):
            return quick
        chosen = self.standard
        for limit, card in self.bands:
            if prompt_tokens > limit:
                chosen = card
        return chosen

    def fast_on(self, day: date) -> Card | None:
        """The card of fast mode, while there is one."""
        return self.fast if self.fast_ends is None or day < self.fast_ends else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """What every token price of a model is multiplied by; the operator's own multiplier is in all four."""

    plain: Fraction
    batch: Fraction
    us: Fraction
    batch_us: Fraction

    @classmethod
    def of(cls, *, batch: Fraction, us: Fraction) -> "Scales":
        """The products at list price."""
        return cls(plain=Fraction(1), batch=batch, us=us, batch_us=batch * us)

    def times(self, multiplier: Fraction) -> "Scales":
        """The same products at another price level."""
        return Scales(
            plain=self.plain * multiplier,
            batch=self.batch * multiplier,
            us=self.us * multiplier,
            batch_us=self.batch_us * multiplier,
        )

    def pick(self, *, batch: bool, us: bool) -> Fraction:
        """The one that applies."""
        if batch:
            return self.batch_us if us else self.batch
        return self.us if us else self.plain


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What holdfast knows of a model beside its price; `None` means not published."""

    id: str
    aliases: tuple[str, ...] = ()
    family: str | None = None
    status: Status = "custom"
    limited_availability: bool = False
    released: date | None = None
    deprecated_on: date | None = None
    retires: date | None = None
    """The day requests start to fail with 404."""
    retires_not_before: date | None = None
    replacement: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    min_cacheable_tokens: int | None = None
    thinking: str | None = None
    forced_tool_choice: bool = True
    """`False`: `tool_choice` of type `any` or `tool` is answered with 400."""
    thinking_is_bound: bool = False
    """Thinking blocks are only accepted by the model and in the conversation that made them."""
    note: str | None = None

    def is_retired(self, on: date) -> bool:
        """Whether requests fail on that day."""
        return self.retires is not None and self.retires <= on


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedModel:
    """A model with its periods, oldest first; none at all where no price is published."""

    facts: ModelFacts
    periods: tuple[Period, ...]
    scales: Scales

    def period(self, day: date) -> Period:
        """The period of that day; a day before the first one takes the first one."""
        for period in reversed(self.periods):
            if period.starts is None or period.starts <= day:
                return period
        return self.periods[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Every known model; a value, so that a price can be computed again years later."""

    version: str
    as_of: date
    models: Mapping[str, PricedModel]
    names: Mapping[str, str]
    """Every accepted name: ids and aliases, each to its id."""
    web_search: int
    """Pico-dollars per search."""
    unknown_model: UnknownModelPolicy = "refuse"

    def find(self, name: str) -> PricedModel | None:
        """The model of that id or alias."""
        known = self.names.get(name)
        return None if known is None else self.models[known]


def retiring(table: PriceTable, *, on: date, within: int) -> tuple[ModelFacts, ...]:
    """The models that still answer on a day and stop to within so many days after it, soonest first."""
    ending = [
        (model.facts.retires, model.facts)
        for model in table.models.values()
        if model.facts.retires is not None and 0 < (model.facts.retires - on).days <= within
    ]
    return tuple(facts for _, facts in sorted(ending, key=lambda pair: pair[0]))


def index(models: Iterable[PricedModel]) -> tuple[dict[str, PricedModel], dict[str, str]]:
    """The models by id, and every name of each; raises `ConfigError` where two models share a name."""
    by_id: dict[str, PricedModel] = {}
    names: dict[str, str] = {}
    for model in models:
        by_id[model.facts.id] = model
        for name in (model.facts.id, *model.facts.aliases):
            if name in names:
                raise _unfit(name, Sentence("two models have this name", ko="두 모델이 같은 이름을 씁니다"))
            names[name] = model.facts.id
    return by_id, names


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None
    cache_write_5m: Decimal | None
    cache_write_1h: Decimal | None
    note: str | None = None


class _BandRow(_Row, kw_only=True, forbid_unknown_fields=True):
    above_prompt_tokens: int


class _FastRow(_Row, kw_only=True, forbid_unknown_fields=True):
    effective_to: date | None = None


class _PeriodRow(_Row, kw_only=True, forbid_unknown_fields=True):
    effective_from: date | None
    effective_to: date | None
    bands: list[_BandRow] = []
    fast: _FastRow | None = None


class _ModelRow(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    aliases: list[str]
    family: str
    status: Literal["active", "legacy", "deprecated", "retired"]
    limited_availability: bool
    released: date | None
    deprecated_on: date | None
    retirement: str | None
    replacement: str | None
    context_window: int
    max_output_tokens: int
    min_cacheable_tokens: int | None
    tokenizer: str
    thinking: str | None
    forced_tool_choice: bool
    thinking_blocks_bound_to_model_and_conversation: bool
    us_inference_multiplier: Decimal | None
    batch_multiplier: Decimal
    prices: list[_PeriodRow]
    note: str | None = None


class _ToolRows(msgspec.Struct):
    web_search_per_1000: Decimal


class _Document(msgspec.Struct):
    as_of: date
    server_tools: _ToolRows
    models: list[_ModelRow]


def read(raw: bytes) -> PriceTable:
    """The table out of a price file; raises `ConfigError` that names the place of the first mistake.

    Dollars per million tokens are read as exact decimals, from text or from JSON numbers.
    """
    try:
        document = msgspec.json.decode(raw, type=_Document)
    except msgspec.MsgspecError as error:
        raise _unfit("JSON", Sentence(str(error), ko=str(error))) from error
    models, names = index(_model(row) for row in document.models)
    search = Fraction(document.server_tools.web_search_per_1000) * PICO_PER_THOUSAND_DOLLAR
    return PriceTable(
        version=f"{document.as_of}.{hashlib.sha256(raw).hexdigest()[:12]}",
        as_of=document.as_of,
        models=models,
        names=names,
        web_search=_whole(search, "web_search_per_1000"),
    )


def _model(row: _ModelRow) -> PricedModel:
    for earlier, later in pairwise(row.prices):
        if later.effective_from is None or earlier.effective_to != later.effective_from:
            raise _unfit(
                row.id,
                Sentence(
                    "a card must start on the day the one before it ends",
                    ko="각 요금은 앞 요금이 끝나는 날에 시작해야 합니다",
                ),
            )
    return PricedModel(
        facts=_facts(row),
        periods=tuple(_period(price, row.id) for price in row.prices if price.input is not None),
        scales=Scales.of(batch=Fraction(row.batch_multiplier), us=Fraction(row.us_inference_multiplier or 1)),
    )


def _facts(row: _ModelRow) -> ModelFacts:
    floor, _, day = (row.retirement or "").rpartition(" ")
    try:
        end = date.fromisoformat(day) if day else None
    except ValueError as error:
        raise _unfit(row.id, Sentence(str(error), ko=str(error))) from error
    return ModelFacts(
        id=row.id,
        aliases=tuple(row.aliases),
        family=row.family,
        status=row.status,
        limited_availability=row.limited_availability,
        released=row.released,
        deprecated_on=row.deprecated_on,
        retires=None if floor else end,
        retires_not_before=end if floor else None,
        replacement=row.replacement,
        context_window=row.context_window,
        max_output_tokens=row.max_output_tokens,
        min_cacheable_tokens=row.min_cacheable_tokens,
        thinking=row.thinking,
        forced_tool_choice=row.forced_tool_choice,
        thinking_is_bound=row.thinking_blocks_bound_to_model_and_conversation,
        note=row.note,
    )


def _period(row: _PeriodRow, model: str) -> Period:
    bands = sorted(row.bands, key=lambda band: band.above_prompt_tokens)
    return Period(
        starts=row.effective_from,
        standard=_card(row, "standard", model),
        bands=tuple(
            (band.above_prompt_tokens, _card(band, f"above_{band.above_prompt_tokens}", model))
            for band in bands
        ),
        fast=None if row.fast is None else _card(row.fast, "fast", model),
        fast_ends=None if row.fast is None else row.fast.effective_to,
    )


def _card(row: _Row, name: str, model: str) -> Card:
    return Card(
        name=name,
        input=per_token(row.input, name=f"{model} input"),
        output=per_token(row.output, name=f"{model} output"),
        cache_read=per_token(row.cache_read, name=f"{model} cache_read"),
        cache_write_5m=per_token(row.cache_write_5m, name=f"{model} cache_write_5m"),
        cache_write_1h=per_token(row.cache_write_1h, name=f"{model} cache_write_1h"),
    )


def per_token(price: Decimal | Fraction | None, *, name: str) -> int:
    """Dollars per million tokens as pico-dollars per token; raises `ConfigError` unless whole and >= 0."""
    if price is None or (isinstance(price, Decimal) and not price.is_finite()) or price < 0:
        raise _unfit(name, Sentence(f"{price} is no price", ko=f"{price}은(는) 요금이 될 수 없습니다"))
    return _whole(Fraction(price) * PICO_PER_MTOK_DOLLAR, name)


def _whole(amount: Fraction, name: str) -> int:
    if amount.denominator != 1:
        raise _unfit(
            name,
            Sentence(
                "a price is finer than a pico-dollar", ko="요금이 1피코달러보다 작은 단위까지 내려갑니다"
            ),
        )
    return amount.numerator


def _unfit(place: str, why: Sentence) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The price list cannot be used: {place}: {why.en}; correct that entry",
            ko=f"요금표를 사용할 수 없습니다. {place}: {why.ko}. 해당 항목을 고쳐 주세요",
        )
    )
