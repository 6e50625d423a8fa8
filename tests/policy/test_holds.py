"""The machine of holds, row by row of its protocol."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.policy.holds import (
    EMPTY,
    Counter,
    Crossing,
    Denied,
    Expire,
    Extend,
    Hold,
    Limit,
    Page,
    Release,
    Reserve,
    Settle,
    State,
    TopUp,
    Verb,
    nano,
)

DOLLAR = 10**12
CENT = 10**10
NANO_DOLLAR = 10**9
NANO_CENT = 10**7
ENDED: list[State] = ["settled", "released"]


def a_limit(window: str = "day", *, cents: int | None = 100, **changes: Any) -> Limit:
    limit = Limit(
        budget="team",
        window=window,
        counted=(window,),
        nano=None if cents is None else cents * NANO_CENT,
        is_full=False,
    )
    return replace(limit, **changes)


def a_reserve(id: str = "a/1", *limits: Limit, cents: int = 30, presumed: int = 5) -> Reserve:
    return Reserve(
        id=id,
        limits=limits or (a_limit(),),
        amount=cents * CENT,
        presumed=presumed * CENT,
        lease=30.0,
        owner="w1",
    )


def held(page: Page, *limits: Limit, cents: int = 30, presumed: int = 5) -> Hold:
    hold = page.apply(a_reserve("a/1", *limits, cents=cents, presumed=presumed), now=100.0)
    assert isinstance(hold, Hold)
    return hold


def ended(state: State, page: Page) -> Hold:
    held(page)
    match state:
        case "settled":
            over = page.apply(Settle(id="a/1", actual=20 * CENT), now=101.0)
        case "expired":
            over = page.apply(Expire(id="a/1"), now=130.0)
        case _:
            over = page.apply(Release(id="a/1"), now=101.0)
    assert isinstance(over, Hold)
    assert over.state == state
    return over


def cents(page: Page, window: str = "day") -> tuple[float, float]:
    """Settled and reserved cents."""
    counter = page.counters.get(window, EMPTY)
    return counter.settled / NANO_CENT, counter.reserved / NANO_CENT


# ---- reserve


def test_a_reserve_promises_its_amount_and_remembers_how_it_binds() -> None:
    page = Page()
    hold = held(page)
    assert hold == Hold(
        id="a/1",
        limits=(a_limit(),),
        amount=30 * CENT,
        presumed=5 * CENT,
        state="held",
        lease_until=130.0,
        owner="w1",
    )
    assert cents(page) == (0, 30)
    assert page.holds == {"a/1": hold}


def test_a_reserve_that_comes_again_says_how_it_stands_and_changes_nothing() -> None:
    page = Page()
    hold = held(page)
    assert page.apply(a_reserve(cents=99), now=120.0) == hold
    assert cents(page) == (0, 30)


@pytest.mark.parametrize("state", ["settled", "released", "expired"])
def test_a_reserve_of_an_attempt_that_is_over_says_so(state: State) -> None:
    page = Page()
    over = ended(state, page)
    counters = dict(page.counters)
    assert page.apply(a_reserve(), now=200.0) == over
    assert page.counters == counters


def test_a_limit_can_be_used_up_to_the_last_nano_dollar() -> None:
    page = Page()
    held(page, cents=70)
    assert isinstance(page.apply(a_reserve("b/1", cents=30), now=0.0), Hold)
    one_pico = Reserve(id="c/1", limits=(a_limit(),), amount=1, presumed=0, lease=1.0)
    assert isinstance(page.apply(one_pico, now=0.0), Denied)


def test_no_room_is_denied_with_the_figures_and_leaves_no_trace() -> None:
    page = Page(counters={"day": Counter(settled=60 * NANO_CENT, reserved=20 * NANO_CENT)})
    denied = page.apply(a_reserve(cents=30), now=0.0)
    assert denied == Denied(
        limit=a_limit(), settled=60 * NANO_CENT, reserved=20 * NANO_CENT, wanted=30 * NANO_CENT
    )
    assert isinstance(denied, Denied)
    assert denied.remaining == 20 * NANO_CENT
    assert cents(page) == (60, 20)
    assert page.holds == {}


def test_of_all_limits_or_none_a_hold_is_taken() -> None:
    page = Page(counters={"user": Counter(settled=90 * NANO_CENT)})
    denied = page.apply(a_reserve("a/1", a_limit(), a_limit("user")), now=0.0)
    assert isinstance(denied, Denied)
    assert denied.limit.window == "user"
    assert "day" not in page.counters


def test_the_limit_with_least_left_is_named() -> None:
    page = Page(counters={"day": Counter(settled=95 * NANO_CENT), "user": Counter(settled=99 * NANO_CENT)})
    denied = page.apply(a_reserve("a/1", a_limit(), a_limit("user")), now=0.0)
    assert isinstance(denied, Denied)
    assert (denied.limit.window, denied.remaining) == ("user", NANO_CENT)


def test_an_overdrawn_limit_has_nothing_left() -> None:
    page = Page(counters={"day": Counter(settled=120 * NANO_CENT)})
    denied = page.apply(a_reserve(), now=0.0)
    assert isinstance(denied, Denied)
    assert denied.remaining == 0


def test_a_limit_that_only_counts_never_denies() -> None:
    page = Page()
    held(page, a_limit(cents=None), cents=100_000)
    assert cents(page) == (0, 100_000)


def test_every_part_of_a_rolling_window_binds_and_only_its_own_is_charged() -> None:
    page = Page(counters={"h1": Counter(settled=50 * NANO_CENT), "h2": Counter(reserved=30 * NANO_CENT)})
    rolling = a_limit("h3", counted=("h1", "h2", "h3"))
    assert isinstance(page.apply(a_reserve("a/1", rolling, cents=21), now=0.0), Denied)
    assert isinstance(page.apply(a_reserve("b/1", rolling, cents=20), now=0.0), Hold)
    assert (cents(page, "h1"), cents(page, "h2"), cents(page, "h3")) == ((50, 0), (0, 30), (0, 20))


@pytest.mark.parametrize(
    ("is_full", "presumed"), [((False, False), 5), ((False, True), 30), ((True, True), 30)]
)
def test_one_budget_that_will_have_it_makes_a_lost_hold_cost_all(
    is_full: tuple[bool, bool], presumed: int
) -> None:
    limits = [a_limit(window, is_full=full) for window, full in zip(("day", "user"), is_full, strict=True)]
    assert held(Page(), *limits).presumed == presumed * CENT


@pytest.mark.parametrize(("pico", "whole"), [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)])
def test_nano_dollars_are_rounded_up(pico: int, whole: int) -> None:
    assert nano(pico) == whole


# ---- signs of life


def test_a_sign_of_life_renews_the_lease_and_says_what_was_seen() -> None:
    page = Page()
    hold = held(page)
    renewed = page.apply(Extend(id="a/1", presumed=7 * CENT, lease=30.0), now=110.0)
    assert renewed == replace(hold, presumed=7 * CENT, lease_until=140.0) == page.holds["a/1"]
    assert cents(page) == (0, 30)


def test_what_was_seen_does_not_lower_what_a_full_budget_presumes() -> None:
    page = Page()
    held(page, a_limit(is_full=True))
    renewed = page.apply(Extend(id="a/1", presumed=7 * CENT, lease=30.0), now=110.0)
    assert isinstance(renewed, Hold)
    assert renewed.presumed == 30 * CENT
    more = page.apply(Extend(id="a/1", presumed=31 * CENT, lease=30.0), now=110.0)
    assert isinstance(more, Hold)
    assert more.presumed == 31 * CENT


# ---- more money


def test_a_top_up_raises_the_hold_to_its_amount() -> None:
    page = Page()
    hold = held(page)
    more = page.apply(TopUp(id="a/1", amount=45 * CENT), now=110.0)
    assert more == replace(hold, amount=45 * CENT) == page.holds["a/1"]
    assert cents(page) == (0, 45)


def test_a_top_up_to_less_or_the_same_changes_nothing() -> None:
    page = Page()
    hold = held(page)
    assert page.apply(TopUp(id="a/1", amount=30 * CENT), now=110.0) == hold
    assert page.apply(TopUp(id="a/1", amount=10 * CENT), now=110.0) == hold
    assert cents(page) == (0, 30)


def test_a_top_up_needs_room_for_the_difference_only() -> None:
    page = Page(counters={"day": Counter(settled=55 * NANO_CENT)})
    held(page)
    denied = page.apply(TopUp(id="a/1", amount=46 * CENT), now=110.0)
    assert isinstance(denied, Denied)
    assert denied.wanted == 16 * NANO_CENT
    assert cents(page) == (55, 30)
    assert page.holds["a/1"].amount == 30 * CENT
    assert isinstance(page.apply(TopUp(id="a/1", amount=45 * CENT), now=110.0), Hold)


def test_a_lost_hold_that_was_topped_up_costs_a_full_budget_all_of_it() -> None:
    page = Page()
    held(page, a_limit(is_full=True))
    page.apply(TopUp(id="a/1", amount=45 * CENT), now=110.0)
    page.apply(Expire(id="a/1"), now=130.0)
    assert cents(page) == (45, 0)


# ---- the end


def test_a_settle_gives_the_hold_back_and_charges_what_it_cost() -> None:
    page = Page()
    hold = held(page)
    over = page.apply(Settle(id="a/1", actual=20 * CENT), now=110.0)
    assert over == replace(hold, state="settled", charged=20 * CENT)
    assert cents(page) == (20, 0)


def test_a_settle_of_more_than_was_held_is_charged_truthfully() -> None:
    page = Page()
    held(page)
    page.apply(Settle(id="a/1", actual=130 * CENT), now=110.0)
    assert cents(page) == (130, 0)


def test_a_release_gives_the_hold_back() -> None:
    page = Page()
    hold = held(page)
    assert page.apply(Release(id="a/1"), now=110.0) == replace(hold, state="released")
    assert cents(page) == (0, 0)


def test_a_hold_settles_where_it_was_taken_in_every_window() -> None:
    page = Page()
    held(page, a_limit("yesterday"), a_limit("user"))
    page.apply(Settle(id="a/1", actual=20 * CENT), now=90_000.0)
    assert (cents(page, "yesterday"), cents(page, "user")) == ((20, 0), (20, 0))


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize(
    "verb",
    [
        Settle(id="a/1", actual=29 * CENT),
        Release(id="a/1"),
        Extend(id="a/1", presumed=29 * CENT, lease=30.0),
        TopUp(id="a/1", amount=60 * CENT),
        Expire(id="a/1"),
    ],
)
def test_what_is_over_stays_as_it_is(state: State, verb: Verb) -> None:
    page = Page()
    over = ended(state, page)
    counters = dict(page.counters)
    assert page.apply(verb, now=1_000.0) == over == page.holds["a/1"]
    assert page.counters == counters


@pytest.mark.parametrize(
    "verb",
    [
        Settle(id="x/1", actual=CENT),
        Release(id="x/1"),
        Extend(id="x/1", presumed=CENT, lease=30.0),
        TopUp(id="x/1", amount=CENT),
        Expire(id="x/1"),
    ],
)
def test_of_a_hold_that_was_never_taken_nothing_is_known(verb: Verb) -> None:
    page = Page()
    assert page.apply(verb, now=1_000.0) is None
    assert (page.holds, page.counters) == ({}, {})


# ---- lost workers


def test_a_lease_that_is_over_charges_what_is_presumed_and_fences_the_worker() -> None:
    page = Page()
    hold = held(page)
    lost = page.apply(Expire(id="a/1"), now=130.0)
    assert lost == replace(hold, state="expired", charged=5 * CENT, fence=1)
    assert cents(page) == (5, 0)


def test_a_lease_that_runs_is_left_alone() -> None:
    page = Page()
    hold = held(page)
    assert page.apply(Expire(id="a/1"), now=129.9) == hold
    page.apply(Extend(id="a/1", presumed=CENT, lease=30.0), now=129.9)
    renewed = page.apply(Expire(id="a/1"), now=150.0)
    assert isinstance(renewed, Hold)
    assert renewed.state == "held"
    assert cents(page) == (0, 30)


def test_a_late_settle_corrects_the_presumption_once() -> None:
    page = Page()
    ended("expired", page)
    over = page.apply(Settle(id="a/1", actual=20 * CENT), now=200.0)
    assert isinstance(over, Hold)
    assert (over.state, over.charged, over.fence) == ("settled", 20 * CENT, 1)
    assert cents(page) == (20, 0)
    page.apply(Settle(id="a/1", actual=25 * CENT), now=201.0)
    assert cents(page) == (20, 0)


def test_a_late_settle_may_correct_downwards() -> None:
    page = Page()
    ended("expired", page)
    page.apply(Settle(id="a/1", actual=CENT), now=200.0)
    assert cents(page) == (1, 0)


def test_a_late_release_takes_the_presumption_back() -> None:
    page = Page()
    ended("expired", page)
    over = page.apply(Release(id="a/1"), now=200.0)
    assert isinstance(over, Hold)
    assert (over.state, over.charged) == ("released", 0)
    assert cents(page) == (0, 0)


@pytest.mark.parametrize(
    "verb",
    [Extend(id="a/1", presumed=9 * CENT, lease=30.0), TopUp(id="a/1", amount=60 * CENT), Expire(id="a/1")],
)
def test_a_lost_hold_is_not_brought_back_to_life(verb: Verb) -> None:
    page = Page()
    lost = ended("expired", page)
    assert page.apply(verb, now=1_000.0) == lost
    assert cents(page) == (5, 0)


# ---- alerts

ALERTS = (50 * NANO_CENT, 80 * NANO_CENT)


def spend(page: Page, id: str, cents: int, limit: Limit) -> list[int]:
    """The thresholds in cents that this much set off."""
    page.crossings = []
    page.apply(a_reserve(id, limit, cents=0), now=0.0)
    page.apply(Settle(id=id, actual=cents * CENT), now=0.0)
    return [crossing.threshold // NANO_CENT for crossing in page.crossings]


def test_an_alert_says_what_was_crossed() -> None:
    page = Page()
    end = datetime(2026, 11, 23, tzinfo=UTC)
    spend(page, "a/1", 50, a_limit(alerts=ALERTS, subject="user alice", resets_at=end))
    assert page.crossings == [
        Crossing(
            budget="team",
            subject="user alice",
            window="day",
            threshold=50 * NANO_CENT,
            limit=100 * NANO_CENT,
            settled=50 * NANO_CENT,
            resets_at=end,
        )
    ]


def test_every_threshold_is_crossed_once() -> None:
    page, limit = Page(), a_limit(alerts=ALERTS)
    found = [spend(page, f"{number}/1", 10, limit) for number in range(10)]
    assert found == [[], [], [], [], [50], [], [], [80], [], []]


def test_one_payment_can_cross_several_thresholds() -> None:
    assert spend(Page(), "a/1", 95, a_limit(alerts=ALERTS)) == [50, 80]


def test_what_is_only_promised_crosses_nothing() -> None:
    page = Page()
    held(page, a_limit(alerts=ALERTS), cents=90)
    page.apply(Release(id="a/1"), now=110.0)
    assert page.crossings == []


def test_a_presumption_crosses_and_its_correction_does_not_cross_again() -> None:
    page = Page()
    held(page, a_limit(alerts=ALERTS), presumed=60)
    page.apply(Expire(id="a/1"), now=130.0)
    assert [crossing.threshold for crossing in page.crossings] == [ALERTS[0]]
    page.apply(Settle(id="a/1", actual=CENT), now=140.0)
    assert spend(page, "b/1", 60, a_limit(alerts=ALERTS)) == []


def test_a_budget_that_only_counts_alerts_all_the_same() -> None:
    assert spend(Page(), "a/1", 60, a_limit(cents=None, alerts=ALERTS)) == [50]


def test_a_rolling_window_alerts_again_when_the_part_that_did_is_counted_no_more() -> None:
    page = Page()
    parts = [a_limit(f"h{n}", counted=(f"h{n - 1}", f"h{n}"), alerts=ALERTS) for n in range(4)]
    found = [spend(page, f"{n}/1", cents, parts[n]) for n, cents in enumerate((40, 15, 40, 40))]
    assert found == [[], [50], [], [50, 80]]
    assert spend(page, "x/1", 1, a_limit("h9", counted=("h8", "h9"), alerts=ALERTS)) == []
    assert spend(page, "y/1", 60, a_limit("h9", counted=("h8", "h9"), alerts=ALERTS)) == [50]


def test_counters_that_were_read_are_the_start() -> None:
    page = Page(counters={"day": Counter(settled=79 * NANO_CENT, alerted=ALERTS[0])})
    assert spend(page, "a/1", 1, a_limit(alerts=ALERTS)) == [80]
    assert page.counters["day"] == Counter(settled=80 * NANO_CENT, alerted=ALERTS[1])


def test_a_counter_knows_what_it_has_used() -> None:
    assert Counter(settled=3, reserved=4).used == 7
