"""The simulator on real sockets: starting, stopping, the fixture, and leaving nothing behind."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading

import httpx2
import pytest

from holdfast import testing
from holdfast.simulator import Simulator
from holdfast.simulator.exchange import Receive, Scope
from holdfast.simulator.lines import Send
from holdfast.simulator.server import RunningSimulator, serve
from holdfast.testing import fixtures
from holdfast.testing import simulator as exported

HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


def port_of(running: RunningSimulator) -> int:
    return int(running.url.rsplit(":", 1)[1])


def hello(url: str) -> int:
    return httpx2.get(f"{url}/api/hello").status_code


def asleep(_: RunningSimulator) -> None:
    """A thread that never gets anywhere."""


def simulators() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "holdfast-simulator"]


def test_the_fixture_is_running_and_does_not_wait(simulator: RunningSimulator) -> None:
    assert simulator.url.startswith("http://127.0.0.1:")
    assert simulator.simulator.time_scale == 0
    assert hello(simulator.url) == 200


def test_a_head_request_is_answered_without_a_body(simulator: RunningSimulator) -> None:
    response = httpx2.head(simulator.url)
    assert (response.status_code, response.content) == (200, b"")


def test_each_test_has_a_simulator_of_its_own(simulator: RunningSimulator) -> None:
    assert simulator.simulator.requests == ()


def test_the_fixture_can_be_imported_by_name() -> None:
    assert exported is fixtures.simulator


def test_an_unknown_name_of_the_testing_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        getattr(testing, "nothing")  # noqa: B009 - a checker would see through the plain form


def test_stopping_leaves_no_thread_and_no_listener() -> None:
    with RunningSimulator() as running:
        hello(running.url)
        assert simulators() == ["holdfast-simulator"]
    assert simulators() == []
    with pytest.raises(httpx2.ConnectError):
        hello(running.url)
    gc.collect()


def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    running = RunningSimulator()
    running.stop()
    running.start()
    running.stop()
    running.stop()


def test_many_simulators_run_side_by_side() -> None:
    with RunningSimulator() as one, RunningSimulator(Simulator(time_scale=0, mode="echo")) as two:
        assert one.url != two.url
        assert hello(one.url) == hello(two.url) == 200


def test_a_taken_port_is_an_error_of_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = RunningSimulator(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            running.start()
    assert simulators() == []


def test_a_thread_that_does_not_come_up_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.simulator.server._PATIENCE", 0.01)
    monkeypatch.setattr(RunningSimulator, "_run", asleep)
    with pytest.raises(TimeoutError, match="did not start"):
        RunningSimulator().start()


class Stuck(Simulator):
    """Never answers and never looks at its connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bad_keys = {"reached"}
        await asyncio.sleep(3600)


def test_an_answer_that_notices_nothing_is_cancelled_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.simulator.server._GRACE", 0.01)
    with (
        RunningSimulator(Stuck()) as running,
        socket.create_connection(("127.0.0.1", port_of(running))) as line,
    ):
        line.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        running.until(lambda simulator: bool(simulator.bad_keys))
        running.stop()
    assert simulators() == []


def test_waiting_for_what_never_comes_is_a_timeout(simulator: RunningSimulator) -> None:
    with pytest.raises(TimeoutError):
        simulator.until(lambda _: False, timeout=0.01)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_serving_ends_when_it_is_cancelled(host: str) -> None:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(serve(Simulator(), host, 0, ready=port.set_result))
    address = f"[{host}]" if ":" in host else host
    async with httpx2.AsyncClient() as client:
        response = await client.get(f"http://{address}:{await port}/api/hello")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert response.json() == {"message": "hello"}


async def test_serving_on_a_taken_port_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(Simulator(), "127.0.0.1", taken.getsockname()[1])


def test_a_body_over_32_megabytes_gets_its_413_over_a_socket(simulator: RunningSimulator) -> None:
    raw = b"x" * (33 * 1024 * 1024)
    response = httpx2.post(
        f"{simulator.url}/v1/messages", content=raw, headers={**HEADERS, "content-type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["type"]) == (413, "request_too_large")


def test_a_caller_who_leaves_within_the_body_is_forgotten(simulator: RunningSimulator) -> None:
    with socket.create_connection(("127.0.0.1", port_of(simulator))) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
    assert hello(simulator.url) == 200
    assert [seen.path for seen in simulator.simulator.requests] == ["/api/hello"]


def test_importing_the_plugin_imports_no_server() -> None:
    code = "import sys, holdfast.testing.fixtures; print(*sorted({'uvicorn', 'msgspec', 'anthropic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
