"""`holdfast status` against a real gateway, and against none."""

import json
from collections.abc import Iterator

import pytest

from holdfast.cli.remote import server
from holdfast.clock import SystemClock
from holdfast.errors import ConfigError
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
