"""Tells peers how circuits and gates move here, and lets those here follow theirs."""

import threading
from collections.abc import Sequence
from typing import Literal

from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.gossip import Gossip, Kind, News
from holdfast.policy.breaker import Reason, Transition, Word
from holdfast.policy.gate import GateMove
from holdfast.policy.gate import Reason as GateReason
from holdfast.policy.routing import circuit_name
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.gates import Gates, Place, fingerprint
from holdfast.upstream.request import FIRST_KEY, Upstream

KEPT = 512
"""News that wait to be told; beyond that the oldest are dropped."""
HEARSAY: frozenset[Reason | GateReason] = frozenset({"peer", "operator", "recovery_timeout", "time_passed"})
"""Moves of circuits and gates that tell peers nothing new; an operator's word is meant for one worker."""

OWN, OTHER = "key", "name"
_STATES: dict[str, Literal["open", "closed"]] = {"stop": "closed", "go": "open"}
"""What news mean for a gate."""


class Names:
    """What upstreams and credentials are called among peers: the same only where they really are the same.

    Workers may have another address or another key under the same name, one after the other in a rollout for
    instance; then what one sees of it says nothing about the other's.
    """

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._upstreams = {
            upstream.name: f"{upstream.name}@{fingerprint(upstream.config.url.rstrip('/'))}"
            for upstream in upstreams
        }
        self._names = {shared: name for name, shared in self._upstreams.items()}
        self._marks = {
            (upstream.name, name): fingerprint(key) for upstream in upstreams for name, key in _keys(upstream)
        }
        self._credentials = {(upstream, mark): name for (upstream, name), mark in self._marks.items()}

    def circuit(self, name: str) -> tuple[str, ...]:
        """A circuit as peers know it."""
        upstream, _, model = name.partition("/")
        return self._shared(upstream), model

    def circuit_here(self, place: tuple[str, ...]) -> str | None:
        """The circuit that peers mean; `None` for one that this worker does not have."""
        match place:
            case (upstream, model) if upstream in self._names:
                return circuit_name(self._names[upstream], model)
            case _:
                return None

    def gate(self, place: Place) -> tuple[str, ...]:
        """What a gate stands before, as peers know it."""
        mark = self._marks.get((place.upstream, place.credential))
        who = (OTHER, place.credential) if mark is None else (OWN, mark)
        return (self._shared(place.upstream), *who, *(() if place.model is None else (place.model,)))

    def gate_here(self, kind: Kind, place: tuple[str, ...]) -> Place | None:
        """The gate that peers mean; `None` for one that this worker does not have."""
        match kind, place:
            case ("credential" | "spend") as gate, (shared, sort, word):
                model = None
            case ("rate" | "ramp") as gate, (shared, sort, word, model):
                pass
            case _:
                return None
        upstream = self._names.get(shared)
        if upstream is None:
            return None
        credential = word if sort == OTHER else self._credentials.get((upstream, word))
        return None if credential is None else Place(gate, upstream, credential, model)

    def _shared(self, upstream: str) -> str:
        """An upstream as peers know it; one that is configured nowhere keeps a name that none of them has."""
        return self._upstreams.get(upstream, upstream)


class Grapevine:
    """News of this worker on their way out, and of its peers on their way in; safe from any thread.

    Telling costs a call nothing: it is put down here, and `exchange` takes it along.
    """

    def __init__(self, gossip: Gossip, names: Names, *, clock: Clock) -> None:
        self._gossip = gossip
        self._names = names
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[tuple[Kind, tuple[str, ...]], News] = {}

    def circuit_moved(self, circuit: str, change: Transition) -> None:
        """A circuit of this worker moved."""
        if change.reason in HEARSAY:
            return
        self._put(
            News(
                kind="circuit",
                place=self._names.circuit(circuit),
                word="stop" if change.after == "open" else "go",
                at=change.at,
                until=None if change.retry_after is None else change.at + change.retry_after,
                openings=max(1, change.openings),
            )
        )

    def gate_moved(self, place: Place, move: GateMove) -> None:
        """A gate of this worker moved; that an operator opened it is for everybody who knows it."""
        if move.reason in HEARSAY - {"operator"}:
            return
        self._put(
            News(
                kind=place.gate,
                place=self._names.gate(place),
                word="stop" if move.state == "closed" else "go",
                at=move.at,
                until=None if move.retry_after is None else move.at + move.retry_after,
            )
        )

    async def exchange(self, circuits: Circuits, gates: Gates) -> None:
        """Tell what waits and follow what peers tell; while nobody can be reached this worker goes on alone."""
        told = self._due()
        try:
            heard = await self._gossip.exchange(tuple(told.values()))
        except StoreUnavailable:
            return
        self._drop(told)
        for news in heard:
            self._follow(news, circuits, gates)

    def _put(self, news: News) -> None:
        with self._lock:
            about = (news.kind, news.place)
            self._waiting.pop(about, None)
            self._waiting[about] = news
            if len(self._waiting) > KEPT:
                del self._waiting[next(iter(self._waiting))]

    def _due(self) -> dict[tuple[Kind, tuple[str, ...]], News]:
        """What waits and is not past."""
        now = self._clock.monotonic()
        with self._lock:
            for about, news in list(self._waiting.items()):
                if news.until is not None and news.until <= now:
                    del self._waiting[about]
            return dict(self._waiting)

    def _drop(self, told: dict[tuple[Kind, tuple[str, ...]], News]) -> None:
        with self._lock:
            for about, news in told.items():
                if self._waiting.get(about) is news:
                    del self._waiting[about]

    def _follow(self, news: News, circuits: Circuits, gates: Gates) -> None:
        left = None if news.until is None else news.until - self._clock.monotonic()
        if news.kind == "circuit":
            circuit = self._names.circuit_here(news.place)
            if circuit is not None:
                circuits.follow(circuit, _word(news, left or 0.0))
        elif (place := self._names.gate_here(news.kind, news.place)) is not None:
            gates.follow(place, _STATES[news.word], at=news.at, retry_after=left)


def _word(news: News, left: float) -> Word:
    return Word(
        state="open" if news.word == "stop" else "closed",
        at=news.at,
        retry_after=left,
        openings=news.openings,
    )


def _keys(upstream: Upstream) -> list[tuple[str, str]]:
    """The keys that an upstream has of its own, by what they are called here."""
    own = [] if upstream.key is None else [(upstream.config.key_env or FIRST_KEY, upstream.key)]
    return [*own, *upstream.further.items()]
