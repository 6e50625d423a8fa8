"""The live feed: who follows hears of every call, who is slow hears how many he missed, and nobody waits."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from holdfast.errors import RateLimited
from holdfast.events import CallEnded, RunUncounted
from holdfast.ports import CallRecord
from holdfast.telemetry.feed import Feed, Following, News
from holdfast.wire.usage import Usage


def a_call(name: str) -> CallRecord:
    return CallRecord(
        request_id=name,
        at=datetime(2026, 11, 22, tzinfo=UTC),
        door="gateway",
        key="local",
        user=None,
        run=None,
        agent=None,
        model="claude-sonnet-5-5",
        served_model=None,
        upstream=None,
        stream=False,
        end="answered",
        status=200,
        error_code=None,
        attempts=1,
        stop_reason=None,
        usage=Usage(),
        estimated=False,
        cost_pico=1,
        price_version=None,
        duration_ms=1.0,
    )


def ended(name: str) -> CallEnded:
    return CallEnded(
        request_id=name,
        end="answered",
        model="claude-sonnet-5-5",
        status=200,
        attempts=1,
        duration_ms=1.0,
        input_tokens=1,
        output_tokens=1,
        cost="0.01",
        error_code=None,
        record=a_call(name),
    )


def names(news: News | None) -> list[str]:
    assert news is not None
    return [call.request_id for call in news.calls]


async def test_whoever_follows_hears_of_every_call_in_its_order() -> None:
    feed = Feed()
    one, other = feed.follow(), feed.follow()
    for name in "abc":
        feed(ended(name))
    assert names(await one.hear()) == names(await other.hear()) == ["a", "b", "c"]


async def test_a_follower_waits_for_the_next_call() -> None:
    feed = Feed()
    following = feed.follow()
    hearing = asyncio.ensure_future(following.hear())
    await asyncio.sleep(0)
    assert not hearing.done()
    feed(ended("a"))
    assert names(await hearing) == ["a"]
    feed(ended("b"))
    assert names(await following.hear()) == ["b"]


async def test_the_oldest_calls_that_nobody_fetches_are_dropped_and_counted() -> None:
    feed = Feed(room=2)
    following = feed.follow()
    for name in "abcde":
        feed(ended(name))
    news = await following.hear()
    assert (names(news), news and news.missed) == (["d", "e"], 3)
    feed(ended("f"))
    assert await following.hear() == News(calls=(a_call("f"),))


async def test_other_events_are_no_news() -> None:
    feed = Feed()
    following = feed.follow()
    feed(RunUncounted(request_id="x", run="r", error="e"))
    feed(ended("a"))
    assert names(await following.hear()) == ["a"]


async def test_a_place_that_was_left_is_free_again() -> None:
    feed = Feed(most=1)
    following = feed.follow()
    with pytest.raises(RateLimited, match="1 already follow") as refused:
        feed.follow()
    assert refused.value.retry_after
    following.close()
    following.close()
    assert feed.followers == 0
    feed.follow().close()


async def test_at_its_end_a_follower_hears_what_waits_and_then_that_it_is_over() -> None:
    feed = Feed()
    following = feed.follow()
    feed(ended("a"))
    feed.end()
    assert names(await following.hear()) == ["a"]
    assert await following.hear() is None
    assert await following.hear() is None


async def test_a_follower_that_waits_hears_that_it_is_over() -> None:
    feed = Feed()
    following = feed.follow()
    hearing = asyncio.ensure_future(following.hear())
    await asyncio.sleep(0)
    feed.end()
    assert await hearing is None


async def test_cancelled_while_it_waits_it_loses_nothing() -> None:
    feed = Feed()
    following = feed.follow()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(following.hear(), 0)
    feed(ended("a"))
    assert names(await following.hear()) == ["a"]


async def test_calls_may_end_on_any_thread() -> None:
    feed = Feed(room=10_000)
    following = feed.follow()

    def tell(number: int) -> None:
        for count in range(200):
            feed(ended(f"{number}-{count}"))

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    heard: list[str] = []
    while len(heard) < 800:
        heard += names(await following.hear())
    assert len(set(heard)) == 800
    for thread in threads:
        thread.join()


def test_a_follower_whose_loop_has_ended_is_forgotten() -> None:
    feed = Feed()

    async def follow() -> Following:
        return feed.follow()

    asyncio.run(follow())
    assert feed.followers == 1
    feed(ended("a"))
    assert feed.followers == 0
