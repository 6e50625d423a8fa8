import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.parts.fairness import WaitingRoom
from holdfast.policy.counters import Ask, Granted, Limited, Slot, Take, rate_of
from holdfast.policy.fairness import FairnessConfig, Priority, Ticket
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.testing.virtual import VirtualClock, run

T = TypeVar("T")
ORG = "q/requests/"
PLACE = Slot(key="q/concurrency/", limit=1)
TEN_A_SECOND = rate_of(10, 1.0, 10)


class World:
    """A room before quotas, and who was let in when."""

    def __init__(self, *, clock: Clock | None = None, total: int = 200) -> None:
        self.clock = clock or VirtualClock()
        self.store = MemoryQuotas(clock=self.clock)
        config = FairnessConfig(total=total, max_wait=5.0)
        self.room = WaitingRoom(config, clock=self.clock)
        self.order: list[str] = []

    async def come(
        self,
        id: str,
        cost: int = 1,
        *,
        priority: Priority = "interactive",
        patience: float = 100.0,
        slots: tuple[Slot, ...] = (),
        key: str = ORG,
    ) -> Granted | Limited:
        take = Take(key=key, dimension="requests", rate=TEN_A_SECOND, cost=cost)
        ask = Ask(id=id, takes=(take,) if cost else (), slots=slots)
        keys = frozenset([key] if cost else []) | {slot.key for slot in slots}
        ticket = Ticket(
            subject=id.split("/")[0],
            priority=priority,
            weight=max(1, cost * 100),
            keys=keys,
            deadline=self.clock.monotonic() + patience,
        )
        answer = await self.room.admit(ticket, lambda: self.store.acquire(ask))
        if isinstance(answer, Granted):
            self.order.append(id)
        return answer

    async def leave(self, granted: Granted | Limited) -> None:
        assert isinstance(granted, Granted)
        await self.store.settle(granted)
        self.room.free({slot.key for slot in granted.ask.slots})


def virtually(story: Callable[[World], Coroutine[Any, Any, T]], *, total: int = 200) -> T:
    async def main() -> T:
        return await story(World(total=total))

    return run(main(), seed=1)


def test_a_call_with_room_goes_at_once_and_one_without_waits_until_there_is() -> None:
    async def story(world: World) -> float:
        await world.come("alice", 10)
        assert isinstance(await world.come("bob", 5), Granted)
        return world.clock.monotonic()

    assert abs(virtually(story) - 0.5) < 0.001


def test_a_wait_that_would_be_too_long_is_not_begun() -> None:
    async def story(world: World) -> tuple[Granted | Limited, float]:
        take = Take(key=ORG, dimension="requests", rate=TEN_A_SECOND, cost=60)
        await world.store.settle(Granted(ask=Ask(id="debt")), [take])
        return await world.come("bob", 1), world.clock.monotonic()

    assert virtually(story) == (Limited(key=ORG, retry_after=5.1), 0.0)


def test_nobody_waits_past_the_deadline_of_the_call() -> None:
    async def story(world: World) -> tuple[Granted | Limited, float]:
        await world.come("alice", 10)
        return await world.come("bob", 5, patience=0.4), world.clock.monotonic()

    answer, now = virtually(story)
    assert isinstance(answer, Limited)
    assert now == 0.0


def test_callers_take_turns() -> None:
    async def story(world: World) -> list[str]:
        await world.come("first", 10)
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(world.come(f"loud/{number}", 10))
            await world.clock.sleep(0.01)
            group.create_task(world.come("quiet", 5))
        return world.order

    order = virtually(story)
    assert order.index("quiet") <= 3


def test_a_higher_priority_goes_first() -> None:
    async def story(world: World) -> list[str]:
        await world.come("first", 10)
        async with asyncio.TaskGroup() as group:
            group.create_task(world.come("batch", 10, priority="batch"))
            await world.clock.sleep(0.01)
            group.create_task(world.come("agent", 10, priority="agent"))
            await world.clock.sleep(0.01)
            group.create_task(world.come("person", 10))
        return world.order

    assert virtually(story) == ["first", "person", "agent", "batch"]


def test_a_large_call_is_not_starved_by_small_ones() -> None:
    async def story(world: World) -> float:
        await world.come("first", 10)
        began = world.clock.monotonic()
        large = asyncio.create_task(world.come("large", 10))

        async def small(number: int) -> None:
            await world.clock.sleep(0.05 * number)
            await world.come(f"small{number}")

        async with asyncio.TaskGroup() as group:
            for number in range(1, 15):
                group.create_task(small(number))
            await large
            return world.clock.monotonic() - began

    assert virtually(story) <= 1.01


def test_a_place_that_is_given_back_goes_to_the_next_at_once() -> None:
    async def story(world: World) -> tuple[list[str], float]:
        held = await world.come("alice", 0, slots=(PLACE,))
        waiting = asyncio.create_task(world.come("bob", 0, slots=(PLACE,)))
        await world.clock.sleep(0.1)
        await world.leave(held)
        await waiting
        return world.order, world.clock.monotonic()

    order, now = virtually(story)
    assert order == ["alice", "bob"]
    assert now == 0.1


def test_a_place_that_becomes_free_in_another_process_is_noticed_soon() -> None:
    async def story(world: World) -> float:
        held = await world.come("alice", 0, slots=(PLACE,))
        waiting = asyncio.create_task(world.come("bob", 0, slots=(PLACE,)))
        await world.clock.sleep(0.3)
        assert isinstance(held, Granted)
        await world.store.settle(held)
        await waiting
        return world.clock.monotonic()

    assert abs(virtually(story) - 0.5) < 0.001


def test_who_never_gets_a_place_is_refused_after_the_longest_wait() -> None:
    async def story(world: World) -> tuple[Granted | Limited, float]:
        await world.come("alice", 0, slots=(PLACE,))
        return await world.come("bob", 0, slots=(PLACE,)), world.clock.monotonic()

    answer, now = virtually(story)
    assert isinstance(answer, Limited)
    assert answer.key == PLACE.key
    assert 4.0 <= now <= 5.0


def test_whose_turn_never_comes_is_told_what_it_waited_for() -> None:
    async def story(world: World) -> list[Granted | Limited]:
        await world.come("alice", 0, slots=(PLACE,))
        first = asyncio.create_task(world.come("bob", 0, slots=(PLACE,)))
        await world.clock.sleep(0.01)
        second = asyncio.create_task(world.come("carol", 0, slots=(PLACE,), patience=2.0))
        return [await second, await first]

    for answer in virtually(story):
        assert isinstance(answer, Limited)
        assert answer.key == PLACE.key
        assert answer.retry_after > 0


def test_a_caller_who_is_cancelled_leaves_and_lets_the_next_go() -> None:
    async def story(world: World) -> tuple[list[str], int]:
        held = await world.come("alice", 0, slots=(PLACE,))
        bob = asyncio.create_task(world.come("bob", 0, slots=(PLACE,)))
        await world.clock.sleep(0.01)
        carol = asyncio.create_task(world.come("carol", 0, slots=(PLACE,)))
        await world.clock.sleep(0.01)
        bob.cancel()
        await asyncio.wait([bob])
        await world.leave(held)
        await carol
        return world.order, len(world.room)

    assert virtually(story) == (["alice", "carol"], 0)


def test_a_room_that_is_asked_from_a_loop_that_has_ended_lets_the_next_go() -> None:
    world = World(clock=SYSTEM_CLOCK)

    async def hold() -> Granted | Limited:
        return await world.come("alice", 0, slots=(PLACE,))

    held = asyncio.run(hold())

    async def wait_and_end() -> None:
        waiting = asyncio.create_task(world.come("bob", 0, slots=(PLACE,)))
        await asyncio.sleep(0.01)
        assert len(world.room) == 1
        thread = threading.Thread(target=lambda: asyncio.run(world.leave(held)))
        thread.start()
        assert isinstance(await waiting, Granted)
        await asyncio.to_thread(thread.join)

    asyncio.run(wait_and_end())
    assert world.order == ["alice", "bob"]


def test_time_that_runs_out_while_asking_is_the_last_refusal() -> None:
    async def story(world: World) -> Granted | Limited:
        await world.come("alice", 0, slots=(PLACE,))
        return await world.come("bob", 0, slots=(PLACE,), patience=1.1)

    answer = virtually(story)
    assert isinstance(answer, Limited)
    assert answer.key == PLACE.key


def test_a_full_room_refuses_with_the_longer_of_both_guesses() -> None:
    async def story(world: World) -> Granted | Limited:
        await world.come("first", 10)
        waiting = [asyncio.create_task(world.come(f"{n}", 10)) for n in range(2)]
        await world.clock.sleep(0.01)
        refused = await world.come("late", 10)
        direct = await world.come("own", 10, key="q/requests/own")
        assert isinstance(direct, Granted)
        over = await world.come("own", 10, key="q/requests/own")
        assert isinstance(over, Limited)
        assert over.retry_after >= 1.0
        await asyncio.gather(*waiting)
        return refused

    answer = virtually(story, total=2)
    assert isinstance(answer, Limited)
    assert answer.key == ORG
    assert answer.retry_after > 0


def test_calls_of_event_loops_in_several_threads_wait_in_one_queue() -> None:
    world = World(clock=SYSTEM_CLOCK)

    def work(name: str) -> None:
        async def come() -> None:
            for number in range(3):
                await world.leave(await world.come(f"{name}/{number}", 0, slots=(PLACE,)))

        asyncio.run(come())

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.order) == 12
    assert len(world.room) == 0
