import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from holdfast.assembly import assemble
from holdfast.call import Call, Incoming, Principal, Response
from holdfast.errors import BudgetUnavailable, InputRejected, Stopped
from holdfast.pipeline import Answer, Guard, Pipeline, Proceed
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.story import GuardStep
from holdfast.settings import Settings, StoreConfig
from holdfast.testing import FakeClock
from holdfast.upstream.bodies import WholeBody
from holdfast.wire.meter import Meter
from tests.upstream.scripted import ASKED, MESSAGE, a_call


@dataclass(frozen=True)
class Named:
    """A guard with a name."""

    name: str
    do: Callable[[Call], Awaitable[Proceed | Answer]]

    async def __call__(self, call: Call) -> Proceed | Answer:
        return await self.do(call)


def whole() -> Response:
    meter = Meter()
    meter.observe_body(MESSAGE)
    return Response(status=200, headers=(), body=WholeBody(MESSAGE), meter=meter)


async def send(call: Call) -> Response:
    return whole()


async def passing(call: Call) -> Proceed:
    return Proceed(call)


def refusing(error: BaseException) -> Callable[[Call], Awaitable[Proceed]]:
    async def refuse(call: Call) -> Proceed:
        raise error

    return refuse


async def steps_of(
    *guards: Guard, call: Call | None = None, clock: FakeClock | None = None
) -> list[GuardStep]:
    call = call or a_call()
    await (await Pipeline(guards, send, clock=clock or FakeClock())(call)).read()
    return call.tally.steps


async def test_each_guard_is_told_of_with_its_own_share_of_the_time() -> None:
    clock = FakeClock()

    def taking(seconds: float) -> Callable[[Call], Awaitable[Proceed]]:
        async def take(call: Call) -> Proceed:
            clock.advance(seconds)
            return Proceed(call)

        return take

    steps = await steps_of(
        Named("stop", taking(0.25)),
        taking(5.0),
        Named("screen", taking(0.5)),
        Named("run", passing),
        clock=clock,
    )
    assert [(step.guard, step.did, step.ms) for step in steps] == [
        ("stop", "passed", 250.0),
        ("screen", "passed", 500.0),
        ("run", "passed", 0.0),
    ]


async def test_another_body_is_a_change_and_more_knowledge_of_the_call_is_none() -> None:
    async def shorten(call: Call) -> Proceed:
        return Proceed(replace(call, body=call.body + b" ", degraded=(*call.degraded, "max-tokens=5")))

    async def advise(call: Call) -> Proceed:
        return Proceed(replace(call, notices=("go another way",)))

    async def limit(call: Call) -> Proceed:
        return Proceed(replace(call, attempts=1))

    call = a_call()
    steps = await steps_of(Named("budget", shorten), Named("run", advise), Named("stop", limit), call=call)
    assert [(step.guard, step.did, step.detail) for step in steps] == [
        ("budget", "changed", "max-tokens=5"),
        ("run", "changed", "notice"),
        ("stop", "passed", ""),
    ]
    assert (call.tally.degraded, call.tally.notices) == (("max-tokens=5",), 1)


async def test_an_answer_by_a_guard_is_told_and_what_follows_it_is_not() -> None:
    async def cached(call: Call) -> Answer:
        return Answer(whole())

    steps = await steps_of(Named("cache", cached), Named("never", passing))
    assert [(step.guard, step.did) for step in steps] == [("cache", "answered")]


@pytest.mark.parametrize(
    ("error", "did", "code", "detail"),
    [
        (InputRejected("no", details={"rule": "R1"}), "refused", "holdfast_input_rejected", "rule R1"),
        (BudgetUnavailable("away"), "failed", "holdfast_budget_unavailable", ""),
        (KeyError("x"), "failed", "KeyError", ""),
    ],
)
async def test_what_breaks_a_call_off_is_the_last_step(
    error: BaseException, did: str, code: str, detail: str
) -> None:
    call = a_call()
    with pytest.raises(type(error)):
        await steps_of(Named("stop", passing), Named("screen", refusing(error)), call=call)
    last = call.tally.steps[-1]
    assert (last.guard, last.did, last.code, last.detail) == ("screen", did, code, detail)


async def test_a_guard_without_a_name_is_told_of_only_when_it_breaks_a_call_off() -> None:
    call = a_call()
    with pytest.raises(InputRejected):
        await steps_of(passing, refusing(InputRejected("no")), call=call)
    assert [(step.guard, step.did) for step in call.tally.steps] == [("guard", "refused")]


async def test_a_caller_who_leaves_a_waiting_guard_leaves_it_unfinished() -> None:
    async def wait(call: Call) -> Proceed:
        await asyncio.Event().wait()
        raise AssertionError

    call = a_call()
    task = asyncio.ensure_future(steps_of(Named("quota", wait), call=call))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(step.guard, step.did, step.code) for step in call.tally.steps] == [("quota", "failed", None)]


async def test_a_call_cut_off_in_a_guard_says_by_what() -> None:
    call = a_call()

    async def wait(waiting: Call) -> Proceed:
        call.leash.cut(Stopped("by kim"))
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Stopped):
        await steps_of(Named("quota", wait), call=call)
    assert [(step.did, step.code) for step in call.tally.steps] == [("failed", "holdfast_stopped")]


async def test_the_guards_of_the_house_have_names_that_stay() -> None:
    settings = Settings(
        store=StoreConfig(url="memory:"), upstreams={"simulator": UpstreamConfig(url="simulator")}
    )
    runtime = assemble(settings)
    names = [getattr(guard, "name", None) for guard in runtime.stations.guards]
    named = [name for name in names if name is not None]
    assert named == ["stop", "screen", "pins", "fence", "route", "run", "quota", "cache", "budget"]
    await runtime.aclose()


async def test_what_was_held_and_what_it_has_cost_is_told_of_every_attempt() -> None:
    settings = Settings(
        store=StoreConfig(url="memory:"),
        upstreams={"simulator": UpstreamConfig(url="simulator")},
        budgets={"all": BudgetConfig(usd=Decimal(5))},
    )
    runtime = assemble(settings)
    sent = a_call()
    call = runtime.call(
        Incoming(body=sent.body, headers=ASKED), Principal(door="library"), request_id="hfr_1"
    )
    await (await runtime.pipeline(call)).read()
    record = await runtime.ledger.find("hfr_1")
    assert record is not None
    assert record.story is not None
    (attempt,) = record.story.attempts
    assert attempt.settled_pico == record.cost_pico
    assert attempt.held_pico is not None
    assert attempt.settled_pico is not None
    assert attempt.held_pico > attempt.settled_pico > 0
    assert [step.guard for step in record.story.guards][-1] == "budget"
    assert (record.outcome, record.decided_by) == ("answered", "upstream")
    await runtime.aclose()
