"""Places for probes: taken by a few, kept while they are used, given back in the background."""

import asyncio
from collections.abc import Sequence

import pytest

from holdfast.errors import CallNotPermitted, StoreUnavailable, Unauthenticated
from holdfast.language import Sentence
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.counters import Ask, Granted, Limited, Take
from holdfast.policy.failure import rule
from holdfast.policy.permit import Outcome
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.testing import FakeClock
from holdfast.upstream.gates import Pass
from holdfast.upstream.passage import Passage, Passages
from holdfast.upstream.probes import LEASE, RENEW_AFTER, Probes
from tests.upstream.gatehouse import FAILURES
from tests.upstream.scripted import MODEL, Reply, Ring, ScriptedClient, a_call, ring

CIRCUIT = f"main/{MODEL}"
BREAKER = BreakerConfig(failure_threshold=1, recovery_timeout=5.0, permitted_calls_in_half_open=2)


class Company:
    """Places in memory, as a fleet has them; counts what it was asked."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.quotas = MemoryQuotas(clock=clock)
        self.degraded = False
        self.asked: list[str] = []
        self.waits = asyncio.Event()
        self.waits.set()

    async def acquire(self, ask: Ask) -> Granted | Limited:
        self.asked.append("acquire")
        await self.waits.wait()
        return await self.quotas.acquire(ask)

    async def settle(self, granted: Granted, takes: Sequence[Take] = ()) -> None:
        self.asked.append("settle")
        if self.degraded:
            raise StoreUnavailable(Sentence("away", ko="없음"))
        await self.quotas.settle(granted, takes)

    async def renew(self, granted: Granted) -> None:
        self.asked.append("renew")
        await self.quotas.renew(granted)

    async def aclose(self) -> None:
        return None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def company(clock: FakeClock) -> Company:
    return Company(clock)


def probes(company: Company, *, limit: int = 1, longest: float = 60.0) -> Probes:
    return Probes(company, limit=limit, longest=longest, clock=company.clock)


async def test_a_place_that_is_taken_here_is_taken_there(company: Company) -> None:
    here, there = probes(company), probes(company)
    assert await here.take("a/m") is not None
    assert await there.take("a/m") is None
    assert await there.take("a/n") is not None


async def test_a_place_that_is_given_back_is_free_for_others(company: Company) -> None:
    here, there = probes(company), probes(company)
    place = await here.take("a/m")
    assert place is not None
    for _ in range(2):
        here.give_back(place)
    await here.tend()
    assert await there.take("a/m") is not None
    assert company.asked == ["acquire", "settle", "acquire"]


async def test_a_place_in_use_is_kept_beyond_its_lease(company: Company) -> None:
    here, there = probes(company), probes(company)
    await here.take("a/m")
    for _ in range(8):
        company.clock.advance(RENEW_AFTER)
        await here.tend()
    assert await there.take("a/m") is None


async def test_the_place_of_a_worker_that_was_lost_is_free_after_its_lease(company: Company) -> None:
    await probes(company).take("a/m")
    company.clock.advance(LEASE + 0.1)
    assert await probes(company).take("a/m") is not None


async def test_a_place_that_nobody_gives_back_is_not_kept_for_ever(company: Company) -> None:
    here, there = probes(company, longest=20.0), probes(company)
    await here.take("a/m")
    for _ in range(20):
        company.clock.advance(RENEW_AFTER)
        await here.tend()
    assert await there.take("a/m") is not None


async def test_nothing_is_said_while_there_is_nothing_to_say(company: Company) -> None:
    here = probes(company)
    await here.take("a/m")
    await here.tend()
    assert company.asked == ["acquire"]


async def test_who_cannot_ask_the_fleet_has_a_place(company: Company) -> None:
    here = probes(company)
    assert await here.take("a/m") is not None
    company.degraded = True
    place = await here.take("a/m")
    assert place is not None
    here.give_back(place)
    await here.tend()
    assert company.asked == ["acquire", "acquire"]


async def test_a_place_that_cannot_be_given_back_is_left_to_its_lease(company: Company) -> None:
    here = probes(company)
    place = await here.take("a/m")
    assert place is not None
    here.give_back(place)
    company.degraded = True
    await here.tend()
    company.degraded = False
    assert await here.take("a/m") is None
    company.clock.advance(LEASE + 0.1)
    assert await here.take("a/m") is not None


class Gateway:
    """Passages of one worker whose circuit is in the state that a test wants."""

    def __init__(self, company: Company, places: Probes | None = None) -> None:
        self.ring: Ring = ring(ScriptedClient(Reply()), clock=company.clock, breaker=BREAKER)
        places = places or probes(company)
        self.passages = Passages(circuits=self.ring.circuits, gates=self.ring.gates, probes=places)
        self.places = places
        destinations = self.ring.attempts._destinations  # pyright: ignore[reportPrivateUsage]  # where a call goes
        journey = destinations.journey(a_call(clock=company.clock), 1)
        assert journey is not None
        target = journey.next()
        assert target is not None
        self.target = target

    def recover(self) -> None:
        """Let the circuit fail, and wait until it probes."""
        self.ring.circuits.of(CIRCUIT).record_failure()
        clock = self.ring.clock
        assert isinstance(clock, FakeClock)
        clock.advance(7.0)

    async def admitted(self) -> Passage:
        passage = await self.passages.admit(self.target)
        assert isinstance(passage, Passage)
        return passage


async def test_a_call_behind_a_closed_circuit_asks_nobody(company: Company) -> None:
    await Gateway(company).admitted()
    assert company.asked == []


async def test_a_probe_that_finds_no_place_is_refused_for_a_moment_and_leaves_nothing_behind(
    company: Company,
) -> None:
    gateway = Gateway(company)
    gateway.recover()
    await probes(company).take(CIRCUIT)
    refusal = await gateway.passages.admit(gateway.target)
    assert isinstance(refusal, CallNotPermitted)
    assert (refusal.status, refusal.retry_after) == (503, 1.0)
    assert gateway.ring.live() == 0
    assert gateway.ring.circuits.state(CIRCUIT) == "half_open"


async def test_a_probe_whose_caller_leaves_while_it_asks_leaves_nothing_behind(company: Company) -> None:
    gateway = Gateway(company)
    gateway.recover()
    company.waits.clear()
    asking = asyncio.ensure_future(gateway.passages.admit(gateway.target))
    await asyncio.sleep(0)
    assert gateway.ring.live() == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert gateway.ring.live() == 0


async def test_an_open_circuit_refuses_without_asking_the_fleet(company: Company) -> None:
    gateway = Gateway(company)
    gateway.ring.circuits.of(CIRCUIT).record_failure()
    assert isinstance(await gateway.passages.admit(gateway.target), CallNotPermitted)
    assert company.asked == []


async def test_the_place_of_a_stream_is_free_with_its_first_content(company: Company) -> None:
    gateway = Gateway(company)
    gateway.recover()
    passage = await gateway.admitted()
    passage.begin()
    await gateway.places.tend()
    assert company.asked == ["acquire", "settle"]
    passage.ended(Outcome.OK)
    await gateway.places.tend()
    assert company.asked == ["acquire", "settle"]


async def test_a_call_that_no_gate_lets_through_takes_no_place(company: Company) -> None:
    gateway = Gateway(company)
    gateway.recover()
    account = gateway.target.account.credential
    admission = gateway.ring.gates.admit("main", account, MODEL)
    assert isinstance(admission, Pass)
    failure = FAILURES["credential"]
    gateway.ring.gates.failed(admission, rule(failure), failure)
    assert isinstance(await gateway.passages.admit(gateway.target), Unauthenticated)
    assert company.asked == []
