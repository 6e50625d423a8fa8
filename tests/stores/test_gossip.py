"""What one worker leaves in Redis, another hears: once, in time, and never its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import StoreUnavailable
from holdfast.gossip import News
from holdfast.stores import gossip_redis
from holdfast.stores.gossip_redis import RedisGossip
from holdfast.stores.quotas import open_fleet
from holdfast.stores.redis_link import RedisLink
from holdfast.testing import FakeClock
from tests.journeys.fleet import until
from tests.servers.redis import RedisServer

Worker = Callable[..., RedisGossip]


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url)
    yield link
    await link.aclose()


@pytest.fixture
def worker(link: RedisLink, redis_prefix: str) -> Worker:
    def worker(clock: Clock = SYSTEM_CLOCK) -> RedisGossip:
        return RedisGossip(link, prefix=redis_prefix, clock=clock)

    return worker


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator["Redis"]:
    address = urlsplit(redis_url)
    client = Redis(host=address.hostname or "", port=address.port or 0, password=address.password)
    yield client
    await client.aclose()


def stop(
    model: str = "m", *, ago: float = 0.0, left: float | None = 5.0, clock: Clock = SYSTEM_CLOCK
) -> News:
    now = clock.monotonic()
    until = None if left is None else now + left
    return News(kind="circuit", place=("a", model), word="stop", at=now - ago, until=until, openings=2)


def go(model: str = "m", *, ago: float = 0.0, clock: Clock = SYSTEM_CLOCK) -> News:
    return News(kind="circuit", place=("a", model), word="go", at=clock.monotonic() - ago)


def words(heard: Sequence[News]) -> list[tuple[str, str]]:
    return sorted((news.place[-1], news.word) for news in heard)


async def test_a_peer_hears_what_was_left_once(worker: Worker) -> None:
    one, two = worker(), worker()
    assert await two.exchange(()) == []
    told = stop(ago=1.0)
    assert await one.exchange([told]) == []
    (heard,) = await two.exchange(())
    assert (heard.kind, heard.place, heard.word, heard.openings) == ("circuit", ("a", "m"), "stop", 2)
    assert told.until is not None
    assert heard.until == pytest.approx(told.until, abs=0.2)
    assert heard.at == pytest.approx(told.at, abs=0.2)
    assert await two.exchange(()) == []


async def test_nobody_hears_his_own_news(worker: Worker) -> None:
    one = worker()
    assert await one.exchange([stop()]) == []
    assert await one.exchange(()) == []


async def test_both_can_tell_and_hear_in_one_breath(worker: Worker) -> None:
    one, two = worker(), worker()
    await one.exchange([stop("x")])
    assert words(await two.exchange([stop("y")])) == [("x", "stop")]
    assert words(await one.exchange(())) == [("y", "stop")]


async def test_a_worker_that_starts_later_hears_what_still_holds(worker: Worker) -> None:
    await worker().exchange([stop("long"), stop("short", left=0.05), stop("manual", left=None)])
    await asyncio.sleep(0.1)
    late = await worker().exchange(())
    assert words(late) == [("long", "stop"), ("manual", "stop")]
    assert [news.until for news in late if news.place[-1] == "manual"] == [None]


async def test_the_last_word_on_a_circuit_is_the_one_that_is_heard(worker: Worker) -> None:
    one = worker()
    await one.exchange([stop()])
    await one.exchange([go()])
    assert words(await worker().exchange(())) == [("m", "go")]


async def test_what_happened_earlier_does_not_replace_what_happened_later(worker: Worker) -> None:
    one, two, three = worker(), worker(), worker()
    await one.exchange([go()])
    await two.exchange([stop(ago=10.0)])
    assert words(await three.exchange(())) == [("m", "go")]


async def test_moments_are_told_in_every_workers_own_clock(worker: Worker) -> None:
    here, there = FakeClock(), FakeClock()
    there.advance(1_000.0)
    await worker(here).exchange([stop(left=5.0, clock=here)])
    (heard,) = await worker(there).exchange(())
    assert heard.until == pytest.approx(1_005.0, abs=0.5)


async def test_so_many_news_are_kept_and_no_more(
    worker: Worker, redis: "Redis", redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gossip_redis, "KEPT", 3)
    one = worker()
    for number in range(8):
        await one.exchange([stop(f"{number}")])
    assert await redis.hlen(f"{redis_prefix}{{gossip}}:news") == 3
    assert words(await worker().exchange(())) == [("5", "stop"), ("6", "stop"), ("7", "stop")]


async def test_nothing_is_kept_for_ever(worker: Worker, redis: "Redis", redis_prefix: str) -> None:
    await worker().exchange([stop(left=None)])
    for name in ("news", "latest"):
        left = await redis.pttl(f"{redis_prefix}{{gossip}}:{name}")
        assert 0 < left <= 2_000 * gossip_redis.KEEP


async def test_a_name_that_is_too_long_is_told_to_nobody(worker: Worker) -> None:
    await worker().exchange([stop("x" * 1_000), stop("y")])
    assert words(await worker().exchange(())) == [("y", "stop")]


@pytest.mark.parametrize(
    "subject", ["no json", '"a"', "[]", '["circuit"]', '["circuit",1]', '["kettle","a"]', '{"a":1}']
)
async def test_what_another_version_may_have_meant_is_not_heard(
    worker: Worker, redis: "Redis", redis_prefix: str, subject: str
) -> None:
    one = worker()
    await one.exchange([stop("known")])
    entry = await redis.hget(
        f"{redis_prefix}{{gossip}}:news", json.dumps(["circuit", "a", "known"], separators=(",", ":"))
    )
    await redis.hset(f"{redis_prefix}{{gossip}}:news", subject, entry)
    assert words(await worker().exchange(())) == [("known", "stop")]


async def test_an_entry_that_makes_no_sense_is_dropped(
    worker: Worker, redis: "Redis", redis_prefix: str
) -> None:
    key = f"{redis_prefix}{{gossip}}:news"
    await redis.hset(key, '["circuit","a","m"]', "nonsense")
    await worker().exchange([stop("n")])
    assert words(await worker().exchange(())) == [("n", "stop")]
    await redis.hset(key, '["circuit","a","m"]', "nonsense")
    await worker().exchange([stop("m")])
    assert ("m", "stop") in words(await worker().exchange(()))


async def test_a_word_of_another_kind_is_not_heard(worker: Worker, redis: "Redis", redis_prefix: str) -> None:
    key = f"{redis_prefix}{{gossip}}:news"
    one = worker()
    await one.exchange([stop()])
    entry = await redis.hget(key, '["circuit","a","m"]')
    assert isinstance(entry, bytes)
    await redis.hset(key, '["circuit","a","m"]', entry.replace(b" stop ", b" dance "))
    assert await worker().exchange(()) == []


async def test_a_redis_that_lost_everything_is_heard_again(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url)
    one, two = RedisGossip(link), RedisGossip(link)
    await one.exchange([stop("before")])
    assert words(await two.exchange(())) == [("before", "stop")]
    redis_server.restart_empty()
    with pytest.raises(StoreUnavailable):
        await one.exchange(())
    await until(lambda: not link.is_away)
    assert await two.exchange(()) == []
    await one.exchange([stop("after")])
    assert words(await two.exchange(())) == [("after", "stop")]
    await link.aclose()


def test_who_has_no_redis_has_nobody_to_talk_to() -> None:
    assert open_fleet("", clock=SYSTEM_CLOCK).gossip is None
