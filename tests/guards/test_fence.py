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
from holdfast.wire.fence import fenced, unfenced
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


def bounded(most: int, seen: list[str] | None = None, **config: Any) -> FenceGuard:
    read = [] if seen is None else seen

    def detect(text: str) -> float:
        read.append(text)
        return 0.6 if "ATTACK" in text else 0.0

    suspicion = Suspicion(
        config=ScreenConfig(max_examined=most, **config), validator=InputValidator(detector=detect)
    )
    return FenceGuard(config=TaintConfig(), suspicion=suspicion)


@pytest.mark.requirement("taint:bounded")
async def test_of_many_results_only_so_much_is_read_and_the_others_are_fenced_unread() -> None:
    seen: list[str] = []
    results = [f"{number:02d} " + "plain words " * 400 for number in range(40)]
    call = talk(*results)
    most = 5 * len(results[0])
    step = await bounded(most, seen)(call)
    assert sum(map(len, set(seen))) <= most
    shown = contents(step.call)
    assert shown[:5] == results[:5]
    assert all("too much of it for anybody to look through" in one for one in shown[5:])
    assert [unfenced(one) for one in shown[5:]] == results[5:]
    (note,) = call.tally.notes
    assert (len(note.examined), {one.reason for one in note.skipped}, len(note.skipped)) == (
        5,
        {"too_much"},
        35,
    )
    assert (note.is_complete, note.findings) == (False, ("fenced",))


async def test_what_was_fenced_unread_stays_so_and_what_was_not_stays_as_it_was() -> None:
    results = ["a" * 60, "b" * 60, "c" * 60]
    for guarding in (bounded(130), bounded(130)):
        first = contents((await guarding(talk(*results))).call)
        later = contents((await guarding(talk(*results, "d" * 10, "ATTACK"))).call)
        assert later[:3] == first
        assert first[:2] == results[:2]
        assert all("<<<" in one for one in later[2:])


async def test_a_result_beyond_all_bounds_is_fenced_and_those_beside_it_are_read() -> None:
    seen: list[str] = []
    shown = contents((await bounded(100, seen)(talk("x" * 101, "fine", "ATTACK"))).call)
    assert shown[1:] == ["fine", fenced("ATTACK")]
    assert shown[0].startswith("<<<")
    assert set(seen) == {"fine", "ATTACK"}


async def test_where_nobody_screens_tools_nothing_is_fenced_for_its_length() -> None:
    call = talk("x" * 500)
    assert (await bounded(100, channels=("user",))(call)).call is call
