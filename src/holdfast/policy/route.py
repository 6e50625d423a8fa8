"""Which model a request goes to: rules as data, and a measure of its complexity where none of them decides."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal, get_args
from unicodedata import normalize

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.price_table import ModelFacts
from holdfast.policy.routing import ModelsConfig
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.wanted import Wanted

Size = Literal["small", "standard", "large"]
SIZES: tuple[Size, ...] = get_args(Size)
AUTO = "auto"
"""The name that asks for whatever model fits."""
BYTES_PER_TOKEN = 3
"""Between English, which has about 4, and what no text falls below: a rule wants the likely size, not the largest."""
IMAGE_TOKENS = 1_600
"""Tokens of an image of the usual size."""
SCORE = "score"
"""What stands for a rule where the complexity has decided."""
STICKY = "sticky"
"""The same where the conversation stays where it is, because thinking in it is bound to a model."""

TOKENS, HISTORY, TOOLS, ANSWER = 16_000, 20, 10, 16_000
"""Prompt tokens, messages, tools and answer tokens from which a request gets the whole weight of each."""
WEIGHTS: Mapping[str, float] = {
    "tokens": 0.30,
    "history": 0.10,
    "tools": 0.20,
    "images": 0.10,
    "thinking": 0.30,
    "answer": 0.10,
    "work": 0.25,
}
"""What each trait adds to the complexity; together they may pass 1, which is the most that is said."""
_WORK = (
    *("analyse", "analyze", "architecture", "debug", "derive", "design", "migrate", "optimise", "optimize"),
    *("proof", "prove", "refactor", "step by step", "trade-off", "why does", "```"),
    *(
        "분석",
        "설계",
        "증명",
        "디버그",
        "디버깅",
        "리팩터링",
        "리팩토링",
        "최적화",
        "단계별",
        "원인",
        "아키텍처",
    ),
)
FORMS: Mapping[str, frozenset[str]] = {
    "adaptive always on": frozenset({"adaptive"}),
    "adaptive; between_tools instead of disabled": frozenset({"adaptive", "between_tools"}),
    "adaptive by default": frozenset({"adaptive", "disabled"}),
    "adaptive by default; disabled allowed up to effort high": frozenset({"adaptive", "disabled"}),
    "adaptive by default; disabled restricted by effort": frozenset({"adaptive", "disabled"}),
    "adaptive opt-in": frozenset({"adaptive", "disabled"}),
    "adaptive or enabled": frozenset({"adaptive", "enabled", "disabled"}),
    "enabled": frozenset({"enabled", "disabled"}),
}
"""The forms of thinking that a model takes, by how the table of models says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """One rule: where every condition that it names holds, the request goes to `to`.

    Attributes:
        to: `small`, `standard`, `large`, or a model id.
        name: what events and reports call it; left out, it goes by its number, from 1.
        tokens_over: more prompt tokens than this, reckoned from the size.
        tokens_under: fewer than this.
        tools_over: more tools on offer than this.
        images: whether there are images.
        words: one of these stands in what the user said last, in any language, small or capital letters.
        messages_over: more messages than this.
        thinking: whether thinking is asked for.
        max_tokens_over: a longer answer than this is allowed.
        max_tokens_under: a shorter one.
        users: the user is one of these; names, or patterns like `test-*`.
        tag: a tag of the call, as `team=search`.

    Raises `ConfigError` for a rule that leads nowhere.
    """

    to: str
    name: str = ""
    tokens_over: int | None = None
    tokens_under: int | None = None
    tools_over: int | None = None
    images: bool | None = None
    words: tuple[str, ...] = ()
    messages_over: int | None = None
    thinking: bool | None = None
    max_tokens_over: int | None = None
    max_tokens_under: int | None = None
    users: tuple[str, ...] = ()
    tag: str = ""

    def __post_init__(self) -> None:
        if not self.to.strip():
            raise ConfigError(_nowhere())
        if not all(word.strip() for word in self.words):
            raise ConfigError(_no_word())
        if self.tag and "=" not in self.tag:
            raise ConfigError(_no_tag(self.tag))


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteConfig:
    """Which requests are routed, and where to.

    Attributes:
        enabled: whether anything is routed at all.
        shadow: nothing is changed; what it would have saved is announced.
        models: requests that ask for one of these are routed; empty stands for `auto` and the standard model.
        rules: the first that fits decides.
        small: the model for simple requests; empty takes that of `[models]`, as do the next two.
        standard: the one in between.
        large: the one for complex requests.
        simple_below: where no rule fits, a complexity below this goes to the small model.
        complex_from: from this on to the large one.
        text_only: models that take no images.

    Raises `ConfigError` for bounds that make no sense.
    """

    enabled: bool = False
    shadow: bool = False
    models: tuple[str, ...] = ()
    rules: tuple[RouteRule, ...] = ()
    small: str = ""
    standard: str = ""
    large: str = ""
    simple_below: float = 0.2
    complex_from: float = 0.6
    text_only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.simple_below <= self.complex_from <= 1:
            raise ConfigError(_bounds(self.simple_below, self.complex_from))

    def sizes(self, models: ModelsConfig) -> ModelsConfig:
        """The model of each size, those of the settings where none is named here."""
        return ModelsConfig(
            small=self.small or models.small,
            standard=self.standard or models.standard,
            large=self.large or models.large,
        )

    def routes(self, asked: str, models: ModelsConfig) -> bool:
        """Whether a request for that model is routed."""
        return asked in (self.models or (AUTO, models.standard))


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a rule looks at."""

    tokens: int = 0
    tools: int = 0
    images: int = 0
    text: str = ""
    """What the user said last, in small letters."""
    messages: int = 0
    thinking: bool = False
    max_tokens: int = 0
    user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a request should go, and which rule says so; `score` is its complexity, from 0 to 1."""

    model: str
    rule: str
    score: float


def traits_of(
    request: MessagesRequest,
    wanted: Wanted,
    *,
    user: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Traits:
    """The traits of a request, and of whoever sends it."""
    said = "\n".join(block.text for block in request.newest if block.channel == "user")
    return Traits(
        tokens=request.text_bytes // BYTES_PER_TOKEN + IMAGE_TOKENS * request.image_count,
        tools=len(request.tool_names),
        images=request.image_count,
        text=_small(said),
        messages=request.message_count,
        thinking=wanted.thinks,
        max_tokens=request.max_tokens or 0,
        user=user or "",
        tags=tags or {},
    )


def score(traits: Traits) -> float:
    """How complex a request is, from 0 to 1.

    The sum of `WEIGHTS`: of tokens, history, tools and the longest answer in proportion, up to the amounts named
    beside them; of images, thinking, and words that ask for work (`analyse`, `prove`, `설계`, a block of code)
    all or nothing. It is cheap and crude: what matters to you belongs into a rule.
    """
    shares = {
        "tokens": traits.tokens / TOKENS,
        "history": traits.messages / HISTORY,
        "tools": traits.tools / TOOLS,
        "images": traits.images,
        "thinking": traits.thinking,
        "answer": traits.max_tokens / ANSWER,
        "work": _says_one(traits.text, _WORK),
    }
    return min(1.0, sum(WEIGHTS[name] * min(1.0, share) for name, share in shares.items()))


def choose(config: RouteConfig, traits: Traits, models: ModelsConfig) -> Choice:
    """What the rules say, or the complexity where none of them fits."""
    sizes, complexity = config.sizes(models), score(traits)
    for number, rule in enumerate(config.rules, start=1):
        if fits(rule, traits):
            return Choice(model=_model(rule.to, sizes), rule=rule.name or f"rule {number}", score=complexity)
    size: Size = "standard"
    if complexity < config.simple_below:
        size = "small"
    elif complexity >= config.complex_from:
        size = "large"
    return Choice(model=_model(size, sizes), rule=SCORE, score=complexity)


def fits(rule: RouteRule, traits: Traits) -> bool:
    """Whether every condition that a rule names holds."""
    return all(_conditions(rule, traits))


def candidates(chosen: str, sizes: ModelsConfig, asked: str) -> tuple[str, ...]:
    """The models to try in this order where one cannot do what a request needs.

    The chosen one, then larger ones, then the one that was asked for, then smaller ones.
    """
    by_size = [_model(size, sizes) for size in SIZES]
    start = by_size.index(chosen) + 1 if chosen in by_size else 0
    named = () if asked == AUTO else (asked,)
    return tuple(dict.fromkeys((chosen, *by_size[start:], *named, *reversed(by_size[:start]))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a model must be able to do for a request; `tokens` is the most that its prompt can have."""

    tokens: int
    max_tokens: int
    wanted: Wanted
    images: bool
    day: date


def can(facts: ModelFacts, need: Need) -> bool:
    """Whether a model can do what a request needs, as far as the table of models says."""
    window, longest = facts.context_window, facts.max_output_tokens
    if facts.is_retired(need.day) or (need.wanted.forces_tool and not facts.forced_tool_choice):
        return False
    if window is not None and need.tokens + need.max_tokens > window:
        return False
    if longest is not None and need.max_tokens > longest:
        return False
    forms = FORMS.get(facts.thinking or "")
    return forms is None or need.wanted.thinking is None or need.wanted.thinking in forms


def _conditions(rule: RouteRule, traits: Traits) -> Iterator[bool]:
    yield from _bounded(traits.tokens, rule.tokens_over, rule.tokens_under)
    yield from _bounded(traits.max_tokens, rule.max_tokens_over, rule.max_tokens_under)
    yield from _bounded(traits.tools, rule.tools_over, None)
    yield from _bounded(traits.messages, rule.messages_over, None)
    yield rule.images in (None, traits.images > 0)
    yield rule.thinking in (None, traits.thinking)
    yield not rule.words or _says_one(traits.text, rule.words)
    yield not rule.users or any(fnmatchcase(traits.user, user) for user in rule.users)
    yield not rule.tag or _has(traits.tags, rule.tag)


def _bounded(value: int, over: int | None, under: int | None) -> Sequence[bool]:
    return (over is None or value > over, under is None or value < under)


def _has(tags: Mapping[str, str], wanted: str) -> bool:
    name, _, value = wanted.partition("=")
    return tags.get(name.strip()) == value.strip()


def _says_one(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of the words stands in a text, not as a part of another of Latin letters: Korean ones have endings."""
    return _one_of(words).search(text) is not None


@lru_cache(maxsize=1024)
def _one_of(words: tuple[str, ...]) -> "re.Pattern[str]":
    choice = "|".join(re.escape(_small(word)) for word in words)
    return re.compile(rf"(?<![a-z0-9])(?:{choice})(?![a-z0-9])")


def _small(text: str) -> str:
    return normalize("NFC", text).casefold()


def _model(to: str, sizes: ModelsConfig) -> str:
    """A size as its model; whatever is no size is a model."""
    return {"small": sizes.small, "standard": sizes.standard, "large": sizes.large}.get(to, to)


def _nowhere() -> Sentence:
    return Sentence(
        "to: a rule must lead somewhere; write small, standard, large or a model id",
        ko="to: 규칙의 목적지가 없습니다. small, standard, large 또는 모델 id를 적으세요",
    )


def _no_word() -> Sentence:
    return Sentence(
        "words: an empty one stands in every text; leave it out",
        ko="words: 빈 단어는 모든 글에 들어 있습니다. 빼 주세요",
    )


def _no_tag(tag: str) -> Sentence:
    return Sentence(
        f"tag: `{tag}` has no value; write it as `team=search`",
        ko=f"tag: `{tag}`에 값이 없습니다. `team=search`처럼 적으세요",
    )


def _bounds(simple: float, large: float) -> Sentence:
    return Sentence(
        f"simple_below: {simple:g} and complex_from: {large:g} must lie between 0 and 1, in this order",
        ko=f"simple_below({simple:g})와 complex_from({large:g})은 0과 1 사이에서 이 순서여야 합니다",
    )
