"""The only calculator of what a message costs: exact, in whole pico-dollars.

The rules, from Anthropic's pricing pages and the cost function of Claude Code:

- A prompt is input, cache reads and cache writes together. Strictly above a limit, the whole sampling
  iteration is billed by the upper card, its output included.
- The entries of `usage.iterations` are the iterations where they add up to the top-level counts, else
  the top-level counts are one iteration. Compaction and advisor entries are never in the top-level
  counts: they are added, the advisor at its own model's price.
- A fallback answers at its own model's price. The hops that declined before it are billed at theirs,
  unless they declined before any output.
- Batch (x0.5), US inference (x1.1 where the model has it) and fast mode go by what `usage` reports, not
  by what was asked, and touch tokens only: a web search always costs the same.
"""

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from holdfast.errors import ConfigError, UnknownModel
from holdfast.language import Sentence
from holdfast.policy import money
from holdfast.policy.charge import Charge, Line, scaled
from holdfast.policy.price_table import (
    Card,
    ModelFacts,
    Period,
    PricedModel,
    PriceTable,
    Scales,
    UnknownModelPolicy,
    index,
    per_token,
)
from holdfast.wire.usage import TokenCounts, Usage

USUAL_CACHE_RATIOS = {
    "cache_read": Fraction(1, 10),
    "cache_write_5m": Fraction(5, 4),
    "cache_write_1h": Fraction(2),
}
"""Cache prices in parts of the input price, where an override leaves them out (prompt-caching page)."""

USUAL_SCALES = Scales.of(batch=Fraction(1, 2), us=Fraction(11, 10))
"""Those of every model from Claude 4.6 on; a model that only an override knows has them too."""

SAMPLING = ("message", "fallback_message")
"""Types of iterations that the top-level counts are the sum of."""

COUNTED = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_1h_input_tokens",
)

SHOWN_NAME = 80
"""Characters of an unknown model id that an error repeats: the id comes from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardOverride:
    """The operator's own price of a model, in dollars per million tokens.

    Cache prices left out are 0.1 (read), 1.25 (5 minutes) and 2 (1 hour) of the input price. The override
    holds on every day and for every prompt length; fast mode keeps its listed price. Raises `ConfigError`
    for a float, a negative price, or one finer than a pico-dollar per token.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", *USUAL_CACHE_RATIOS):
            given: object = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, money.exact(given, name=name))
        self.card()

    def card(self) -> Card:
        """The row of prices."""

        def cache(name: str, given: Decimal | None) -> int:
            return per_token(
                Fraction(self.input) * USUAL_CACHE_RATIOS[name] if given is None else given, name=name
            )

        return Card(
            name="override",
            input=per_token(self.input, name="input"),
            output=per_token(self.output, name="output"),
            cache_read=cache("cache_read", self.cache_read),
            cache_write_5m=cache("cache_write_5m", self.cache_write_5m),
            cache_write_1h=cache("cache_write_1h", self.cache_write_1h),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingConfig:
    """How an operator changes the price list.

    `unknown_model`: `refuse` raises `UnknownModel`; `dearest` takes, for every kind of token, the dearest
    price of all models in service that day, and marks the charge as assumed. `multiplier` scales every
    price, web searches included; where a multiplied price per token is no whole number of pico-dollars
    it is rounded up to one. `overrides` are prices by model id or alias, new models included.
    """

    unknown_model: UnknownModelPolicy = "refuse"
    multiplier: Decimal = Decimal(1)
    overrides: Mapping[str, CardOverride] = field(default_factory=dict[str, CardOverride], hash=False)

    def __post_init__(self) -> None:
        multiplier = money.exact(self.multiplier, name="multiplier")
        if multiplier <= 0:
            raise ConfigError(
                Sentence(
                    f"multiplier is {multiplier}, so calls would cost nothing: "
                    "write a number above 0; 1 is the list price",
                    ko=f"multiplier 값이 {multiplier}이면 호출 비용이 사라집니다. "
                    "0보다 큰 수를 적어 주세요. 정가는 1입니다",
                )
            )
        if self.unknown_model not in ("refuse", "dearest"):
            raise ConfigError(
                Sentence(
                    f'unknown_model is {self.unknown_model!r}: write "refuse" or "dearest"',
                    ko=f'unknown_model 값이 {self.unknown_model!r}입니다. "refuse"나 "dearest"로 적어 주세요',
                )
            )
        object.__setattr__(self, "multiplier", multiplier)


def is_unbilled_refusal(stop_reason: str | None, *, empty: bool) -> bool:
    """Whether an answer is a refusal before any output, which is not billed though `usage` shows tokens."""
    return empty and stop_reason == "refusal"


def cost(
    table: PriceTable, model: str, usage: Usage, *, at: datetime | date, refused_empty: bool = False
) -> Charge:
    """What a message costs, by the model that answered.

    `at` is the moment of the answer (days are UTC; a naive datetime is taken as UTC). With `refused_empty`
    (see `is_unbilled_refusal`) the tokens of the answer itself are free; what other iterations put out
    is not. Raises `UnknownModel` for a model without a price, unless the table assumes the dearest.
    """
    day = day_of(at)
    lines: list[Line] = []
    pico = usage.web_search_requests * table.web_search
    assumed = False
    batch, fast, us = usage.service_tier == "batch", usage.speed == "fast", usage.inference_geo == "us"
    for source, name, counts in _iterations(table, model, usage, refused_empty=refused_empty):
        priced, guessed = resolve(table, name, day)
        line = Line(
            source=source,
            model=name if guessed else priced.facts.id,
            card=priced.period(day).card(counts.prompt_tokens, fast=fast, day=day),
            scale=priced.scales.pick(batch=batch, us=us),
            counts=counts,
        )
        assumed = assumed or guessed
        lines.append(line)
        pico += sum([tokens * unit for _, tokens, unit in line.products()])
    return Charge(
        model=table.names.get(model, model),
        day=day,
        version=table.version,
        pico=pico,
        assumed=assumed,
        lines=tuple(lines),
        searches=usage.web_search_requests,
        search_pico=table.web_search,
    )


def configured(table: PriceTable, config: PricingConfig) -> PriceTable:
    """The table as the operator wants it; its version tells which prices were changed."""
    multiplier = Fraction(config.multiplier)
    models = dict(table.models)
    for name, override in config.overrides.items():
        models[table.names.get(name, name)] = _overridden(name, override, table.find(name))
    models, names = index(replace(model, scales=model.scales.times(multiplier)) for model in models.values())
    version = table.version
    if multiplier != 1 or config.overrides:
        changes = repr(
            (str(multiplier), sorted((name, repr(card)) for name, card in config.overrides.items()))
        )
        version += f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}"
    return replace(
        table,
        version=version,
        models=models,
        names=names,
        web_search=scaled(table.web_search, multiplier),
        unknown_model=config.unknown_model,
    )


def day_of(at: datetime | date) -> date:
    """The day in UTC that decides about prices."""
    if not isinstance(at, datetime):
        return at
    return at.date() if at.tzinfo is None or at.tzinfo is UTC else at.astimezone(UTC).date()


def unknown(table: PriceTable, model: str) -> UnknownModel:
    """The error that says which id has no price, which one may be meant, and how to give it one."""
    shown = model[:SHOWN_NAME]
    cure = f'set its price under [pricing.overrides."{shown}"], or set pricing.unknown_model = "dearest"'
    kur = f'[pricing.overrides."{shown}"]에 요금을 적거나 pricing.unknown_model = "dearest"로 설정하세요'
    if table.find(model) is not None:
        return UnknownModel(
            Sentence(
                f"The price of {shown} is not public, so its cost cannot be bounded: {cure}",
                ko=f"{shown} 모델은 요금이 공개되지 않아 비용 상한을 계산할 수 없습니다. {kur}",
            ),
            details={"model": shown},
        )
    near = difflib.get_close_matches(shown, table.names, n=1, cutoff=0.7)
    return UnknownModel(
        Sentence(
            f"No price is known for the model {shown!r}, so its cost cannot be bounded: "
            + (f"did you mean {near[0]}? If not, " if near else "")
            + cure,
            ko=f"{shown!r} 모델의 요금을 알 수 없어 비용 상한을 계산할 수 없습니다. "
            + (f"혹시 {near[0]}인가요? 아니라면 " if near else "")
            + kur,
        ),
        details={"model": shown, **({"did_you_mean": near[0]} if near else {})},
    )


def _iterations(
    table: PriceTable, model: str, usage: Usage, *, refused_empty: bool
) -> Iterator[tuple[str, str, TokenCounts]]:
    """(source, model, counts) of everything that is billed."""
    if not usage.iterations:
        if not refused_empty:
            yield "message", model, usage
        return
    sampled = [step for step in usage.iterations if step.type in SAMPLING]
    fallback = next((step for step in sampled if step.type == "fallback_message"), None)
    serving = model if fallback is None or fallback.model is None else fallback.model
    own = [step for step in sampled if _is_same(table, step.model, serving)]
    add_up = _adds_up(own, usage) or _adds_up(sampled, usage)
    if not refused_empty and add_up:
        yield from ((step.type, serving, step) for step in own)
    elif not refused_empty:
        yield "message", serving, usage
    if add_up or fallback:
        declined = [step for step in sampled if not _is_same(table, step.model, serving)]
        # Before any output a decline is free; the entry shows its tokens all the same.
        yield from (("declined", step.model or serving, step) for step in declined if step.output_tokens)
    # Where the counts prove that an entry of a type we do not know comes on top, it is billed too.
    extra = [step for step in usage.iterations if step.type not in SAMPLING]
    yield from ((step.type, step.model or serving, step) for step in extra if add_up or _is_extra(step.type))


def _adds_up(steps: Sequence[TokenCounts], usage: Usage) -> bool:
    return all(sum(getattr(step, name) for step in steps) == getattr(usage, name) for name in COUNTED)


def _is_extra(kind: str) -> bool:
    return kind == "compaction" or kind.startswith("advisor")


def _is_same(table: PriceTable, name: str | None, serving: str) -> bool:
    return name is None or name == serving or table.names.get(name, name) == table.names.get(serving, serving)


def resolve(table: PriceTable, name: str, day: date) -> tuple[PricedModel, bool]:
    """The model whose price applies, and whether that is an assumption; raises `UnknownModel`."""
    found = table.find(name)
    if found is not None and found.periods:
        return found, False
    if table.unknown_model == "refuse":
        raise unknown(table, name)
    return dearest_in_service(table, name, day), True


def dearest_in_service(table: PriceTable, name: str, day: date) -> PricedModel:
    """A model `name` at the dearest price, for every kind of token, of all models in service that day.

    Raises `UnknownModel` where there is none.
    """
    in_service = [
        model
        for model in table.models.values()
        if model.periods and not model.facts.is_retired(day) and (model.facts.released or day) <= day
    ]
    if not in_service:
        raise unknown(table, name)
    return _dearest(name, in_service, day)


def _dearest(name: str, models: Sequence[PricedModel], day: date) -> PricedModel:
    periods = [model.period(day) for model in models]
    listed = [card for period in periods for card in (period.standard, *(card for _, card in period.bands))]
    quick = [card for period in periods if (card := period.fast_on(day))]
    scales = [model.scales for model in models]
    return PricedModel(
        facts=ModelFacts(id=name),
        periods=(Period(starts=None, standard=_peak(listed), fast=_peak([*listed, *quick])),),
        scales=Scales(
            plain=max(scale.plain for scale in scales),
            batch=max(scale.batch for scale in scales),
            us=max(scale.us for scale in scales),
            batch_us=max(scale.batch_us for scale in scales),
        ),
    )


def _peak(cards: Sequence[Card]) -> Card:
    return Card(
        name="dearest",
        input=max(card.input for card in cards),
        output=max(card.output for card in cards),
        cache_read=max(card.cache_read for card in cards),
        cache_write_5m=max(card.cache_write_5m for card in cards),
        cache_write_1h=max(card.cache_write_1h for card in cards),
    )


def _overridden(name: str, override: CardOverride, listed: PricedModel | None) -> PricedModel:
    flat = Period(starts=None, standard=override.card())
    if listed is None:
        return PricedModel(facts=ModelFacts(id=name), periods=(flat,), scales=USUAL_SCALES)
    periods = tuple(replace(period, standard=flat.standard, bands=()) for period in listed.periods)
    return replace(listed, periods=periods or (flat,))
