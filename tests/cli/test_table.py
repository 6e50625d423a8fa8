"""Tables of plain text."""

import pytest

from holdfast.cli.table import amounts, printable, table, width
from holdfast.language import Sentence

HEADERS = (Sentence("name", ko="이름"), Sentence("cost $", ko="비용 $"))


def test_columns_line_up_in_any_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")

    assert table(HEADERS, [["김철수", "1.00"], ["e\u0301va", "12.50"]], right=(1,)).splitlines() == [
        "이름    비용 $",
        "김철수    1.00",
        "e\u0301va      12.50",
    ]


def test_lines_do_not_end_in_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "en")

    assert table(HEADERS, [["a", ""]]).splitlines() == ["name  cost $", "a"]


def test_a_name_from_outside_cannot_move_the_cursor_or_turn_the_text() -> None:
    assert printable("a\x1b[2Jb\r\n\u202ec") == "a\ufffd[2Jb\ufffd\ufffd\ufffdc"


def test_amounts_keep_every_digit_and_stand_below_each_other() -> None:
    assert amounts(["0.000842", "12", None, "3.5"]) == ["0.000842", "12.000000", "-", "3.500000"]
    assert amounts(["5", "0"]) == ["5.00", "0.00"]
    assert amounts([None]) == ["-"]
    assert amounts([]) == []


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("한글", 4), ("e\u0301", 1), ("", 0)])
def test_the_width_is_that_of_a_terminal(text: str, columns: int) -> None:
    assert width(text) == columns
