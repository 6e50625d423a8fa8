"""Whether the price book is fresh and fits the models that the settings name."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from holdfast.errors import UnknownModel
from holdfast.language import Language, Sentence
from holdfast.parts.prices import PriceBook
from holdfast.policy.price_table import ModelFacts
from holdfast.settings import Settings

OLD_AFTER = 90
"""Days after which prices have probably changed: a new model came about every month in 2026."""
SOON = 30
"""Days before its end in which a model in use is a problem."""

_ONE_TOKEN = {"input_tokens": 1}
_ASSUMED = Sentence(
    "has no known price and is billed at the dearest one (pricing.unknown_model)",
    ko="모델은 요금을 알 수 없어 가장 비싼 요금으로 계산합니다(pricing.unknown_model)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to act on (`problem`), or to know (`note`)."""

    level: Literal["problem", "note"]
    code: str
    sentence: Sentence
    model: str | None = None
    setting: str | None = None

    def plain(self, language: Language) -> dict[str, object]:
        """As data for JSON."""
        return {
            "level": self.level,
            "code": self.code,
            "model": self.model,
            "setting": self.setting,
            "message": self.sentence.say(language),
        }


def findings(settings: Settings, book: PriceBook, listed: PriceBook, day: date) -> tuple[Finding, ...]:
    """Everything that does not fit on a day; `listed` is the book without the operator's changes."""
    return (
        *_age(book, day),
        *(finding for setting, model in _used(settings) for finding in _model(book, setting, model, day)),
        *_changes(settings, listed),
    )


def _age(book: PriceBook, day: date) -> Iterator[Finding]:
    age = (day - book.as_of).days
    if age > OLD_AFTER:
        yield Finding(
            level="problem",
            code="book_old",
            sentence=Sentence(
                f"the price book is {age} days old (of {book.as_of}); update holdfast to get a newer one",
                ko=f"요금표가 {age}일 전({book.as_of}) 것입니다. holdfast를 업데이트해 새 요금표를 받으세요",
            ),
        )


def _used(settings: Settings) -> Iterator[tuple[str, str]]:
    """(setting, model) of every model that the settings may ask."""
    models = settings.models
    yield from (("models.small", models.small), ("models.standard", models.standard))
    yield "models.large", models.large
    for model, others in settings.failover.models.items():
        yield from (("failover.models", name) for name in (model, *others))
    for budget, limits in settings.budgets.items():
        yield from ((f"budgets.{budget}.ladder", rung.model) for rung in limits.ladder if rung.model)
    for upstream, config in settings.upstreams.items():
        yield from ((f"upstreams.{upstream}.models", name) for name in config.models)


def _model(book: PriceBook, setting: str, model: str, day: date) -> Iterator[Finding]:
    try:
        is_assumed = book.charge(model, _ONE_TOKEN, at=day).assumed
    except UnknownModel as error:
        yield _unknown(setting, model, error.sentence, level="problem")
        return
    if is_assumed:
        yield _unknown(setting, model, _ASSUMED, level="note")
        return
    facts = book.facts(model)
    if facts.retires is not None and (facts.retires - day).days <= SOON:
        yield Finding(
            level="problem",
            code="model_retired" if facts.is_retired(day) else "model_retiring",
            sentence=_at(setting, _ending(facts, day)),
            model=model,
            setting=setting,
        )


def _unknown(setting: str, model: str, what: Sentence, *, level: Literal["problem", "note"]) -> Finding:
    code = "model_unknown" if level == "problem" else "model_assumed"
    sentence = what if level == "problem" else Sentence(f"{model} {what.en}", ko=f"{model} {what.ko}")
    return Finding(level=level, code=code, sentence=_at(setting, sentence), model=model, setting=setting)


def _ending(facts: ModelFacts, day: date) -> Sentence:
    instead = f"; use {facts.replacement} instead" if facts.replacement else "; choose another model"
    instead_ko = f" {facts.replacement}(으)로 바꾸세요" if facts.replacement else " 다른 모델로 바꾸세요"
    if facts.is_retired(day):
        return Sentence(
            f"{facts.id} was retired on {facts.retires} and answers 404{instead}",
            ko=f"{facts.id} 모델은 {facts.retires}에 종료되어 404로 응답합니다.{instead_ko}",
        )
    return Sentence(
        f"{facts.id} is retired on {facts.retires}{instead}",
        ko=f"{facts.id} 모델은 {facts.retires}에 종료됩니다.{instead_ko}",
    )


def _changes(settings: Settings, listed: PriceBook) -> Iterator[Finding]:
    pricing = settings.pricing
    if pricing.multiplier != 1:
        yield Finding(
            level="note",
            code="multiplied",
            sentence=Sentence(
                f"every price is multiplied by {pricing.multiplier} (pricing.multiplier)",
                ko=f"모든 요금에 {pricing.multiplier}을(를) 곱합니다(pricing.multiplier)",
            ),
            setting="pricing.multiplier",
        )
    for model, override in pricing.overrides.items():
        known = listed.table.find(model)
        card = None if known is None or not known.periods else known.periods[-1].standard
        own = override.card()
        if card is None or (own.input, own.output) != (card.input, card.output):
            yield _overridden(model, is_listed=card is not None)


def _overridden(model: str, *, is_listed: bool) -> Finding:
    setting = f"pricing.overrides.{model}"
    if is_listed:
        what = Sentence(
            f"{model} has a price of your own, which is not the listed one ({setting})",
            ko=f"{model}의 요금을 정가와 다르게 설정했습니다({setting})",
        )
    else:
        what = Sentence(
            f"{model} is known by your own price alone ({setting})",
            ko=f"{model}은(는) 직접 설정한 요금만 있습니다({setting})",
        )
    return Finding(level="note", code="override_differs", sentence=what, model=model, setting=setting)


def _at(setting: str, what: Sentence) -> Sentence:
    return Sentence(f"{setting}: {what.en}", ko=f"{setting}: {what.ko}")
