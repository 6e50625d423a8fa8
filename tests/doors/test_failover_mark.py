"""An answer from another model than was asked says so, at every door."""

from collections.abc import Iterator
from dataclasses import replace

import anthropic
import httpx2
import pytest

from holdfast.hold import Holdfast
from holdfast.policy.routing import FailoverConfig
from holdfast.settings import Settings
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving

ASKED, SUBSTITUTE = "claude-opus-5-5", "claude-sonnet-5-5"
BODY = {"model": ASKED, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def settings(simulator: RunningSimulator) -> Settings:
    simulator.simulator.fault(Fault(Status(529), model=ASKED, times=None))
    return replace(quick_settings(simulator), failover=FailoverConfig(models={ASKED: (SUBSTITUTE,)}))


@pytest.fixture
def degraded(simulator: RunningSimulator, settings: Settings) -> Iterator[RunningGateway]:
    with serving(simulator, settings) as running:
        yield running


def test_the_gateway_marks_the_answer_of_a_substitute(degraded: RunningGateway) -> None:
    answer = httpx2.post(
        degraded.url + "/v1/messages",
        json=BODY,
        headers={"x-api-key": "local", "anthropic-version": "2023-06-01"},
    )
    assert (answer.status_code, answer.json()["model"]) == (200, SUBSTITUTE)
    assert answer.headers["x-holdfast-degraded"] == "model"
    assert answer.headers["x-holdfast-model"] == SUBSTITUTE
    assert degraded.totals().cost == degraded.simulator.simulator.billed


async def test_the_sdk_in_process_marks_it_too(settings: Settings) -> None:
    async with Holdfast(settings) as hold:
        client: anthropic.AsyncAnthropic = hold.anthropic()
        raw = await client.messages.with_raw_response.create(
            model=ASKED, max_tokens=50, messages=[{"role": "user", "content": "Hello"}]
        )
    assert raw.headers["x-holdfast-degraded"] == "model"
