"""A quota and the way of a call: what it holds comes back however the call ends."""

import asyncio
from dataclasses import replace

import pytest

from holdfast.call import Call, Response
from holdfast.errors import RateLimited
from holdfast.guards.quota import QuotaGuard
from holdfast.parts.fairness import WaitingRoom
from holdfast.pipeline import Pipeline
from holdfast.policy.fairness import FairnessConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.testing import FakeClock
from tests.pipeline.test_settlement import answer, fails, sends
from tests.upstream.scripted import STREAM, a_call


@pytest.fixture
def guard() -> QuotaGuard:
    clock = FakeClock()
    return QuotaGuard(
        quotas={"q": QuotaConfig(concurrency=1)},
        store=MemoryQuotas(clock=clock),
        room=WaitingRoom(FairnessConfig(max_wait=1e-6), clock=clock),
        clock=clock,
    )


def named(id: str) -> Call:
    return replace(a_call(), request_id=id)


async def test_a_place_is_held_until_the_body_is_read(guard: QuotaGuard) -> None:
    pipeline = Pipeline((guard,), sends(answer(*STREAM)))
    first = await pipeline(named("first"))
    with pytest.raises(RateLimited):
        await pipeline(named("second"))
    await first.read()
    await (await pipeline(named("second"))).aclose()


async def test_a_place_comes_back_when_the_reader_hangs_up(guard: QuotaGuard) -> None:
    pipeline = Pipeline((guard,), sends(answer(*STREAM)))
    for id in ("first", "second", "third"):
        body = await pipeline(named(id))
        await anext(body)
        await body.aclose()


async def test_a_place_comes_back_when_the_call_fails(guard: QuotaGuard) -> None:
    pipeline = Pipeline((guard,), fails(ValueError("a bug")))
    for id in ("first", "second"):
        with pytest.raises(ValueError, match="a bug"):
            await pipeline(named(id))


async def test_a_place_comes_back_when_the_caller_is_cancelled(guard: QuotaGuard) -> None:
    async def never(call: Call) -> Response:
        await asyncio.Event().wait()
        return answer()

    pipeline = Pipeline((guard,), never)
    for id in ("first", "second"):
        call = asyncio.create_task(pipeline(named(id)))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait([call])
    await (await Pipeline((guard,), sends(answer(*STREAM)))(named("third"))).aclose()
