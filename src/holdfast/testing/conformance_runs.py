"""What every store must keep about runs: how often they were named, by which agents, and what they cost."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from holdfast.ports import Payer, RunRecord, Store
from holdfast.testing.conformance_records import (
    AT,
    LEASE,
    LeaseContract,
    PassTime,
    StoreContract,
    a_limit,
    an_attempt,
    held_by,
    together,
)

AGENTS = 1_000
"""How many agents of a run a store remembers."""


async def a_run_begins_with_its_first_call(store: Store) -> None:
    """And is unknown before."""
    assert await store.run("런 '1'") is None
    assert await store.runs(10) == ()
    first = await store.enter("런 '1'", None, None, AT)
    assert first == RunRecord(run="런 '1'", first_at=AT, last_at=AT, calls=1)
    again = await store.enter("런 '1'", None, None, AT + timedelta(seconds=5))
    assert again == replace(first, calls=2, last_at=AT + timedelta(seconds=5))
    assert await store.run("런 '1'") == again
    assert await store.run("") is None


async def every_call_of_a_run_is_counted(store: Store) -> None:
    """Also of those that begin together, whatever the order of their moments."""
    await together(
        *(store.enter("run", f"agent {n % 3}", None, AT + timedelta(seconds=n % 10)) for n in range(60))
    )
    run = await store.run("run")
    assert run is not None
    assert (run.calls, run.first_at, run.last_at) == (60, AT, AT + timedelta(seconds=9))
    assert run.agents == {"agent 0": "", "agent 1": "", "agent 2": ""}


async def agents_are_a_tree_by_their_parents(store: Store) -> None:
    """In whatever order they are heard of; a parent that was never heard of counts as one more step."""
    for agent, parent, depth in (
        (None, None, 0),
        ("main", None, 1),
        ("깊은 ''", "child", 2),
        ("child", "main", 3),
        ("sibling", "main", 3),
        ("stranger", "unheard of", 3),
        ("child", None, 3),
        (None, "main", 3),
    ):
        run = await store.enter("run", agent, parent, AT)
        assert run.depth == depth, (agent, run)
    assert run.agents == {
        "main": "",
        "깊은 ''": "child",
        "child": "main",
        "sibling": "main",
        "stranger": "unheard of",
    }
    assert await store.run("run") == run


async def agents_that_are_their_own_parents_hang_nothing(store: Store) -> None:
    """A circle is as deep as it is long."""
    assert (await store.enter("one", "a", "a", AT)).depth == 1
    for agent, parent in (("a", "b"), ("b", "c"), ("c", "a")):
        await store.enter("three", agent, parent, AT)
    assert (await store.enter("three", None, None, AT)).depth == 3
    for agent, parent in (("d", "a"), ("e", "b"), ("f", "c")):
        assert (await store.enter("three", agent, parent, AT)).depth == 4


async def agents_beyond_the_bound_are_not_remembered(store: Store) -> None:
    """The calls of the run are counted all the same, and those that are known stay."""
    await together(*(store.enter("run", f"agent {n}", "main", AT) for n in range(AGENTS)))
    beyond = await store.enter("run", "one more", "main", AT)
    assert (len(beyond.agents), beyond.calls, beyond.depth) == (AGENTS, AGENTS + 1, 2)
    assert "one more" not in beyond.agents


async def a_long_line_of_agents_is_measured(store: Store) -> None:
    """Each the parent of the next."""
    for number in range(60):
        await store.enter("run", f"agent {number}", f"agent {number - 1}" if number else None, AT)
    assert (await store.enter("run", None, None, AT)).depth == 60


async def a_run_knows_what_its_attempts_have_cost(store: Store) -> None:
    """Settled ones, once; and a run that nobody entered is known by what it has cost."""
    payer = Payer(run="run", agent="a")
    await store.enter("run", "a", None, AT)
    attempts = [an_attempt(f"hfr_{n}", cost_pico=100, payer=payer) for n in range(10)]
    await asyncio.gather(*(store.settle([one, one]) for one in attempts))
    await store.settle([an_attempt("hfr_none", cost_pico=None, payer=payer)])
    await store.settle([replace(an_attempt("hfr_free", cost_pico=9, payer=payer), state="released")])
    run = await store.run("run")
    assert run is not None
    assert (run.cost_pico, run.calls) == (1_000, 1)
    await store.settle([an_attempt("hfr_x", cost_pico=5, payer=Payer(run="unheard of"))])
    assert await store.run("unheard of") == RunRecord(run="unheard of", first_at=AT, last_at=AT, cost_pico=5)
    await store.reprice({"hfr_x/1": (7, "new")})
    assert (await store.enter("unheard of", None, None, AT)).cost_pico == 7


async def the_runs_heard_of_last_come_first(store: Store) -> None:
    """At most as many as asked for."""
    for number in (2, 0, 3, 1):
        await store.enter(f"run {number}", None, None, AT + timedelta(seconds=number))
    await store.enter("run 0", None, None, AT + timedelta(seconds=9))
    assert [run.run for run in await store.runs(3)] == ["run 0", "run 3", "run 2"]
    assert len(await store.runs(100)) == 4
    assert await store.runs(0) == ()
    assert await store.runs(-1) == ()


async def a_run_follows_what_is_lost_and_found(store: Store, pass_time: PassTime) -> None:
    """First what is presumed, then what it has cost."""
    run = an_attempt("hfr_1").payer.run or ""
    await held_by(store, "hfr_1", a_limit())
    assert await store.run(run) is None
    await pass_time(LEASE + 1)
    await store.sweep()
    lost = await store.run(run)
    await store.settle([an_attempt("hfr_1", cost_pico=3)])
    found = await store.run(run)
    assert lost is not None
    assert found is not None
    assert (lost.cost_pico, found.cost_pico) == (10**12 // 4, 3)


RUN_CONTRACTS: tuple[StoreContract, ...] = (
    a_run_begins_with_its_first_call,
    every_call_of_a_run_is_counted,
    agents_are_a_tree_by_their_parents,
    agents_that_are_their_own_parents_hang_nothing,
    agents_beyond_the_bound_are_not_remembered,
    a_long_line_of_agents_is_measured,
    a_run_knows_what_its_attempts_have_cost,
    the_runs_heard_of_last_come_first,
)
LOST_RUN_CONTRACTS: tuple[LeaseContract, ...] = (a_run_follows_what_is_lost_and_found,)
