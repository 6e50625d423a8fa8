"""What every durable store must keep while the processes that use it are killed."""

import asyncio
import signal
import subprocess
import sys
from uuid import uuid4

from holdfast.policy.holds import Hold, Reserve, nano
from holdfast.ports import Store, attempt_id
from holdfast.stores.open import open_store
from holdfast.testing.conformance_attempts import sums_agree
from holdfast.testing.conformance_records import (
    DOLLAR,
    NANO_DOLLAR,
    a_limit,
    a_record,
    an_attempt,
    held_by,
)

TIGHT = a_limit("tight", nano=10 * NANO_DOLLAR)
ALL = 1_000_000
PRESUMED = 2_000_000


async def what_was_acknowledged_survives_kill_9(url: str) -> None:
    """Processes that write to the store at `url` are killed: whatever they were told is recorded is there.

    Once killed early and once late; the sums are those of the rows, and a counter is what its attempts have
    cost and what is still promised.
    """
    acknowledged: list[str] = []
    for count in (1, 200):
        written = await asyncio.gather(
            *(asyncio.to_thread(_kill_after, "write_for_ever", url, count) for _ in range(2))
        )
        acknowledged += [request_id for ids in written for request_id in ids]
    store = open_store(url)
    try:
        await store.record(a_record("hfr_after"))
        rows = await store.newest(ALL)
        assert {row.request_id for row in rows} >= {*acknowledged, "hfr_after"}
        assert (await store.totals()).calls == len(rows)
        settled = [one for one in await store.attempts(limit=ALL) if one.state == "settled"]
        assert {one.request_id for one in settled} >= set(acknowledged)
        await counters_are_those_of_the_holds(store, "day", "month")
        await sums_agree(store)
    finally:
        await store.aclose()


async def no_limit_is_passed_while_workers_are_killed(url: str) -> None:
    """Three workers at a time share ten dollars, lose their holds to each other, and are killed in between.

    At no reading is more paid and promised than the limit has, and in the end every counter is what the
    attempts have cost, late settlements and lost workers among them.
    """
    store = open_store(url)
    try:
        for count in (5, 60, 120):
            killed = asyncio.gather(
                *(asyncio.to_thread(_kill_after, "spend_for_ever", url, count) for _ in range(3))
            )
            while not killed.done():
                settled, reserved = (await store.used(["tight"])).get("tight", (0, 0))
                assert 0 <= settled + reserved <= 10 * NANO_DOLLAR
                await asyncio.sleep(0)
            await killed
        await counters_are_those_of_the_holds(store, "tight")
        await sums_agree(store)
        await store.sweep()
        assert await store.held() == ()
        await counters_are_those_of_the_holds(store, "tight")
        await sums_agree(store)
    finally:
        await store.aclose()


async def counters_are_those_of_the_holds(store: Store, *windows: str) -> None:
    """A window that every attempt counts against has paid what they cost and promised what they hold."""
    over = [one for one in await store.attempts(limit=ALL) if one.state in ("settled", "expired")]
    paid = sum(nano(one.cost_pico or 0) for one in over)
    promised = sum(nano(hold.amount) for hold in await store.held())
    assert await store.used(windows) == dict.fromkeys(windows, (paid, promised))


async def write_for_ever(url: str) -> None:
    """Hold, settle and record call after call, several at once, and print the id of each that is acknowledged."""
    store, run = open_store(url), uuid4()

    async def write(number: int) -> None:
        request_id = f"hfr_{run}_{number}"
        await held_by(store, request_id, a_limit("day", nano=None), a_limit("month", nano=None))
        await store.settle([an_attempt(request_id, cost_pico=number * 777)])
        await store.record(a_record(request_id))
        _say(request_id)

    number = 0
    while True:
        await asyncio.gather(*(write(number + one) for one in range(8)))
        number += 8


async def spend_for_ever(url: str) -> None:
    """Hold and settle under a tight limit, with leases that are over at once, and sweep the holds of all."""
    store, run = open_store(url), uuid4()

    async def spend(number: int) -> None:
        name = f"hfr_{run}_{number}"
        verb = Reserve(
            id=attempt_id(name, 1),
            limits=(TIGHT,),
            amount=DOLLAR,
            presumed=PRESUMED,
            lease=0.0,
            owner=str(run),
        )
        if isinstance(await store.reserve(verb, an_attempt(name, cost_pico=0)), Hold):
            if number % 4 == 0:
                await store.sweep()
            await store.settle([an_attempt(name, cost_pico=number * 777 % PRESUMED)])
        _say(name)

    number = 0
    while True:
        await asyncio.gather(*(spend(number + one) for one in range(8)))
        number += 8


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _kill_after(worker: str, url: str, count: int) -> list[str]:
    program = (
        f"import asyncio, sys; from holdfast.testing.conformance_crash import {worker};"
        f" asyncio.run({worker}(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(count)]
        writer.send_signal(signal.SIGKILL)
        seen += writer.stdout.readlines()
    return [line.strip() for line in seen if line.endswith("\n")]
