"""Redis refuses, freezes, limps and comes back empty: calls go on, by this worker's share of every limit."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter

import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.events import CircuitChanged, Event
from holdfast.policy.counters import Granted, Slot
from holdfast.stores import redis_link
from holdfast.stores.quota_redis import RedisQuotas
from holdfast.stores.redis_link import RedisLink
from holdfast.testing.quota_conformance import a_take, an_ask
from tests.servers.redis import RedisServer

FIRST, LATER = 0.06, 0.002
"""Seconds that a call may lose to a Redis that has just gone, and to one that is known to be away."""


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
async def store(redis_server: RedisServer, events: list[Event]) -> AsyncIterator[RedisQuotas]:
    store = RedisQuotas(RedisLink(redis_server.url, observe=events.append), workers=5)
    await is_local(store, "warm")
    await until(store, degraded=False)
    events.clear()
    yield store
    redis_server.thaw()
    await store.aclose()


async def is_local(store: RedisQuotas, id: str, cost: int = 0) -> bool | None:
    """Whether a call was granted here, `None` if it was not."""
    answer = await store.acquire(an_ask(id, a_take(cost)))
    return answer.is_local if isinstance(answer, Granted) else None


async def until(store: RedisQuotas, *, degraded: bool) -> None:
    for _ in range(1_500):
        if store.degraded is degraded:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"degraded is still {store.degraded}")


async def timed(store: RedisQuotas, count: int) -> list[float]:
    """Seconds of every call; each is granted here."""
    times: list[float] = []
    for number in range(count):
        began = perf_counter()
        assert await is_local(store, f"t{number}")
        times.append(perf_counter() - began)
        await asyncio.sleep(0.002)
    return times


def changes(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.circuit, event.after) for event in events if isinstance(event, CircuitChanged)]


async def test_a_frozen_redis_costs_the_first_call_a_moment_and_the_others_nothing(
    redis_server: RedisServer, store: RedisQuotas, events: list[Event]
) -> None:
    redis_server.freeze()
    first, *later = await timed(store, 101)
    assert first < FIRST + 0.05  # the machine may be busy with other tests
    assert sorted(later)[50] < LATER
    assert store.degraded
    assert changes(events)[0] == ("redis", "open")
    redis_server.thaw()
    await until(store, degraded=False)
    assert await is_local(store, "back") is False
    assert changes(events)[-1] == ("redis", "closed")


async def test_calls_that_are_under_way_together_lose_no_more_than_one_alone(
    redis_server: RedisServer, store: RedisQuotas
) -> None:
    redis_server.freeze()
    began = perf_counter()
    answers = await asyncio.gather(*(is_local(store, f"{n}") for n in range(100)))
    assert perf_counter() - began < 0.5  # of which most is the work of a hundred calls on a busy machine
    assert set(answers) == {True}


async def test_a_redis_that_is_gone_is_noticed_at_once_and_again_when_it_is_back_empty(
    redis_server: RedisServer, store: RedisQuotas
) -> None:
    assert await is_local(store, "a", 50) is False
    assert await is_local(store, "b", 1) is None
    redis_server.kill()
    times = await timed(store, 21)
    assert sorted(times)[10] < LATER
    redis_server.start()
    await until(store, degraded=False)
    assert await is_local(store, "c", 50) is False


async def test_while_redis_is_away_a_worker_grants_its_share_and_no_more(
    redis_server: RedisServer, store: RedisQuotas
) -> None:
    redis_server.kill()
    answers = [await is_local(store, f"{n}", 1) for n in range(20)]
    assert answers.count(True) == 10


async def test_what_was_granted_here_is_settled_here(redis_server: RedisServer, store: RedisQuotas) -> None:
    place = (Slot(key="q/concurrency/x", limit=5),)
    redis_server.freeze()
    granted = await store.acquire(an_ask("a", a_take(5), slots=place))
    assert isinstance(granted, Granted)
    assert granted.is_local
    assert not isinstance(await store.acquire(an_ask("b", slots=place)), Granted)
    redis_server.thaw()
    await until(store, degraded=False)
    await store.renew(granted)
    await store.settle(granted, [a_take(-5)])
    redis_server.kill()
    assert isinstance(await store.acquire(an_ask("c", a_take(5), slots=place)), Granted)


async def test_what_redis_granted_is_let_go_of_when_it_is_away_at_the_end(
    redis_server: RedisServer, store: RedisQuotas
) -> None:
    granted = await store.acquire(an_ask("a", a_take(5), slots=(Slot(key="s", limit=1),)))
    assert isinstance(granted, Granted)
    assert not granted.is_local
    redis_server.kill()
    await store.renew(granted)
    await store.settle(granted, [a_take(-5)])
    assert store.degraded


@dataclass
class Limping:
    """Says yes to everything, `pace` seconds later."""

    pace: float = 0.0
    serving: list["asyncio.Task[None] | None"] = field(default_factory=list["asyncio.Task[None] | None"])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())
        with suppress(ConnectionError):  # a client that gives up hangs up
            while line := await reader.readline():
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    await reader.readexactly(size + 2)
                await asyncio.sleep(self.pace)
                writer.write(b"*2\r\n:0\r\n:0\r\n")
        writer.close()

    @asynccontextmanager
    async def store(self) -> AsyncGenerator[RedisQuotas, None]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        store = RedisQuotas(RedisLink(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"))
        await is_local(store, "warm")
        await until(store, degraded=False)
        try:
            yield store
        finally:
            await store.aclose()
            server.close()
            await asyncio.wait([task for task in self.serving if task is not None])
            await asyncio.sleep(0.01)


async def test_a_redis_that_limps_is_left_alone_until_it_is_quick_again() -> None:
    limping = Limping()
    async with limping.store() as store:
        limping.pace = 0.08
        assert await is_local(store, "a") is True
        assert store.degraded
        limping.pace = 0.0
        await until(store, degraded=False)


async def test_a_worker_that_asks_more_than_it_can_decides_the_rest_itself_and_blames_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "CONNECTIONS", 1)
    limping = Limping()
    async with limping.store() as store:
        limping.pace = 0.02
        answers = await asyncio.gather(*(is_local(store, f"{n}") for n in range(30)))
        assert set(answers) == {True, False}
        assert not store.degraded


async def test_a_worker_that_was_late_itself_reads_the_answer_that_is_there(store: RedisQuotas) -> None:
    call = asyncio.create_task(is_local(store, "a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    SYSTEM_CLOCK.block(0.12)
    assert await call is False
    assert not store.degraded


async def test_a_redis_that_stays_away_is_tried_again_and_again(
    redis_server: RedisServer, store: RedisQuotas, events: list[Event]
) -> None:
    redis_server.kill()
    assert await is_local(store, "a") is True
    await asyncio.sleep(0.6)
    assert changes(events).count(("redis", "open")) >= 2
    assert await is_local(store, "b") is True


def test_a_loop_that_was_closed_is_forgotten() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = RedisQuotas(RedisLink(f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"))
        for _ in range(2):
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(is_local(store, "a")) is True
            for task in asyncio.all_tasks(loop):
                task.cancel()
                loop.run_until_complete(asyncio.wait([task]))
            loop.close()


async def test_an_address_where_nobody_listens_costs_next_to_nothing() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = RedisQuotas(RedisLink(f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"))
        times = await timed(store, 21)
        assert sorted(times)[10] < LATER
        await store.aclose()


async def test_a_caller_who_is_cancelled_says_nothing_against_redis(
    redis_server: RedisServer, store: RedisQuotas
) -> None:
    redis_server.freeze()
    call = asyncio.create_task(is_local(store, "a"))
    await asyncio.sleep(0.005)
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    assert not store.degraded


def test_a_loop_that_ends_while_redis_is_away_leaves_nothing_behind(redis_server: RedisServer) -> None:
    store = RedisQuotas(RedisLink(redis_server.url))

    async def use() -> bool | None:
        return await is_local(store, "a")

    redis_server.freeze()
    assert asyncio.run(use()) is True
    redis_server.thaw()

    async def recover() -> None:
        assert await is_local(store, "b") is True
        await until(store, degraded=False)
        await store.aclose()

    asyncio.run(recover())
