"""`holdfast completion`: a script each shell takes, and what it completes."""

import subprocess

import pytest

from holdfast.cli.main import main
from tests.cli.conftest import Holdfast


@pytest.mark.requirement("cli:completion")
@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o nosort"), ("zsh", "#compdef holdfast"), ("fish", "complete --no-files")],
)
def test_every_shell_gets_its_script(holdfast: Holdfast, shell: str, word: str) -> None:
    ended = holdfast("completion", shell)
    assert ended.code == 0
    assert word in ended.out


def test_the_script_of_bash_is_one_that_bash_reads(holdfast: Holdfast) -> None:
    script = holdfast("completion", "bash").out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_commands_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {
        "_HOLDFAST_COMPLETE": "bash_complete",
        "COMP_WORDS": "holdfast comp",
        "COMP_CWORD": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main()

    assert "plain,completion" in capsys.readouterr().out
