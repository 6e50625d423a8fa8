"""Whatever reads what holdfast tells may stall: nobody who makes a request, and no event loop, waits for it."""

import asyncio
import io
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.policy.alert_rules import AlertRuleConfig, AlertsConfig, ChannelConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from holdfast.telemetry.sink import BATCH, CAPACITY
from tests.doors.running import eventually, quick_settings, serving
from tests.doors.talking import QUESTION, ask
from tests.doors.test_no_secret_left import crashing

LINES = 20_000
STALL = 1.5
"""Seconds in which nothing is written; the goal of semantics 6.2, G11, names 5, which takes as long to test."""


class Stalled(io.StringIO):
    """A stream that writes nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.released = threading.Event()
        self.lines = 0

    def write(self, text: str) -> int:
        self.begun.set()
        assert self.released.wait(30)
        self.lines += "dropped" not in text
        return len(text)


async def test_a_stalled_stream_blocks_no_loop_and_what_is_lost_is_counted() -> None:
    stream = Stalled()
    logger = AgentLogger(stream=stream, keep=10)
    turns, late = 0, list[float]()

    async def tick() -> None:
        nonlocal turns
        while not stream.released.is_set():
            before = SYSTEM_CLOCK.monotonic()
            await asyncio.sleep(0.001)
            late.append(SYSTEM_CLOCK.monotonic() - before - 0.001)
            turns += 1

    ticking = asyncio.create_task(tick())
    stall = asyncio.create_task(asyncio.sleep(STALL))
    for number in range(LINES):
        logger.info("a line", number=number, text="x" * 100)
        if number % 50 == 0:
            await asyncio.sleep(0)
    await stall
    assert stream.begun.is_set()
    stream.released.set()
    await ticking

    # One write that waited for the stream would have held the loop for the whole stall.
    assert max(late) < STALL / 3
    assert turns > 50
    assert logger.flush(20)
    assert stream.lines + logger.dropped == LINES
    assert stream.lines <= CAPACITY + BATCH
    assert len(logger.entries) == 10


def test_requests_are_answered_while_the_log_stalls(simulator: RunningSimulator) -> None:
    stream = Stalled()
    logger = AgentLogger("gateway", level="debug", stream=stream)
    with serving(simulator, quick_settings(simulator)) as gateway:
        write = logged(logger)
        for _ in range(20):
            assert ask(gateway.url, QUESTION).status == 200
            for event in gateway.events:
                write(event)
        assert not stream.released.is_set()
    stream.released.set()
    assert logger.flush(20)


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_requests_are_answered_while_a_webhook_hangs(
    hanging: socket.socket, simulator: RunningSimulator
) -> None:
    hook = ChannelConfig(kind="webhook", url=f"http://127.0.0.1:{hanging.getsockname()[1]}/alerts")
    alerts = AlertsConfig(channels={"hook": hook}, rules={"crash": AlertRuleConfig(when="crash")})
    settings = replace(quick_settings(simulator), alerts=alerts)
    with serving(simulator, settings, opened=crashing) as gateway:
        told = {**QUESTION, "messages": [{"role": "user", "content": "crash"}]}
        assert ask(gateway.url, told).status == 500
        eventually(lambda: bool(select.select([hanging], [], [], 0)[0]))
        for _ in range(20):
            assert ask(gateway.url, QUESTION).status == 200
        (delivery,) = gateway.hold.runtime.alerting.deliveries.values()
        assert b"holdfast_request_crashes_total 1.0" in gateway.hold.runtime.reporting.metrics.render()
        # Twenty answers came while the one alert was still on its way.
        assert (delivery.sent, delivery.dropped) == (0, 0)
