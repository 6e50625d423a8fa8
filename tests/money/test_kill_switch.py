"""The kill switch, with calls that wait and streams that flow, on this worker and on another one."""

import asyncio
import sqlite3
import threading
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.operations.desk import Desk
from holdfast.operations.stops import drop_stop, put_stop
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.stops import Stop, StopScope
from holdfast.simulator import Fault, Stall
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from tests.doors.running import RunningGateway, eventually
from tests.doors.talking import QUESTION, ask
from tests.money.till import Till, ended, open_gateway, till
from tests.money.waiting import Waiting, waiting

BOUND = 1.0
"""Seconds in which every call is cut off: what is promised."""
GRACE = 1.0
"""Seconds more that a machine with two busy cores is given; without load the slowest cut comes after 0.4 s."""
BUDGET = BudgetConfig(usd=Decimal(5), per="day")
MODEL = str(QUESTION["model"])
WHO = {"run": "run-7", "user": "alice"}
OTHERS = {"x-holdfast-run": "run-8", "x-holdfast-user": "bob"}
STOPS: dict[StopScope, str] = {
    "run": WHO["run"],
    "key": "local",
    "user": WHO["user"],
    "model": MODEL,
    "everything": "",
}


@pytest.fixture
def money(simulator: RunningSimulator, tmp_path: Path) -> Till:
    return till(simulator, tmp_path, {"everybody": BUDGET})


BOTH = (True, False)
"""A stream and a plain call."""


@contextmanager
def under_way(
    money: Till, gateways: int, kinds: tuple[bool, ...] = BOTH
) -> Generator[tuple[list[RunningGateway], list[Waiting]]]:
    """Gateways over one file, with a stream and a plain call at each that nobody answers to the end."""
    simulator, size = money.simulator, gateways * len(kinds)
    simulator.simulator.fault(Fault(Stall(after_events=6), times=size))
    with ExitStack() as stack:
        opened = [stack.enter_context(open_gateway(money)) for _ in range(gateways)]
        calls = stack.enter_context(waiting([gateway.url for gateway in opened], kinds, **WHO))
        simulator.until(lambda seen: seen.capture.open == size)
        yield opened, calls


def word(scope: StopScope, value: str) -> Stop:
    return Stop(scope=scope, value=value, reason="runaway", by="alice", at=SYSTEM_CLOCK.now())


def stop(money: Till, scope: StopScope, value: str) -> None:
    """What `holdfast stop` does."""

    async def told() -> None:
        store = open_store(money.settings.store_url)
        try:
            await put_stop(Desk(store=store, settings=money.settings), word(scope, value))
        finally:
            await store.aclose()

    asyncio.run(told())


def resume(money: Till, scope: StopScope, value: str) -> None:
    """What `holdfast resume` does."""

    async def told() -> None:
        store = open_store(money.settings.store_url)
        try:
            desk = Desk(store=store, settings=money.settings)
            assert await drop_stop(desk, word(scope, value).name) is not None
        finally:
            await store.aclose()

    asyncio.run(told())


def is_served(gateway: RunningGateway) -> bool:
    return ask(gateway.url, QUESTION, headers=named(**WHO)).status == 200


def named(**who: str) -> dict[str, str]:
    return {f"x-holdfast-{name}": value for name, value in who.items()}


@pytest.mark.parametrize(("scope", "value"), STOPS.items())
@pytest.mark.requirement("money:kill-switch")
def test_a_stop_ends_everything_it_names_on_every_worker_within_a_second(
    money: Till, scope: StopScope, value: str
) -> None:
    with under_way(money, 2) as (gateways, calls):
        begun = SYSTEM_CLOCK.monotonic()
        stop(money, scope, value)
        for call in calls:
            call.join()
        slowest = max(call.ended for call in calls) - begun
        assert slowest < BOUND + GRACE
        assert [call.is_stopped for call in calls] == [True] * 4
        money.simulator.drain()  # the upstream was hung up on
        for gateway in gateways:
            refused = ask(gateway.url, QUESTION, headers=named(**WHO))
            assert (refused.status, refused.error_type) == (403, "permission_error")
            assert refused.headers["x-should-retry"] == "false"
            other = {**QUESTION, "model": "claude-haiku-5-5"} if scope == "model" else QUESTION
            status = ask(gateway.url, other, headers=OTHERS).status
            assert status == (403 if scope in ("everything", "key") else 200)
        resume(money, scope, value)
        for gateway in gateways:
            eventually(partial(is_served, gateway))


def test_what_was_used_up_until_the_stop_is_paid_for_and_nothing_stays_held(money: Till) -> None:
    with under_way(money, 1, kinds=(True,)) as ((gateway,), (call,)):
        stop(money, "everything", "")
        call.join()
        eventually(lambda: len(ended(gateway.events)) == 1)
        (event,) = ended(gateway.events)
        assert (event.end, event.error_code) == ("failed", "holdfast_stopped")
        (row,) = money.attempts()
        assert (row.state, row.served_model, row.estimated) == ("settled", MODEL, True)
        assert row.usage.input_tokens > 0
        money.simulator.drain()
        assert Decimal(row.cost_pico or 0) / 10**12 >= money.billed > 0
        assert all(reserved == 0 for _, reserved in money.windows().values())


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Somebody else holds the database, and does not let go."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


@pytest.mark.requirement("money:kill-switch")
def test_a_stop_reaches_every_worker_of_the_machine_while_the_database_is_locked(money: Till) -> None:
    with under_way(money, 2) as (gateways, calls):
        with locked(money.path):
            begun = SYSTEM_CLOCK.monotonic()
            telling = threading.Thread(target=stop, args=(money, "everything", ""))
            telling.start()
            # Nobody spends any more, and who reads a stream is told; a plain refusal waits for the books.
            money.simulator.drain(BOUND + GRACE)
            streams = [call for call in calls if call.is_stream]
            eventually(lambda: all(call.ended for call in streams))
            slowest = max(call.ended for call in streams) - begun
            assert slowest < BOUND + GRACE
            assert all(call.is_stopped for call in streams)
        telling.join()
        for call in calls:
            call.join()
        assert all(call.is_stopped for call in calls)
        for gateway in gateways:
            assert ask(gateway.url, QUESTION, headers=OTHERS).status == 403
