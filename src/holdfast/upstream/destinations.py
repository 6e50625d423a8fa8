"""Where a call may go, in order, and where its conversation is at home."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from holdfast.call import Call
from holdfast.policy.routing import Target, serves
from holdfast.upstream.journey import Journey
from holdfast.upstream.request import Upstream
from holdfast.wire.opening import opening

KEPT = 10_000
"""Conversations remembered at once; beyond that the one that spoke longest ago is forgotten."""


class Homes:
    """The target that served each conversation last: thinking is bound to its model and account; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._homes: OrderedDict[str, Target] = OrderedDict()

    def of(self, call: Call) -> Target | None:
        """Where the conversation of a call was served, if that is known and matters to it."""
        if not call.request.has_thinking or (key := _conversation(call)) is None:
            return None
        with self._lock:
            return self._homes.get(key)

    def remember(self, call: Call, target: Target) -> None:
        """The conversation of a call has been served there."""
        if (key := _conversation(call)) is None:
            return
        with self._lock:
            self._homes[key] = target
            self._homes.move_to_end(key)
            if len(self._homes) > KEPT:
                self._homes.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """The targets of a call: upstream x credential for its model, then the same for each substitute."""

    upstreams: Sequence[Upstream]
    substitutes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    homes: Homes = field(default_factory=Homes)

    def journey(self, call: Call, limit: int) -> Journey | None:
        """The way of a call through its targets, the home of its conversation first.

        `None` when no upstream serves the model that was asked for.
        """
        asked = self._targets(call, call.request.model)
        if not asked:
            return None
        others = [
            target
            for model in self.substitutes.get(call.request.model, ())
            for target in self._targets(call, model)
        ]
        targets = list(dict.fromkeys([*asked, *others]))
        home = self.homes.of(call) if len(targets) > 1 else None
        if home not in targets:
            return Journey(call, limit, targets)
        return Journey(call, limit, [home, *_without(home, targets)], home=home)

    def settle(self, journey: Journey, target: Target) -> None:
        """Remember where a call was answered, where there is a choice."""
        if journey.has_choice:
            self.homes.remember(journey.call, target)

    def _targets(self, call: Call, model: str) -> list[Target]:
        return [
            Target(upstream=upstream.name, model=model, account=account)
            for upstream in self.upstreams
            if serves(upstream.config, model)
            for account in upstream.accounts(call.headers)
        ]


def _without(home: Target, targets: Iterable[Target]) -> list[Target]:
    return [target for target in targets if target != home]


def _conversation(call: Call) -> str | None:
    """A name for the conversation of a call that is the same in each of its turns; `None` if it has none."""
    mark = call.principal.run or opening(call.body)
    return sha256(f"{call.principal.key}\0{mark}".encode(errors="replace")).hexdigest() if mark else None
