"""Alerting: who is told of what, once in a fleet, and without anybody waiting for it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from holdfast.errors import KeyMissing, StoreUnavailable
from holdfast.events import CircuitChanged, Event, SettleFailed
from holdfast.language import Sentence
from holdfast.operations.alerting import Alerting, Prepared, channel, prepared
from holdfast.operations.alerts import Wish, resume, silence, silences
from holdfast.operations.desk import Desk
from holdfast.operations.rota import INCIDENT, LEASE, Rota
from holdfast.orders import SILENCE
from holdfast.policy.alert_rules import AlertRuleConfig, AlertsConfig, ChannelConfig
from holdfast.policy.incidents import Case
from holdfast.policy.verdict import Judge
from holdfast.ports import Entry
from holdfast.settings import Settings
from holdfast.stores.memory import MemoryStore
from holdfast.telemetry.channels import Email, Slack, Webhook
from holdfast.telemetry.delivery import CAPACITY, Channel, Delivery, Message, Undelivered
from holdfast.telemetry.signals import Signals
from holdfast.testing import FakeClock

HOOK = ChannelConfig(kind="webhook", url="https://alerts.example/x")
RULES = {
    "circuit": AlertRuleConfig(when="circuit open"),
    "other": AlertRuleConfig(when="unsettled > 0", channels=("second",)),
    "dropped": AlertRuleConfig(when="dropped > 0"),
}
CASE = Case(rule="circuit", label="live/x")


@dataclass
class Ear:
    """A channel that remembers what it was sent, or refuses it for a while."""

    heard: list[Message] = field(default_factory=list[Message])
    refuses: int = 0

    async def send(self, message: Message) -> None:
        if self.refuses:
            self.refuses -= 1
            raise Undelivered(Sentence("no", ko="아니요"))
        self.heard.append(message)


def circuit(after: str, name: str = "live/x") -> CircuitChanged:
    return CircuitChanged(circuit=name, before="closed", after=after, reason="failure_threshold")


@dataclass
class Worker:
    """One worker of a fleet that shares a register."""

    store: MemoryStore
    clock: FakeClock
    first: Ear = field(default_factory=Ear)
    second: Ear = field(default_factory=Ear)
    entries: tuple[Entry, ...] = ()
    judge: Judge = field(default_factory=Judge)
    alerting: Alerting = field(init=False)
    signals: Signals = field(init=False)

    def __post_init__(self) -> None:
        config = AlertsConfig(channels={"first": HOOK, "second": HOOK}, rules=RULES)
        self.signals = Signals(config.in_force, self.clock)
        ears: Mapping[str, Channel] = {"first": self.first, "second": self.second}
        ready = Prepared(
            config=config,
            channels=ears,
            signals=self.signals,
            clock=self.clock,
            redact=lambda text: text.replace("secret", "[key]"),
        )
        self.alerting = ready.open(
            lambda: self.judge.verdict(self.clock.monotonic()), self.store, lambda: self.entries
        )

    async def look(self, *events: Event) -> None:
        """One turn of its work, after these events: the register is known, what is to be told is."""
        for event in events:
            self.signals(event)
        self.entries = await self.store.entries(SILENCE)
        await self.alerting.look()
        for delivery in self.alerting.deliveries.values():
            await delivery.flush()

    @property
    def told(self) -> list[str]:
        return [message.what for message in self.first.heard]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture
def worker(store: MemoryStore, clock: FakeClock) -> Worker:
    return Worker(store, clock)


@pytest.fixture
def desk(store: MemoryStore, clock: FakeClock) -> Desk:
    return Desk(store=store, settings=Settings(), clock=clock, actor="지수")


async def test_an_incident_is_told_once_and_so_is_its_end(worker: Worker) -> None:
    await worker.look(circuit("open"))
    for _ in range(5):
        worker.clock.advance(1)
        await worker.look()
    await worker.look(circuit("closed"))
    worker.clock.advance(61)
    await worker.look()
    assert worker.told == ["began", "over"]
    assert worker.first.heard[0].text.en == "[holdfast] Alert: A circuit is open (live/x)."
    assert worker.alerting.incidents == ()


async def test_what_is_secret_is_taken_out_of_an_alert(worker: Worker) -> None:
    await worker.look(circuit("open", "live/secret"))
    (message,) = worker.first.heard
    assert (message.label, "secret" in message.text.en, "secret" in message.text.ko) == (
        "live/[key]",
        False,
        False,
    )


async def test_a_rule_is_told_over_its_own_channels_alone(worker: Worker) -> None:
    await worker.look(SettleFailed(guard="RecordGuard", error="x"))
    assert (worker.told, len(worker.second.heard)) == ([], 1)


async def test_in_a_fleet_one_worker_tells_that_it_began_and_the_last_one_that_it_is_over(
    worker: Worker, store: MemoryStore, clock: FakeClock
) -> None:
    peers = [worker, *(Worker(store, clock) for _ in range(3))]
    await asyncio.gather(*(peer.look(circuit("open")) for peer in peers))
    assert sum(len(peer.told) for peer in peers) == 1
    for peer in peers:
        clock.advance(1)
        await peer.look(circuit("closed"))
    clock.advance(70)
    for peer in peers[:3]:
        await peer.look()
    assert not any("over" in peer.told for peer in peers)
    await peers[3].look()
    assert [peer.told.count("over") for peer in peers] == [0, 0, 0, 1]
    assert await store.entries(INCIDENT) == ()


async def test_while_the_register_is_away_everybody_tells(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*args: object, **others: object) -> object:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(worker.store, "put", gone)
    monkeypatch.setattr(worker.store, "drop", gone)
    monkeypatch.setattr(worker.store, "entries", gone)
    for event in (circuit("open"), circuit("closed")):
        worker.signals(event)
        await worker.alerting.look()
        worker.clock.advance(61)
    await worker.alerting.look()
    assert worker.alerting.deliveries["first"].waiting == 2


async def test_a_silenced_rule_is_told_when_the_silence_is_over(worker: Worker, desk: Desk) -> None:
    until = desk.now + timedelta(hours=1)
    word = await silence(desk, Wish(rule="circuit", label="", until=until, reason="배포"))
    await worker.look(circuit("open"))
    assert (worker.told, word.by, worker.alerting.silences()) == ([], "지수", (word,))
    worker.clock.advance(3_601)
    await worker.look()
    assert (worker.told, worker.alerting.silences(), await silences(desk)) == (["began"], (), ())


async def test_a_silence_that_is_ended_is_told_again(worker: Worker, desk: Desk) -> None:
    await silence(desk, Wish(rule="*", label="", until=desk.now + timedelta(hours=1)))
    await worker.look(circuit("open"))
    assert await resume(desk, "*", "")
    assert not await resume(desk, "*", "")
    await worker.look()
    assert worker.told == ["began"]


async def test_silences_that_are_over_are_forgotten_with_the_next_one(desk: Desk, clock: FakeClock) -> None:
    await silence(desk, Wish(rule="a", label="", until=desk.now + timedelta(hours=1)))
    clock.advance(3_601)
    await silence(desk, Wish(rule="b", label="", until=desk.now + timedelta(hours=1)))
    assert [entry.name for entry in await desk.store.entries(SILENCE)] == ["b|"]


async def test_a_silence_that_cannot_be_read_silences_nothing(worker: Worker) -> None:
    await worker.store.put(SILENCE, "circuit|", b"nonsense", actor="me")
    await worker.look(circuit("open"))
    assert worker.told == ["began"]


async def test_a_channel_that_refuses_is_asked_four_times_and_then_the_alert_is_counted_as_lost(
    worker: Worker,
) -> None:
    worker.first.refuses = 5
    await worker.look(circuit("open"))
    delivery = worker.alerting.deliveries["first"]
    assert (delivery.sent, delivery.dropped, delivery.problem) == (0, 1, "no")
    assert worker.alerting.dropped == 1
    await worker.look()
    assert {incident.case.rule for incident in worker.alerting.incidents} == {"circuit", "dropped"}


async def test_what_others_lose_is_told_too(worker: Worker) -> None:
    worker.alerting.watch_losses(lambda: 2)
    await worker.look()
    assert [message.rule for message in worker.first.heard] == ["dropped"]


async def test_a_channel_that_comes_back_gets_the_alert(worker: Worker) -> None:
    worker.first.refuses = 2
    await worker.look(circuit("open"))
    assert (worker.told, worker.alerting.deliveries["first"].problem) == (["began"], None)


async def test_a_channel_that_takes_nothing_holds_a_bounded_number(clock: FakeClock) -> None:
    delivery = Delivery(Ear(), clock)
    message = Message(id="x", what="began", rule="r", label="", text=Sentence("x", ko="엑스"), at=clock.now())
    for _ in range(CAPACITY + 7):
        delivery.give(message)
    assert (delivery.waiting, delivery.dropped) == (CAPACITY, 7)


async def test_a_test_goes_over_one_channel(worker: Worker) -> None:
    await worker.alerting.test("second")
    assert ([message.what for message in worker.second.heard], worker.first.heard) == (["test"], [])


async def test_the_word_of_a_worker_is_renewed_and_keeps_its_place(
    store: MemoryStore, clock: FakeClock
) -> None:
    one, two = Rota(store, "one", clock), Rota(store, "two", clock)
    assert await one.began(CASE)
    assert not await two.began(CASE)
    clock.advance(LEASE * 0.75)
    await one.renew()
    clock.advance(LEASE * 0.5)
    await two.renew()
    assert await one.goes_on(CASE)
    assert not await two.goes_on(CASE)


async def test_the_word_of_a_worker_that_is_lost_is_forgotten_after_its_lease(
    store: MemoryStore, clock: FakeClock
) -> None:
    lost, alive = Rota(store, "lost", clock), Rota(store, "alive", clock)
    assert await lost.began(CASE)
    clock.advance(LEASE)
    assert await alive.began(CASE)
    await store.put(INCIDENT, "circuit|live/x|broken", b"nonsense", actor="x")
    assert await alive.over(CASE)
    assert await store.entries(INCIDENT) == ()


async def test_a_worker_that_leaves_takes_its_word_back(store: MemoryStore, clock: FakeClock) -> None:
    rota = Rota(store, "one", clock)
    await rota.began(CASE)
    await rota.leave()
    assert await store.entries(INCIDENT) == ()


@pytest.mark.parametrize("kind", ["webhook", "slack"])
def test_a_channel_whose_address_is_not_set_names_the_variable(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_URL", raising=False)
    config = ChannelConfig(kind="slack" if kind == "slack" else "webhook", url_env="HOOK_URL")
    with pytest.raises(KeyMissing, match="HOOK_URL"):
        channel(config, "en")
    monkeypatch.setenv("HOOK_URL", "https://alerts.example/x")
    assert isinstance(channel(config, "en"), Slack if kind == "slack" else Webhook)


def test_a_letter_needs_no_password_where_none_is_named() -> None:
    found = channel(ChannelConfig(kind="email", host="mail", sender="a@b", to=("c@d",)), "en")
    assert isinstance(found, Email)
    assert found.password is None


def test_without_rules_nothing_runs(clock: FakeClock, store: MemoryStore) -> None:
    alerting = prepared(Settings(), clock).open(lambda: Judge().verdict(0.0), store, tuple[Entry, ...])
    alerting.begin()
    alerting.close()
    assert (alerting.rules, alerting.deliveries, alerting.incidents) == ({}, {}, ())


def reports() -> list[str]:
    """What the event loop is told of from now on, by the names of the errors."""
    seen: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: seen.append(type(context["exception"]).__name__)
    )
    return seen


async def test_a_fault_over_one_incident_keeps_nobody_from_hearing_of_the_others(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, seen = Rota.began, reports()

    async def broken(self: Rota, case: Case) -> bool:
        if case.label == "live/bad":
            raise ZeroDivisionError
        return await began(self, case)

    monkeypatch.setattr(Rota, "began", broken)
    await worker.look(*(circuit("open", f"live/{name}") for name in ("a", "bad", "z")))
    assert {message.label for message in worker.first.heard} == {"live/a", "live/z"}
    assert seen == ["ZeroDivisionError"]


@dataclass
class Cracked(Ear):
    """A channel that breaks at its first message, in a way that no channel should."""

    async def send(self, message: Message) -> None:
        if not self.heard:
            self.heard.append(message)
            raise ZeroDivisionError
        await super().send(message)


async def test_a_channel_that_breaks_is_reported_and_gets_the_next_message(
    store: MemoryStore, clock: FakeClock
) -> None:
    cracked, seen = Cracked(), reports()
    worker = Worker(store, clock, first=cracked)
    working = asyncio.create_task(worker.alerting.work())
    for name in ("live/a", "live/b"):
        worker.signals(circuit("open", name))
        for _ in range(30):
            await asyncio.sleep(0)
            clock.advance(0.1)
    delivery = worker.alerting.deliveries["first"]
    worker.alerting.close()
    for _ in range(30):
        await asyncio.sleep(0)
        clock.advance(0.1)
    await working
    assert seen == ["ZeroDivisionError"]
    assert "live/b" in [message.label for message in cracked.heard[1:]]
    assert delivery.dropped == 1
