"""No command takes a secret on its command line, where everybody on the machine can read it, and no crash tells one."""

import json
import sys
import threading
from collections.abc import Iterator

import click
import pytest

from holdfast.cli import crash, spend
from holdfast.cli.commands import COMMANDS
from holdfast.cli.main import LazyGroup, cli
from holdfast.policy.masking_names import words
from tests.cli.conftest import Holdfast

SECRET = ("key", "keys", "token", "tokens", "secret", "secrets", "password", "pass", "pepper", "credential")
NAMED = {
    "--key": "the name of a key, never the key",
    "--scope": "what a key is for",
    "--tls-key": "the path of a file",
    "--input-tokens": "a number",
    "--max-tokens": "a number",
    "--output-tokens": "a number",
}
HIDDEN = "correct-horse-battery-staple"


def options(command: click.Command, path: str) -> Iterator[tuple[str, click.Parameter]]:
    """Every parameter of a command and of all below it."""
    for parameter in command.params:
        yield path, parameter
    if isinstance(command, LazyGroup):
        below = {name: command.get_command(click.Context(command), name) for name in COMMANDS}
    else:
        below = dict(command.commands) if isinstance(command, click.Group) else {}
    for name, inner in below.items():
        assert inner is not None
        yield from options(inner, f"{path} {name}")


def takes_a_secret(parameter: click.Parameter) -> bool:
    names = {word for option in parameter.opts for word in words(option.lstrip("-"))}
    return bool(names & set(SECRET)) and not {*parameter.opts} & NAMED.keys()


def test_no_option_and_no_argument_takes_a_secret() -> None:
    found = list(options(cli, "holdfast"))
    assert len({path for path, _ in found}) > len(COMMANDS)
    assert [(path, one.opts) for path, one in found if takes_a_secret(one)] == []


def test_an_option_called_key_takes_the_name_of_one() -> None:
    for path, one in options(cli, "holdfast"):
        if isinstance(one, click.Option) and {*one.opts} & {"--key"}:
            assert "name" in f"{one.help} {one.metavar}".lower(), path


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> str:
    """A command with a bug that quotes everything it knows."""
    key = "sk-" + "ant-api03-" + "Zq3" * 16

    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot go on with {HIDDEN} and {key} and password=hunter2hunter2")

    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", HIDDEN)
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    monkeypatch.setattr(spend, "work", broken)
    return key


def test_the_trace_of_a_crash_tells_no_secret(
    holdfast: Holdfast,
    crashing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(RuntimeError) as caught:
        holdfast("spend")
    sys.excepthook(caught.type, caught.value, caught.tb)
    said = capsys.readouterr().err

    assert "RuntimeError: cannot go on with [HOLDFAST_ADMIN_TOKEN]" in said
    for secret in (HIDDEN, crashing[14:24], "hunter2"):
        assert secret not in said


def test_the_crash_of_another_thread_tells_no_secret_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_PEPPER", HIDDEN)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)

    def trip() -> None:
        raise ValueError(json.dumps({"pepper": HIDDEN}))

    with crash.told():
        thread = threading.Thread(target=trip)
        thread.start()
        thread.join()
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert HIDDEN not in said


def test_the_end_of_a_thread_is_no_crash(capsys: pytest.CaptureFixture[str]) -> None:
    with crash.told():
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
    assert capsys.readouterr().err == ""


def test_what_the_environment_does_not_call_secret_stays_in_a_trace() -> None:
    surroundings = {"HOME": "/home/kim", "LANG": "en_US.UTF-8", "PIN": "1", "PWD": "/home/kim/project"}
    text = "1 in /home/kim/project: en_US.UTF-8"
    assert crash.harmless(text, surroundings) == text


def test_an_address_with_a_password_is_taken_out_of_a_trace_whole() -> None:
    url = f"postgresql://me:{HIDDEN}@db/x"
    told = crash.harmless(f"cannot reach {url} at all", {"HOLDFAST__STORE__URL": url})
    assert told == "cannot reach [HOLDFAST__STORE__URL] at all"
