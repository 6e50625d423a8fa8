"""The Message Batches API from the other side: money held, results settled, and crashes that are survived."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast import ConfigError, Holdfast, UpstreamError
from holdfast.batches import api
from holdfast.batches.api import collect
from holdfast.batches.item import Defaults
from holdfast.batches.remote import MessageBatches
from holdfast.batches.source import Source
from holdfast.batches.work import Work, opened
from holdfast.events import Event
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.output import OutputConfig
from holdfast.simulator import Fault, HangUp, Stall, Status
from holdfast.simulator.batches import Batch
from holdfast.simulator.batching import ITEM
from tests.agent.conftest import World

PATH = "/v1/messages/batches"
BUDGET = {"day": BudgetConfig(usd=Decimal(1), per="day")}


@dataclass
class Bench:
    """A file of prompts and the batch that is made of it."""

    folder: Path
    hold: Holdfast
    count: int = 5
    events: list[Event] = field(default_factory=list[Event])

    def work(self, **more: Any) -> Work:
        file = self.folder / "in.jsonl"
        lines = (json.dumps({"id": number, "prompt": f"Text {number}"}) for number in range(self.count))
        file.write_text("\n".join(lines), encoding="utf-8")
        source = Source(path=file, defaults=Defaults(model="claude-sonnet-5-5", max_tokens=100))
        survey = source.survey()
        output = self.folder / "out.jsonl"
        journal = opened(source, survey, output, upstream="simulator", way="batches", fresh=False)
        return Work(runtime=self.hold.runtime, source=source, survey=survey, journal=journal, **more)

    async def run(self, **more: Any) -> Work:
        work = self.work(**more)
        try:
            await collect(work, told=lambda: None)
        finally:
            work.journal.close()
        return work

    def outcomes(self, work: Work) -> list[object]:
        again = self.work()
        again.write(self.folder / "out.jsonl")
        again.journal.close()
        text = (self.folder / "out.jsonl").read_text(encoding="utf-8")
        return [json.loads(line)["outcome"] for line in text.splitlines()]


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Iterator[Bench]:
    with world.hold(budgets=BUDGET) as hold:
        yield Bench(tmp_path, hold)


def batches(world: World) -> list[Batch]:
    return world.simulator.batches.of(world.simulator.requests[-1].headers["x-api-key"])


async def held(bench: Bench) -> int:
    return len(await bench.hold.runtime.ledger.held())


async def test_all_of_it_is_held_at_half_the_price_until_the_results_are_there(
    world: World, bench: Bench
) -> None:
    world.simulator.time_scale = 1000
    work = bench.work()
    running = asyncio.ensure_future(collect(work, told=lambda: None))
    await asyncio.sleep(0.4)
    holds = await bench.hold.runtime.ledger.held()
    assert len(holds) == 5
    # 100 tokens of output at half of 10 dollars for a million, and the prompt.
    assert all(500_000_000 < hold.amount < 700_000_000 for hold in holds)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    work.journal.close()
    assert await held(bench) == 5
    world.simulator.time_scale = 0
    for batch in batches(world):
        for item in batch.items:
            item.ready = 0.0
    assert (await bench.run()).counts.answered == 5
    assert await held(bench) == 0
    totals = await bench.hold.runtime.ledger.totals()
    assert totals.cost == world.simulator.billed


async def test_every_request_is_in_the_books_at_the_price_of_a_batch(world: World, bench: Bench) -> None:
    await bench.run()
    records = await bench.hold.runtime.ledger.newest(10)
    assert len(records) == 5
    assert {record.usage.service_tier for record in records} == {"batch"}
    assert sum(record.cost or 0 for record in records) == world.simulator.billed


@pytest.mark.parametrize("status", [400, 403])
async def test_a_batch_that_was_refused_gives_its_money_back(world: World, bench: Bench, status: int) -> None:
    world.simulator.fault(Fault(Status(status), path=PATH, nth=2))
    with pytest.raises(UpstreamError):
        await bench.run()
    assert await held(bench) == 0
    assert (await bench.run()).counts.answered == 5
    assert len(world.simulator.ledger) == 5


async def test_a_batch_whose_making_was_not_answered_is_found_again(world: World, bench: Bench) -> None:
    work = bench.work()
    lost = MessageBatches.create

    async def deaf(self: MessageBatches, requests: Any) -> Any:
        await lost(self, requests)
        raise UpstreamError("the answer was lost", status=503)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MessageBatches, "create", deaf)
        with pytest.raises(UpstreamError):
            await collect(work, told=lambda: None)
    work.journal.close()
    assert await held(bench) == 5
    assert (await bench.run()).counts.answered == 5
    assert len(world.simulator.ledger) == 5
    assert await held(bench) == 0


async def test_one_that_was_never_made_is_made_anew(world: World, bench: Bench) -> None:
    world.simulator.fault(Fault(HangUp(after="request"), path=PATH, nth=2))
    with pytest.raises(UpstreamError):
        await bench.run()
    assert (await bench.run()).counts.answered == 5
    assert len(world.simulator.ledger) == 5


async def test_where_several_may_be_it_a_person_is_asked(world: World, bench: Bench) -> None:
    lost = MessageBatches.create

    async def twice(self: MessageBatches, requests: Any) -> Any:
        await lost(self, requests)
        await lost(self, requests)
        raise UpstreamError("the answer was lost", status=503)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MessageBatches, "create", twice)
        with pytest.raises(UpstreamError):
            await bench.run()
    with pytest.raises(ConfigError, match="several may be it: msgbatch_"):
        await bench.run()


async def test_a_look_that_fails_is_repeated(world: World, bench: Bench) -> None:
    world.simulator.fault(Fault(Status(529, retry_after=1), path=PATH, times=1))
    work = await bench.run()
    assert work.counts.answered == 5


async def test_what_expired_failed_and_is_asked_again_another_time(world: World, bench: Bench) -> None:
    world.simulator.fault(Fault(Stall(), path=ITEM))
    work = bench.work()
    running = asyncio.ensure_future(collect(work, told=lambda: None))
    await asyncio.sleep(0.3)
    for batch in batches(world):
        batch.begun -= 25 * 3600
    await running
    work.journal.close()
    assert (work.counts.answered, work.counts.failed) == (4, 1)
    assert (await bench.run()).counts.answered == 5


async def test_an_answer_that_must_not_get_out_is_paid_for_and_held_back(
    world: World, tmp_path: Path
) -> None:
    with world.hold(output=OutputConfig(canaries=("CANARY-12345678",), leak="stop")) as hold:
        bench = Bench(tmp_path, hold, count=2)
        world.simulator.say("The secret is CANARY-12345678.")
        work = await bench.run()
        assert (work.counts.answered, work.counts.failed) == (1, 1)
        assert work.counts.cost == world.simulator.billed
        assert b"CANARY" not in (tmp_path / "out.jsonl.journal").read_bytes()


async def test_a_large_file_is_sent_in_parts(
    world: World, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_ITEMS", 2)
    work = await bench.run()
    assert work.counts.answered == 5
    assert len(batches(world)) == 3


async def test_money_that_comes_back_pays_for_more(world: World, tmp_path: Path) -> None:
    budget = replace(BUDGET["day"], usd=Decimal("0.0015"))
    with world.hold(budgets={"day": budget}) as hold:
        bench = Bench(tmp_path, hold, count=8)
        work = await bench.run()
    assert work.over is not None
    assert 2 < work.counts.answered < 8
    assert world.simulator.billed <= Decimal("0.0015")
    assert set(bench.outcomes(work)) == {"answered", "not_run"}
