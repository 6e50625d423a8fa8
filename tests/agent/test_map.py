"""`agent.map`: many inputs, bounded in every way, and nothing paid for twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast import BudgetExhausted, ConfigError, Holdfast
from holdfast.agent.mapping import MapProgress, MapResult
from holdfast.errors import UpstreamError
from holdfast.policy.budget import BudgetConfig
from holdfast.simulator import Fault, Status
from tests.agent.conftest import World


async def everything(results: AsyncIterator[MapResult]) -> list[MapResult]:
    return [result async for result in results]


def texts(count: int) -> list[str]:
    return [f"Text {number}" for number in range(count)]


async def test_results_come_in_the_order_of_their_inputs(world: World, hold: Holdfast) -> None:
    results = await everything(hold.agent().map(texts(30)))
    assert [result.number for result in results] == list(range(30))
    assert [result.input for result in results] == texts(30)
    assert all(result.outcome == "answered" and str(result.input) in result.text for result in results)


async def test_inputs_may_come_bit_by_bit_and_no_result_waits_for_the_next(hold: Holdfast) -> None:
    given = asyncio.Event()

    async def inputs() -> AsyncIterator[str]:
        yield "First"
        await given.wait()
        yield "Second"

    results = hold.agent().map(inputs())
    assert (await anext(results)).input == "First"
    given.set()
    assert [result.input async for result in results] == ["Second"]


async def test_of_endless_inputs_only_a_few_are_taken_ahead(world: World, hold: Holdfast) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield f"Text {number}"

    others = asyncio.all_tasks()
    async with aclosing(hold.agent().map(endless(), concurrency=3)) as results:
        assert (await anext(results)).number == 0
        assert (await anext(results)).number == 1
    assert taken <= 2 + 3 * 4 + 1
    assert asyncio.all_tasks() == others


async def test_one_that_fails_ends_nothing(world: World, hold: Holdfast) -> None:
    world.simulator.fault(Fault(Status(400), nth=2))
    results = await everything(hold.agent(max_retries=1).map(texts(4), concurrency=1))
    assert [result.outcome for result in results] == ["answered", "failed", "answered", "answered"]
    assert isinstance(results[1].error, UpstreamError)
    assert (results[1].reply, results[1].text) == (None, "")


async def test_no_more_is_spent_than_was_allowed_and_the_rest_is_not_run(
    world: World, hold: Holdfast
) -> None:
    agent = hold.agent(max_tokens=100)
    results = await everything(agent.map(texts(40), max_usd="0.01", concurrency=8))
    outcomes = [result.outcome for result in results]
    assert len(outcomes) == 40
    assert 5 < outcomes.count("answered") < 40
    assert outcomes.count("answered") + outcomes.count("not_run") == 40
    assert all(isinstance(result.error, BudgetExhausted) for result in results if result.outcome == "not_run")
    assert Decimal("0.008") < world.simulator.billed <= Decimal("0.01")


async def test_inside_of_a_budget_that_is_spent_nothing_more_is_run(world: World) -> None:
    async with world.hold(budgets={"all": BudgetConfig(usd=Decimal("0.005"), per="day")}) as hold:
        results = await everything(hold.agent(max_tokens=100).map(texts(30), max_usd=5))
    assert {result.outcome for result in results} == {"answered", "not_run"}
    assert world.simulator.billed <= Decimal("0.005")


async def test_whoever_leaves_early_leaves_nothing_under_way(world: World, hold: Holdfast) -> None:
    world.simulator.time_scale = 1
    others = asyncio.all_tasks()
    task = asyncio.ensure_future(everything(hold.agent().map(texts(5))))
    await asyncio.sleep(0.2)
    assert len(world.simulator.requests) == 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == others
    assert await hold.runtime.ledger.held() == ()


async def test_progress_is_told_with_every_result(world: World, hold: Holdfast) -> None:
    told: list[MapProgress] = []
    world.simulator.fault(Status(400))
    await everything(hold.agent().map(texts(3), concurrency=1, on_progress=told.append))
    assert [(progress.done, progress.answered, progress.failed) for progress in told] == [
        (1, 0, 1),
        (2, 1, 1),
        (3, 2, 1),
    ]
    assert told[-1].cost == world.simulator.billed
    assert told[-1].not_run == 0


async def test_what_a_journal_knows_is_not_asked_again(world: World, hold: Holdfast, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    world.simulator.fault(Fault(Status(400), nth=3))
    first = await everything(hold.agent().map(texts(6), concurrency=1, resume=path))
    asked = len(world.simulator.requests)
    told: list[MapProgress] = []
    second = await everything(hold.agent().map(texts(8), resume=path, on_progress=told.append))

    assert [result.outcome for result in second] == ["answered"] * 8
    assert len(world.simulator.requests) == asked + 3
    assert [result.is_resumed for result in second] == [True, True, False, True, True, True, False, False]
    assert first[0].reply is not None
    assert second[0].reply == first[0].reply
    assert told[1].cost == 0


async def test_a_journal_of_other_inputs_or_another_agent_is_refused(hold: Holdfast, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    await everything(hold.agent().map(texts(2), resume=path))
    with pytest.raises(ConfigError, match="number 0 was another one"):
        await everything(hold.agent().map(["Something else"], resume=path))
    with pytest.raises(ConfigError, match="system"):
        await everything(hold.agent(system="Be brief.").map(texts(2), resume=path))
    with pytest.raises(ConfigError, match="claude-haiku-5-5"):
        await everything(hold.agent("claude-haiku-5-5").map(texts(2), resume=path))


async def test_many_short_conversations_drive_no_long_one_out(world: World, hold: Holdfast) -> None:
    agent = hold.agent()
    await agent.chat("My name is Ada.", conversation="long")
    await everything(agent.map(texts(1_100), concurrency=50))
    await agent.chat("What is my name?", conversation="long")
    assert len(world.bodies()[-1]["messages"]) == 3
    assert agent.metrics().request_count == 1_102


async def test_what_is_no_message_and_no_concurrency_is_said_at_once(hold: Holdfast) -> None:
    with pytest.raises(TypeError):
        await everything(hold.agent().map([42]))  # type: ignore[list-item]  # what a script may do
    with pytest.raises(ConfigError, match="concurrency"):
        await everything(hold.agent().map(texts(1), concurrency=0))
    with pytest.raises(ConfigError, match="max_usd"):
        await everything(hold.agent().map(texts(1), max_usd=0.5))  # type: ignore[arg-type]  # likewise


def test_a_script_gets_results_without_an_event_loop(world: World, hold: Holdfast) -> None:
    agent = hold.agent()
    assert [result.outcome for result in agent.map_sync(texts(5))] == ["answered"] * 5
    first = agent.map_sync(texts(50))
    assert next(first).number == 0
    del first
