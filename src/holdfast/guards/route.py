"""The station that sends each call to the model that fits it."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import ClassVar

from holdfast.call import Call, Outcome
from holdfast.errors import NotAllowed
from holdfast.events import Observer, RouteChosen, unobserved
from holdfast.language import Sentence
from holdfast.pipeline import Proceed
from holdfast.policy.estimate import input_bound
from holdfast.policy.money import dollars, plain
from holdfast.policy.price_table import ModelFacts
from holdfast.policy.route import (
    AUTO,
    STICKY,
    Choice,
    Need,
    RouteConfig,
    can,
    candidates,
    choose,
    score,
    traits_of,
)
from holdfast.policy.routing import ModelsConfig
from holdfast.wire.edit import with_model
from holdfast.wire.opening import opening
from holdfast.wire.usage import Usage
from holdfast.wire.wanted import Wanted, read_wanted

Price = Callable[[str, Usage, datetime], int | None]
"""Model, usage and moment -> pico-dollars, or `None` when no price is known."""
Facts = Callable[[str], ModelFacts | None]
"""What is known of a model; `None` for one that nobody knows."""
KEPT = 10_000
"""Conversations remembered at once; beyond that the one that spoke longest ago is forgotten."""


class Conversations:
    """The model that served each conversation last; thread-safe.

    A conversation goes by how it began, and by its run where its beginning is not known any more: clients cut
    off what is too long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: OrderedDict[str, str] = OrderedDict()

    def of(self, call: Call) -> str | None:
        """The model that has served a conversation; `None` where nobody remembers."""
        with self._lock:
            return next((self._models[name] for name in _names(call) if name in self._models), None)

    def remember(self, call: Call, model: str) -> None:
        """The conversation of a call has been served by that model."""
        with self._lock:
            for name in _names(call):
                self._models[name] = model
                self._models.move_to_end(name)
            while len(self._models) > KEPT:
                self._models.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGuard:
    """Exchanges the model of a call for the one that its rules choose, and says afterwards what that has saved.

    It stands before quotas and budgets, so that they see the model that is asked. A conversation in which a
    model has thought stays with that model; where it is not known any more, with the one that the call names.

    Attributes:
        config: that of the settings; a call may bring its own instead.
        models: the models by size where no route names others.
        facts: what models can do.
        serves: whether any upstream has a model.
        told: told of every choice by the rules of the settings.
    """

    name: ClassVar[str] = "route"
    config: RouteConfig
    models: ModelsConfig
    facts: Facts
    serves: Callable[[str], bool]
    price: Price
    told: Callable[[RouteChosen], None]
    observe: Observer = unobserved
    _conversations: Conversations = field(default_factory=Conversations, init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed:
        config = call.own_ways.route or self.config
        if not config.enabled or not self._is_routed(call, config):
            return Proceed(call)
        choice = self._choice(call, config)
        sizes = config.sizes(self.models)
        asked = sizes.standard if call.request.model == AUTO else call.request.model
        sent = asked if config.shadow else choice.model
        if sent != call.request.model:
            _check(call, sent)

        async def settle(outcome: Outcome) -> None:
            if not outcome.attempts or outcome.label != "answered":
                return
            self._conversations.remember(call, outcome.asked_model or sent)
            self._tell(call, asked, choice, outcome, is_shadow=config.shadow)

        return Proceed(_sent(call, sent), settle)

    def _is_routed(self, call: Call, config: RouteConfig) -> bool:
        is_own = call.own_ways.route is not None and not config.models
        return is_own or config.routes(call.request.model, self.models)

    def _choice(self, call: Call, config: RouteConfig) -> Choice:
        request, who = call.request, call.principal
        wanted = read_wanted(call.body)
        traits = traits_of(request, wanted, user=who.user, tags=who.tags)
        sizes = config.sizes(self.models)
        if request.has_thinking:
            asked = sizes.standard if request.model == AUTO else request.model
            home = self._conversations.of(call) or asked
            return Choice(model=home, rule=STICKY, score=score(traits))
        choice = choose(config, traits, self.models)
        need = _need(call, wanted)
        tried = candidates(choice.model, sizes, request.model)
        last = sizes.standard if request.model == AUTO else request.model
        found = next((model for model in tried if self._may_go(call, model, need, config)), last)
        return replace(choice, model=found)

    def _may_go(self, call: Call, model: str, need: Need, config: RouteConfig) -> bool:
        """Whether a model is there, may be asked by this caller, and can do what is needed."""
        ways = call.own_ways
        is_allowed = not ways.models or model in ways.models or model == call.request.model
        if not is_allowed or not self.serves(model):
            return False
        if call.barrier is not None and call.barrier(model) is not None:
            return False
        if need.images and model in config.text_only:
            return False
        facts = self.facts(model)
        return facts is None or can(facts, need)

    def _tell(self, call: Call, asked: str, choice: Choice, outcome: Outcome, *, is_shadow: bool) -> None:
        served = outcome.served_model
        would, did = (served or asked, choice.model) if is_shadow else (asked, served or choice.model)
        chosen = RouteChosen(
            request_id=call.request_id,
            asked=call.request.model,
            chosen=choice.model,
            rule=choice.rule,
            shadow=is_shadow,
            saved=self._saved(would, did, outcome, call.arrived),
        )
        (call.own_ways.routed or self.told)(chosen)
        self.observe(chosen)

    def _saved(self, asked: str, chosen: str, outcome: Outcome, at: datetime) -> str | None:
        """Dollars between two models, for what was used; each counts tokens by itself, which is not reckoned with."""
        if outcome.is_unbilled:
            return "0"
        before, after = (self.price(model, outcome.usage, at) for model in (asked, chosen))
        return None if before is None or after is None else plain(dollars(before - after))


def _check(call: Call, model: str) -> None:
    """Raise where a call may not go to the model that it has to go to."""
    refusal = None if call.barrier is None else call.barrier(model)
    if refusal is not None:
        raise refusal
    models = call.own_ways.models
    if models and model not in models:
        raise NotAllowed(
            Sentence(
                f"This request would go to the model `{model}`, and its key is not for that one. Name a model that it "
                "is for, or have the key changed.",
                ko=f"이 요청은 모델 `{model}`(으)로 가야 하지만 키로 쓸 수 없는 모델입니다. 쓸 수 있는 모델을 지정하거나 "
                "키 설정을 바꾸세요.",
            )
        )


def _sent(call: Call, model: str) -> Call:
    if model == call.request.model:
        return call
    return replace(call, request=replace(call.request, model=model), body=with_model(call.body, model))


def _need(call: Call, wanted: Wanted) -> Need:
    request = call.request
    return Need(
        tokens=input_bound(request),
        max_tokens=request.max_tokens or 0,
        wanted=wanted,
        images=request.image_count > 0,
        day=call.arrived.date(),
    )


def _names(call: Call) -> tuple[str, ...]:
    """What the conversation of a call goes by, the surest name first."""
    who, began = call.principal, opening(call.body)
    marks = [(who.run or "", who.agent or "", began)] if began else []
    marks += [(who.run, who.agent or "", "")] if who.run else []
    return tuple(sha256("\0".join((who.key, *mark)).encode(errors="replace")).hexdigest() for mark in marks)
