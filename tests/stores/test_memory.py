from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.policy.holds import Hold
from holdfast.ports import Payer, SpendQuery
from holdfast.stores import memory, memory_register
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock
from holdfast.testing.conformance import an_attempt
from holdfast.testing.conformance_records import AT, DOLLAR, NANO_DOLLAR, a_limit, held_by, hold


async def test_attempts_are_bounded_and_the_sums_go_on() -> None:
    store = MemoryStore(keep=3)
    for number in range(10):
        await store.settle([an_attempt(f"hfr_{number}", cost_pico=1)])
    assert [attempt.request_id for attempt in await store.attempts()] == ["hfr_7", "hfr_8", "hfr_9"]
    assert await store.attempts_of("hfr_0") == ()
    assert (await store.totals()).cost_pico == 10
    assert [spend.attempts for spend in await store.spend(SpendQuery())] == [10]


async def test_what_is_under_way_is_never_forgotten() -> None:
    store = MemoryStore(keep=2)
    for number in range(10):
        await held_by(store, f"hfr_{number}", a_limit())
        await store.settle([an_attempt(f"hfr_over_{number}", cost_pico=1)])
    assert len(await store.held()) == 10
    await store.settle([an_attempt(f"hfr_{number}", cost_pico=DOLLAR) for number in range(10)])
    assert await store.used(["day"]) == {"day": (10 * NANO_DOLLAR, 0)}


async def test_the_newest_attempts_of_a_call_outlive_the_oldest() -> None:
    store = MemoryStore(keep=3)
    for number in range(1, 6):
        await store.settle([an_attempt("hfr_1", number)])
    assert [attempt.number for attempt in await store.attempts_of("hfr_1")] == [3, 4, 5]


async def test_runs_are_bounded_and_those_heard_of_stay() -> None:
    store = MemoryStore(keep=3)
    await store.enter("first", None, None, AT)
    for number in range(5):
        await store.enter(f"run {number}", None, None, AT + timedelta(seconds=number))
        await store.settle([an_attempt(f"hfr_{number}", cost_pico=1, payer=Payer(run="first"))])
    first = await store.run("first")
    assert first is not None
    assert first.cost_pico == 5
    assert len(await store.runs(10)) == 3


async def test_reports_and_the_audit_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUPS", 2)
    monkeypatch.setattr(memory_register, "LINES", 2)
    store = MemoryStore()
    for number in range(5):
        await store.settle([an_attempt(f"hfr_{number}", cost_pico=1, model=f"m{number}")])
        await store.put("budget", f"b{number}", b"{}", actor="me")
    spends = await store.spend(SpendQuery(by=("model",)))
    assert [spend.group["model"] for spend in spends] == ["m3", "m4"]
    assert [line.name for line in await store.audit(10)] == ["b4", "b3"]
    assert (await store.totals()).cost_pico == 5


async def test_leases_are_kept_by_the_clock_it_was_given() -> None:
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    taken = await hold(store, "hfr_1", a_limit(), lease=30.0)
    assert isinstance(taken, Hold)
    assert taken.lease_until == clock.now().timestamp() + 30.0


async def test_a_late_word_on_a_call_mends_its_cost_only_once() -> None:
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    await held_by(store, "hfr_1", a_limit())
    clock.advance(61)
    await store.sweep()
    late = an_attempt("hfr_1", cost_pico=DOLLAR // 2)
    await store.settle([late])
    await store.settle([replace(late, cost_pico=DOLLAR)])
    assert (await store.totals()).cost_pico == DOLLAR // 2
