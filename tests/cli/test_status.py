"""`holdfast status` against a real gateway, and against none."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli.remote import server
from holdfast.clock import SystemClock
from holdfast.errors import ConfigError
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import StoreConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.cli.conftest import Holdfast
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, ask

TOKEN = "an-admin-token-of-the-tests"


@pytest.fixture
def gateway(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.delenv("HOLDFAST_TOKEN", raising=False)
    with serving(simulator, quick_settings(simulator)) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        yield running


def test_a_gateway_without_calls_has_nothing_to_judge(holdfast: Holdfast, gateway: RunningGateway) -> None:
    ended = holdfast("status")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("● Nothing to judge: no call in the last 60 s.\n")


def test_good_calls_are_all_holding(holdfast: Holdfast, gateway: RunningGateway) -> None:
    for _ in range(3):
        assert ask(gateway.url, QUESTION).status == 200
    gateway.records()
    ended = holdfast("status", "--json")
    facts = json.loads(ended.out)
    assert (ended.code, facts["verdict"], facts["ok"], facts["good"]) == (0, "holding", True, 3)
    assert facts["users"]["answered"] == 3
    assert facts["blame"] == {"claude": 0, "network": 0, "account": 0, "us": 0, "client": 0}


def test_an_overloaded_claude_is_said_to_be_and_ends_with_seven(
    holdfast: Holdfast, gateway: RunningGateway
) -> None:
    gateway.simulator.simulator.fault(Fault(Status(529), times=None))
    for _ in range(3):
        assert ask(gateway.url, QUESTION).status == 529
    gateway.records()
    ended = holdfast("status")
    first, *evidence = ended.out.splitlines()
    assert ended.code == 7
    assert first == (
        "▲ Claude is overloaded (529 on 9 of the last 9 attempts, no success yet). "
        "3 of 3 calls ended in an error for their user."
    )
    assert evidence[0].strip() == (
        "Who failed in the last 60 s: client 0, us 0, account 0, network 0, Claude 9; 0 of 9 attempts good."
    )


@pytest.mark.requirement("verdict:probe")
def test_while_something_is_wrong_it_says_what_a_direct_probe_finds_and_what_holdfast_takes(
    holdfast: Holdfast, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("A_KEY", "sk-ant-of-the-tests")
    settings = quick_settings(simulator)
    upstreams = {"simulator": UpstreamConfig(url=simulator.url, key_env="A_KEY")}
    with serving(simulator, replace(settings, upstreams=upstreams)) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        assert json.loads(holdfast("status", "--json").out)["probe"] is None
        running.simulator.simulator.fault(Fault(Status(529), times=None))
        for _ in range(3):
            ask(running.url, QUESTION)
        running.records()
        facts = json.loads(holdfast("status", "--json").out)
    probe, said = facts["probe"], [line["en"] for line in facts["evidence"]]
    assert (probe["upstream"], probe["ok"], probe["mark"]) == ("simulator", True, "200")
    assert any(
        line.startswith("A direct probe of simulator (count_tokens, free) succeeds in ") for line in said
    )
    assert any(line.startswith("Holdfast's own overhead: p95 ") for line in said)
    assert facts["overhead_p95_ms"] > 0
    assert facts["lost"] == {"log_lines": 0, "spans": 0, "recordings": 0, "alerts": 0}


def test_recordings_that_were_lost_show_in_the_status_and_in_the_metrics(
    holdfast: Holdfast, gateway: RunningGateway
) -> None:
    gateway.hold.runtime.stations.recorder.lost = 2
    ended = holdfast("status")
    assert "Lost since this worker began: 2 recordings." in ended.out
    scraped = ask(gateway.url, method="GET", path="/metrics")
    assert b"holdfast_recordings_lost_total 2.0" in scraped.body


def test_a_worker_that_had_no_call_tells_of_the_outage_that_another_worker_has_seen(
    holdfast: Holdfast, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setattr("holdfast.assembly.HEAR_EVERY", 0.1)
    settings = replace(quick_settings(simulator), store=StoreConfig(url=f"sqlite:///{tmp_path / 'h.db'}"))
    with serving(simulator, settings) as busy, serving(simulator, settings) as idle:
        simulator.simulator.fault(Fault(Status(529), times=None))
        for _ in range(4):
            assert ask(busy.url, QUESTION).status == 529
        busy.records()
        monkeypatch.setenv("HOLDFAST_URL", idle.url)
        found = holdfast("status")
        for _ in range(40):
            if "4 of 4 calls" in found.out:
                break
            SystemClock().block(0.25)
            found = holdfast("status")
    assert "Claude is overloaded (529 on 12 of the last 12 attempts" in found.out
    assert "4 of 4 calls ended in an error for their user." in found.out


def test_it_speaks_korean(
    holdfast: Holdfast, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    assert "최근 60초 동안 호출이 없었습니다." in holdfast("status").out


def test_without_a_gateway_it_says_how_to_start_one(holdfast: Holdfast) -> None:
    ended = holdfast("status", "--url", "http://127.0.0.1:9")
    assert (ended.code, ended.out) == (5, "")
    assert "No gateway answers at http://127.0.0.1:9" in ended.err
    assert "Start one with `holdfast serve`" in ended.err


def test_without_the_token_the_words_of_the_gateway_are_passed_on(
    holdfast: Holdfast, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_TOKEN", "another")
    ended = holdfast("status")
    assert ended.code == 6
    assert "The Admin API wants the admin token" in ended.err


def test_something_else_that_answers_there_is_no_gateway(
    holdfast: Holdfast, simulator: RunningSimulator
) -> None:
    ended = holdfast("status", "--url", simulator.url)
    assert ended.code in (1, 5)


@pytest.mark.parametrize("address", ["ftp://x", "nonsense", "http://", "http://x:99999", "http://[bad"])
def test_an_address_that_is_none_is_said_to_be(address: str) -> None:
    with pytest.raises(ConfigError, match="no address of a gateway"):
        server(address)


def test_the_token_that_a_gateway_of_this_machine_keeps_is_found(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in ("HOLDFAST_URL", "HOLDFAST_TOKEN", "HOLDFAST_ADMIN_TOKEN", "HOLDFAST_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(home))
    monkeypatch.chdir(home)
    assert server().token is None
    (home / "holdfast.db.admin-token").write_text("own-token\n")
    assert server().token == "own-token"
    assert server("http://elsewhere").token is None
    (home / "simulator.db.admin-token").write_text("spare-token\n")
    assert server().spare == "spare-token"
    assert server("http://elsewhere").spare is None


def test_watching_says_it_again_when_it_changes(
    holdfast: Holdfast,
    gateway: RunningGateway,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    looks = 0

    def block(clock: SystemClock, seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            ask(gateway.url, QUESTION)
            gateway.records()
        if looks == 3:
            gateway.stop()
        if looks == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(SystemClock, "block", block)
    ended = holdfast("status", "--watch")
    assert ended.code == 130
    assert [line[0] for line in ended.out.splitlines() if not line.startswith(" ")] == ["●", "●"]
    assert ended.err.count("No gateway answers") == 1
