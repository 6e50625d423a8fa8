"""Runs as they stand."""

from datetime import timedelta

import pytest

from holdfast.errors import ConfigError
from holdfast.operations.runs import run, run_facts, runs, view_facts
from holdfast.operations.stops import put_stop
from holdfast.policy.stops import Stop
from holdfast.ports import AttemptRecord, Payer
from tests.operations.conftest import Office


async def worked(office: Office, name: str, agent: str | None = None, parent: str | None = None) -> None:
    await office.store.enter(name, agent, parent, office.clock.now())
    row = AttemptRecord(
        request_id=f"{name}{agent}",
        number=1,
        at=office.clock.now(),
        payer=Payer(run=name, agent=agent),
        upstream="u",
        model="m",
        cost_pico=10**12,
    )
    await office.store.settle([row])
    office.clock.advance(60)


async def test_the_run_heard_of_last_comes_first_with_its_stop(office: Office) -> None:
    for name in ("r1", "r2", "r3"):
        await worked(office, name)
    until = office.clock.now() + timedelta(hours=1)
    await put_stop(office.desk, Stop(scope="run", value="r2", at=office.clock.now(), until=until))
    found = [run_facts(one) for one in await runs(office.desk, 2)]

    assert [(one["run"], one["stopped"] is None) for one in found] == [("r3", True), ("r2", False)]
    assert found[0] == {
        "run": "r3",
        "first_at": "2026-11-22T12:02:00Z",
        "last_at": "2026-11-22T12:02:00Z",
        "calls": 1,
        "agents": 0,
        "depth": 0,
        "cost": "1",
        "stopped": None,
    }


async def test_a_stop_of_everything_stops_every_run(office: Office) -> None:
    await worked(office, "r1")
    await put_stop(office.desk, Stop(scope="everything", at=office.clock.now()))

    assert [one.stop is None for one in await runs(office.desk, 5)] == [False]


async def test_one_run_shows_its_agents_and_what_each_model_has_cost(office: Office) -> None:
    await worked(office, "r1", "a")
    await worked(office, "r1", "b", "a")
    await worked(office, "r2")
    facts = view_facts(await run(office.desk, "r1"))

    assert facts["agents"] == [{"agent": "a", "parent": None}, {"agent": "b", "parent": "a"}]
    assert (facts["calls"], facts["depth"], facts["cost"]) == (2, 2, "2")
    assert facts["models"] == [
        {
            "model": "m",
            "attempts": 2,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost": "2",
            "estimated_cost": "0",
            "unpriced": 0,
        }
    ]


async def test_a_run_of_which_nothing_was_billed_has_no_models(office: Office) -> None:
    await office.store.enter("r1", None, None, office.clock.now())
    facts = view_facts(await run(office.desk, "r1"))

    assert (facts["models"], facts["cost"], facts["agents"]) == ([], "0", [])


async def test_a_run_that_nobody_has_heard_of_is_not_there(office: Office) -> None:
    with pytest.raises(ConfigError, match="There is no run `r1`"):
        await run(office.desk, "r1")
