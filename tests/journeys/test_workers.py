"""Several workers behind one address: one ready line, one book, and none of them missed when it is killed."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.listening import refuse_loop, refuse_strangers
from holdfast.cli.serving import check_workers
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError
from holdfast.gateway.peers import together
from holdfast.policy.gateway import GatewayConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import FleetConfig, Settings, StoreConfig
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import eventually
from tests.doors.talking import QUESTION, ask, connected, request
from tests.journeys.commands import Server, running

CONFIG = """
[store]
url = "sqlite:///{folder}/holdfast.db"

[gateway]
port = 0
workers = 2
max_body = {largest}

[upstreams.simulator]
url = "{url}"

[budgets.everybody]
usd = "5"
per = "day"
"""


def is_ready(said: str) -> bool:
    return said.endswith("content[0].text)\n\n")


def write(folder: Path, simulator: RunningSimulator, *, largest: object = 1_000_000) -> Path:
    place = folder / "holdfast.toml"
    place.write_text(CONFIG.format(folder=folder, url=simulator.url, largest=largest), encoding="utf-8")
    return place


@pytest.fixture
def server(simulator: RunningSimulator, tmp_path: Path) -> Iterator[Server]:
    config = write(tmp_path, simulator)
    with running("serve", "--config", str(config), home=tmp_path, ready=is_ready) as started:
        yield started


def workers(server: Server) -> set[int]:
    """The processes that the parent has begun."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    return {int(pid) for pid in listed.stdout.split()}


def counted(server: Server) -> dict[str, float]:
    """How many calls each worker says that it has answered."""
    text = ask(server.url, method="GET", path="/metrics").body.decode()
    found = re.findall(r'holdfast_requests_total\{worker="(\d)".*outcome="answered".*\} ([\d.]+)', text)
    return {worker: float(count) for worker, count in found}


@pytest.mark.requirement("workers:one-address")
def test_two_workers_are_one_gateway_and_a_killed_one_is_replaced(
    server: Server, simulator: RunningSimulator, tmp_path: Path
) -> None:
    assert sum(" ready at " in line for line in server.lines) == 1
    before = workers(server)
    assert len(before) == 2
    eventually(lambda: ask(server.url, QUESTION).status == 200 and len(counted(server)) == 2)
    assert ask(server.url, method="GET", path="/readyz").status == 200
    simulator.simulator.fault(Stall(seconds=60))
    with connected(server.url) as stalled:
        stalled.send(request({**QUESTION, "stream": True}))
        eventually(lambda: simulator.simulator.capture.open == 1)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        statuses = [ask(server.url, QUESTION).status for _ in range(20)]
    assert set(statuses) == {200}
    eventually(lambda: len(workers(server)) == 2 and victim not in workers(server))
    assert any(f"process {victim}) ended with signal 9" in line for line in server.lines)
    _taken_anew(server, simulator, tmp_path)
    started = SYSTEM_CLOCK.monotonic()
    assert server.stop() == 0
    assert SYSTEM_CLOCK.monotonic() - started < 20
    eventually(lambda: not workers(server))


def _taken_anew(server: Server, simulator: RunningSimulator, folder: Path) -> None:
    """A configuration that is wrong changes nothing; a right one replaces every worker."""
    old = workers(server)
    write(folder, simulator, largest='"a lot"')
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: any("the old one stays" in line for line in server.lines))
    assert workers(server) == old
    write(folder, simulator, largest=100)
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(workers(server)) == 2 and not workers(server) & old)
    eventually(lambda: ask(server.url, QUESTION).status == 413)


def test_workers_end_with_a_parent_that_is_killed(server: Server) -> None:
    left = workers(server)
    server.process.kill()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))


def test_a_gateway_that_cannot_begin_says_so_once(simulator: RunningSimulator, tmp_path: Path) -> None:
    config = write(tmp_path, simulator)
    text = config.read_text(encoding="utf-8").replace("holdfast.db", "holdfast.toml/x.db")
    config.write_text(text, encoding="utf-8")
    command = [
        str(Path(__import__("sys").executable).with_name("holdfast")),
        "serve",
        "--config",
        str(config),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("cannot be used") == 1


SHARED = Settings(
    gateway=GatewayConfig(workers=2),
    store=StoreConfig(url="sqlite:////tmp/holdfast.db"),
    upstreams={"simulator": UpstreamConfig(url=SIMULATOR)},
)


@pytest.mark.requirement("workers:refused")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"store": StoreConfig(url="memory:")}, "its own budgets and keys"),
        ({"quotas": {"people": QuotaConfig(requests=5)}}, "fleet.redis_url"),
    ],
)
def test_what_workers_could_not_share_is_refused_with_the_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_workers(replace(SHARED, **change))
    assert why in error.value.say("en")
    assert "workers" in error.value.say("ko")
    check_workers(replace(SHARED, gateway=GatewayConfig(), **change))


def test_what_workers_can_share_is_taken_and_each_knows_how_many_there_are() -> None:
    assert check_workers(SHARED).fleet.workers == 2
    fleet = FleetConfig(redis_url="redis://127.0.0.1:1", workers=8)
    shared = replace(SHARED, quotas={"people": QuotaConfig(requests=5)}, fleet=fleet)
    assert check_workers(shared).fleet.workers == 8


def test_a_system_without_forks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ConfigError, match="load balancer"):
        check_workers(SHARED)


@pytest.mark.requirement("start:strangers")
def test_an_address_that_others_reach_needs_keys_and_a_token() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.com"):
        with pytest.raises(ConfigError, match="holdfast keys create"):
            refuse_strangers(host, has_keys=False, has_token=True)
        with pytest.raises(ConfigError, match="HOLDFAST_ADMIN_TOKEN"):
            refuse_strangers(host, has_keys=True, has_token=False)
        refuse_strangers(host, has_keys=True, has_token=True)
    refuse_strangers("127.0.0.1", has_keys=False, has_token=False)


@pytest.mark.requirement("start:loop")
@pytest.mark.parametrize(
    ("host", "url", "is_loop"),
    [
        ("127.0.0.1", "http://127.0.0.1:4180", True),
        ("127.0.0.1", "http://localhost:4180", True),
        ("0.0.0.0", "http://127.0.0.1:4180", True),
        ("localhost", "http://127.0.0.1:4180/team", True),
        ("127.0.0.1", "http://127.0.0.1:4181", False),
        ("127.0.0.1", "http://nobody.invalid:4180", False),
        ("127.0.0.1", "https://api.anthropic.com", False),
        ("0.0.0.0", "http://192.0.2.1:4180", False),
        ("127.0.0.1", SIMULATOR, False),
    ],
)
def test_an_upstream_that_is_the_gateway_itself_is_refused(host: str, url: str, *, is_loop: bool) -> None:
    settings = Settings(gateway=GatewayConfig(host=host), upstreams={"default": UpstreamConfig(url=url)})
    if not is_loop:
        refuse_loop(settings, 4180)
        return
    with pytest.raises(ConfigError, match="HF105"):
        refuse_loop(settings, 4180)


@pytest.mark.requirement("start:loop")
def test_the_refusal_of_a_loop_names_the_variable(tmp_path: Path) -> None:
    environment = {"HOLDFAST_UPSTREAM": "http://127.0.0.1:4180", "HOLDFAST_HOME": str(tmp_path)}
    settings = Settings.load(environment=environment)
    with pytest.raises(ConfigError) as error:
        refuse_loop(settings, 4180)
    assert "HOLDFAST_UPSTREAM" in error.value.say("en")
    assert "HOLDFAST_UPSTREAM" in error.value.say("ko")


def test_metrics_of_all_workers_stand_together_and_are_not_added_up() -> None:
    one = b'# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 2.0\n# HELP up U.\n# TYPE up gauge\nup 1.0\n'
    two = one.replace(b"2.0", b"3.0") + (
        b"# HELP holdfast_budget_reserved_nanodollars R.\n# TYPE holdfast_budget_reserved_nanodollars gauge\n"
        b"holdfast_budget_reserved_nanodollars 7.0\n"
    )
    assert together({1: one, 2: two}, 2).decode().splitlines() == [
        "# HELP a_total A.",
        "# TYPE a_total counter",
        'a_total{worker="1",x="1"} 2.0',
        'a_total{worker="2",x="1"} 3.0',
        "# HELP up U.",
        "# TYPE up gauge",
        'up{worker="1"} 1.0',
        'up{worker="2"} 1.0',
        "# HELP holdfast_budget_reserved_nanodollars R.",
        "# TYPE holdfast_budget_reserved_nanodollars gauge",
        "holdfast_budget_reserved_nanodollars 7.0",
    ]
    assert b"reserved" not in together({1: one, 2: two}, 1)
    assert json.dumps(together({}, 1).decode()) == '""'
