"""A batch sent line by line through the guarded pipeline, many at once."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace

import msgspec

from holdfast.agent.exchange import HEADERS
from holdfast.agent.reading import failure_of
from holdfast.batches.item import Item
from holdfast.batches.row import Outcome, Row, answered, failed
from holdfast.batches.work import Work
from holdfast.call import Call, Incoming, OwnLimits
from holdfast.errors import BudgetExhausted, ConfigError, HoldfastError, StreamInterrupted
from holdfast.language import Sentence
from holdfast.parts.bulk import Spree, in_order
from holdfast.pipeline import Settling
from holdfast.stores.journal import Journal
from holdfast.wire.assembling import MalformedAnswer

SYNC_EVERY = 0.25
"""Seconds between two moments at which all that was written down is on the disk."""


async def work_off(work: Work, *, concurrency: int, told: Callable[[], None]) -> None:
    """Do what is left to do; `told` is called whenever there is more to tell. Raises `ConfigError`."""
    try:
        limits = work.limits
    except BudgetExhausted as error:
        work.stop(error)
        return
    spree = Spree(clock=work.runtime.clock)
    await work.runtime.begin()

    async def on(_: int, item: Item) -> None:
        row = await _row(work, spree, item, limits)
        if row is not None:
            work.keep(item.number, row)
            told()

    async with syncing(work.journal), aclosing(in_order(work.items(), on, concurrency=concurrency)) as done:
        async for _ in done:
            if spree.over is not None and not spree.is_busy:
                break
    work.stop(spree.over)


@asynccontextmanager
async def syncing(journal: Journal) -> AsyncGenerator[None]:
    """While inside, what is added to the journal is on the disk a moment later; all of it behind."""

    async def sync() -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY)
            await journal.sync()

    task = asyncio.ensure_future(sync())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await journal.sync()


async def _row(work: Work, spree: Spree, item: Item, limits: OwnLimits) -> Row | None:
    """What becomes of one line; `None` when its turn does not come any more."""
    call: Call | None = None

    async def ask() -> Row:
        nonlocal call
        call = replace(
            work.runtime.call(
                Incoming(body=item.body, headers=HEADERS), work.principal, request_id=work.runtime.new_id()
            ),
            own_limits=limits,
        )
        return await _asked(work, item, call)

    try:
        return await spree.run(ask)
    except ConfigError:
        raise
    except HoldfastError as error:
        cost = None if call is None else work.runtime.cost(call, None)
        return failed(item, error, cost=cost)


async def _asked(work: Work, item: Item, call: Call) -> Row:
    answer = await work.runtime.pipeline(call)
    body = await answer.read()
    response = answer.response
    cost = work.runtime.cost(call, response.meter)
    if (failure := failure_of(answer, body, call.request_id)) is not None:
        return failed(item, failure, cost=cost)
    outcome: Outcome = "failed" if response.label == "fallback" else response.label
    try:
        return answered(item, msgspec.json.decode(body), body, cost=cost, outcome=outcome)
    except (MalformedAnswer, msgspec.MsgspecError):
        return failed(item, _interrupted(answer), cost=cost)


def _interrupted(answer: Settling) -> StreamInterrupted:
    return StreamInterrupted(
        Sentence(
            f"The upstream answered {answer.response.status} with what is no message. Ask again.",
            ko=f"업스트림이 {answer.response.status}(으)로 응답했지만 메시지가 아닙니다. 다시 요청하세요.",
        )
    )
