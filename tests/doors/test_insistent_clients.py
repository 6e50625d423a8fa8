"""A client that repeats every failure by itself is not retried for a second time."""

from dataclasses import replace

import pytest

from holdfast.policy.routing import UpstreamConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, ask

AI_SDK = {"user-agent": "ai/6.0.326 ai-sdk/provider-utils/4.0.64 runtime/node.js/v20.20.2"}
OTHER = {"user-agent": "Anthropic/JS 1.12.0"}


@pytest.mark.parametrize(("headers", "requests"), [(AI_SDK, 1), (OTHER, 3)])
def test_only_who_does_not_repeat_himself_is_tried_again_for(
    gateway: RunningGateway, headers: dict[str, str], requests: int
) -> None:
    gateway.simulator.simulator.fault(Fault(Status(529), times=None))
    answer = ask(gateway.url, QUESTION, headers=headers)
    assert (answer.status, answer.headers["x-holdfast-attempts"]) == (529, str(requests))
    assert len(gateway.simulator.simulator.requests) == requests


def test_such_a_client_still_gets_its_answer_from_another_upstream(simulator: RunningSimulator) -> None:
    with RunningSimulator() as second:
        upstreams = {"first": UpstreamConfig(url=simulator.url), "second": UpstreamConfig(url=second.url)}
        simulator.simulator.fault(Fault(Status(500), times=None))
        with serving(simulator, replace(quick_settings(simulator), upstreams=upstreams)) as gateway:
            answer = ask(gateway.url, QUESTION, headers=AI_SDK)
        asked = (len(simulator.simulator.requests), len(second.simulator.requests))
    assert (answer.status, asked) == (200, (1, 1))
