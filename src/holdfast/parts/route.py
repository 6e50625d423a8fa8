"""A route to hold in the hand: rules that choose a model, and what their choices have saved."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.errors import ConfigError
from holdfast.events import RouteChosen
from holdfast.language import Sentence
from holdfast.policy.route import Choice, RouteConfig, RouteRule, choose, traits_of
from holdfast.policy.routing import ModelsConfig
from holdfast.wire.messages import read_request
from holdfast.wire.wanted import read_wanted

Rule = RouteRule | Mapping[str, Any]
_KNOWN = tuple(spec.name for spec in fields(RouteRule))
_LISTS = frozenset({"words", "users"})
MODELS_MOST = 100
"""Models that are counted each by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStats:
    """What a route has done so far.

    Attributes:
        calls: calls that it has decided on and that were sent.
        changed: those that went to another model than they asked for, or would have in shadow.
        saved: exact dollars that were saved against the models asked for, or would have been in shadow; less than
            none where it cost more.
        by_model: calls by the model chosen.
    """

    calls: int = 0
    changed: int = 0
    saved: Decimal = Decimal(0)
    by_model: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(eq=False, repr=False)
class Route:
    """Simple requests to a small model, complex ones to a large one: by rules, else by a measure of complexity.

    Give it to an agent: `ProductionAgent(route=Route(rules=[{"tools_over": 5, "to": "large"}]))`. A conversation in
    which a model has thought stays with that model, and nothing goes to a model that lacks what it needs.

    Attributes:
        rules: the first whose conditions all hold decides; dictionaries with the members of `RouteRule`.
        small: the model for simple requests; left out, that of the settings, as with the next two.
        standard: the one in between.
        large: the one for complex requests.
        models: only requests that ask for one of these; left out, all that an agent asks.
        shadow: change nothing, and reckon what it would have saved.
        simple_below: where no rule fits, a complexity below this goes to the small model.
        complex_from: from this on to the large one.
        text_only: models that take no images.

    Raises `ConfigError` for a rule that makes no sense.

    Example:
        >>> route = Route(rules=[{"words": ["legal", "계약"], "to": "large"}])
        >>> route.choose({"messages": [{"role": "user", "content": "계약을 검토해 주세요."}]}).model
        'claude-opus-5-5'
    """

    rules: Sequence[Rule] = ()
    _: KW_ONLY
    small: str | None = None
    standard: str | None = None
    large: str | None = None
    models: Sequence[str] = ()
    shadow: bool = False
    simple_below: float = 0.2
    complex_from: float = 0.6
    text_only: Sequence[str] = ()
    config: RouteConfig = field(init=False)

    def __post_init__(self) -> None:
        self.config = RouteConfig(
            enabled=True,
            shadow=self.shadow,
            models=tuple(self.models),
            rules=tuple(_rule(number, rule) for number, rule in enumerate(self.rules, start=1)),
            small=self.small or "",
            standard=self.standard or "",
            large=self.large or "",
            simple_below=self.simple_below,
            complex_from=self.complex_from,
            text_only=tuple(self.text_only),
        )
        self._lock = threading.Lock()
        self._calls = self._changed = 0
        self._saved = Decimal(0)
        self._by_model: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Route({len(self.config.rules)} rules, shadow={self.config.shadow})"

    @classmethod
    def of(cls, config: RouteConfig) -> "Route":
        """The route that settings describe."""
        route = cls()
        route.config = config
        return route

    def choose(
        self, request: Mapping[str, Any], *, user: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Choice:
        """Where a request would go, which rule says so, and how complex it is; nothing is counted.

        Raises `MalformedRequest` for what is no Messages request.
        """
        body = msgspec.json.encode(request)
        traits = traits_of(read_request(body), read_wanted(body), user=user, tags=tags)
        return choose(self.config, traits, ModelsConfig())

    def stats(self) -> RouteStats:
        """What it has done so far."""
        with self._lock:
            return RouteStats(
                calls=self._calls, changed=self._changed, saved=self._saved, by_model=dict(self._by_model)
            )

    def told(self, chosen: RouteChosen) -> None:
        """Take note of a call that was sent."""
        with self._lock:
            self._calls += 1
            self._changed += chosen.chosen != chosen.asked
            self._saved += Decimal(chosen.saved or 0)
            is_counted = chosen.chosen in self._by_model or len(self._by_model) < MODELS_MOST
            self._by_model[chosen.chosen if is_counted else "other"] += 1


def _rule(number: int, rule: Rule) -> RouteRule:
    if isinstance(rule, RouteRule):
        return rule
    if unknown := sorted(rule.keys() - set(_KNOWN)):
        raise _wrong(number, f"unknown condition `{unknown[0]}`")
    try:
        return msgspec.convert({name: _listed(name, value) for name, value in rule.items()}, RouteRule)
    except msgspec.ValidationError as error:
        raise _wrong(number, str(error)) from error


def _listed(name: str, value: object) -> object:
    """One word alone is a list of one."""
    return [value] if name in _LISTS and isinstance(value, str) else value


def _wrong(number: int, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"rules: rule {number} makes no sense: {why}. The conditions are {', '.join(_KNOWN)}",
            ko=f"rules: 규칙 {number}을(를) 이해할 수 없습니다({why}). 쓸 수 있는 조건: {', '.join(_KNOWN)}",
        )
    )
