"""`holdfast bench`: what it counts, in both languages, for programs, of a gateway, and to Ctrl-C."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from holdfast.operations.bench import GOOD, Ask, Bench, Load, Tally, added, ratio
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from tests.cli.conftest import Holdfast
from tests.doors.running import RunningGateway, quick_settings, serving

FEW = ("--requests", "20", "--concurrency", "4")


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[RunningGateway]:
    with serving(simulator, quick_settings(simulator)) as running:
        yield running


@pytest.mark.requirement("cli:bench")
def test_the_same_load_goes_through_the_pipeline_and_beside_it(holdfast: Holdfast) -> None:
    ended = holdfast("bench", *FEW)
    assert ended.code == 0, ended.out + ended.err
    for said in (
        "20 of 20 requests each way, 4 at once, answers",
        "requests/s",
        "CPU ms per request",
        "overhead: p50 +",
        "p95 +",
        "p99 +",
    ):
        assert said in ended.out
    assert "failed" not in ended.out


def test_it_speaks_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    said = holdfast("bench", *FEW).out
    for words in ("요청 20건 중 20건", "초당 요청", "요청당 CPU ms", "비율", "추가 시간"):
        assert words in said


@pytest.mark.requirement("cli:bench")
def test_streams_are_measured_and_told_to_programs(holdfast: Holdfast) -> None:
    ended = holdfast("bench", *FEW, "--stream", "--json")
    found = json.loads(ended.out)
    assert ended.code == 0
    assert (found["url"], found["stream"], found["interrupted"]) == (None, True, False)
    for way in ("direct", "holdfast"):
        assert (found[way]["answered"], found[way]["failed"]) == (20, 0)
        assert 0 < found[way]["p50_ms"] <= found[way]["p95_ms"] <= found[way]["p99_ms"]
    assert found["ratio"]["cpu_ms"] > 1
    assert found["overhead_ms"]["p50"] == pytest.approx(
        found["holdfast"]["p50_ms"] - found["direct"]["p50_ms"], abs=0.01
    )


def test_nothing_is_left_of_it_in_the_book_of_the_user(holdfast: Holdfast, tmp_path: Path) -> None:
    assert holdfast("bench", *FEW).code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [("--requests", "100001"), ("--requests", "0"), ("--concurrency", "513")])
def test_the_load_is_bounded(holdfast: Holdfast, wrong: tuple[str, str]) -> None:
    assert holdfast("bench", *wrong).code == 2


def measured(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, which only a process without threads may."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "bench", *FEW, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "HOLDFAST_LANG": "en"},
        timeout=60,
        check=False,
    )


@pytest.mark.requirement("cli:bench")
def test_a_running_gateway_is_measured_over_its_socket(gateway: RunningGateway) -> None:
    ended = measured("--url", gateway.url, "--json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["url"] == gateway.url
    assert (found["direct"]["answered"], found["holdfast"]["answered"]) == (20, 20)
    assert found["holdfast"]["cpu_ms"] is None
    assert len(gateway.records()) >= 20


class Stranger(BaseHTTPRequestHandler):
    """Answers as something does that is no simulator."""

    def do_GET(self) -> None:
        self.answer(b'{"data": []}')

    def do_POST(self) -> None:
        raise AssertionError("a load was sent")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_gateway_before_a_real_api_is_not_pressed() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        serving_it = threading.Thread(target=stranger.serve_forever)
        serving_it.start()
        ended = measured("--url", f"http://127.0.0.1:{stranger.server_port}")
        stranger.shutdown()
        serving_it.join()
    assert ended.returncode == 3
    assert "could cost money" in ended.stderr


def test_where_nobody_listens_that_is_said() -> None:
    ended = measured("--url", "http://127.0.0.1:9")
    assert ended.returncode == 5
    assert "No gateway answers at http://127.0.0.1:9" in ended.stderr


def test_failures_are_counted_and_end_with_1(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Fault(Status(500), times=None))
    ended = measured("--url", gateway.url)
    assert ended.returncode == 1
    assert "20 failed through holdfast: HTTP 5" in ended.stdout


@pytest.mark.requirement("cli:bench")
def test_ctrl_c_prints_what_there_is() -> None:
    command = [sys.executable, "-m", "holdfast", "bench", "--requests", "100000", "--json"]
    surroundings = {**os.environ, "HOLDFAST_LANG": "en"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
    ) as process:
        assert process.stderr is not None
        begun = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert "Sending 100,000 requests each way" in begun
    assert process.returncode == 130, error
    assert json.loads(out)["interrupted"] is True
    assert error == ""


async def test_figures_are_those_of_what_was_counted() -> None:
    clock = FakeClock()

    def way(seconds: float) -> Ask:
        async def ask(body: bytes) -> str:
            clock.advance(seconds)
            return GOOD

        return ask

    load = Load(requests=100, concurrency=1, stream=False)
    bench = Bench(load=load, direct=way(0.001), through=way(0.003), clock=clock, cpu=clock.monotonic)
    await bench.run()
    assert (bench.beside.asked, bench.guarded.asked) == (100, 100)
    assert bench.beside.rate == pytest.approx(1_000)
    assert added(bench.guarded, bench.beside) == pytest.approx((0.002, 0.002, 0.002))
    assert ratio(bench.guarded.cpu_each, bench.beside.cpu_each) == pytest.approx(3)


async def test_what_was_counted_before_it_was_interrupted_stays() -> None:
    clock, sent, stuck = FakeClock(), 0, asyncio.Event()

    async def ask(body: bytes) -> str:
        nonlocal sent
        sent += 1
        if sent > 10:
            stuck.set()
            await asyncio.Event().wait()
        return GOOD if sent % 2 else "HTTP 500"

    load = Load(requests=50, concurrency=2, stream=False)
    bench = Bench(load=load, direct=ask, through=ask, clock=clock, cpu=clock.monotonic)
    running = asyncio.ensure_future(bench.run())
    await stuck.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (bench.beside.asked, bench.guarded.asked) == (5, 1)
    assert bench.beside.failed == {"HTTP 500": 2}
    assert Tally().quantiles() is None
    assert ratio(None, 1.0) is None


def test_quantiles_are_times_that_were_really_met() -> None:
    tally = Tally(took=[float(one) for one in range(100, 0, -1)])
    assert tally.quantiles() == (50.0, 95.0, 99.0)
    assert Tally(took=[7.0]).quantiles() == (7.0, 7.0, 7.0)


def test_no_two_questions_are_the_same() -> None:
    load = Load(requests=3, concurrency=1, stream=True, mark="a-")
    assert len({load.body(number) for number in range(-3, 3)}) == 6
