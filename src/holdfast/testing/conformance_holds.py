"""What every store must keep about money that is promised: holds, counters, leases, alerts."""

import asyncio
from dataclasses import replace

from holdfast.policy.holds import Denied, Extend, Hold, TopUp
from holdfast.ports import Store, Swept
from holdfast.testing.conformance_records import (
    DOLLAR,
    LEASE,
    NANO_DOLLAR,
    LeaseContract,
    PassTime,
    StoreContract,
    a_limit,
    an_attempt,
    held_by,
    hold,
    states,
    together,
)


async def a_hold_is_reserved_and_comes_back_as_it_was_taken(store: Store) -> None:
    """Its limits among it, in any script; the attempt is on record at once."""
    limits = (a_limit("하루 'x'", alerts=(1, 2)), replace(a_limit("총", nano=None), resets_at=None))
    taken = await held_by(store, "hfr_1", *limits)
    assert (taken.id, taken.state, taken.limits) == ("hfr_1/1", "held", limits)
    assert (taken.amount, taken.presumed, taken.charged, taken.fence) == (DOLLAR, DOLLAR // 4, 0, 0)
    assert taken.owner == "worker 'one'"
    assert await store.held() == (taken,)
    assert await store.used(["하루 'x'", "총", "other"]) == {
        "하루 'x'": (0, NANO_DOLLAR),
        "총": (0, NANO_DOLLAR),
    }
    (attempt,) = await store.attempts_of("hfr_1")
    assert attempt == replace(an_attempt("hfr_1", cost_pico=0), state="held", hold_pico=DOLLAR)


async def a_limit_without_room_denies_and_leaves_nothing(store: Store) -> None:
    """It says what is left; no hold, no counter, no attempt."""
    limit = a_limit(nano=NANO_DOLLAR)
    await held_by(store, "hfr_1", limit, amount=DOLLAR * 3 // 4)
    denied = await hold(store, "hfr_2", limit, a_limit("month"), amount=DOLLAR // 2)
    assert isinstance(denied, Denied)
    assert (denied.limit, denied.remaining, denied.wanted) == (limit, NANO_DOLLAR // 4, NANO_DOLLAR // 2)
    assert await store.used(["day", "month"]) == {"day": (0, NANO_DOLLAR * 3 // 4)}
    assert await store.attempts_of("hfr_2") == ()
    assert [taken.id for taken in await store.held()] == ["hfr_1/1"]


async def all_limits_have_room_or_none_is_charged(store: Store) -> None:
    """The one that has least left is the one that is named."""
    roomy, tight, tightest = a_limit("a"), a_limit("b", nano=500), a_limit("c", nano=100)
    denied = await hold(store, "hfr_1", roomy, tight, tightest)
    assert isinstance(denied, Denied)
    assert denied.limit.window == "c"
    assert await store.used(["a", "b", "c"]) == {}
    assert await store.held() == ()


async def a_hold_that_fills_the_limit_to_the_last_nano_is_given(store: Store) -> None:
    """And not one nano more."""
    limit = a_limit(nano=NANO_DOLLAR)
    await held_by(store, "hfr_1", limit)
    assert isinstance(await hold(store, "hfr_2", limit, amount=1), Denied)


async def a_limit_without_an_amount_only_counts(store: Store) -> None:
    """It denies nothing."""
    for number in range(3):
        await held_by(store, f"hfr_{number}", a_limit(nano=None), amount=100 * DOLLAR)
    assert await store.used(["day"]) == {"day": (0, 300 * NANO_DOLLAR)}


async def a_reserve_of_the_same_id_is_one_hold(store: Store) -> None:
    """One after the other, and twenty at once."""
    first = await held_by(store, "hfr_1", a_limit())
    assert await hold(store, "hfr_1", a_limit(), amount=5 * DOLLAR) == first
    await together(*(hold(store, "hfr_2", a_limit()) for _ in range(20)))
    assert await store.used(["day"]) == {"day": (0, 2 * NANO_DOLLAR)}


async def a_settle_takes_the_promise_back_and_charges_what_it_cost(store: Store) -> None:
    """Less than was held, and also more: what it cost is the truth."""
    for request_id, cost in (("hfr_1", DOLLAR // 4), ("hfr_2", 3 * DOLLAR)):
        await held_by(store, request_id, a_limit(), a_limit("month"))
        await store.settle([an_attempt(request_id, cost_pico=cost)])
    assert await store.used(["day", "month"]) == dict.fromkeys(("day", "month"), (3_250_000_000, 0))
    assert await store.held() == ()
    (attempt,) = await store.attempts_of("hfr_2")
    assert attempt == replace(an_attempt("hfr_2", cost_pico=3 * DOLLAR), hold_pico=DOLLAR)


async def a_settle_that_comes_again_changes_nothing(store: Store) -> None:
    """Later with another sum, twice in one list, and twenty at once."""
    attempts = [an_attempt(f"hfr_{number}", cost_pico=DOLLAR // 2) for number in range(3)]
    for number in range(3):
        await held_by(store, f"hfr_{number}", a_limit())
    await store.settle([attempts[0], attempts[0]])
    await store.settle([replace(attempts[0], cost_pico=7 * DOLLAR, status=500)])
    await together(*(store.settle(attempts[1:]) for _ in range(20)))
    await store.settle([replace(attempts[1], state="released", cost_pico=0)])
    assert await store.used(["day"]) == {"day": (1_500_000_000, 0)}
    assert await store.attempts_of("hfr_0") == (replace(attempts[0], hold_pico=DOLLAR),)
    assert (await store.totals()).cost_pico == 3 * DOLLAR // 2


async def a_released_hold_costs_nothing(store: Store) -> None:
    """Once, and a settle that comes afterwards does not bring it back."""
    await held_by(store, "hfr_1", a_limit())
    released = replace(an_attempt("hfr_1", cost_pico=0), state="released", kind="reset", status=None)
    await store.settle([released, released])
    await store.settle([released])
    await store.settle([an_attempt("hfr_1", cost_pico=DOLLAR)])
    assert await store.used(["day"]) == {"day": (0, 0)}
    assert await store.attempts_of("hfr_1") == (replace(released, hold_pico=DOLLAR),)
    assert (await store.totals()).cost_pico == 0
    assert await store.held() == ()


async def a_reserve_of_an_attempt_that_is_over_takes_no_hold(store: Store) -> None:
    """Whether it had a hold or never had one."""
    await held_by(store, "hfr_1", a_limit())
    await store.settle([an_attempt("hfr_1", cost_pico=DOLLAR), an_attempt("hfr_2", cost_pico=DOLLAR)])
    for request_id in ("hfr_1", "hfr_2"):
        late = await hold(store, request_id, a_limit())
        assert isinstance(late, Hold)
        assert late.state == "settled"
    assert await store.used(["day"]) == {"day": (NANO_DOLLAR, 0)}
    assert await store.held() == ()


async def an_attempt_without_a_price_is_charged_its_whole_hold(store: Store) -> None:
    """Never nothing: the counter takes the upper bound, the record stays without a price."""
    await held_by(store, "hfr_1", a_limit())
    await store.settle([an_attempt("hfr_1", cost_pico=None)])
    assert await store.used(["day"]) == {"day": (NANO_DOLLAR, 0)}
    totals = await store.totals()
    assert (totals.cost_pico, totals.unpriced) == (0, 1)


async def counters_round_every_attempt_up_to_a_nano(store: Store) -> None:
    """Held and settled alike, so that nothing is left when all is over."""
    for number in range(10):
        await held_by(store, f"hfr_{number}", a_limit(), amount=1_001)
    assert await store.used(["day"]) == {"day": (0, 20)}
    await store.settle([an_attempt(f"hfr_{number}", cost_pico=1) for number in range(10)])
    assert await store.used(["day"]) == {"day": (10, 0)}
    assert (await store.totals()).cost_pico == 10


async def a_rolling_window_counts_the_sum_of_its_parts(store: Store) -> None:
    """What was charged to an earlier hour binds this one, until it is counted no more."""
    first = a_limit("h1", nano=NANO_DOLLAR)
    await held_by(store, "hfr_1", first, amount=DOLLAR // 2)
    await store.settle([an_attempt("hfr_1", cost_pico=DOLLAR // 2)])
    second = a_limit("h2", nano=NANO_DOLLAR, counted=("h1", "h2"))
    await held_by(store, "hfr_2", second, amount=DOLLAR // 4)
    denied = await hold(store, "hfr_3", second, amount=DOLLAR // 2)
    assert isinstance(denied, Denied)
    assert (denied.settled, denied.reserved) == (NANO_DOLLAR // 2, NANO_DOLLAR // 4)
    third = a_limit("h3", nano=NANO_DOLLAR, counted=("h2", "h3"))
    await held_by(store, "hfr_3", third, amount=DOLLAR // 2)
    assert await store.used(["h1", "h2", "h3"]) == {
        "h1": (NANO_DOLLAR // 2, 0),
        "h2": (0, NANO_DOLLAR // 4),
        "h3": (0, NANO_DOLLAR // 2),
    }


async def a_top_up_asks_like_a_reserve(store: Store) -> None:
    """Up to the limit, to a sum and not by one, and only while the attempt is under way."""
    limit = a_limit(nano=2 * NANO_DOLLAR)
    await held_by(store, "hfr_1", limit)
    raised = await store.top_up(TopUp(id="hfr_1/1", amount=2 * DOLLAR))
    assert isinstance(raised, Hold)
    assert raised.amount == 2 * DOLLAR
    assert await store.top_up(TopUp(id="hfr_1/1", amount=2 * DOLLAR)) == raised
    assert await store.top_up(TopUp(id="hfr_1/1", amount=DOLLAR)) == raised
    assert isinstance(await store.top_up(TopUp(id="hfr_1/1", amount=3 * DOLLAR)), Denied)
    assert await store.used(["day"]) == {"day": (0, 2 * NANO_DOLLAR)}
    assert [attempt.hold_pico for attempt in await store.attempts_of("hfr_1")] == [2 * DOLLAR]
    assert await store.top_up(TopUp(id="nobody/1", amount=1)) is None
    await store.settle([an_attempt("hfr_1", cost_pico=0)])
    late = await store.top_up(TopUp(id="hfr_1/1", amount=3 * DOLLAR))
    assert isinstance(late, Hold)
    assert (late.state, await store.used(["day"])) == ("settled", {"day": (0, 0)})


async def a_threshold_is_crossed_once(store: Store) -> None:
    """By the settle that passes it; several at a time come in their order; the amounts are those of the moment."""
    limit = a_limit(alerts=(NANO_DOLLAR, 2 * NANO_DOLLAR, 3 * NANO_DOLLAR))
    for number in range(3):
        await held_by(store, f"hfr_{number}", limit)
    assert await store.settle([an_attempt("hfr_0", cost_pico=DOLLAR - 1_000)]) == ()
    crossings = await store.settle([an_attempt("hfr_1", cost_pico=DOLLAR + 1_000)])
    assert [crossing.threshold for crossing in crossings] == [NANO_DOLLAR, 2 * NANO_DOLLAR]
    assert {(crossing.budget, crossing.subject, crossing.window) for crossing in crossings} == {
        ("budget of day", "user 김철수's", "day")
    }
    assert {(crossing.limit, crossing.settled) for crossing in crossings} == {(limit.nano, 2 * NANO_DOLLAR)}
    assert crossings[0].resets_at == limit.resets_at
    assert await store.settle([an_attempt("hfr_1", cost_pico=DOLLAR)]) == ()
    last = await store.settle([an_attempt("hfr_2", cost_pico=DOLLAR)])
    assert [crossing.threshold for crossing in last] == [3 * NANO_DOLLAR]


async def a_threshold_is_crossed_once_by_settles_that_come_together(store: Store) -> None:
    """One of forty hears of it, and each of another forty that come again hears nothing."""
    limit = a_limit(nano=100 * NANO_DOLLAR, alerts=(20 * NANO_DOLLAR,))
    for number in range(40):
        await held_by(store, f"hfr_{number}", limit)
    settles = [[an_attempt(f"hfr_{number}", cost_pico=DOLLAR)] for number in range(40)]
    for expected in (1, 0):
        heard = await asyncio.gather(*(store.settle(attempts) for attempts in settles))
        assert sum(len(crossings) for crossings in heard) == expected
    assert await store.used(["day"]) == {"day": (40 * NANO_DOLLAR, 0)}


async def a_hundred_at_once_admit_exactly_those_that_fit(store: Store) -> None:
    """Seven of a dollar into seven dollars and a half, and at no reading more than the limit."""
    limit = a_limit(nano=NANO_DOLLAR * 15 // 2)
    tasks = [asyncio.ensure_future(hold(store, f"hfr_{number}", limit)) for number in range(100)]
    while not all(task.done() for task in tasks):
        settled, reserved = (await store.used(["day"])).get("day", (0, 0))
        assert settled + reserved <= NANO_DOLLAR * 15 // 2
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks)
    assert sum(isinstance(answer, Hold) for answer in answers) == 7
    assert len(await store.held()) == 7
    assert await store.used(["day"]) == {"day": (0, 7 * NANO_DOLLAR)}


async def a_hold_under_lease_is_left_alone(store: Store, pass_time: PassTime) -> None:
    """A sweep before its time does nothing; an extension gives it more."""
    taken = await held_by(store, "hfr_1", a_limit())
    await pass_time(LEASE / 2)
    assert await store.sweep() == Swept()
    await store.extend(
        [Extend(id="hfr_1/1", presumed=DOLLAR // 2, lease=LEASE), Extend(id="x", presumed=1, lease=1)]
    )
    await pass_time(LEASE * 3 / 4)
    assert await store.sweep() == Swept()
    (extended,) = await store.held()
    assert (extended.state, extended.presumed) == ("held", DOLLAR // 2)
    assert extended.lease_until > taken.lease_until


async def a_hold_whose_lease_is_over_is_charged_what_is_presumed(store: Store, pass_time: PassTime) -> None:
    """Once, by whoever sweeps; the attempt says so, with an estimate for a cost."""
    await held_by(store, "hfr_1", a_limit(alerts=(1,)))
    await pass_time(LEASE + 1)
    heard = await asyncio.gather(*(store.sweep() for _ in range(5)))
    assert sum(swept.expired for swept in heard) == 1
    assert [crossing.threshold for swept in heard for crossing in swept.crossings] == [1]
    assert await store.used(["day"]) == {"day": (NANO_DOLLAR // 4, 0)}
    assert await store.held() == ()
    (attempt,) = await store.attempts_of("hfr_1")
    assert (attempt.state, attempt.kind, attempt.cost_pico) == ("expired", "lost", DOLLAR // 4)
    assert (attempt.estimated, attempt.hold_pico) == (True, DOLLAR)
    assert (await store.totals()).cost_pico == DOLLAR // 4


async def a_limit_that_will_have_it_so_charges_a_lost_attempt_its_whole_hold(
    store: Store, pass_time: PassTime
) -> None:
    """For every limit it counts against, also after a top-up and an extension."""
    await held_by(store, "hfr_1", a_limit(), a_limit("month", is_full=True))
    await store.extend([Extend(id="hfr_1/1", presumed=1, lease=LEASE)])
    await store.top_up(TopUp(id="hfr_1/1", amount=2 * DOLLAR))
    await pass_time(LEASE + 1)
    await store.sweep()
    assert await store.used(["day", "month"]) == dict.fromkeys(("day", "month"), (2 * NANO_DOLLAR, 0))


async def a_late_settle_corrects_what_was_presumed_once(store: Store, pass_time: PassTime) -> None:
    """Counters, attempt and sums; what comes after that changes nothing."""
    for number, cost in enumerate((DOLLAR // 2, 0, DOLLAR // 8)):
        request_id = f"hfr_{number}"
        await held_by(store, request_id, a_limit())
        await pass_time(LEASE + 1)
        await store.sweep()
        await store.settle([an_attempt(request_id, cost_pico=cost)] * 2)
        await together(*(store.settle([an_attempt(request_id, cost_pico=DOLLAR)]) for _ in range(5)))
    assert await store.used(["day"]) == {"day": (NANO_DOLLAR * 5 // 8, 0)}
    assert (await store.totals()).cost_pico == DOLLAR * 5 // 8
    (attempt,) = await store.attempts_of("hfr_0")
    assert attempt == replace(an_attempt("hfr_0", cost_pico=DOLLAR // 2), hold_pico=DOLLAR)


async def a_late_release_gives_back_what_was_presumed(store: Store, pass_time: PassTime) -> None:
    """A worker that comes back and knows that it cost nothing is believed."""
    await held_by(store, "hfr_1", a_limit())
    await pass_time(LEASE + 1)
    await store.sweep()
    await store.settle([replace(an_attempt("hfr_1", cost_pico=0), state="released")])
    assert await store.used(["day"]) == {"day": (0, 0)}
    assert (await store.totals()).cost_pico == 0
    assert states(await store.attempts_of("hfr_1")) == ["released"]


async def what_is_lost_does_not_come_to_life_again(store: Store, pass_time: PassTime) -> None:
    """No extension, no top-up and no second reserve revives it."""
    await held_by(store, "hfr_1", a_limit())
    await pass_time(LEASE + 1)
    await store.sweep()
    await store.extend([Extend(id="hfr_1/1", presumed=DOLLAR, lease=LEASE)])
    for answer in (
        await store.top_up(TopUp(id="hfr_1/1", amount=5 * DOLLAR)),
        await hold(store, "hfr_1", a_limit()),
    ):
        assert isinstance(answer, Hold)
        assert (answer.state, answer.fence) == ("expired", 1)
    assert await store.used(["day"]) == {"day": (NANO_DOLLAR // 4, 0)}


async def a_sweep_takes_all_that_are_due(store: Store, pass_time: PassTime) -> None:
    """Also when they are more than a transaction has room for."""
    limit = a_limit(nano=None)
    await together(*(held_by(store, f"hfr_{number}", limit, amount=DOLLAR) for number in range(600)))
    await pass_time(LEASE + 1)
    await held_by(store, "hfr_new", limit)
    await store.sweep()
    assert [taken.id for taken in await store.held()] == ["hfr_new/1"]
    assert await store.used(["day"]) == {"day": (150 * NANO_DOLLAR, NANO_DOLLAR)}


HOLD_CONTRACTS: tuple[StoreContract, ...] = (
    a_hold_is_reserved_and_comes_back_as_it_was_taken,
    a_limit_without_room_denies_and_leaves_nothing,
    all_limits_have_room_or_none_is_charged,
    a_hold_that_fills_the_limit_to_the_last_nano_is_given,
    a_limit_without_an_amount_only_counts,
    a_reserve_of_the_same_id_is_one_hold,
    a_settle_takes_the_promise_back_and_charges_what_it_cost,
    a_settle_that_comes_again_changes_nothing,
    a_released_hold_costs_nothing,
    a_reserve_of_an_attempt_that_is_over_takes_no_hold,
    an_attempt_without_a_price_is_charged_its_whole_hold,
    counters_round_every_attempt_up_to_a_nano,
    a_rolling_window_counts_the_sum_of_its_parts,
    a_top_up_asks_like_a_reserve,
    a_threshold_is_crossed_once,
    a_threshold_is_crossed_once_by_settles_that_come_together,
    a_hundred_at_once_admit_exactly_those_that_fit,
)
LEASE_CONTRACTS: tuple[LeaseContract, ...] = (
    a_hold_under_lease_is_left_alone,
    a_hold_whose_lease_is_over_is_charged_what_is_presumed,
    a_limit_that_will_have_it_so_charges_a_lost_attempt_its_whole_hold,
    a_late_settle_corrects_what_was_presumed_once,
    a_late_release_gives_back_what_was_presumed,
    what_is_lost_does_not_come_to_life_again,
    a_sweep_takes_all_that_are_due,
)
