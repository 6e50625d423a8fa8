"""Answers of a fleet in Redis: shared, signed, gone with their time, and never missed."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from time import perf_counter
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from holdfast.clock import SYSTEM_CLOCK
from holdfast.policy.caching import Stored
from holdfast.stores.answers_redis import LARGEST, RedisAnswers
from holdfast.stores.quotas import open_fleet
from holdfast.stores.redis_link import RedisLink
from holdfast.testing import FakeClock
from tests.servers.redis import RedisServer

SECRET = b"s" * 32
NAME = "ab" * 32


def answer(text: str = "안녕", *, seconds: float = 60.0) -> Stored:
    return Stored(message=text.encode(), at=SYSTEM_CLOCK.now().timestamp(), seconds=seconds)


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url)
    yield link
    await link.aclose()


@pytest.fixture
def answers(link: RedisLink, redis_prefix: str) -> RedisAnswers:
    return RedisAnswers(link, secret=SECRET, prefix=redis_prefix)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator["Redis"]:
    address = urlsplit(redis_url)
    client = Redis(host=address.hostname or "", port=address.port or 0, password=address.password)
    yield client
    await client.aclose()


async def test_what_one_worker_keeps_another_finds(
    answers: RedisAnswers, link: RedisLink, redis_prefix: str
) -> None:
    kept = answer()
    await answers.keep(NAME, kept)
    assert await RedisAnswers(link, secret=SECRET, prefix=redis_prefix).find(NAME) == kept
    assert await answers.find("cd" * 32) is None


async def test_without_the_secret_nobody_is_believed(
    answers: RedisAnswers, link: RedisLink, redis_prefix: str
) -> None:
    stranger = RedisAnswers(link, secret=b"t" * 32, prefix=redis_prefix)
    await stranger.keep(NAME, answer("Pay me."))
    assert await answers.find(NAME) is None


async def test_a_value_under_another_name_and_one_that_makes_no_sense_are_none(
    answers: RedisAnswers, redis: "Redis", redis_prefix: str
) -> None:
    await answers.keep(NAME, answer())
    moved = await redis.get(f"{redis_prefix}answer:{NAME}") or b""
    assert moved
    await redis.set(f"{redis_prefix}answer:other", moved)
    assert await answers.find("other") is None
    odd = hmac.digest(SECRET, b"odd\0[]", "sha256").hex().encode() + b"[]"
    for value in (b"", b"x", odd):
        await redis.set(f"{redis_prefix}answer:odd", value)
        assert await answers.find("odd") is None


async def test_an_answer_goes_with_its_time(answers: RedisAnswers, redis: "Redis", redis_prefix: str) -> None:
    await answers.keep(NAME, answer(seconds=30.0))
    assert 0 < await redis.pttl(f"{redis_prefix}answer:{NAME}") <= 30_000
    await answers.keep("late", answer(seconds=0.0))
    assert await redis.exists(f"{redis_prefix}answer:late") == 0


async def test_a_worker_whose_clock_is_ahead_takes_it_for_old(
    answers: RedisAnswers, link: RedisLink, redis_prefix: str
) -> None:
    await answers.keep(NAME, answer())
    clock = FakeClock(SYSTEM_CLOCK.now())
    clock.advance(61.0)
    assert await RedisAnswers(link, secret=SECRET, prefix=redis_prefix, clock=clock).find(NAME) is None


async def test_one_that_is_too_large_is_not_kept(answers: RedisAnswers) -> None:
    await answers.keep(NAME, answer("x" * LARGEST))
    assert await answers.find(NAME) is None


async def test_a_frozen_redis_has_no_answers_and_costs_next_to_nothing(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url)
    answers = RedisAnswers(link, secret=SECRET)
    for _ in range(200):
        await answers.keep(NAME, answer())
        if await answers.find(NAME) is not None:
            break
        await asyncio.sleep(0.01)
    redis_server.freeze()
    began = perf_counter()
    assert await answers.find(NAME) is None
    await answers.keep(NAME, answer())
    assert perf_counter() - began < 0.2
    began = perf_counter()
    for _ in range(50):
        assert await answers.find(NAME) is None
    assert perf_counter() - began < 0.1
    redis_server.thaw()
    await link.aclose()


async def test_a_fleet_shares_its_answers_and_one_alone_does_not(redis_server: RedisServer) -> None:
    fleet = open_fleet(redis_server.url, clock=SYSTEM_CLOCK)
    again = open_fleet(redis_server.url, clock=SYSTEM_CLOCK)
    assert fleet.answers is not None
    assert fleet.secret == again.secret
    alone = open_fleet("", clock=SYSTEM_CLOCK)
    assert alone.answers is None
    assert alone.secret != open_fleet("", clock=SYSTEM_CLOCK).secret
    assert alone.secret.hex() not in repr(alone)
    for one in (fleet, again):
        await one.quotas.aclose()
