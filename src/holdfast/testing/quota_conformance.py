"""What every store of quotas must keep, as contracts that any adapter can be held to."""

import asyncio
from collections.abc import Awaitable, Callable

from holdfast.policy.counters import Ask, Granted, Limited, Slot, Take, rate_of
from holdfast.ports import QuotaStore

QuotaContract = Callable[[QuotaStore], Awaitable[None]]
"""Given a new, empty store; raises `AssertionError` where it is broken. Whoever opened the store closes it."""

SLOW = rate_of(50, 86_400.0, 50)
"""So slow that a test sees nothing come back."""
PLACE = Slot(key="q/concurrency/user=alice", limit=3)


def an_ask(id: str, *takes: Take, slots: tuple[Slot, ...] = (), lease: float = 60.0) -> Ask:
    """What a call of that id needs."""
    return Ask(id=id, takes=takes, slots=slots, lease=lease)


def a_take(cost: int = 1, key: str = "q/requests/user=alice") -> Take:
    """So much of a bucket that holds 50."""
    return Take(key=key, dimension="requests", rate=SLOW, cost=cost)


async def _is_granted(store: QuotaStore, ask: Ask) -> bool:
    return isinstance(await store.acquire(ask), Granted)


async def so_many_at_once_are_granted_as_the_limit_says(store: QuotaStore) -> None:
    """However many ask at the same moment."""
    asks = [an_ask(f"{number}", a_take()) for number in range(100)]
    answers = await asyncio.gather(*(store.acquire(ask) for ask in asks))
    assert sum(isinstance(answer, Granted) for answer in answers) == 50
    assert not any(answer.is_local for answer in answers if isinstance(answer, Granted))


async def so_many_at_once_hold_places_as_the_limit_says(store: QuotaStore) -> None:
    """However many ask at the same moment."""
    answers = await asyncio.gather(*(store.acquire(an_ask(f"{n}", slots=(PLACE,))) for n in range(50)))
    assert sum(isinstance(answer, Granted) for answer in answers) == PLACE.limit


async def a_refusal_names_what_lacks_most_and_for_how_long(store: QuotaStore) -> None:
    """The wait is that of the rate, to the second."""
    slower = Take(key="q/requests/", dimension="requests", rate=rate_of(1, 86_400.0 * 7, 1), cost=1)
    assert await _is_granted(store, an_ask("a", a_take(50), slower))
    one = await store.acquire(an_ask("b", a_take()))
    both = await store.acquire(an_ask("c", a_take(), slower))
    assert isinstance(one, Limited)
    assert isinstance(both, Limited)
    assert (one.key, both.key) == ("q/requests/user=alice", "q/requests/")
    assert 1_720 < one.retry_after <= 1_728
    assert 86_400 * 7 - 10 < both.retry_after <= 86_400 * 7


async def all_of_an_ask_is_granted_or_nothing(store: QuotaStore) -> None:
    """A bucket that lacks something leaves the others, and the places, as they are."""
    assert await _is_granted(store, an_ask("a", a_take(50)))
    refused = an_ask("b", a_take(20, key="other"), a_take(), slots=(PLACE,))
    for _ in range(5):
        assert not await _is_granted(store, refused)
    assert await _is_granted(store, an_ask("c", a_take(50, key="other")))
    for number in range(PLACE.limit):
        assert await _is_granted(store, an_ask(f"d{number}", slots=(PLACE,)))
    assert not await _is_granted(store, an_ask("e", a_take(key="third"), slots=(PLACE,)))
    assert await _is_granted(store, an_ask("f", a_take(50, key="third")))


async def corrections_give_back_and_take(store: QuotaStore) -> None:
    """Down to nothing at the least, and beyond the limit."""
    granted = await store.acquire(an_ask("a", a_take(50)))
    assert isinstance(granted, Granted)
    await store.settle(granted, [a_take(-30)])
    assert await _is_granted(store, an_ask("b", a_take(30)))
    assert not await _is_granted(store, an_ask("c", a_take()))
    await store.settle(granted, [a_take(-1_000), a_take(60, key="unused")])
    assert await _is_granted(store, an_ask("d", a_take(50)))
    assert not await _is_granted(store, an_ask("e", a_take(key="unused")))
    in_debt = await store.acquire(an_ask("f", a_take(0, key="unused")))
    assert isinstance(in_debt, Limited)
    assert in_debt.retry_after > 17_000


async def a_bucket_without_debt_grants_nothing_to_whoever_wants_nothing(store: QuotaStore) -> None:
    """An ask of zero goes through a bucket that is full to the brim."""
    assert await _is_granted(store, an_ask("a", a_take(50)))
    assert await _is_granted(store, an_ask("b", a_take(0)))
    assert await _is_granted(store, an_ask("c"))


async def places_are_given_back_once(store: QuotaStore) -> None:
    """A second time changes nothing, nor does a renewal that comes too late."""
    granted = [await store.acquire(an_ask(f"{n}", slots=(PLACE,))) for n in range(PLACE.limit)]
    first = granted[0]
    assert isinstance(first, Granted)
    await store.settle(first)
    await store.settle(first)
    await store.renew(first)
    assert await _is_granted(store, an_ask("x", slots=(PLACE,)))
    assert not await _is_granted(store, an_ask("y", slots=(PLACE,)))


async def a_place_is_free_when_its_lease_is_over_unless_it_is_renewed(store: QuotaStore) -> None:
    """The store's own clock says when."""
    two = (Slot(key="q/concurrency/two", limit=2),)
    lost = await store.acquire(an_ask("lost", slots=two, lease=0.15))
    kept = await store.acquire(an_ask("kept", slots=two, lease=0.15))
    assert isinstance(lost, Granted)
    assert isinstance(kept, Granted)
    full = await store.acquire(an_ask("third", slots=two))
    assert isinstance(full, Limited)
    assert full.key == "q/concurrency/two"
    assert 0 < full.retry_after <= 0.15
    await store.renew(Granted(ask=an_ask("kept", slots=two, lease=30.0)))
    await asyncio.sleep(0.2)
    await store.renew(lost)
    assert await _is_granted(store, an_ask("third", slots=two))
    assert not await _is_granted(store, an_ask("fourth", slots=two))


async def who_holds_a_place_keeps_it_when_asking_again(store: QuotaStore) -> None:
    """The id is the holder."""
    for _ in range(PLACE.limit + 2):
        assert await _is_granted(store, an_ask("a", slots=(PLACE,)))


async def what_was_taken_comes_back_with_time(store: QuotaStore) -> None:
    """At the rate of the limit, and after exactly the wait that was named."""
    quick = rate_of(10, 1.0, 10)
    take = Take(key="quick", dimension="input_tokens", rate=quick, cost=10)
    assert await _is_granted(store, an_ask("a", take))
    refused = await store.acquire(an_ask("b", Take(key="quick", dimension="requests", rate=quick, cost=1)))
    assert isinstance(refused, Limited)
    assert 0 < refused.retry_after <= 0.1
    await asyncio.sleep(refused.retry_after + 0.002)
    assert await _is_granted(store, an_ask("b", Take(key="quick", dimension="requests", rate=quick, cost=1)))


async def names_of_any_script_are_told_apart(store: QuotaStore) -> None:
    """A key is a word of any letters."""
    for name in ("김철수 🦊", "김철수", "a b\n{c}", ""):
        assert await _is_granted(store, an_ask("a", a_take(50, key=name)))
        assert not await _is_granted(store, an_ask("b", a_take(1, key=name)))


QUOTA_CONTRACTS: tuple[QuotaContract, ...] = (
    so_many_at_once_are_granted_as_the_limit_says,
    so_many_at_once_hold_places_as_the_limit_says,
    a_refusal_names_what_lacks_most_and_for_how_long,
    all_of_an_ask_is_granted_or_nothing,
    corrections_give_back_and_take,
    a_bucket_without_debt_grants_nothing_to_whoever_wants_nothing,
    places_are_given_back_once,
    a_place_is_free_when_its_lease_is_over_unless_it_is_renewed,
    who_holds_a_place_keeps_it_when_asking_again,
    what_was_taken_comes_back_with_time,
    names_of_any_script_are_told_apart,
)
