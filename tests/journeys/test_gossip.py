"""An outage met by two workers that share a Redis: what one learns the other knows."""

import asyncio
import threading
from collections.abc import Iterator
from time import perf_counter

import pytest

from holdfast.policy.routing import UpstreamConfig
from holdfast.ring import LISTEN_EVERY
from holdfast.stores import redis_link
from holdfast.upstream.gates import Place
from tests.journeys.fleet import CIRCUIT, PROMPT, WELL, Patient, pair, scripts_run, settings, until, working
from tests.servers.redis import RedisServer
from tests.upstream.scripted import MODEL, Reply

LIMITED = Reply.refusal(429, "rate_limit_error", retry_after="40")
REJECTED = Reply.refusal(401, "authentication_error")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_KEY", "sk-of-the-fleet")


@pytest.fixture(autouse=True)
def _unhurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Redis is well, a machine that is busy with other tests must not make it look ill."""
    if "thawing" not in request.fixturenames:
        monkeypatch.setattr(redis_link, "PATIENCE", 1.0)
        monkeypatch.setattr(redis_link, "LONGEST", 2.0)


async def test_what_one_worker_finds_sick_the_other_leaves_alone_unasked(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url)) as workers:
        await workers.open_circuit(workers.one)
        asked = workers.patient.asked
        assert await until(lambda: workers.two.state == "open") < PROMPT
        assert await workers.two.ask() == 503
        assert workers.patient.asked == asked
        assert workers.two.moves == [("open", "peer")]
        ours = workers.one.runtime.circuits.of(CIRCUIT).retry_after
        theirs = workers.two.runtime.circuits.of(CIRCUIT).retry_after
        assert theirs == pytest.approx(ours, abs=0.2)


async def test_a_worker_that_starts_in_an_outage_knows_of_it(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url)) as workers:
        await workers.open_circuit(workers.one)
        await until(lambda: workers.two.state == "open")
        async with working(settings(redis_server.url), workers.patient) as late:
            assert await until(lambda: late.state == "open") < PROMPT


async def test_of_both_workers_no_more_probe_at_once_than_one_may(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url, recovery=0.8)) as workers:
        one, two, patient = workers.one, workers.two, workers.patient
        await workers.open_circuit(one)
        await until(lambda: two.state == "open")
        patient.held.clear()
        patient.most_inside, asked = 0, patient.asked
        await until(lambda: one.state == two.state == "half_open")
        calls = [asyncio.ensure_future(worker.ask()) for _ in range(10) for worker in (one, two)]
        await until(lambda: sum(call.done() for call in calls) >= 18)
        assert (patient.asked - asked, patient.most_inside) == (2, 2)
        patient.reply = WELL
        patient.held.set()
        statuses = await asyncio.gather(*calls)
        assert sorted(statuses) == [200] * 2 + [503] * 18


async def test_when_one_worker_finds_it_well_both_go_on(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url, recovery=0.8)) as workers:
        one, two, patient = workers.one, workers.two, workers.patient
        await workers.open_circuit(one)
        await until(lambda: two.state == "open")
        patient.reply = WELL
        await until(lambda: one.state == two.state == "half_open")
        assert [await one.ask(), await one.ask()] == [200, 200]
        assert one.state == "closed"
        assert await until(lambda: two.state == "closed") < PROMPT
        assert two.moves[-1] == ("closed", "peer")


async def test_a_place_among_the_probes_is_free_again_after_the_probe(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url, recovery=0.6)) as workers:
        one, two = workers.one, workers.two
        await workers.open_circuit(one)
        await until(lambda: two.state == "open")
        await until(lambda: one.state == two.state == "half_open")
        assert await one.ask() == 529
        assert one.state == "open"
        await until(lambda: two.state == "open")
        assert two.runtime.circuits.of(CIRCUIT).snapshot().consecutive_openings == 2
        await until(lambda: one.state == two.state == "half_open")
        workers.patient.reply = WELL
        assert [await two.ask(), await two.ask()] == [200, 200]
        assert two.state == "closed"


async def test_a_rate_limit_that_one_worker_met_holds_for_both(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url)) as workers:
        workers.patient.reply = LIMITED
        assert await workers.one.ask() == 429
        place = Place("rate", "main", "FLEET_KEY", MODEL)
        gates = workers.two.runtime.gates
        assert await until(lambda: place in gates.closed()) < PROMPT
        asked = workers.patient.asked
        assert await workers.two.ask() == 429
        assert workers.patient.asked == asked
        assert gates.closed().keys() == {place}


async def test_a_rejected_key_is_known_to_both_until_an_operator_says_otherwise(
    redis_server: RedisServer,
) -> None:
    async with pair(settings(redis_server.url)) as workers:
        workers.patient.reply = REJECTED
        assert await workers.one.ask() == 401
        place = Place("credential", "main", "FLEET_KEY")
        one, two = workers.one.runtime.gates, workers.two.runtime.gates
        await until(lambda: place in two.closed())
        two.open(place)
        assert await until(lambda: place not in one.closed()) < PROMPT


async def test_another_key_or_address_of_the_same_name_is_another_matter(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = {"main": UpstreamConfig(url="http://127.0.0.1:8", key_env="FLEET_KEY")}
    async with (
        pair(settings(redis_server.url)) as workers,
        working(settings(redis_server.url, upstreams=moved), workers.patient) as elsewhere,
    ):
        monkeypatch.setenv("FLEET_KEY", "sk-of-the-next-release")
        async with working(settings(redis_server.url), workers.patient) as renewed:
            await workers.open_circuit(workers.one)
            workers.one.runtime.circuits.of(CIRCUIT).reset()
            workers.patient.reply = REJECTED
            assert await workers.one.ask() == 401
            await until(lambda: bool(workers.two.runtime.gates.closed()) and renewed.state == "open")
            await asyncio.sleep(0.3)
            assert (elsewhere.state, elsewhere.runtime.gates.closed()) == ("closed", {})
            assert renewed.runtime.gates.closed() == {}


async def test_an_operators_word_is_not_overruled_by_peers(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url)) as workers:
        workers.two.runtime.circuits.of(CIRCUIT).disable()
        async with working(settings(redis_server.url), workers.patient) as three:
            three.runtime.circuits.of(CIRCUIT).force_open()
            await workers.open_circuit(workers.one)
            await asyncio.sleep(0.8)
            assert (workers.two.state, three.state) == ("disabled", "forced_open")
            workers.one.runtime.circuits.of(CIRCUIT).reset()
            await asyncio.sleep(0.6)
            assert (workers.two.state, three.state) == ("disabled", "forced_open")


@pytest.fixture
def thawing(redis_server: RedisServer) -> Iterator[RedisServer]:
    yield redis_server
    redis_server.thaw()


async def test_while_redis_is_frozen_both_go_on_alone_and_no_call_waits_for_it(thawing: RedisServer) -> None:
    async with pair(settings(thawing.url, recovery=0.6)) as workers:
        one, two, patient = workers.one, workers.two, workers.patient
        assert [await one.ask(), await two.ask()] == [200, 200]
        thawing.freeze()
        one.slowest = two.slowest = 0.0
        await workers.open_circuit(one)
        assert (one.state, two.state) == ("open", "closed")
        await workers.open_circuit(two)
        await until(lambda: one.state == two.state == "half_open")
        patient.reply = WELL
        assert [await worker.ask() for worker in (one, two, one, two)] == [200] * 4
        assert (one.state, two.state) == ("closed", "closed")
        assert max(one.slowest, two.slowest) < 0.06 + 0.05  # the machine may be busy with other tests


async def test_a_probe_that_meets_a_redis_just_frozen_goes_after_a_moment(thawing: RedisServer) -> None:
    async with pair(settings(thawing.url, recovery=0.8)) as workers:
        await workers.open_circuit(workers.one)
        await until(lambda: workers.one.state == "half_open")
        workers.patient.reply = WELL
        thawing.freeze()
        workers.one.slowest = 0.0
        assert await workers.one.ask() == 200
        assert workers.one.slowest < 0.06 + 0.05


async def test_what_happened_while_redis_was_away_is_told_when_it_is_back_empty(
    redis_server: RedisServer,
) -> None:
    async with pair(settings(redis_server.url)) as workers:
        redis_server.kill()
        await workers.open_circuit(workers.one)
        redis_server.restart_empty()
        await until(lambda: workers.two.state == "open", 15.0)
        assert workers.two.moves == [("open", "peer")]


async def test_calls_behind_closed_circuits_ask_redis_nothing(redis_server: RedisServer) -> None:
    async with pair(settings(redis_server.url)) as workers:
        await asyncio.sleep(0.3)
        before, began = await scripts_run(redis_server.port), perf_counter()
        assert before > 0
        for _ in range(100):
            assert [await workers.one.ask(), await workers.two.ask()] == [200, 200]
        listened = 2 * ((perf_counter() - began) / LISTEN_EVERY + 2)
        assert await scripts_run(redis_server.port) - before <= listened


async def test_a_worker_without_a_redis_does_nothing_in_the_background() -> None:
    before = threading.active_count()
    async with working(settings(""), Patient()) as worker:
        assert await worker.ask() == 200
        assert threading.active_count() == before
