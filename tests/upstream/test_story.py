"""The story of a request as it is written down, from the guards through the ring to the record."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import datetime

from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call
from holdfast.errors import HoldfastError, Stopped
from holdfast.guards.record import RecordGuard
from holdfast.pipeline import Pipeline
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.fallback import FallbackConfig
from holdfast.policy.story import AttemptStep
from holdfast.ports import CallRecord
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock
from holdfast.upstream.client import UpstreamRequest
from holdfast.upstream.fallback import with_fallback
from holdfast.wire.usage import Usage
from tests.upstream.scripted import (
    BLOCK,
    CUT,
    MODEL,
    RESET,
    START,
    Piece,
    Reply,
    Ring,
    ScriptedClient,
    ScriptedConnection,
    Silence,
    a_call,
    ring,
    text,
)

BUSY = Reply.refusal(529, "overloaded_error", retry_after="2")


def price(model: str, usage: Usage, at: datetime) -> int | None:
    return 1_000 * usage.prompt_tokens + 5_000 * usage.output_tokens


async def told(made: Ring, call: Call, *, fallback: str | None = None, leave: bool = False) -> CallRecord:
    """The record of a call that went through the ring."""
    clock, ledger = made.clock, MemoryStore()
    books = RecordGuard(ledger=ledger, books=Bookkeeper(price=price, price_version="v1"), clock=clock)
    send = with_fallback(made.attempts, FallbackConfig(text=fallback, cached=False), clock)
    with contextlib.suppress(HoldfastError):
        settling = await Pipeline((books,), send, clock=clock)(call)
        if leave:
            await settling.__anext__()
            await settling.aclose()
        await settling.read()
    record = await ledger.find(call.request_id)
    assert record is not None
    return record


def steps(record: CallRecord) -> tuple[AttemptStep, ...]:
    assert record.story is not None
    return record.story.attempts


async def test_a_retry_is_told_with_its_times_its_wait_and_what_both_have_cost() -> None:
    clock = FakeClock()
    record = await told(ring(ScriptedClient(BUSY, Reply()), clock=clock), a_call(clock=clock))
    first, second = steps(record)
    assert (first.number, first.upstream, first.model, first.kind, first.status) == (
        1,
        "main",
        MODEL,
        "http",
        529,
    )
    assert (first.blame, first.error_code, first.first_ms, first.settled_pico) == (
        "claude",
        "overloaded_error",
        None,
        0,
    )
    assert first.wait_ms is not None
    assert first.wait_ms >= 2_000.0
    assert (first.began_ms, first.ended_ms) == (0.0, 0.0)
    assert (second.number, second.kind, second.status, second.served_model) == (2, "answered", 200, MODEL)
    assert (second.blame, second.wait_ms, second.settled_pico) == (None, None, 45_000)
    assert second.began_ms == second.first_ms == second.ended_ms == first.wait_ms
    assert (record.outcome, record.decided_by, record.blame) == ("answered", "upstream", None)


async def test_a_stream_that_breaks_while_it_is_released_was_cut_and_says_why() -> None:
    client = ScriptedClient(Reply.stream(START, BLOCK, text("Go"), CUT))
    record = await told(ring(client), a_call(stream=True))
    (only,) = steps(record)
    assert (only.kind, only.blame, only.error_code) == ("cut", "claude", "holdfast_stream_interrupted")
    assert only.first_ms is not None
    assert (record.outcome, record.decided_by, record.blame) == ("failed", "upstream", "claude")


async def test_a_reader_who_leaves_a_stream_ended_it_himself() -> None:
    pieces: tuple[Piece, ...] = (START, BLOCK, text("Go"), Silence())
    record = await told(ring(ScriptedClient(Reply.stream(*pieces))), a_call(stream=True), leave=True)
    (only,) = steps(record)
    assert (only.kind, only.blame) == ("abandoned", "client")
    assert (record.outcome, record.decided_by, record.blame) == ("abandoned", "client", "client")


async def test_a_caller_who_leaves_before_the_answer_leaves_an_abandoned_attempt() -> None:
    asked = asyncio.Event()

    class Silent(ScriptedClient):
        async def send(self, request: UpstreamRequest) -> ScriptedConnection:
            asked.set()
            return await super().send(request)

    made, call, ledger = ring(Silent(Silence())), a_call(), MemoryStore()
    books = RecordGuard(ledger=ledger, books=Bookkeeper(price=price, price_version="v1"), clock=made.clock)
    task = asyncio.ensure_future(Pipeline((books,), made.attempts, clock=made.clock)(call))
    await asked.wait()
    task.cancel()
    await asyncio.wait({task})
    record = await ledger.find(call.request_id)
    assert record is not None
    (only,) = steps(record)
    assert (only.kind, only.blame, only.first_ms) == ("abandoned", "client", None)
    assert record.decided_by == "client"


async def test_a_fallback_says_who_made_it_necessary() -> None:
    made = ring(ScriptedClient(RESET))
    record = await told(made, a_call(attempts=1), fallback="Sorry.")
    assert (record.end, record.outcome, record.decided_by, record.blame) == (
        "answered",
        "fallback",
        "upstream",
        "network",
    )


async def test_an_open_circuit_decides_a_call_that_is_never_sent() -> None:
    made = ring(ScriptedClient(BUSY), breaker=BreakerConfig(failure_threshold=1, recovery_timeout=60.0))
    await told(made, a_call(attempts=1))
    record = await told(made, a_call(attempts=1))
    assert (record.outcome, record.decided_by, record.blame) == ("refused", "circuit", "claude")
    assert steps(record) == ()


async def test_a_rejected_key_closes_the_gate_for_the_next_call() -> None:
    made = ring(ScriptedClient(Reply.refusal(401, "authentication_error")))
    first = await told(made, a_call())
    assert (first.outcome, first.decided_by, first.blame) == ("failed", "upstream", "account")
    second = await told(made, a_call())
    assert (second.outcome, second.decided_by, second.blame) == ("refused", "gate", "account")


async def test_a_model_that_is_stopped_for_its_stand_in_is_turned_away_by_the_stop() -> None:
    def barrier(model: str) -> Stopped:
        return Stopped("by kim")

    record = await told(ring(ScriptedClient(Reply())), replace(a_call(), barrier=barrier))
    assert (record.outcome, record.decided_by, record.blame) == ("refused", "stop", "us")


async def test_what_an_answer_lacks_is_in_its_story() -> None:
    made = Ring(
        clients={"main": ScriptedClient(BUSY), "other": ScriptedClient(Reply())},
        models={"main": (MODEL,), "other": ("claude-haiku-5-5",)},
        substitutes={MODEL: ("claude-haiku-5-5",)},
    )
    record = await told(made, a_call())
    assert record.story is not None
    assert record.story.degraded == ("model",)
    assert [step.upstream for step in record.story.attempts][-1] == "other"
    assert record.story.attempts[-1].model == "claude-haiku-5-5"
