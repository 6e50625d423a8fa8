"""`holdfast run` as somebody who starts a program with it sees it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pytest

from holdfast.cli.main import CONFIG, KEY_MISSING, REFUSED
from holdfast.simulator.server import RunningSimulator
from tests.cli.conftest import Holdfast
from tests.doors.running import quick_settings, serving

ASKS = """
import json, os, sys, urllib.error, urllib.request
body = {"model": "claude-haiku-5-5", "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
headers |= {"x-api-key": os.environ.get("ANTHROPIC_API_KEY", "local")}
for line in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines():
    headers.update([line.split(": ")])
url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
request = urllib.request.Request(url, json.dumps(body).encode(), headers)
json.dump(dict(os.environ), open("environment.json", "w"))
try:
    print(urllib.request.urlopen(request).status, file=open("said", "w"))
except urllib.error.HTTPError as error:
    print(error.read().decode(), file=open("said", "w"))
    sys.exit(3)
"""


def asking() -> tuple[str, ...]:
    return ("--", sys.executable, "-c", ASKS)


def environment() -> dict[str, str]:
    return cast("dict[str, str]", json.loads(Path("environment.json").read_text()))


@pytest.mark.requirement("run:key")
def test_a_program_gets_an_address_and_a_token_and_never_our_key(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "HOLDFAST_ADMIN_TOKEN"):
        monkeypatch.setenv(name, "sk-ant-of-the-owner-0123456789")
    monkeypatch.setenv("OTHER", "stays")
    ended = holdfast("run", "--simulate", "--run", "nightly", *asking())
    seen = environment()

    assert (ended.code, Path("said").read_text()) == (0, "200\n")
    assert ended.err.startswith("holdfast: run nightly · calls 1 · dollars 0.0000 · blocked 0 · exit 0\n")
    assert "sk-ant-of-the-owner-0123456789" not in seen.values()
    assert seen["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert seen["ANTHROPIC_API_KEY"].startswith("hf_local_")
    assert "ANTHROPIC_AUTH_TOKEN" not in seen
    assert seen["OTHER"] == "stays"


@pytest.mark.requirement("run:budget")
def test_a_budget_ends_the_run_and_the_exit_code_says_so(holdfast: Holdfast) -> None:
    ended = holdfast("run", "--simulate", "--max-usd", "0.000001", *asking())

    assert ended.code == REFUSED
    assert "blocked 1 · ended by a rule (holdfast_budget_exhausted)" in ended.err
    assert "--max-usd" in Path("said").read_text()


def test_a_run_of_a_known_name_goes_on_with_its_budget(holdfast: Holdfast) -> None:
    codes = [
        holdfast("run", "--simulate", "--run", "one", "--max-usd", "0.00003", *asking()).code
        for _ in range(3)
    ]

    assert codes[0] == 0
    assert codes[-1] == REFUSED


def test_no_header_of_the_program_gets_it_another_run(holdfast: Holdfast) -> None:
    program = ASKS.replace(
        "url =", "headers['x-holdfast-run'] = headers['x-claude-code-session-id'] = 'free'; url ="
    )
    ended = holdfast("run", "--simulate", "--run", "mine", "--", sys.executable, "-c", program)
    told = json.loads(holdfast("runs", "list", "--simulate", "--json").out)

    assert ended.code == 0
    assert "mine" in json.dumps(told)
    assert "free" not in json.dumps(told)


@pytest.mark.parametrize(("program", "code"), [("exit 7", 7), ("kill -TERM $$", 143), ("true", 0)])
def test_the_exit_code_is_that_of_the_program(program: str, code: int, holdfast: Holdfast) -> None:
    ended = holdfast("run", "--simulate", "--", "sh", "-c", program)

    assert ended.code == code
    assert "no call came through here" in ended.err


def test_a_program_that_cannot_be_started_is_told_as_a_shell_does(holdfast: Holdfast) -> None:
    Path("plain").write_text("")
    unknown, plain = (holdfast("run", "--simulate", "--", f"./{name}") for name in ("none", "plain"))

    assert (unknown.code, plain.code) == (127, 126)
    assert "no such program" in unknown.err


@pytest.mark.parametrize("amount", ["0", "-1", "much", "nan"])
def test_an_amount_that_is_none_is_wrong_usage(amount: str, holdfast: Holdfast) -> None:
    ended = holdfast("run", "--simulate", "--max-usd", amount, "--", "true")

    assert ended.code == 2
    assert "no amount of dollars" in ended.err


def test_what_is_missing_is_said_before_the_program_begins(holdfast: Holdfast) -> None:
    assert holdfast("run", "--", "touch", "begun").code == KEY_MISSING
    assert holdfast("run", "--config", "none.toml", "--", "touch", "begun").code == CONFIG
    assert holdfast("run", "--simulate").code == 2
    assert not Path("begun").exists()


def test_real_money_without_a_budget_gets_the_starter_budget(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    starter = "no budget configured, so at most 10 dollars a day"

    assert starter in holdfast("run", "--", "true").err
    assert starter not in holdfast("run", "--max-usd", "1", "--", "true").err


def test_a_gateway_that_the_environment_names_is_used(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, simulator: RunningSimulator
) -> None:
    with serving(simulator, quick_settings(simulator)) as gateway:
        monkeypatch.setenv("HOLDFAST_URL", gateway.url)
        ended = holdfast("run", "--run", "far", *asking())
        refused = holdfast("run", "--max-usd", "1", *asking())
        (record,) = gateway.records()

    assert (ended.code, record.run, record.status) == (0, "far", 200)
    assert f"at {gateway.url}: holdfast runs show far" in ended.err
    assert refused.code == 2
    assert "holdfast budgets set" in refused.err


def test_claude_code_is_told_in_its_own_settings_as_well(holdfast: Holdfast) -> None:
    Path("claude").write_text(
        '#!/bin/sh\necho "$ANTHROPIC_API_KEY|$ANTHROPIC_AUTH_TOKEN|$@" > said\ncp "$2" kept\n'
    )
    Path("claude").chmod(0o755)
    ended = holdfast("run", "--simulate", "--", "./claude", "-p", "Hello")
    key, token, arguments = Path("said").read_text().strip().split("|")
    told = json.loads(Path("kept").read_text())["env"]

    assert (ended.code, key) == (0, "")
    assert told["ANTHROPIC_AUTH_TOKEN"] == token
    assert arguments.startswith("--settings ")
    assert arguments.endswith("settings.json -p Hello")
    assert not Path(arguments.split()[1]).exists()
    holdfast("run", "--simulate", "--", "./claude", "--settings", "mine.json")
    assert Path("said").read_text().endswith("|--settings mine.json\n")


def test_the_official_sdk_works_in_a_program_unchanged(holdfast: Holdfast) -> None:
    program = (
        "import anthropic; message = anthropic.Anthropic().messages.create(model='claude-sonnet-5-5', max_tokens=20, "
        "messages=[{'role': 'user', 'content': 'Hello'}]); open('said', 'w').write(message.content[0].text)"
    )
    ended = holdfast("run", "--simulate", "--", sys.executable, "-W", "error", "-c", program)

    assert ended.code == 0
    assert Path("said").read_text()


SLEEPS = 'trap "echo heard > heard; exit 9" {signal}; sleep 60 & echo $! > child; echo > begun; wait'
STUBBORN = "trap '' TERM; sleep 60 & echo $! > child; echo > begun; wait; wait; sleep 60"


def started(program: str, home: Path) -> "subprocess.Popen[bytes]":
    """`holdfast run` in a process of its own, once its program has begun."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ANTHROPIC", "HOLDFAST"))}
    command = [sys.executable, "-m", "holdfast", "run", "--simulate", "--", "sh", "-c", program]
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**kept, "HOLDFAST_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until((home / "begun").exists)
    return process


def until(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    last = time.monotonic() + seconds  # noqa: TID251 - real processes, real time
    while not condition():
        assert time.monotonic() < last, "it did not happen in time"  # noqa: TID251 - the same
        time.sleep(0.02)  # noqa: TID251 - the same


def is_gone(home: Path) -> bool:
    """Whether what the program has started is gone, too."""
    return not Path(f"/proc/{(home / 'child').read_text().strip()}/cmdline").exists()


@pytest.mark.requirement("run:signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_program_which_ends_as_it_wants_to(number: signal.Signals, tmp_path: Path) -> None:
    process = started(SLEEPS.format(signal=number.name.removeprefix("SIG")), tmp_path)
    process.send_signal(number)

    assert process.wait(20) == 9
    assert (tmp_path / "heard").exists()
    until(lambda: is_gone(tmp_path))


def test_a_program_that_does_not_listen_is_ended_by_the_second_signal(tmp_path: Path) -> None:
    process = started(STUBBORN, tmp_path)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)  # noqa: TID251 - two signals at once are one
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 137
    until(lambda: is_gone(tmp_path))
