"""The entry of the command line: help, mistakes, and the code each error ends with."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from holdfast.cli.commands import COMMANDS
from holdfast.cli.main import exit_code
from holdfast.errors import (
    BudgetExhausted,
    CallNotPermitted,
    ConfigError,
    DeadlineExceeded,
    HoldfastError,
    InputRejected,
    KeyMissing,
    StoreUnavailable,
    StreamInterrupted,
    UnknownModel,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.version import __version__
from tests.cli.conftest import Holdfast


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_in_both_languages(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    english = holdfast(flag)
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    korean = holdfast(flag)

    assert (english.code, korean.code) == (0, 0)
    for name, (_, sentence) in COMMANDS.items():
        assert name in english.out
        assert sentence.en.split()[0] in english.out
        assert sentence.ko.split()[0] in korean.out
    assert "holdfast serve --simulate" in english.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(holdfast: Holdfast, command: str) -> None:
    ended = holdfast(command, "--help")

    assert ended.code == 0
    assert f"Example: holdfast {command}" in ended.out


def test_help_stays_quick_because_it_loads_no_command() -> None:
    program = (
        "import sys; from holdfast.cli.main import main; sys.argv = ['holdfast', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'aiohttp', 'uvicorn', 'holdfast.simulator'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package(holdfast: Holdfast) -> None:
    ended = holdfast("--version")

    assert (ended.code, ended.out) == (0, f"holdfast, version {__version__}\n")


def test_without_a_command_the_help_is_shown(holdfast: Holdfast) -> None:
    ended = holdfast()

    assert (ended.code, "Commands" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("typed", "language", "told"),
    [
        ("sevre", "en", "There is no command `sevre`; did you mean `serve`?"),
        ("sevre", "ko", "`sevre`라는 명령은 없습니다. 혹시 `serve`인가요?"),
        ("zzz", "en", "there are: " + ", ".join(sorted(COMMANDS))),
        ("zzz", "ko", "쓸 수 있는 명령: " + ", ".join(sorted(COMMANDS))),
    ],
)
def test_an_unknown_command_is_answered_with_what_was_meant(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, typed: str, language: str, told: str
) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", language)
    ended = holdfast(typed)

    assert (ended.code, told in ended.err) == (2, True), ended.err


@pytest.mark.parametrize(
    "arguments", [("--nonsense",), ("chat",), ("chat", "a", "b"), ("chat", "a", "--modle", "x")]
)
def test_wrong_usage_ends_with_2(holdfast: Holdfast, arguments: tuple[str, ...]) -> None:
    ended = holdfast(*arguments)

    assert (ended.code, ended.err.startswith("Usage: holdfast")) == (2, True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 3),
        (KeyMissing("x"), 4),
        (UpstreamUnavailable("x"), 5),
        (DeadlineExceeded("x"), 5),
        (StreamInterrupted("x"), 5),
        (UpstreamError("x", status=502), 5),
        (UpstreamError("x", status=404), 1),
        (InputRejected("x"), 6),
        (BudgetExhausted("x"), 6),
        (CallNotPermitted("x"), 6),
        (StoreUnavailable("x"), 1),
        (UnknownModel("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error: HoldfastError, code: int) -> None:
    assert exit_code(error) == code


def test_an_interrupt_ends_with_130(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.cli.chat.Settings.load", interrupted)

    assert holdfast("chat", "Hello").code == 130


def test_the_module_runs_like_the_command(holdfast: Callable[..., object]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "--version"], capture_output=True, text=True, check=True
    )

    assert __version__ in done.stdout


@pytest.mark.parametrize("command", ["redact <&-", "rule holdfast_stopped >&-", "rule holdfast_stopped 2>&-"])
def test_a_closed_standard_stream_is_no_crash(command: str) -> None:
    line = f"{sys.executable} -m holdfast {command}"
    ended = subprocess.run(["sh", "-c", line], input=b"", capture_output=True, check=False)
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr
