"""Who is next when more want to go than may: a bounded queue that is fair among callers, not among calls.

Every subject has a line of its own, first come, first served. Lines take turns by deficit round robin
(Shreedhar and Varghese, 1995), weighted by the tokens that a call is reckoned to use, so that one caller with
many or large calls does not keep the others waiting. A higher priority always goes first.

A call whose turn came and that was refused keeps its turn: what it waits for is kept from those behind it,
who could otherwise go on taking the little that comes free, for ever. Every verb takes `now`, seconds on any
monotonic clock.
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.retry import check_time

Priority = Literal["interactive", "agent", "batch"]
PRIORITIES: tuple[Priority, ...] = ("interactive", "agent", "batch")

QUANTUM = 1_000
"""Tokens that every line may use when its turn comes round."""
SMOOTHING = 0.2
"""How much the latest pause between two calls counts for the pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessConfig:
    """How many calls may wait for a quota, and how long.

    Attributes:
        per_user: calls of one subject.
        total: calls of all.
        max_wait: seconds; a call that could not go by then is refused.
    """

    per_user: int = 10
    total: int = 200
    max_wait: float = 5.0

    def __post_init__(self) -> None:
        for key in ("per_user", "total"):
            if getattr(self, key) < 1:
                raise ConfigError(
                    Sentence(
                        f"{key}: must be 1 or more; correct this setting",
                        ko=f"{key}: 1 이상이어야 합니다. 설정을 고치세요",
                    )
                )
        check_time("max_wait", self.max_wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A call that wants to go.

    Attributes:
        subject: whose call it is.
        weight: tokens that it is reckoned to use.
        keys: the buckets and places that it needs.
        deadline: the moment after which waiting is of no use.
    """

    subject: str
    priority: Priority = "interactive"
    weight: int = 1
    keys: frozenset[str] = frozenset()
    deadline: float


class Place:
    """A place in the queue; it may ask from `ready_at` on, up to `until`."""

    __slots__ = ("ready_at", "reservation", "reserved", "ticket", "until")

    def __init__(self, ticket: Ticket, *, until: float, now: float) -> None:
        self.ticket = ticket
        self.until = until
        self.ready_at = now
        self.reserved: str | None = None
        """What it was refused for want of: nobody behind it may take that."""
        self.reservation = 0
        """Which reservation that is; of two that want each other's, the older one goes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """No place is free; one may be in `retry_after` seconds, at the pace of late."""

    retry_after: float


@dataclass(slots=True, eq=False)
class _Line:
    """The calls of one subject, and the tokens that its turns have left it."""

    places: deque[Place] = field(default_factory=deque[Place])
    credit: int = 0

    @property
    def head(self) -> Place:
        return self.places[0]

    @property
    def rounds(self) -> int:
        """How often its turn must come before its first call can be paid for."""
        return max(0, -((self.credit - self.head.ticket.weight) // QUANTUM))


class FairQueue:
    """The machine; its owner serialises the calls and keeps the clock."""

    def __init__(self, config: FairnessConfig) -> None:
        self._config = config
        self._lines: Mapping[Priority, OrderedDict[str, _Line]] = {name: OrderedDict() for name in PRIORITIES}
        self._pace = config.max_wait / config.total
        self._served_at: float | None = None
        self._reservations = 0

    def __len__(self) -> int:
        return sum(1 for _ in self._places())

    def holder(self, keys: Collection[str], priority: Priority) -> str | None:
        """A key that somebody waits for whom a newcomer of that priority must not overtake."""
        for head in self._heads(priority):
            wanted = head.ticket.keys if head.reserved is None else {head.reserved}
            for key in sorted(wanted):
                if key in keys:
                    return key
        return None

    def enter(self, ticket: Ticket, *, now: float) -> Place | Overflow:
        """Stand at the end of the line of one's subject, if there is room."""
        ahead = list(self._places(ticket.priority))
        own = sum(1 for place in self._places() if place.ticket.subject == ticket.subject)
        if own >= self._config.per_user or len(self) >= self._config.total:
            return Overflow(retry_after=self._wait_behind(len(ahead)))
        until = min(ticket.deadline, now + self._config.max_wait)
        place = Place(ticket, until=until, now=now)
        lines = self._lines[ticket.priority]
        lines.setdefault(ticket.subject, _Line()).places.append(place)
        return place

    def expected_wait(self, ticket: Ticket) -> float:
        """Seconds until a call that enters now will have its turn, at the pace of late."""
        return self._wait_behind(sum(1 for _ in self._places(ticket.priority)))

    def choose(self, *, now: float) -> Place | None:
        """Whose turn it is; the same until something changes."""
        for name, lines in self._lines.items():
            rivals = [head for head in self._heads(name) if head.reserved is not None]
            ready = [line for line in lines.values() if _may_ask(line.head, rivals, now)]
            best = min(ready, key=lambda line: line.rounds, default=None)
            if best is not None:
                return best.head
        return None

    def postpone(self, place: Place, key: str, *, until: float) -> None:
        """It asked and was refused for want of `key`: it asks again then, and nobody behind it takes that away."""
        place.ready_at = until
        if place.reserved != key:
            self._reservations += 1
            place.reserved, place.reservation = key, self._reservations

    def free(self, keys: Collection[str], *, now: float) -> None:
        """Something was given back: whoever waits for that may ask at once."""
        for place in self._places():
            if place.reserved in keys:
                place.ready_at = min(place.ready_at, now)

    def serve(self, place: Place, *, now: float) -> None:
        """It goes: its line pays for it, and its turn is over."""
        lines = self._lines[place.ticket.priority]
        line = lines.get(place.ticket.subject)
        if line is None or line.head is not place:
            return
        rounds = line.rounds
        for other in lines.values():
            # Only one that may not ask could save up more.
            most = QUANTUM + other.head.ticket.weight
            other.credit = min(most, other.credit + rounds * QUANTUM)
        line.credit -= place.ticket.weight
        lines.move_to_end(place.ticket.subject)
        self._note(now)
        self.leave(place)

    def leave(self, place: Place) -> None:
        """It is gone, served or not; the second time this changes nothing."""
        lines = self._lines[place.ticket.priority]
        line = lines.get(place.ticket.subject)
        if line is None or place not in line.places:
            return
        line.places.remove(place)
        if not line.places:
            del lines[place.ticket.subject]

    def _places(self, priority: Priority = "batch") -> Iterator[Place]:
        """Those of a priority and of all above it."""
        for name in PRIORITIES[: PRIORITIES.index(priority) + 1]:
            for line in self._lines[name].values():
                yield from line.places

    def _heads(self, priority: Priority) -> Iterator[Place]:
        """The first of every line of a priority and of all above it."""
        for name in PRIORITIES[: PRIORITIES.index(priority) + 1]:
            for line in self._lines[name].values():
                yield line.head

    def _wait_behind(self, ahead: int) -> float:
        return min(self._config.max_wait, max(self._pace, ahead * self._pace))

    def _note(self, now: float) -> None:
        if self._served_at is not None:
            pause = min(self._config.max_wait, max(0.0, now - self._served_at))
            self._pace += SMOOTHING * (pause - self._pace)
        self._served_at = now


def _may_ask(place: Place, rivals: Iterable[Place], now: float) -> bool:
    """Whether its time has come, and nothing that it needs is kept for another."""
    return place.ready_at <= now and not any(
        rival.reserved in place.ticket.keys and _is_before(rival, place)
        for rival in rivals
        if rival is not place
    )


def _is_before(rival: Place, place: Place) -> bool:
    if rival.ticket.priority != place.ticket.priority:
        return True
    return place.reserved is None or rival.reservation < place.reservation
