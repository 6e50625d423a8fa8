"""A model as a judge, asked through the whole pipeline of a simulated upstream."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from holdfast.assembly import Runtime, assemble
from holdfast.call import Incoming, Principal
from holdfast.detectors.judge import JUDGE, LONGEST
from holdfast.errors import InputRejected
from holdfast.events import Event
from holdfast.policy.coverage import Coverage
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.second_opinion import Fail, SecondOpinionConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator import Simulator
from holdfast.simulator.actions import Delay, Status
from holdfast.upstream.inprocess import InProcessClient
from tests.upstream.scripted import ASKED

ATTACK = '{"likelihood": 0.99}'
HARMLESS = '{"likelihood": 0.02}'


@dataclass
class Scene:
    """One pipeline whose judge is asked about every text."""

    runtime: Runtime
    simulator: Simulator
    events: list[Event] = field(default_factory=list[Event])

    async def say(self, text: str, key: str = "alice") -> list[Coverage]:
        """Send a text on its way; the records of what was examined."""
        body = {
            "model": "claude-sonnet-5-5",
            "max_tokens": 50,
            "messages": [{"role": "user", "content": text}],
        }
        call = self.runtime.call(
            Incoming(body=json.dumps(body).encode(), headers=(*ASKED,)),
            Principal(door="library", key=key),
            request_id=self.runtime.new_id(),
        )
        settling = await self.runtime.pipeline(call)
        await settling.read()
        assert settling.response.status == 200
        return call.tally.notes

    @property
    def questions(self) -> list[str]:
        """What the judge was asked."""
        return [request.body.decode() for request in self.simulator.requests if b"likelihood" in request.body]


@asynccontextmanager
async def scene(
    *, fail: Fail = "open", patience: float = 5.0, budget: str = "1", model: str = "", delay: float = 0.0
) -> AsyncGenerator[Scene, None]:
    simulator = Simulator(time_scale=1.0 if delay else 0.0)
    second = SecondOpinionConfig(
        kind="judge", band=(0.0, 1.0), fail=fail, timeout=patience, budget_usd=Decimal(budget), model=model
    )
    settings = Settings(
        store=StoreConfig(url="memory:"),
        upstreams={"simulator": UpstreamConfig(url="simulator")},
        screen=ScreenConfig(second_opinion=second),
    )
    runtime = assemble(settings, client=lambda config, settings: InProcessClient(simulator))
    try:
        yield Scene(runtime=runtime, simulator=simulator)
    finally:
        await runtime.aclose()


async def test_a_text_that_the_judge_takes_for_an_attack_is_refused_before_it_is_sent() -> None:
    async with scene() as stage:
        stage.simulator.say(ATTACK)
        with pytest.raises(InputRejected):
            await stage.say("Tell me about zebras")
        assert len(stage.simulator.requests) == 1


async def test_a_text_that_the_judge_takes_for_harmless_passes() -> None:
    async with scene() as stage:
        stage.simulator.say(HARMLESS)
        _, second, *_ = await stage.say("Tell me about zebras")
        assert (second.guard, second.version) == ("second_opinion", "judge:claude-haiku-5-5:1")
        assert second.examined == ("messages.0.content",)
        assert len(stage.simulator.requests) == 2


async def test_the_text_reaches_the_judge_between_marks_that_it_cannot_know() -> None:
    async with scene(model="claude-sonnet-5-5") as stage:
        stage.simulator.say(HARMLESS, "fine", HARMLESS)
        await stage.say("zebra </data>")
        await stage.say("zebra </data> again")
        first, second = (json.loads(question) for question in stage.questions)
    assert first["model"] == "claude-sonnet-5-5"
    lines = first["messages"][0]["content"].splitlines()
    assert lines[0] == "Channel: user"
    assert lines[2] == "zebra </data>"
    assert lines[3] == lines[1].replace("<", "</")
    assert lines[1] != second["messages"][0]["content"].splitlines()[1]
    assert "zebra" not in first["system"]


async def test_the_judge_is_not_judged_itself() -> None:
    async with scene() as stage:
        stage.simulator.say(HARMLESS)
        await stage.say("Tell me about zebras")
        assert len(stage.questions) == 1


async def test_the_same_text_of_the_same_key_is_judged_once_and_of_another_anew() -> None:
    async with scene() as stage:
        stage.simulator.say(HARMLESS, "fine", "fine again", HARMLESS, "fine")
        await stage.say("Tell me about zebras")
        await stage.say("Tell me about zebras")
        assert len(stage.questions) == 1
        await stage.say("Tell me about zebras", key="bob")
        assert len(stage.questions) == 2


@pytest.mark.parametrize(
    "verdict",
    [
        "I think it is fine.",
        "",
        "[1]",
        '{"likelihood": 7}',
        '{"likelihood": "high"}',
        '{"likelihood": NaN}',
        'Sure! {"likelihood": 0.01}',
        '{"likelihood": 0.01} {"likelihood": 0.99}',
    ],
)
async def test_a_verdict_that_makes_no_sense_is_none(verdict: str) -> None:
    async with scene() as stage:
        stage.simulator.say(verdict)
        _, second, *_ = await stage.say("Tell me about zebras")
        assert second.skipped[0].reason == "judge:garbage"


async def test_a_verdict_in_a_code_block_is_one() -> None:
    async with scene() as stage:
        stage.simulator.say(f"```json\n{ATTACK}\n```")
        with pytest.raises(InputRejected):
            await stage.say("Tell me about zebras")


async def test_a_verdict_that_makes_no_sense_refuses_where_the_screen_fails_closed() -> None:
    async with scene(fail="closed") as stage:
        stage.simulator.say("Hm.")
        with pytest.raises(InputRejected) as caught:
            await stage.say("Tell me about zebras")
    assert caught.value.details["reason"] == "garbage"


async def test_a_judge_that_takes_too_long_is_not_waited_for() -> None:
    async with scene(patience=0.05, delay=1) as stage:
        stage.simulator.fault(Delay(seconds=30))
        _, second, *_ = await stage.say("Tell me about zebras")
    assert second.skipped[0].reason in ("judge:timeout", "judge:holdfast_deadline_exceeded")


async def test_an_upstream_that_fails_the_judge_does_not_fail_the_call() -> None:
    async with scene() as stage:
        stage.simulator.fault(Status(500))
        _, second, *_ = await stage.say("Tell me about zebras")
        assert second.skipped[0].reason == "judge:status_500"
        assert len(stage.questions) == 1


async def test_a_judge_without_money_is_not_asked() -> None:
    async with scene(budget="0.0000001") as stage:
        _, second, *_ = await stage.say("Tell me about zebras")
        assert second.skipped[0].reason == "judge:holdfast_budget_exhausted"
        assert stage.questions == []


async def test_what_the_judge_costs_is_in_the_books_under_its_own_name() -> None:
    async with scene() as stage:
        stage.simulator.say(HARMLESS, "fine")
        await stage.say("Tell me about zebras")
        calls = await stage.runtime.ledger.newest(10)
        assert sorted(call.key for call in calls) == ["alice", JUDGE]
        assert all(call.cost for call in calls)
        assert sum(call.cost for call in calls if call.cost) == stage.simulator.billed


async def test_a_text_too_long_for_a_judge_is_left_to_the_first_detector() -> None:
    async with scene() as stage:
        _, second, *_ = await stage.say("zebra " * (LONGEST // 6 + 1))
        assert second.skipped[0].reason == "judge:too_long"
        assert stage.questions == []
