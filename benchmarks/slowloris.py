"""What a thousand clients that mean no good cost the others: p50 and p99 of honest calls, alone and beside them."""

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

ATTACKERS = 1_000
HONEST = 4
"""Callers at once."""
PAUSE = 0.02
"""Seconds that each of them rests between two calls: a gateway that is busy with them alone shows nothing else."""
DRIP = 5.0
"""Seconds between two drops of those that are slow: less than the patience for a whole head, so that they stay."""
BODY = {
    "model": "claude-haiku-5-5",
    "max_tokens": 32,
    "messages": [{"role": "user", "content": "Where is my order?"}],
}
HEAD = (
    b"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: local\r\ncontent-type: application/json\r\n"
)
GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    b"\x00" * 4_096,
)


@dataclass
class Heard:
    """What honest callers were answered, and how long it took each time, in seconds."""

    times: list[float] = field(default_factory=list[float])
    statuses: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.times, n=100)[98]

    def line(self, name: str) -> str:
        """One row of the table."""
        p50 = statistics.median(self.times) * 1000
        return f"{name:<14} {len(self.times):>7} {p50:>8.2f} {self.p99 * 1000:>8.2f}  {self.statuses}"


async def honest(url: str, seconds: float) -> Heard:
    """Callers that ask and listen, for so many seconds."""
    heard = Heard()
    end = time.monotonic() + seconds

    async def one(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            began = time.perf_counter()
            async with session.post(f"{url}/v1/messages", json=BODY) as answer:
                await answer.read()
            heard.times.append(time.perf_counter() - began)
            heard.statuses[answer.status] = heard.statuses.get(answer.status, 0) + 1
            await asyncio.sleep(PAUSE)

    headers = {"x-api-key": "local", "anthropic-version": "2023-06-01"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(one(session) for _ in range(HONEST)))
    return heard


async def attack(url: str) -> None:
    """A thousand connections that drip, send garbage or do not read, each begun anew when it is closed; for ever."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    host, port = address.hostname, address.port
    kinds = (slow_head, slow_body, no_head, garbage)

    async def one(number: int) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    await kinds[number % len(kinds)](reader, writer, number)
                finally:
                    writer.close()
            await asyncio.sleep(1.0)

    await asyncio.gather(*(one(number) for number in range(ATTACKERS)))


async def slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    """A head without end."""
    writer.write(HEAD)
    while not reader.at_eof():
        await asyncio.sleep(DRIP)
        writer.write(b"x-more: %d\r\n" % number)
        await writer.drain()


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    """A body that comes by the byte."""
    writer.write(HEAD + b"content-length: 1000000\r\n\r\n")
    while not reader.at_eof():
        await asyncio.sleep(DRIP)
        writer.write(b" ")
        await writer.drain()


async def no_head(reader: asyncio.StreamReader, _: asyncio.StreamWriter, number: int) -> None:
    """A connection that says nothing."""
    await reader.read()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    """What is no HTTP."""
    writer.write(GARBAGE[number // 4 % len(GARBAGE)])
    await writer.drain()
    await reader.read()


@contextlib.contextmanager
def gateway() -> Generator[str]:
    """The address of a gateway in a process of its own, over the embedded simulator."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOLDFAST_HOME": home, "HOLDFAST__SIMULATOR__TIME_SCALE": "0"}
        command = [sys.executable, "-m", "holdfast", "serve", "--simulate", "--port", "0"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                found = re.search(r"http://[\d.]+:\d+", process.stderr.readline())
                assert found is not None
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield found[0]
            finally:
                process.terminate()


@contextlib.contextmanager
def attacked(url: str) -> Generator[None]:
    """The thousand, in a process of their own, so that they cost the honest callers nothing but the gateway."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.slowloris", "--attack", url]) as process:
        try:
            yield
        finally:
            process.kill()


def measure(seconds: float) -> bool:
    """Print both rows and their ratio; whether it keeps below two, without an error of ours."""
    with gateway() as url:
        asyncio.run(honest(url, 2.0))
        alone = asyncio.run(honest(url, seconds))
        with attacked(url):
            time.sleep(5.0)  # until all of them are there
            beside = asyncio.run(honest(url, seconds))
    print(f"{'':<14} {'calls':>7} {'p50 ms':>8} {'p99 ms':>8}  statuses")
    print(alone.line("alone"))
    print(beside.line(f"beside {ATTACKERS}"))
    ratio = beside.p99 / alone.p99
    ours = sum(count for status, count in beside.statuses.items() if status >= 500)
    print(f"p99 x {ratio:.2f} (goal: below 2), answers 5xx: {ours} (goal: 0)")
    return ratio < 2 and ours == 0


def main() -> None:
    """Measure, or be the thousand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two measurements")
    parser.add_argument("--attack", metavar="URL", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.attack:
        asyncio.run(attack(asked.attack))
    elif not measure(asked.seconds):
        sys.exit(1)


if __name__ == "__main__":
    main()
