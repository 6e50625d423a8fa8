"""Whether anything grows: streams with faults for an hour, then all counts back to where they were."""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import uvloop

from benchmarks.gateway import load
from benchmarks.gateway.process import free_port
from benchmarks.gateway.stub import DELTA, HEAD, OPENING, PACED, Answering, Wheel
from holdfast.call import Call
from holdfast.gateway.server import GatewayServer
from holdfast.hold import Holdfast
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.permit import Permit
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings, StoreConfig

FAULTS = 0.05
"""The part of all streams that goes wrong, a quarter of it each by every kind, and of those that callers leave."""
TICK = 0.01
"""Seconds: a stream has ten events a second, and takes five seconds."""
TEXTS = 1_000
"""Different requests: what is remembered of each has a bound, and that should be reached in the warm-up."""
FILLING = 11_000
"""Calls before anything is measured: the ids of the last 10,000 are remembered, which takes some two megabytes."""
SLOPE = 1.0
"""Megabytes an hour that may be gained after the warm-up."""
SHORTEST = 1_800.0
"""Seconds after the warm-up from which a slope an hour means anything; shorter runs look at the gain itself."""
GAIN = 3.0
"""Megabytes that a shorter run may gain: one page of an allocator's arena more or less is no leak."""
OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
REFUSED = b"HTTP/1.1 529 Overloaded\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
STREAM_ERROR = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Internal"}}\n\n'


class Faulty(Answering):
    """The light upstream, which now and then is overloaded, hangs up, breaks off, or says that it failed."""

    dice = random.Random(1)

    def answer(self, body: bytes) -> None:
        roll = self.dice.random()
        if roll >= FAULTS:
            super().answer(body)
            return
        match int(roll / FAULTS * 4):
            case 0:
                self.transport.write(REFUSED % (len(OVERLOADED), OVERLOADED))
            case 1:
                self.transport.abort()
            case 2:
                self.transport.write(HEAD + OPENING + DELTA * 3)
                asyncio.get_running_loop().call_later(0.2, self.transport.abort)
            case _:
                said = b"%x\r\n%s\r\n0\r\n\r\n" % (len(STREAM_ERROR), STREAM_ERROR)
                self.transport.write(HEAD + OPENING + DELTA * 3 + said)


async def upstream(port: int) -> None:
    """Be the upstream until killed."""
    wheel = Wheel(TICK)
    server = await asyncio.get_running_loop().create_server(lambda: Faulty(wheel), "127.0.0.1", port)
    async with server:
        await wheel.turn()


def serve(address: str, port: int, store: str) -> None:
    """Be the gateway, and tell on SIGUSR1 what is there."""
    hold = Holdfast(
        replace(
            Settings.load(None),
            upstreams={"stub": UpstreamConfig(url=address)},
            store=StoreConfig(url=f"sqlite:///{store}"),
            budgets={"all": BudgetConfig(usd=Decimal(1_000_000), per="day")},
        )
    )

    def ready() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell, hold)

    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        GatewayServer(hold.asgi(), drain_timeout=5.0, ready=ready).run([listener])


def tell(hold: Holdfast) -> None:
    """One line of what is there now."""
    gc.collect()
    alive = Counter(type(one) for one in gc.get_objects() if isinstance(one, (Permit, Call)))
    descriptors = [_target(name) for name in os.listdir("/proc/self/fd")]
    said = {
        "tasks": len(asyncio.all_tasks()),
        "sockets": sum(one.startswith("socket:") for one in descriptors),
        "files": sum(not one.startswith("socket:") for one in descriptors),
        "permits": alive[Permit],
        "calls": alive[Call],
    }
    print(json.dumps(said), flush=True)


def _target(name: str) -> str:
    try:
        return str(Path(f"/proc/self/fd/{name}").readlink())
    except OSError:
        return ""


@dataclass(slots=True)
class Soak:
    """One run against a gateway in a process of its own."""

    target: load.Target
    gateway: "subprocess.Popen[str]"
    store: Path
    seen: Counter[str] = field(default_factory=Counter[str])
    sizes: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    async def counts(self) -> dict[str, int]:
        """What the gateway has open, and the holds in its file."""
        assert self.gateway.stdout is not None
        self.gateway.send_signal(signal.SIGUSR1)
        line = await asyncio.to_thread(self.gateway.stdout.readline)
        found: dict[str, int] = json.loads(line)
        with contextlib.closing(sqlite3.connect(self.store)) as db:
            (found["holds"],) = db.execute("SELECT count(*) FROM attempts WHERE state = 'held'").fetchone()
        return found

    async def stream(self, number: int, end: float) -> None:
        """One caller after the other, until it is time."""
        dice = random.Random(number)
        await asyncio.sleep(dice.random() * 5)
        asking = await load.connect(self.target)
        while time.monotonic() < end:
            body = load.request(self.target, stream=True, max_tokens=PACED, about=dice.randrange(TEXTS))
            patience = dice.uniform(0.1, 4.0) if dice.random() < FAULTS / 4 else 30.0
            try:
                async with asyncio.timeout(patience):
                    await asking.ask(body)
                self.seen["answered"] += 1
            except TimeoutError:
                self.seen["left" if patience < 30 else "HUNG"] += 1
            except load.LoadError:
                self.seen["failed"] += 1
            else:
                continue
            asking.close()
            await asyncio.sleep(0.05)
            asking = await load.connect(self.target)
        asking.close()

    async def watch(self, warm: float, end: float) -> None:
        """The size every second from the end of the warm-up on."""
        while time.monotonic() < end:
            await asyncio.sleep(1.0)
            if time.monotonic() >= warm:
                self.sizes.append((time.monotonic(), _size(self.gateway.pid)))

    async def run(self, seconds: float, streams: int) -> tuple[dict[str, int], dict[str, int]]:
        """The counts before and after."""
        before = after = await self.counts()
        began = time.monotonic()
        end = began + seconds
        work = [self.stream(number, end) for number in range(streams)]
        await asyncio.gather(self.watch(began + seconds / 5, end), *work)
        for _ in range(30):
            await asyncio.sleep(1.0)
            after = await self.counts()
            if all(after[name] <= before[name] for name in ("tasks", "sockets", "permits", "calls", "holds")):
                break
        return before, after


def _size(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


async def ready(soak: Soak) -> None:
    """Wait for the gateway, and fill what it remembers of the last calls up to its bounds: what is full grows no more."""
    calls = 0
    while calls < FILLING:
        await asyncio.sleep(0.1)
        with contextlib.suppress(OSError, load.LoadError):
            heard = await load.closed(soak.target, 3.0, stream=True)
            calls += heard.answers
    await asyncio.sleep(2.0)


async def measure(soak: Soak, seconds: float, streams: int) -> bool:
    """Print what was found; whether nothing grew."""
    await ready(soak)
    before, after = await soak.run(seconds, streams)
    hours, sizes = [at / 3600 for at, _ in soak.sizes], [size for _, size in soak.sizes]
    slope = statistics.linear_regression(hours, sizes).slope
    tenth = max(1, len(sizes) // 10)
    gain = statistics.median(sizes[-tenth:]) - statistics.median(sizes[:tenth])
    lasted = soak.sizes[-1][0] - soak.sizes[0][0]
    print(f"{streams} streams for {seconds:.0f} s: {dict(soak.seen)}")
    print(f"size after the warm-up {sizes[0]:.1f} MB, at the end {sizes[-1]:.1f}, at most {max(sizes):.1f}")
    print(f"slope {slope:+.2f} MB an hour over {lasted:.0f} s, gained {gain:+.2f} MB")
    for name in before:
        print(f"{name:<10} before {before[name]:>6}  after {after[name]:>6}")
    is_flat = slope < SLOPE if lasted >= SHORTEST else gain < GAIN
    is_back = all(after[name] <= before[name] for name in before)
    asked = f"slope below {SLOPE:g} MB an hour" if lasted >= SHORTEST else f"gain below {GAIN:g} MB"
    print(f"{'PASS' if is_flat else 'short'}  {asked}")
    print(
        f"{'PASS' if is_back else 'short'}  tasks, sockets, files, permits, calls and holds back at the start"
    )
    print(f"{'PASS' if not soak.seen['HUNG'] else 'short'}  nobody waits for ever")
    return is_flat and is_back and not soak.seen["HUNG"]


def run(seconds: float, streams: int) -> bool:
    """Start both, measure, and stop both."""
    with tempfile.TemporaryDirectory(prefix="holdfast-soak-") as folder:
        up, port, store = free_port(), free_port(), Path(folder) / "calls.db"
        module = [sys.executable, "-m", "benchmarks.soak"]
        environment = {**os.environ, "HOLDFAST_HOME": folder}
        address = f"http://127.0.0.1:{up}"
        with (
            subprocess.Popen([*module, "--upstream", str(up)]) as below,
            subprocess.Popen(
                [*module, "--serve", address, str(port), str(store)],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            ) as gateway,
        ):
            try:
                soak = Soak(target=load.Target(port=port), gateway=gateway, store=store)
                return uvloop.run(measure(soak, seconds, streams))
            finally:
                gateway.terminate()
                below.kill()


def main() -> None:
    """Measure, or be one of those that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3_600.0, help="how long; the first fifth is warm-up")
    parser.add_argument("--streams", type=int, default=100, help="how many at once")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve[0], int(asked.serve[1]), asked.serve[2])
    elif asked.upstream:
        uvloop.run(upstream(asked.upstream))
    elif not run(asked.seconds, asked.streams):
        sys.exit(1)


if __name__ == "__main__":
    main()
