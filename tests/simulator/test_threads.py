"""Message threads: the simulator remembers a conversation, for its key, once, for five minutes."""

import asyncio
import contextlib
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool

from holdfast.simulator import Delay, HangUp, Simulator, Status
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from tests.simulator.conftest import Api, Json, ask

MODEL = "claude-sonnet-5-5"
TOOL: Json = {"name": "find", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def threaded(clock: FakeClock) -> Api:
    return Api(Simulator(time_scale=0, threads=True, clock=clock))


async def begun(api: Api, text: str = "My name is Ada", **more: object) -> str:
    return str((await api.message(text, thread={"type": "create"}, **more))["id"])


def next_one(parent: str, text: str = "What is my name?", **more: object) -> Json:
    return ask(text, thread={"type": "continue", "previous_message_id": parent}, **more)


async def code(api: Api, body: Json, **headers: str) -> tuple[int, str]:
    response = await api.post(body, **headers)
    return response.status_code, str(response.json()["error"]["details"]["error_code"])


async def test_a_continuation_carries_only_what_is_new_and_is_billed_for_all(threaded: Api) -> None:
    first = await begun(threaded, system="Be brief. " * 200)
    response = await threaded.post(next_one(first))
    assert response.status_code == 200
    first_bill, second_bill = (entry.usage["input_tokens"] for entry in threaded.simulator.ledger)
    assert isinstance(first_bill, int)
    assert isinstance(second_bill, int)
    assert second_bill > first_bill > 500


async def test_tools_of_the_first_request_may_be_called_by_a_later_one(threaded: Api) -> None:
    first = await begun(threaded, tools=[TOOL])
    answer = (await threaded.post(next_one(first, "use the tool find"))).json()
    assert answer["stop_reason"] == "tool_use"


async def test_streams_are_continued_as_well(threaded: Api) -> None:
    events = await threaded.events("Hello", thread={"type": "create"})
    parent = str(events[0]["message"]["id"])
    assert (await threaded.post(next_one(parent, stream=True))).status_code == 200


async def test_each_answer_is_continued_once(threaded: Api) -> None:
    first = await begun(threaded)
    second = (await threaded.post(next_one(first))).json()["id"]
    assert await code(threaded, next_one(first)) == (400, "thread_already_continued")
    assert (await threaded.post(next_one(second))).status_code == 200


async def test_two_may_not_continue_at_the_same_time(threaded: Api) -> None:
    first = await begun(threaded)
    threaded.simulator.clock = Patient()
    threaded.simulator.fault(Delay(0.05))
    slow, quick = await asyncio.gather(
        threaded.post(next_one(first)), _soon(code(threaded, next_one(first, "And now?")))
    )
    assert slow.status_code == 200
    assert quick == (400, "thread_continue_in_flight")


class Patient(FakeClock):
    """A clock on which waiting lets others run."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _soon(what: Any) -> Any:
    await asyncio.sleep(0.01)
    return await what


async def test_a_thread_is_forgotten_after_five_minutes(threaded: Api, clock: FakeClock) -> None:
    first = await begun(threaded)
    clock.advance(300)
    assert await code(threaded, next_one(first)) == (404, "thread_not_found")


async def test_a_thread_belongs_to_its_key(threaded: Api) -> None:
    first = await begun(threaded)
    assert await code(threaded, next_one(first), x_api_key="other") == (404, "thread_not_found")


@pytest.mark.parametrize("change", [{"model": "claude-opus-5-5"}, {"system": "Other"}, {"tools": [TOOL]}])
async def test_a_thread_keeps_to_its_model_system_and_tools(threaded: Api, change: Json) -> None:
    first = await begun(threaded)
    body = {**next_one(first), **change}
    assert await code(threaded, body) == (400, "thread_fingerprint_mismatch")


@pytest.mark.parametrize("fault", [Status(529), HangUp(6)])
async def test_an_answer_that_failed_leaves_its_parent_to_be_continued(
    threaded: Api, fault: Status | HangUp
) -> None:
    first = await begun(threaded)
    threaded.simulator.fault(fault)
    with contextlib.suppress(ConnectionResetError):
        await threaded.post(next_one(first, stream=True))
    assert (await threaded.post(next_one(first))).status_code == 200


async def test_what_is_neither_create_nor_continue_is_refused(threaded: Api) -> None:
    status, _, message = await threaded.refusal(ask(thread={"type": "fork"}))
    assert (status, message) == (400, "thread.type: Input should be 'create' or 'continue'")


async def test_counting_tokens_counts_the_whole_thread_and_continues_nothing(threaded: Api) -> None:
    first = await begun(threaded, system="Be brief. " * 200)
    assert await threaded.tokens(next_one(first)) > 500
    assert (await threaded.post(next_one(first))).status_code == 200


async def test_a_reset_forgets_threads(threaded: Api) -> None:
    first = await begun(threaded)
    threaded.simulator.reset()
    assert await code(threaded, next_one(first)) == (404, "thread_not_found")


@beta_tool
def find_order(number: int) -> str:
    """Find an order.

    Args:
        number: the number of the order
    """
    return f"order {number} is in Seoul"


@pytest.mark.requirement("simulator:threads")
def test_the_tool_runner_of_the_official_sdk_stays_in_its_thread() -> None:
    with (
        RunningSimulator(Simulator(time_scale=0, threads=True)) as running,
        anthropic.Anthropic(base_url=running.url, api_key="k", max_retries=0) as client,
    ):
        runner = client.beta.messages.tool_runner(
            model=MODEL,
            max_tokens=900,
            tools=[find_order],
            messages=[{"role": "user", "content": "use the tool find_order with number=7"}],
        )
        answers = list(runner)
        requests = running.simulator.requests
    assert [answer.stop_reason for answer in answers] == ["tool_use", "end_turn"]
    assert [seen.status for seen in requests] == [200, 200]
    bodies = [seen.json() for seen in requests]
    assert [body["thread"]["type"] for body in bodies if isinstance(body["thread"], dict)] == [
        "create",
        "continue",
    ]
    assert "tools" not in bodies[1]
