"""How often each rule of the screen has seen something, and what became of it."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdfast.policy.monitoring import Decision

MOST_RULES = 1_000
"""Rules that are counted; the one that has seen nothing for the longest makes room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Texts in which one rule has seen something since the start of this process, each counted once.

    Attributes:
        blocked: refused, by this rule or another.
        flagged: let through with a word.
        would_have_blocked: let through because this rule only watches.
    """

    blocked: int = 0
    flagged: int = 0
    would_have_blocked: int = 0


@dataclass(frozen=True, slots=True)
class Sightings:
    """Counts by rule, for any thread; nothing of a text is kept."""

    _rules: OrderedDict[str, Sighting] = field(
        default_factory=OrderedDict[str, Sighting], init=False, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def count(self, decision: Decision) -> None:
        """Take note of what became of one text."""
        if decision.action == "allow":
            return
        for rule in dict.fromkeys((*decision.rules, *decision.would_block)):
            with self._lock:
                self._rules[rule] = _more(self._rules.pop(rule, Sighting()), rule, decision)
                if len(self._rules) > MOST_RULES:
                    self._rules.popitem(last=False)

    def by_rule(self) -> Mapping[str, Sighting]:
        """The counts of this moment, by id of the rule, in the order of the ids."""
        with self._lock:
            return dict(sorted(self._rules.items()))


def _more(seen: Sighting, rule: str, decision: Decision) -> Sighting:
    if decision.action == "block":
        return replace(seen, blocked=seen.blocked + 1)
    if rule in decision.would_block:
        return replace(seen, would_have_blocked=seen.would_have_blocked + 1)
    return replace(seen, flagged=seen.flagged + 1)
