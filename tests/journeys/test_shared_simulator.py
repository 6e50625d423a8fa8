"""`serve --simulate --workers 2`: one simulator for all workers, which ends with the last of them."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from holdfast.cli import serving
from holdfast.cli.shared_simulator import SharedSimulator
from holdfast.errors import StoreUnavailable
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.ring import connect
from holdfast.settings import Settings
from holdfast.upstream.http import HttpClient
from tests.doors.running import eventually
from tests.doors.talking import QUESTION, ask
from tests.journeys.commands import Server, running

BATCH = {"requests": [{"custom_id": "one", "params": QUESTION}]}
BATCHES = "/v1/messages/batches"
SIMULATED = Settings(upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})


def is_ready(said: str) -> bool:
    return said.endswith("content[0].text)\n\n")


def processes(server: Server) -> set[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    return {int(pid) for pid in listed.stdout.split()}


@pytest.mark.requirement("workers:one-simulator")
def test_a_batch_is_known_to_every_worker_and_nothing_is_left_when_the_parent_is_killed(
    tmp_path: Path,
) -> None:
    tidy = Path(tempfile.mkdtemp(prefix="tidy-", dir="/tmp"))  # short, as the addresses of sockets have to be
    arguments = ("serve", "--simulate", "--workers", "2", "--port", "0")
    proxy = "http://127.0.0.1:9"  # nobody is there: the simulator is not asked by way of it
    with running(
        *arguments, home=tmp_path, ready=is_ready, TMPDIR=str(tidy), http_proxy=proxy, no_proxy=""
    ) as server:
        made = [ask(server.url, BATCH, path=BATCHES).json["id"] for _ in range(4)]
        assert len(set(made)) == 4
        seen = [ask(server.url, method="GET", path=f"{BATCHES}/{name}").status for name in made * 3]
        assert set(seen) == {200}
        left = processes(server)
        assert len(left) == 3
        assert len(list(tidy.glob("holdfast-*"))) == 1
        server.process.kill()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
        assert list(tidy.glob("holdfast-*")) == []
    tidy.rmdir()


def test_settings_without_a_simulator_start_none() -> None:
    shared = SharedSimulator()
    live = Settings(upstreams={"live": UpstreamConfig(url="http://127.0.0.1:9")})
    assert shared.way(live) is connect
    shared.stop()


def test_whoever_asks_gets_the_way_to_the_same_one_and_other_upstreams_their_own() -> None:
    shared = SharedSimulator()
    try:
        ways = [shared.way(SIMULATED) for _ in range(2)]
        (known,) = SIMULATED.upstreams.values()
        there = [way(known, SIMULATED) for way in ways]
        assert all(isinstance(client, HttpClient) for client in there)
        live = UpstreamConfig(url="http://127.0.0.1:9")
        assert isinstance(ways[0](live, SIMULATED), HttpClient)
    finally:
        shared.stop()
        shared.stop()


def test_one_that_does_not_begin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        os._exit(3)

    monkeypatch.setattr("holdfast.cli.shared_simulator.Simulator", broken)
    begun: list[int] = []
    fork = os.fork

    def forked() -> int:
        begun.append(fork())
        return begun[-1]

    monkeypatch.setattr(os, "fork", forked)
    shared = SharedSimulator()
    with pytest.raises(StoreUnavailable, match="did not begin"):
        shared.way(SIMULATED)
    (gone,) = begun
    with pytest.raises(ChildProcessError):
        os.waitpid(gone, os.WNOHANG)
    shared.stop()


def test_one_process_that_is_asked_to_read_anew_says_what_to_do_instead(tmp_path: Path) -> None:
    with running("serve", "--simulate", "--port", "0", home=tmp_path, ready=is_ready) as server:
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "SIGHUP was heard" in server.said)
        assert ask(server.url, QUESTION).status == 200
        assert server.stop() == 0


def test_a_long_name_of_the_folder_for_temporary_files_keeps_no_worker_from_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = serving.sockets_folder()
    try:
        assert len(str(folder / "256.sock")) < 100
    finally:
        folder.rmdir()


CRASHING = """
import os
from holdfast.gateway.supervisor import Supervisor

def work(number, ready):
    ready()
    return 7

said = []
def say(sentence):
    said.append(sentence.en)
    if len(said) == 3:
        os.kill(os.getpid(), 15)

Supervisor(count=1, work=work, ready=lambda: None, say=say, drain_timeout=0.0).run()
print("\\n".join(said))
"""


def test_a_worker_that_keeps_dying_as_soon_as_it_is_ready_is_waited_for_longer_each_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASHING], capture_output=True, text=True, timeout=30, check=True
    )
    waits = [line.split(" takes its place in ")[1].split(" s.")[0] for line in done.stdout.splitlines()]
    assert waits == ["0.5", "1", "2"]
