"""The station of runs: it counts, keeps to the caps, and climbs from a warning to a stop."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from holdfast.call import Call, Principal
from holdfast.errors import NoProgress, RunCapReached
from holdfast.events import Event, RunStopped, RunUncounted, RunWarned
from holdfast.guards.run import RunGuard
from holdfast.policy.progress import ProgressConfig
from holdfast.policy.runs import RunsConfig
from holdfast.wire.messages import read_request
from tests.guards.counting import CountingRuns
from tests.upstream.scripted import a_call

SECRET = "hunter2"


def talk(times: int, *, words: str = "Read it.", run: str | None = "run-1", agent: str | None = None) -> Call:
    """A call after the same call of a tool so many times."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": words}]
    for number in range(times):
        use = {"type": "tool_use", "id": f"t{number}", "name": "read_file", "input": {"path": SECRET}}
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": SECRET}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    body = json.dumps({"model": "claude-sonnet-5-5", "max_tokens": 10, "messages": messages}).encode()
    principal = Principal(door="gateway", run=run, agent=agent)
    return replace(a_call(), body=body, request=read_request(body), principal=principal)


class Station:
    """The guard with a book of its own, and what it announced."""

    def __init__(self, **settings: Any) -> None:
        self.runs = CountingRuns()
        self.events: list[Event] = []
        self.guard = RunGuard(runs=self.runs, config=RunsConfig(**settings), observe=self.events.append)

    async def pass_on(self, call: Call) -> Call:
        step = await self.guard(call)
        assert step.settle is None
        return step.call


async def test_an_ordinary_call_is_counted_and_passes_unchanged() -> None:
    station, call = Station(), talk(0)
    assert await station.pass_on(call) is call
    assert station.runs.records["run-1"].calls == 1
    assert station.events == []


async def test_a_call_knows_the_agent_it_comes_from_and_who_started_that() -> None:
    station = Station()
    who = Principal(door="gateway", run="run-1", agent="a", parent="main")
    await station.pass_on(replace(talk(0), principal=who))
    assert station.runs.records["run-1"].agents == {"a": "main"}


async def test_a_call_beyond_a_cap_is_refused_and_announced() -> None:
    station = Station(calls=1)
    await station.pass_on(talk(0))
    with pytest.raises(RunCapReached) as caught:
        await station.pass_on(talk(0, agent="a"))
    assert station.events == [
        RunStopped(request_id="hfr_test", run="run-1", agent="a", cause="calls", evidence=str(caught.value))
    ]


async def test_a_run_that_slept_is_as_old_as_ever() -> None:
    station, call = Station(seconds=60), talk(0)
    await station.pass_on(call)
    with pytest.raises(RunCapReached):
        await station.pass_on(replace(call, arrived=call.arrived + timedelta(hours=8)))


async def test_an_agent_that_is_one_too_many_leaves_the_others_at_work() -> None:
    station = Station(agents=1)
    await station.pass_on(talk(0, agent="a"))
    with pytest.raises(RunCapReached):
        await station.pass_on(talk(0, agent="b"))
    await station.pass_on(talk(0, agent="a"))


async def test_repetition_is_announced_first() -> None:
    station, call = Station(), talk(3)
    assert await station.pass_on(call) is call
    (event,) = station.events
    assert isinstance(event, RunWarned)
    assert (event.run, event.level, event.kind, event.count) == ("run-1", "warn", "same_call", 3)
    assert "`read_file` was called 3 times" in event.evidence


async def test_then_the_model_is_told_in_the_language_of_the_person() -> None:
    station = Station()
    english = await station.pass_on(talk(5, words="Read it."))
    korean = await station.pass_on(talk(5, words="읽어 줘."))
    assert "`read_file` was called 5 times" in english.notices[0]
    assert "연속 5번" in korean.notices[0]
    assert [event.level for event in station.events if isinstance(event, RunWarned)] == ["notice", "notice"]


async def test_at_last_the_call_is_refused_with_the_evidence_in_both_languages() -> None:
    station = Station()
    with pytest.raises(NoProgress) as caught:
        await station.pass_on(talk(8))
    error = caught.value
    assert (error.status, error.error_type, error.should_retry) == (400, "policy_blocked", False)
    assert error.details == {"kind": "same_call", "count": 8}
    assert "called 8 times in a row" in error.say("en")
    assert "연속 8번" in error.say("ko")
    assert [event.cause for event in station.events if isinstance(event, RunStopped)] == ["same_call"]


async def test_nothing_that_the_tool_was_given_or_gave_is_ever_told() -> None:
    station = Station()
    await station.pass_on(talk(3))
    told = await station.pass_on(talk(5))
    with pytest.raises(NoProgress) as caught:
        await station.pass_on(talk(8))
    everything = (*map(repr, station.events), *told.notices, caught.value.say("en"), caught.value.say("ko"))
    assert not any(SECRET in text for text in everything)


async def test_a_call_without_a_run_is_judged_and_not_counted() -> None:
    station = Station(calls=1)
    for _ in range(3):
        await station.pass_on(talk(0, run=None))
    with pytest.raises(NoProgress):
        await station.pass_on(talk(8, run=None))
    assert station.runs.records == {}


async def test_a_store_that_is_down_lets_calls_pass_and_repetition_is_judged_all_the_same() -> None:
    station = Station(calls=1)
    station.runs.broken = True
    for _ in range(3):
        await station.pass_on(talk(0))
    assert station.events[0] == RunUncounted(request_id="hfr_test", run="run-1", error="the disk is full")
    with pytest.raises(NoProgress):
        await station.pass_on(talk(8))


async def test_a_breaker_that_is_switched_off_sees_nothing() -> None:
    station, call = Station(progress=ProgressConfig(watch=())), talk(50)
    assert await station.pass_on(call) is call
    assert station.events == []


async def test_a_loop_that_was_left_passes() -> None:
    call = talk(20)
    document = json.loads(call.body)
    document["messages"].append({"role": "user", "content": "Do something else."})
    body = json.dumps(document).encode()
    station = Station()
    moved_on = replace(call, body=body, request=read_request(body))
    assert await station.pass_on(moved_on) is moved_on
    assert station.events == []
