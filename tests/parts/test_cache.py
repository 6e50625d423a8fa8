"""A cache in the hand, flights that many wait for, and questions that mean the same."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

import pytest

from holdfast import Cache, ConfigError
from holdfast.parts import similar
from holdfast.parts.cache import CacheStats, MemoryAnswers
from holdfast.parts.flights import Flights
from holdfast.parts.replay import Replay
from holdfast.parts.similar import SimilarAnswers
from holdfast.policy.caching import CacheConfig, Stored
from holdfast.ports import Vector
from holdfast.testing import FakeClock


def test_a_cache_takes_its_time_in_both_ways() -> None:
    assert Cache(timedelta(minutes=5)).config.ttl == 300.0
    assert Cache(ttl=7).config == CacheConfig(enabled=True, ttl=7.0)


@pytest.mark.parametrize("wrong", [{"ttl": 0}, {"max_bytes": 0}, {"wait": -1.0}, {"threshold": 1.5}])
def test_a_bound_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Cache(embedder=Never(), **wrong)
    assert caught.value.say("en") != caught.value.say("ko")


def test_a_cache_that_was_never_asked_has_hit_nothing() -> None:
    assert Cache().stats() == CacheStats()
    assert CacheStats().hit_rate == 0.0


async def test_answers_are_kept_for_their_time_and_no_longer() -> None:
    clock = FakeClock()
    answers = MemoryAnswers(CacheConfig(), clock)
    kept = Stored(message=b"{}", at=clock.now().timestamp(), seconds=5.0)
    await answers.keep("a", kept)
    assert (await answers.find("a"), answers.entries, answers.size) == (kept, 1, 3)
    clock.advance(5.0)
    assert await answers.find("a") is None


async def test_a_body_that_was_closed_says_no_more() -> None:
    body = Replay(b"x")
    await body.aclose()
    assert [chunk async for chunk in body] == []


def test_one_leads_and_the_name_is_free_when_it_is_over() -> None:
    flights: Flights[str] = Flights()
    flight, leads = flights.join("a")
    again, follows = flights.join("a")
    assert (leads, follows, again is flight, len(flights)) == (True, False, True, 1)
    flight.end("x")
    flight.end("y")
    other, leads = flights.join("a")
    assert leads
    assert other is not flight
    flight.end("late")
    assert flights.join("a") == (other, False)


async def test_whoever_comes_after_the_landing_does_not_wait() -> None:
    flights: Flights[str] = Flights()
    flight, _ = flights.join("a")
    flight.end("x")
    assert await flight.wait(0.0) == "x"


async def test_those_who_wait_hear_it_at_once_whatever_thread_it_comes_from() -> None:
    flight, _ = Flights[str]().join("a")
    waiting = [asyncio.ensure_future(flight.wait(5.0)) for _ in range(3)]
    await asyncio.sleep(0)
    thread = threading.Thread(target=flight.end, args=("x",))
    thread.start()
    assert await asyncio.gather(*waiting) == ["x", "x", "x"]
    thread.join()


async def test_one_who_has_left_in_the_moment_of_landing_is_no_trouble() -> None:
    flight, _ = Flights[str]().join("a")
    leaving = asyncio.ensure_future(flight.wait(5.0))
    await asyncio.sleep(0)
    flight.end("x")
    leaving.cancel()
    await asyncio.wait([leaving])
    await asyncio.sleep(0)
    assert leaving.cancelled()


def test_a_loop_that_has_ended_is_no_trouble_either() -> None:
    flight, _ = Flights[str]().join("a")
    loop = asyncio.new_event_loop()
    waiting = flight.wait(5.0)
    stranded = loop.create_task(_stepped(waiting))
    loop.run_until_complete(stranded)
    loop.close()
    flight.end("x")
    waiting.close()


async def _stepped(waiting: Coroutine[Any, Any, str | None]) -> None:
    """Let somebody begin to wait, and come back while he does."""
    waiting.send(None)


class Never:
    """An embedder that nobody waits for."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        await asyncio.sleep(60.0)
        return []


class Says(Never):
    """One that says what it was told to."""

    def __init__(self, *vectors: Vector) -> None:
        self._vectors = vectors

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        return self._vectors


async def test_an_embedder_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "PATIENCE", 0.01)
    assert await SimilarAnswers(Never(), 0.9, most=9).meaning("x") is None


async def test_one_who_leaves_takes_the_embedder_with_him() -> None:
    asking = asyncio.ensure_future(SimilarAnswers(Never(), 0.9, most=9).meaning("x"))
    await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()


@pytest.mark.parametrize(
    ("vectors", "meaning"), [(((1.0, 2.0),), (1.0, 2.0)), ((), None), (((1.0,), (2.0,)), None)]
)
async def test_a_meaning_is_one_vector(vectors: tuple[Vector, ...], meaning: Vector | None) -> None:
    assert await SimilarAnswers(Says(*vectors), 0.9, most=9).meaning("x") == meaning


def test_the_nearest_in_the_bucket_is_found_if_it_is_near_enough() -> None:
    answers = SimilarAnswers(Never(), 0.9, most=9)
    answers.remember("b", (1.0, 0.0), "east")
    answers.remember("b", (1.0, 0.2), "nearly east")
    answers.remember("b", (1.0, 0.0, 0.0), "of another model")
    assert answers.nearest("b", (1.0, 0.19)) == "nearly east"
    assert answers.nearest("b", (0.0, 1.0)) is None
    assert answers.nearest("other", (1.0, 0.0)) is None


def test_only_so_many_buckets_and_questions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "IN_BUCKET", 1)
    answers = SimilarAnswers(Never(), 0.9, most=1)
    answers.remember("a", (1.0,), "one")
    answers.remember("a", (1.0,), "two")
    assert answers.nearest("a", (1.0,)) == "two"
    answers.remember("b", (1.0,), "three")
    assert answers.nearest("a", (1.0,)) is None
