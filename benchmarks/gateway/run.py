"""Every gateway pressed in the same ways, in turn and round by round, so that noise meets them all alike."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field

from benchmarks.gateway import load
from benchmarks.gateway.process import Server

CROWD = (20, 100, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long each press takes, in seconds, and how often it is repeated."""

    rounds: int
    closed: float
    latency: float
    paced: float
    steady: float
    crowd: tuple[int, ...] = CROWD


QUICK = Plan(rounds=1, closed=1.5, latency=4.0, paced=1.5, steady=1.0, crowd=(20, 100))
FULL = Plan(rounds=3, closed=4.0, latency=20.0, paced=4.0, steady=2.0)


@dataclass(slots=True)
class Seen:
    """What was measured of one gateway, a figure a round."""

    name: str
    ready: float = 0.0
    idle: float = 0.0
    loaded: float = 0.0
    errors: int = 0
    figures: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float | None:
        found = self.figures.get(figure)
        return statistics.median(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A gateway under measurement; of the upstream itself only the load is known, not what it costs."""

    server: Server
    target: load.Target
    seen: Seen
    is_direct: bool = False


async def until_ready(contender: Contender, patience: float = 60.0) -> bool:
    """Wait for its first good answer; whether it came."""
    server, last = contender.server, ""
    while time.perf_counter() - server.started < patience:
        try:
            asking = await load.connect(contender.target)
            async with asyncio.timeout(5.0):
                await asking.ask(load.request(contender.target))
        except (OSError, TimeoutError, load.LoadError) as error:
            if server.process.poll() is not None:
                return False
            last = f"{type(error).__name__} {error}"
            await asyncio.sleep(0.02)
            continue
        contender.seen.ready = time.perf_counter() - server.started
        asking.close()
        return True
    print(f"{contender.seen.name}: no good answer within {patience:g} s; the last was: {last:.300}")
    return False


async def press(contenders: list[Contender], plan: Plan) -> None:
    """All presses, round by round."""
    for one in contenders:
        await load.closed(one.target, 0.5, connections=4)
        one.seen.idle = one.server.memory()
    for number in range(plan.rounds):
        for one in contenders:
            await _closed(one, plan.closed, stream=False)
            await _closed(one, plan.closed, stream=True)
        await _latency(contenders, plan.latency)
        for streams in plan.crowd:
            for one in contenders:
                await _paced(one, plan.paced, streams)
                await _steady(one, plan.steady, streams)
        print(f"round {number + 1} of {plan.rounds} done", flush=True)


async def _closed(one: Contender, seconds: float, *, stream: bool) -> None:
    before = one.server.cpu()
    heard = await load.closed(one.target, seconds, stream=stream)
    used = one.server.cpu() - before
    one.seen.errors += heard.errors
    kind = "burst" if stream else "json"
    one.seen.add(f"{kind}/s", heard.answers / heard.seconds)
    if heard.answers:
        one.seen.add(f"{kind} us", used / heard.answers * 1e6)


async def _latency(contenders: list[Contender], seconds: float) -> None:
    times = await load.beside([one.target for one in contenders], seconds)
    for one in contenders:
        found = times[one.target]
        if len(found) > 1:
            one.seen.add("p50 ms", statistics.median(found) * 1000)
            one.seen.add("p99 ms", statistics.quantiles(found, n=100)[98] * 1000)


async def _paced(one: Contender, seconds: float, streams: int) -> None:
    before = one.server.cpu()
    heard = await load.paced(one.target, seconds, streams)
    used = one.server.cpu() - before
    one.seen.errors += heard.errors
    one.seen.add(f"events/s {streams}", heard.events / heard.seconds)
    if heard.answers:
        # The server has worked on the last streams too, which end after the clock: so all events are counted.
        one.seen.add(f"event us {streams}", used / (heard.answers * load.PACED_EVENTS) * 1e6)
        one.seen.add(f"first ms {streams}", statistics.median(heard.times) * 1000)


async def _steady(one: Contender, seconds: float, streams: int) -> None:
    flow = load.Streams(one.target, streams)
    try:
        await flow.open()
        before, began, seen = one.server.cpu(), time.perf_counter(), flow.events
        await asyncio.sleep(seconds)
        events, used = flow.events - seen, one.server.cpu() - before
        passed = time.perf_counter() - began
        one.seen.loaded = max(one.seen.loaded, one.server.memory())
    finally:
        await flow.close()
    await asyncio.sleep(0.2)
    one.seen.add(f"steady/s {streams}", events / passed)
    if events:
        one.seen.add(f"steady us {streams}", used / events * 1e6)
