"""One after the other, whoever waits, from wherever, and whatever becomes of those before."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.agent.turnstile import Turnstile

LONG = 20.0


async def test_those_of_one_key_go_through_in_the_order_they_came() -> None:
    turnstile, seen = Turnstile(), list[str]()

    async def go(name: str) -> None:
        async with turnstile.turn("a", patience=LONG):
            seen.append(f"{name} in")
            await asyncio.sleep(0)
            seen.append(f"{name} out")

    await asyncio.gather(*(go(str(number)) for number in range(5)))

    assert seen == [f"{number} {way}" for number in range(5) for way in ("in", "out")]
    assert len(turnstile) == 0


async def test_those_of_different_keys_do_not_wait_for_each_other() -> None:
    turnstile = Turnstile()
    async with turnstile.turn("a", patience=LONG), asyncio.timeout(LONG), turnstile.turn("b", patience=LONG):
        assert len(turnstile) == 2


async def test_a_task_does_not_wait_for_itself() -> None:
    turnstile = Turnstile()
    async with turnstile.turn("a", patience=LONG), turnstile.turn("a", patience=LONG):
        pass

    assert len(turnstile) == 0


async def test_patience_comes_to_an_end_and_the_line_goes_on() -> None:
    turnstile = Turnstile()

    async def wait(patience: float) -> str:
        async with turnstile.turn("a", patience=patience):
            return "through"

    async with turnstile.turn("a", patience=LONG):
        waiting = asyncio.create_task(wait(LONG))
        with pytest.raises(TimeoutError):
            await asyncio.create_task(wait(0.01))
    assert await waiting == "through"
    assert len(turnstile) == 0


async def test_whoever_gives_up_just_as_he_is_called_calls_the_next() -> None:
    turnstile = Turnstile()

    async def wait() -> str:
        async with turnstile.turn("a", patience=LONG):
            return "through"

    async with turnstile.turn("a", patience=LONG):
        first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    first.cancel()

    assert await second == "through"
    assert first.cancelled()
    assert len(turnstile) == 0


async def test_whoever_breaks_off_inside_lets_the_next_one_through() -> None:
    turnstile = Turnstile()
    with pytest.raises(ValueError, match="broken"):
        async with turnstile.turn("a", patience=LONG):
            raise ValueError("broken")

    assert len(turnstile) == 0


def test_event_loops_in_many_threads_wait_for_each_other() -> None:
    turnstile, inside = Turnstile(), threading.Lock()
    done: list[int] = []

    async def go(number: int) -> None:
        for _ in range(20):
            async with turnstile.turn("a", patience=LONG):
                assert inside.acquire(blocking=False)
                await asyncio.sleep(0)
                inside.release()
                done.append(number)

    async def several(number: int) -> None:
        await asyncio.gather(*(go(number) for _ in range(5)))

    with ThreadPoolExecutor(4) as pool:
        for ended in [pool.submit(asyncio.run, several(number)) for number in range(4)]:
            ended.result()

    assert len(done) == 400
    assert len(turnstile) == 0
