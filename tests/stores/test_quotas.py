import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import urlsplit

import pytest
import redis

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError
from holdfast.policy.counters import Ask, Counters, Granted, Limited, Slot, Take, micros, rate_of
from holdfast.ports import QuotaStore
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.stores.quota_redis import RedisQuotas
from holdfast.stores.quotas import open_quotas
from holdfast.stores.redis_link import RedisLink
from holdfast.testing.quota_conformance import QUOTA_CONTRACTS, QuotaContract, a_take, an_ask


def redis_of(url: str) -> redis.Redis:
    address = urlsplit(url)
    return redis.Redis(address.hostname or "", address.port or 6379, password=address.password)


def name(contract: QuotaContract) -> str:
    return str(getattr(contract, "__name__", contract))


async def connected(store: RedisQuotas) -> None:
    """Have it connect before anything depends on how long that takes on a busy machine."""
    for _ in range(500):
        await store.acquire(an_ask("warm", a_take(key="warm")))
        if not store.degraded:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("Redis was not to be reached")


@pytest.fixture
async def redis_quotas(redis_url: str, redis_prefix: str) -> AsyncIterator[RedisQuotas]:
    store = RedisQuotas(RedisLink(redis_url), prefix=redis_prefix)
    await connected(store)
    yield store
    await store.aclose()


@pytest.mark.parametrize("contract", QUOTA_CONTRACTS, ids=name)
async def test_quotas_in_memory_keep_the_contract(contract: QuotaContract) -> None:
    store = MemoryQuotas()
    await contract(store)
    assert not store.degraded
    await store.aclose()


@pytest.mark.parametrize("contract", QUOTA_CONTRACTS, ids=name)
async def test_quotas_in_redis_keep_the_contract(contract: QuotaContract, redis_quotas: RedisQuotas) -> None:
    await contract(redis_quotas)
    assert not redis_quotas.degraded


async def test_workers_with_one_redis_share_every_limit(redis_url: str, redis_prefix: str) -> None:
    stores = [RedisQuotas(RedisLink(redis_url), workers=4, prefix=redis_prefix) for _ in range(4)]
    for store in stores:
        await connected(store)
    asks = [(store, an_ask(f"{n}", a_take())) for n in range(20) for store in stores]
    answers = await asyncio.gather(*(store.acquire(ask) for store, ask in asks))
    assert sum(isinstance(answer, Granted) for answer in answers) == 50
    for store in stores:
        await store.aclose()


async def test_redis_reckons_as_the_policy_does(redis_quotas: RedisQuotas) -> None:
    dice, rate = Random(7), rate_of(999_983, 3600.0, 999_983)
    counters = Counters()
    for number in range(200):
        cost = dice.choice([1, 17, 50_000, 300_000])
        ask = Ask(id=f"{number}", takes=(Take(key="k", dimension="input_tokens", rate=rate, cost=cost),))
        ours = counters.take(ask, now=micros(SYSTEM_CLOCK.monotonic()))
        theirs = await redis_quotas.acquire(ask)
        assert type(ours) is type(theirs)
        if isinstance(ours, Limited) and isinstance(theirs, Limited):
            assert theirs.retry_after == pytest.approx(ours.retry_after, abs=0.2)
            back = Take(key="k", dimension="input_tokens", rate=rate, cost=-dice.randrange(400_000))
            counters.correct([back], now=micros(SYSTEM_CLOCK.monotonic()))
            await redis_quotas.settle(Granted(ask=an_ask("z")), [back])


async def test_what_redis_keeps_goes_away_by_itself(
    redis_url: str, redis_prefix: str, redis_quotas: RedisQuotas
) -> None:
    quick = Take(key="k", dimension="requests", rate=rate_of(10, 1.0, 10), cost=5)
    place = Slot(key="s", limit=1)
    assert isinstance(await redis_quotas.acquire(an_ask("a", quick, slots=(place,), lease=1.0)), Granted)
    with redis_of(redis_url) as redis:
        names = [f"{redis_prefix}{{quota}}:k:{quick.rate.unit}", f"{redis_prefix}{{quota}}:s"]
        left = [redis.pttl(name) for name in names]
    assert all(isinstance(lasts, int) and 0 < lasts <= 2_001 for lasts in left)


async def test_more_than_was_ever_taken_leaves_nothing_behind(redis_quotas: RedisQuotas) -> None:
    granted = await redis_quotas.acquire(an_ask("a", a_take(10)))
    assert isinstance(granted, Granted)
    await redis_quotas.settle(granted, [a_take(-10)])
    assert isinstance(await redis_quotas.acquire(an_ask("b", a_take(50))), Granted)


async def test_a_script_that_redis_does_not_know_is_sent_along(
    redis_url: str, redis_quotas: RedisQuotas
) -> None:
    with redis_of(redis_url) as other:
        other.script_flush()
    granted = await redis_quotas.acquire(an_ask("a", a_take()))
    assert isinstance(granted, Granted)
    assert not granted.is_local


async def test_where_there_is_nothing_to_say_redis_is_not_asked() -> None:
    store = RedisQuotas(RedisLink("redis://127.0.0.1:1/0"))
    granted = await store.acquire(an_ask("a"))
    assert isinstance(granted, Granted)
    await store.renew(granted)
    await store.settle(granted)
    assert not store.degraded
    await store.aclose()


def test_one_store_serves_event_loops_in_several_threads(redis_url: str, redis_prefix: str) -> None:
    store = RedisQuotas(RedisLink(redis_url), prefix=redis_prefix)
    answers: list[bool] = []

    async def ask() -> None:
        await connected(store)
        for number in range(10):
            answers.append(isinstance(await store.acquire(an_ask(f"{number}", a_take())), Granted))

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(True) == 50
    asyncio.run(ask())
    asyncio.run(store.aclose())
    assert answers.count(True) == 50


async def test_a_store_closes_the_connections_of_a_loop_that_runs_elsewhere(
    redis_url: str, redis_prefix: str
) -> None:
    store = RedisQuotas(RedisLink(redis_url), prefix=redis_prefix)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    work = asyncio.run_coroutine_threadsafe(store.acquire(an_ask("a", a_take())), loop)
    await asyncio.to_thread(work.result)
    assert isinstance(work.result(), Granted)
    await store.aclose()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_without_an_address_quotas_are_those_of_the_process() -> None:
    store: QuotaStore = open_quotas("", clock=SYSTEM_CLOCK)
    assert isinstance(store, MemoryQuotas)


def test_the_address_of_a_redis_opens_a_store_there() -> None:
    store = open_quotas("redis://127.0.0.1:1/0", clock=SYSTEM_CLOCK, workers=3)
    assert isinstance(store, RedisQuotas)


@pytest.mark.parametrize("url", ["http://x", "redis//x", "x", "redis://host:port/0"])
def test_an_address_that_is_no_redis_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="redis_url") as caught:
        open_quotas(url, clock=SYSTEM_CLOCK)
    assert url not in str(caught.value)


def test_a_missing_client_is_an_error_that_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holdfast.stores.redis_link", None)
    monkeypatch.setitem(sys.modules, "holdfast.stores.quota_redis", None)
    with pytest.raises(ConfigError, match=r"holdfast\[fleet\]"):
        open_quotas("redis://127.0.0.1/0", clock=SYSTEM_CLOCK)
