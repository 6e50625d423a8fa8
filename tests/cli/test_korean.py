"""The command line in Korean: its pages, and what it says of mistakes."""

import re
from collections.abc import Iterator

import click
import pytest

from holdfast.cli.help_page import paragraphs, translations
from holdfast.cli.main import cli
from tests.cli.conftest import Holdfast

HANGUL = re.compile("[가-힣]")


def commands(
    command: click.Command, context: click.Context, path: str
) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, context, f"{path} {name}")


def texts(command: click.Command) -> Iterator[str]:
    for text in (command.help, command.epilog, command.short_help):
        yield from paragraphs(text or "")
    for option in command.params:
        if isinstance(option, click.Option):
            yield from paragraphs(option.help or "")


ALL = dict(commands(cli, click.Context(cli), "holdfast"))


@pytest.fixture
def korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    return holdfast


@pytest.mark.requirement("cli:korean")
@pytest.mark.parametrize("path", ALL)
def test_every_sentence_of_a_help_page_is_there_in_korean(path: str) -> None:
    said = [text for text in texts(ALL[path]) if not text.startswith("Example: ")]
    assert [text for text in said if not HANGUL.search(translations().get(text, ""))] == []


def test_no_translation_is_left_of_a_sentence_that_nobody_says_any_more() -> None:
    said = {text for command in ALL.values() for text in texts(command)}
    assert set(translations()) - said == {"Show this message and exit."}


def test_a_page_has_its_headings_defaults_and_example_in_korean(korean: Holdfast) -> None:
    page = korean("batch", "-h").out
    for said in (
        "사용법: holdfast batch",
        "옵션:",
        "[필수]",
        "[기본값: 8; 1<=x<=1000]",
        "예: holdfast batch",
    ):
        assert said in page
    for english in ("Usage", "Options", "required", "default", "Example", "Show this"):
        assert english not in page


def test_a_list_of_commands_is_korean_where_english_would_be_cut_short(korean: Holdfast) -> None:
    page = korean("guard", "--help").out
    assert "명령:" in page
    assert "오탐 한도를 내 정상 글에 맞춥니다." in page


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("serve", "--prot", "1"), "`--prot`라는 옵션은 없습니다. 혹시"),
        (("serve", "--port", "x"), "오류: '--port': 'x'은(는) 정수가 아닙니다."),
        (("serve", "--port", "70000"), "70000은(는) 범위를 벗어났습니다: 0<=x<=65535"),
        (("serve", "--port"), "옵션 '--port'에 값이 필요합니다."),
        (("serve", "x", "y"), "남는 인자가 있습니다: x y"),
        (("memory", "list"), "'--user'이(가) 필요합니다."),
        (("guard", "scor"), "`scor`라는 명령은 없습니다."),
        (("completion", "tcsh"), "'tcsh'은(는) 쓸 수 없습니다. 쓸 수 있는 값: 'bash', 'zsh', 'fish'"),
        (("rule", "--json=3"), "옵션 '--json'에는 값을 줄 수 없습니다."),
        (("rule", "nope"), "오류: "),
    ],
)
def test_a_mistake_is_explained_in_korean_and_ends_with_2(
    korean: Holdfast, line: tuple[str, ...], said: str
) -> None:
    ended = korean(*line)
    assert ended.code == 2
    assert said in ended.err
    assert "Error" not in ended.err
    assert "Usage" not in ended.err


def test_english_pages_stay_as_they_were(holdfast: Holdfast) -> None:
    page = holdfast("batch", "-h").out
    assert "Usage: holdfast batch" in page
    assert "[required]" in page
    assert not HANGUL.search(page)
