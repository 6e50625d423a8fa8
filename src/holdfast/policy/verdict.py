"""Is it Claude or is it us: one verdict over the last minute, with the counts that it stands on.

Every attempt that failed is somebody's doing: the caller's, ours, the network's, the account's or Claude's. The
verdict names the class that is worst over its threshold. It is found by what the whole window and its last seconds
say: a class must weigh enough in one of them, and must still go on. Two thresholds and a shortest stay keep it from
flapping, and without a count nothing is said.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from holdfast.policy.failure import Blame

Cause = Literal["overloaded", "claude_failing", "network", "account", "client", "us"]
Kind = Literal["holding", "idle", "degraded"] | Cause
Name = Blame | Literal["degraded"]
Effect = Literal["answered", "cached", "fallback", "failed", "refused", "left"]
"""What a call came to for its user; `refused` is an error that we have chosen, `left` a user who hung up."""

WINDOW = 60
"""Seconds that a verdict looks back."""
LATE = 15
"""Seconds of it that say whether something still goes on."""
DWELL = 10.0
"""Seconds that a verdict stands at least, but for `idle`, which claims nothing: too little came, and nothing of it went well."""
DOUBT = 5.0
"""Seconds for which a cause may still show before a service is called degraded without one."""
MARKS = 8
"""Different marks that a second keeps apart: statuses are the upstream's to choose."""
OTHER = "other"
OVERLOADED = ("529", "503")

CLASSES: tuple[Blame, ...] = ("claude", "network", "account", "us", "client")
"""The gravest first: of two that weigh the same it is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a class is named: from the share `enter` on, with `least` failures, and until it falls below `leave`."""

    enter: float
    leave: float
    least: int


RULES: Mapping[Name, Rule] = {
    "claude": Rule(enter=0.25, leave=0.10, least=5),
    "network": Rule(enter=0.25, leave=0.10, least=5),
    "account": Rule(enter=0.25, leave=0.10, least=5),
    "us": Rule(enter=0.25, leave=0.10, least=5),
    "client": Rule(enter=0.50, leave=0.25, least=10),
    "degraded": Rule(enter=0.05, leave=0.02, least=3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt is over: `cause` is `None` when it went well, `mark` its status or the kind of its failure."""

    cause: Cause | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A call is over.

    Attributes:
        effect: what its user got.
        cause: why nobody was asked at all; `us` also for a fault of our own after somebody was.
        mark: the error code.
        blocked: whether it was kept from an upstream that is known to fail, by a circuit; `cause` is then found here.
    """

    effect: Effect
    cause: Cause | None = None
    mark: str = ""
    blocked: bool = False


Fact = Tried | Served


def cause_of(blame: str, mark: str) -> Cause:
    """The cause that stands behind a blamed failure."""
    match blame:
        case "network" | "account" | "client" | "us":
            return blame
        case _:
            return "overloaded" if mark in OVERLOADED else "claude_failing"


def class_of(kind: Kind) -> Name | None:
    """The class that a verdict is about, if it is about one."""
    match kind:
        case "overloaded" | "claude_failing":
            return "claude"
        case "holding" | "idle":
            return None
        case _:
            return kind


def causes_of(blame: Blame) -> tuple[Cause, ...]:
    """The causes that a class is made of."""
    return ("overloaded", "claude_failing") if blame == "claude" else (blame,)


class Counts:
    """What a stretch of seconds has seen."""

    __slots__ = ("_seen",)

    def __init__(self, seen: Mapping[tuple[str, str, str], int]) -> None:
        self._seen = seen

    @property
    def good(self) -> int:
        """Attempts that went well."""
        return self._sum("tried", "", None)

    @property
    def attempts(self) -> int:
        """Attempts, however they went."""
        return self._sum("tried", None, None)

    @property
    def calls(self) -> int:
        """Calls that are over."""
        return self._sum("call", None, None)

    @property
    def has_success(self) -> bool:
        """Whether anything went well."""
        return self.good + self.effect("answered") + self.effect("cached") > 0

    @property
    def unsent(self) -> int:
        """Calls for which nobody was asked, because that was known to be of no use."""
        return self._sum("unsent", None, None)

    def effect(self, effect: Effect) -> int:
        """Calls that came to this for their users."""
        return self._sum("call", effect, None)

    def blamed(self, blame: Blame) -> int:
        """Failed attempts of a class; of ours it is calls."""
        source = "ours" if blame == "us" else "tried"
        return sum(self._sum(source, cause, None) for cause in causes_of(blame))

    def marks(self, blame: Blame) -> tuple[tuple[str, int], ...]:
        """What the failures of a class were marked with, the commonest first."""
        source = "ours" if blame == "us" else "tried"
        causes = causes_of(blame)
        found: Counter[str] = Counter()
        for (where, cause, mark), count in self._seen.items():
            if where == source and cause in causes:
                found[mark] += count
        return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def weight(self, name: Name) -> tuple[int, int]:
        """How many of how many."""
        match name:
            case "us":
                return self.blamed("us"), self.calls
            case "degraded":
                return self.effect("fallback") + self.effect("failed"), self.calls
            case _:
                return self.blamed(name) + self._kept(name), self.attempts + self.unsent

    def is_overload(self) -> bool:
        """Whether most of what Claude is blamed for is that it has no room."""
        crowded = self._caused("overloaded")
        return crowded >= self._caused("claude_failing")

    def _kept(self, blame: Blame) -> int:
        return sum(self._sum("unsent", cause, None) for cause in causes_of(blame))

    def _caused(self, cause: Cause) -> int:
        return self._sum("tried", cause, None) + self._sum("unsent", cause, None)

    def _sum(self, where: str, what: str | None, mark: str | None) -> int:
        return sum(
            count
            for (source, cause, said), count in self._seen.items()
            if source == where and what in (None, cause) and mark in (None, said)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How things stand, and on what evidence.

    Attributes:
        kind: what it comes to.
        for_seconds: since when it does.
        counts: of the whole window.
        success_age: seconds since an attempt last went well; `None` if none ever has.
    """

    kind: Kind
    for_seconds: float
    counts: Counts
    success_age: float | None

    @property
    def is_ok(self) -> bool:
        """Whether nobody has to do anything."""
        return self.kind in ("holding", "idle")


def chosen(current: Kind, whole: Counts, late: Counts) -> Kind:
    """What the counts of the window and of its last seconds come to, for somebody who has said `current` so far."""
    standing = class_of(current)
    named: list[Blame] = [name for name in CLASSES if _is_ill(name, name == standing, whole, late)]
    if not named:
        if _is_ill("degraded", standing == "degraded", whole, late):
            return "degraded"
        return "holding" if whole.has_success else "idle"
    worst = max(named, key=lambda name: (_share(whole.weight(name)), name == standing))
    return _named(worst, whole)


def _named(worst: Blame, whole: Counts) -> Kind:
    if worst == "claude":
        return "overloaded" if whole.is_overload() else "claude_failing"
    return worst


def _is_ill(name: Name, is_standing: bool, whole: Counts, late: Counts) -> bool:
    rule, (bad, of), (lately, of_late) = RULES[name], whole.weight(name), late.weight(name)
    if (_share((lately, of_late)) if of_late else _share((bad, of))) < rule.leave:
        return False
    is_heavy = bad >= rule.least and _share((bad, of)) >= rule.enter
    return is_standing or is_heavy or (lately >= rule.least and _share((lately, of_late)) >= rule.enter)


def _share(weight: tuple[int, int]) -> float:
    bad, of = weight
    return bad / of if of else 0.0


class Judge:
    """Hears facts and gives verdicts; moments are seconds of one clock that never goes back.

    It judges at every verdict, and besides whenever a fact is the first of its second, so that how long a verdict
    has stood does not hang on who asks. Memory is bounded by the window, whatever the traffic.
    """

    __slots__ = ("_buckets", "_doubted", "_judged", "_kind", "_last_cause", "_second", "_since", "_success")

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, Counter[tuple[str, str, str]]]] = deque()
        self._second = 0
        self._judged = -1
        self._kind: Kind = "idle"
        self._since: float | None = None
        self._doubted: float | None = None
        self._success = -inf
        self._last_cause: Cause = "claude_failing"

    def hear(self, now: float, fact: Fact) -> None:
        """Count a fact."""
        # Threads read the clock before they queue for the lock: one may come a little late.
        self._second = max(self._second, int(now))
        if isinstance(fact, Tried):
            self._count("tried", fact.cause or "", fact.mark)
            self._remember(now, fact.cause)
        else:
            self._count("call", fact.effect, "")
            cause = self._last_cause if fact.blocked else fact.cause
            if cause is not None:
                self._count("ours" if cause == "us" else "unsent", cause, fact.mark)
        if self._second > self._judged:
            self._decide(now)

    def verdict(self, now: float) -> Verdict:
        """How things stand now."""
        self._second = max(self._second, int(now))
        whole = self._decide(now)
        return Verdict(
            kind=self._kind,
            for_seconds=max(0.0, now - self._began(now)),
            counts=whole,
            success_age=None if self._success == -inf else max(0.0, now - self._success),
        )

    def _began(self, now: float) -> float:
        return now if self._since is None else self._since

    def _remember(self, now: float, cause: Cause | None) -> None:
        if cause is None:
            self._success = max(self._success, now)
        elif cause in ("overloaded", "claude_failing", "network"):
            self._last_cause = cause

    def _count(self, where: str, what: str, mark: str) -> None:
        if not self._buckets or self._buckets[-1][0] != self._second:
            self._buckets.append((self._second, Counter()))
        seen = self._buckets[-1][1]
        marks = {said for source, _, said in seen if source == where}
        seen[where, what, mark if mark in marks or len(marks) < MARKS else OTHER] += 1

    def _decide(self, now: float) -> Counts:
        while self._buckets and self._buckets[0][0] <= self._second - WINDOW:
            self._buckets.popleft()
        self._judged = self._second
        whole, late = self._sums(WINDOW), self._sums(LATE)
        kind = self._confirmed(now, chosen(self._kind, whole, late))
        began = self._since
        if began is None:
            self._since = now
        if kind != self._kind and (began is None or self._kind == "idle" or now - began >= DWELL):
            self._kind, self._since = kind, now
        return whole

    def _confirmed(self, now: float, kind: Kind) -> Kind:
        """The same, or what is said so far for as long as a cause may still show."""
        if kind != "degraded" or self._kind == "degraded":
            self._doubted = None
            return kind
        self._doubted = now if self._doubted is None else self._doubted
        return kind if now - self._doubted >= DOUBT else self._kind

    def _sums(self, length: int) -> Counts:
        total: Counter[tuple[str, str, str]] = Counter()
        for second, seen in self._buckets:
            if second > self._second - length:
                total.update(seen)
        return Counts(total)
