"""Results that look suspicious, fenced on their way in."""

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from holdfast.call import Call
from holdfast.events import Event, ResultFenced
from holdfast.guards.fence import FenceGuard
from holdfast.parts.suspicion import Suspicion
from holdfast.parts.validator import InputValidator
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.taint import TaintConfig
from holdfast.wire.fence import fenced
from holdfast.wire.messages import read_request
from tests.upstream.scripted import a_call


def guard(events: list[Event], **config: Any) -> FenceGuard:
    validator = InputValidator(detector=lambda text: 0.6 if "ATTACK" in text else 0.0)
    suspicion = Suspicion(config=ScreenConfig(), validator=validator)
    return FenceGuard(config=TaintConfig(**config), suspicion=suspicion, observe=events.append)


def talk(*results: str) -> Call:
    messages: list[Any] = [{"role": "user", "content": "Read it."}]
    for number, text in enumerate(results):
        call: Any = {"type": "tool_use", "id": f"t{number}", "name": "read_web", "input": {}}
        messages.append({"role": "assistant", "content": [call]})
        answer = {"type": "tool_result", "tool_use_id": f"t{number}", "content": text}
        messages.append({"role": "user", "content": [answer]})
    body = json.dumps({"model": "m", "max_tokens": 10, "messages": messages}).encode()
    return replace(a_call(), body=body, request=read_request(body))


def contents(call: Call) -> list[str]:
    messages = json.loads(call.body)["messages"]
    return [message["content"][0]["content"] for message in messages[2::2]]


async def test_a_suspicious_result_is_fenced_and_the_call_knows_its_new_body() -> None:
    events: list[Event] = []
    call = talk("fine", "ATTACK")
    step = await guard(events)(call)
    assert contents(step.call) == ["fine", fenced("ATTACK")]
    assert step.call.request == read_request(step.call.body)
    assert events == [ResultFenced(request_id=call.request_id, count=1)]
    (note,) = call.tally.notes
    assert (note.guard, note.findings) == ("fence", ("fenced",))
    assert note.examined == ("messages.2.content.0.content", "messages.4.content.0.content")


async def test_what_was_fenced_before_is_fenced_again_and_told_to_nobody() -> None:
    events: list[Event] = []
    step = await guard(events)(talk("ATTACK", "fine"))
    assert contents(step.call) == [fenced("ATTACK"), "fine"]
    assert events == []


@pytest.mark.parametrize("call", [talk(), talk("fine"), replace(talk("x"), body=b"{}")])
async def test_without_a_suspicious_result_the_bytes_are_the_clients(call: Call) -> None:
    assert (await guard([])(call)).call is call


async def test_fences_are_not_put_up_where_they_are_switched_off_or_the_tool_is_trusted() -> None:
    call = talk("ATTACK")
    assert (await guard([], fence=False)(call)).call is call
    assert (await guard([], trusted=("read_*",))(call)).call is call


async def test_a_long_text_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    real = asyncio.to_thread

    async def to_thread(work: Any, *given: Any) -> Any:
        threads.append(work.__name__)
        return await real(work, *given)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    fencing = guard([])
    long = "ATTACK " * 2_000
    for _ in range(2):
        assert contents((await fencing(talk(long))).call) == [fenced(long)]
    assert threads == ["_found"]


async def test_the_results_of_a_client_that_has_left_are_read_no_further() -> None:
    seen: list[str] = []
    reading, goes_on = threading.Event(), threading.Event()

    def detect(text: str) -> float:
        seen.append(text)
        reading.set()
        goes_on.wait(5)
        return 0.0

    suspicion = Suspicion(config=ScreenConfig(), validator=InputValidator(detector=detect))
    fence = FenceGuard(config=TaintConfig(), suspicion=suspicion)
    calling = asyncio.create_task(fence(talk("a" * 20_000, "b" * 20_000)))
    await asyncio.to_thread(reading.wait, 5)
    calling.cancel()
    await asyncio.wait({calling})
    goes_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert [text[0] for text in seen] == ["a"]
