"""What is told to peers, what is not, and whom their news concern here."""

import random
from collections.abc import Callable, Sequence

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.events import CircuitChanged, Event, GateChanged
from holdfast.gossip import Kind, News
from holdfast.language import Sentence
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.failure import rule
from holdfast.policy.gate import ClosedManually, ClosedUntil, GateConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.testing import FakeClock
from holdfast.upstream import gossip as module
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.gates import Gates, Pass, Place
from holdfast.upstream.gossip import Grapevine, Names
from holdfast.upstream.request import Upstream
from tests.upstream.gatehouse import FAILURES
from tests.upstream.scripted import ScriptedClient

BREAKER = BreakerConfig(failure_threshold=1, success_threshold=1, recovery_timeout=10.0)


class Board:
    """What everybody has told so far; tells whoever asks what others wrote, and fails while it is `away`."""

    def __init__(self) -> None:
        self.told: list[News] = []
        self.heard: list[News] = []
        self.away = False
        self.meanwhile: Callable[[], None] | None = None

    async def exchange(self, news: Sequence[News]) -> Sequence[News]:
        if self.away:
            raise StoreUnavailable(Sentence("away", ko="없음"))
        if self.meanwhile is not None:
            self.meanwhile()
        self.told += news
        heard, self.heard = self.heard, []
        return heard


def an_upstream(name: str = "main", url: str = "http://127.0.0.1:9", **options: object) -> Upstream:
    plain: dict[str, object] = {"key": "sk-1", "further": {"SPARE": "sk-2"}, **options}
    config = UpstreamConfig(url=url, key_env="KEY", key_envs=("SPARE",))
    return Upstream(name=name, config=config, client=ScriptedClient(), **plain)  # type: ignore[arg-type]  # by name


class Member:
    """One worker of a fleet, its circuits and gates, and a clock that a test moves."""

    def __init__(self, board: Board | None = None, upstream: Upstream | None = None) -> None:
        self.board = board or Board()
        self.clock = FakeClock()
        self.clock.advance(100.0)
        self.events: list[Event] = []
        self.names = Names([upstream or an_upstream()])
        dice = random.Random(3)
        self.circuits = Circuits(BREAKER, clock=self.clock, dice=dice, observe=self.events.append)
        self.gates = Gates(GateConfig(), clock=self.clock, dice=dice, observe=self.events.append)
        self.grapevine = Grapevine(self.board, self.names, clock=self.clock)
        self.circuits.tell = self.grapevine.circuit_moved
        self.gates.tell = self.grapevine.gate_moved

    async def exchange(self) -> None:
        await self.grapevine.exchange(self.circuits, self.gates)

    async def hear(self, *news: News) -> None:
        self.board.heard += news
        await self.exchange()

    async def told(self) -> list[tuple[str, str]]:
        """What is told now, kind and word."""
        self.board.told.clear()
        await self.exchange()
        return [(news.kind, news.word) for news in self.board.told]

    def close(self, gate: Kind, credential: str = "KEY") -> Place:
        admission = self.gates.admit("main", credential, "m")
        assert isinstance(admission, Pass)
        failure = next(failure for name, failure in FAILURES.items() if name == gate)
        self.gates.failed(admission, rule(failure), failure)
        (place,) = self.gates.closed()
        return place

    def news(
        self, word: str = "stop", *, ago: float = 0.0, left: float | None = 5.0, **options: object
    ) -> News:
        now = self.clock.monotonic()
        place = options.pop("place", self.names.circuit("main/m"))
        return News(
            kind=options.pop("kind", "circuit"),  # type: ignore[arg-type]  # a test passes the fields by name
            place=place,  # type: ignore[arg-type]  # the same
            word="stop" if word == "stop" else "go",
            at=now - ago,
            until=None if left is None else now + left,
        )


async def test_an_opening_is_told_with_how_long_it_lasts_and_how_often_it_happened() -> None:
    member = Member()
    member.circuits.of("main/m").record_failure()
    await member.exchange()
    (news,) = member.board.told
    assert (news.kind, news.word, news.at, news.openings) == ("circuit", "stop", 100.0, 1)
    assert news.until is not None
    assert 110.0 <= news.until <= 112.0


async def test_what_has_been_told_is_not_told_again() -> None:
    member = Member()
    member.circuits.of("main/m").record_failure()
    assert await member.told() == [("circuit", "stop")]
    assert await member.told() == []


async def test_a_recovery_is_told_and_the_time_in_between_is_not() -> None:
    member = Member()
    circuit = member.circuits.of("main/m")
    circuit.record_failure()
    await member.exchange()
    member.clock.advance(12.0)
    assert circuit.state == "half_open"
    assert await member.told() == []
    circuit.record_success()
    assert await member.told() == [("circuit", "go")]


async def test_an_operators_word_on_a_circuit_is_told_to_nobody() -> None:
    member = Member()
    circuit = member.circuits.of("main/m")
    for order in (circuit.force_open, circuit.disable, circuit.observe_only, circuit.reset):
        order()
    assert await member.told() == []


async def test_what_a_peer_told_is_not_told_on() -> None:
    member = Member()
    await member.hear(member.news())
    assert member.circuits.state("main/m") == "open"
    await member.hear(member.news("go"))
    assert member.circuits.state("main/m") == "closed"
    assert await member.told() == []
    changes = [event for event in member.events if isinstance(event, CircuitChanged)]
    assert [(change.after, change.reason) for change in changes] == [("open", "peer"), ("closed", "peer")]


async def test_while_peers_cannot_be_reached_the_last_word_waits() -> None:
    member = Member()
    member.board.away = True
    circuit = member.circuits.of("main/m")
    circuit.record_failure()
    await member.exchange()
    member.clock.advance(12.0)
    circuit.record_success()
    await member.exchange()
    member.board.away = False
    assert await member.told() == [("circuit", "go")]


async def test_what_is_past_by_the_time_that_peers_can_be_reached_is_not_told() -> None:
    member = Member()
    member.board.away = True
    member.circuits.of("main/m").record_failure()
    await member.exchange()
    member.clock.advance(12.0)
    member.board.away = False
    assert await member.told() == []


async def test_what_happens_while_it_tells_is_told_the_next_time() -> None:
    member = Member()
    circuit = member.circuits.of("main/m")
    circuit.record_failure()

    def recover() -> None:
        member.clock.advance(12.0)
        circuit.record_success()

    member.board.meanwhile = recover
    assert await member.told() == [("circuit", "stop")]
    member.board.meanwhile = None
    assert await member.told() == [("circuit", "go")]


async def test_news_that_wait_are_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    member = Member()
    for model in ("a", "b", "c"):
        member.circuits.of(f"main/{model}").record_failure()
    await member.exchange()
    assert [news.place[-1] for news in member.board.told] == ["b", "c"]


async def test_nothing_begins_because_a_peer_is_well() -> None:
    member = Member()
    await member.hear(member.news("go"), member.news("go", kind="rate", place=("x",)))
    assert (member.circuits.states(), member.gates.closed()) == ({}, {})


async def test_news_of_what_this_worker_does_not_have_change_nothing() -> None:
    member = Member()
    await member.hear(
        member.news(place=("strange", "m")), member.news(kind="rate", place=("strange", "key", "x", "m"))
    )
    assert (member.circuits.states(), member.gates.closed()) == ({}, {})


@pytest.mark.parametrize("gate", ["rate", "ramp", "credential"])
async def test_a_gate_that_closes_here_closes_there(gate: Kind) -> None:
    board = Board()
    here, there = Member(board), Member()
    place = here.close(gate)
    await here.exchange()
    await there.hear(*board.told)
    closed = there.gates.closed()
    assert closed.keys() == {place}
    assert isinstance(closed[place], ClosedManually if gate == "credential" else ClosedUntil)
    assert [event.reason for event in there.events if isinstance(event, GateChanged)] == ["peer"]
    assert await there.told() == []


async def test_a_spent_account_closes_every_workers_gate_until_the_month_is_over() -> None:
    here, there = Member(), Member()
    place = here.close("spend")
    await here.exchange()
    await there.hear(*here.board.told)
    ours, theirs = here.gates.standing(place), there.gates.standing(place)
    assert isinstance(ours, ClosedUntil)
    assert isinstance(theirs, ClosedUntil)
    assert theirs.retry_after == pytest.approx(ours.retry_after)


async def test_a_gate_that_an_operator_opens_here_opens_there() -> None:
    here, there = Member(), Member()
    place = here.close("credential")
    await here.exchange()
    await there.hear(*here.board.told)
    here.clock.advance(5.0)
    there.clock.advance(5.0)
    here.gates.open(place)
    assert await here.told() == [("credential", "go")]
    await there.hear(*here.board.told)
    assert there.gates.closed() == {}


async def test_that_a_limit_is_over_goes_without_saying() -> None:
    member = Member()
    member.close("rate")
    await member.exchange()
    member.clock.advance(60.0)
    assert member.gates.closed() == {}
    assert await member.told() == []


def test_an_upstream_is_the_same_only_at_the_same_address() -> None:
    ours, theirs = Names([an_upstream()]), Names([an_upstream(url="http://127.0.0.1:8")])
    assert ours.circuit_here(ours.circuit("main/m/1")) == "main/m/1"
    assert ours.circuit_here(theirs.circuit("main/m")) is None
    slashed = Names([an_upstream(url="http://127.0.0.1:9/")])
    assert slashed.circuit_here(ours.circuit("main/m")) == "main/m"


def test_an_upstream_that_is_configured_nowhere_is_nobodys() -> None:
    names = Names([an_upstream()])
    assert names.circuit_here(names.circuit("gone/m")) is None
    assert names.gate_here("rate", names.gate(Place("rate", "gone", "KEY", "m"))) is None


@pytest.mark.parametrize("credential", ["KEY", "SPARE", "0123456789abcdef", "acme"])
def test_a_gate_is_the_same_behind_the_same_key_or_the_same_name(credential: str) -> None:
    names = Names([an_upstream()])
    for place in (Place("rate", "main", credential, "m"), Place("spend", "main", credential)):
        assert names.gate_here(place.gate, names.gate(place)) == place


def test_a_key_of_the_same_name_is_not_the_same_key() -> None:
    ours, theirs = Names([an_upstream()]), Names([an_upstream(key="sk-new")])
    assert ours.gate_here("credential", theirs.gate(Place("credential", "main", "KEY"))) is None
    spare = Place("credential", "main", "SPARE")
    assert ours.gate_here("credential", theirs.gate(spare)) == spare


def test_a_key_is_never_told() -> None:
    shown = repr(Names([an_upstream()]).gate(Place("credential", "main", "KEY")))
    assert "sk-" not in shown
    assert "KEY" not in shown


def test_a_worker_that_passes_keys_on_has_none_of_its_own() -> None:
    names = Names([an_upstream(key=None, further={})])
    place = Place("credential", "main", "0123456789abcdef")
    assert names.gate_here("credential", names.gate(place)) == place


@pytest.mark.parametrize("place", [(), ("main",), ("main", "key", "x", "m", "more")])
def test_what_another_version_may_have_meant_is_nothing(place: tuple[str, ...]) -> None:
    names = Names([an_upstream()])
    assert names.circuit_here(place) is None
    assert names.gate_here("rate", place) is None
    assert names.gate_here("circuit", place) is None
