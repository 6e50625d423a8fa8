"""Whole lines: what is secret in them goes, what is not stays, and nothing else changes."""

import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.masking import find, mask
from tests.policy.masking_later_lines import HARDER, LATER
from tests.policy.masking_lines import NAMED, PERSONAL, PROVIDER, Line
from tests.policy.masking_samples import body

CLASSES = {"provider": PROVIDER, "named": NAMED, "personal": PERSONAL, "later": LATER}
WORD = "abcdefghijkmnopqrstuvwxyz"


def fragments(secret: str, text: str) -> bool:
    return any(secret[start : start + 8] in text for start in range(max(1, len(secret) - 7)))


@pytest.mark.parametrize("lines", CLASSES.values(), ids=CLASSES)
def test_nothing_secret_is_left_of_a_line_and_nothing_else_is_gone(lines: list[Line]) -> None:
    masked = [mask(line.text) for line in lines]

    assert [line.text for line, after in zip(lines, masked, strict=True) if after == line.text] == []
    for line, after in zip(lines, masked, strict=True):
        assert not any(fragments(secret, after) for secret in line.gone), after
        assert all(words in after for words in line.kept), after
        assert mask(after) == after


@pytest.mark.parametrize("line", HARDER)
def test_a_line_without_a_secret_stays_as_it_is(line: str) -> None:
    assert mask(line) == line


def test_json_stays_json() -> None:
    documents = [line.text for lines in CLASSES.values() for line in lines if line.text.startswith("{")]
    readable = 0
    for text in documents:
        try:
            json.loads(text)
        except ValueError:
            continue
        json.loads(mask(text))
        readable += 1
    assert readable >= 5


@pytest.mark.parametrize(
    ("line", "gone"),
    [
        ("db-1:5432:app:svc:{}", True),
        ("db-1:*:*:*:{}", True),
        ("/var/run/postgresql:5432:app:svc:{}", True),
        ('{{"log": "db-1:5432:app:svc:{}\\n*:*:*:me:x"}}', True),
        ("db-1:8125:counter:requests:{}", False),
        ("12:5432:app:svc:{}", False),
        ("db-1:5432:app:svc:$PGPASSWORD", False),
        ("db-1:5432:app:svc:abc", False),
    ],
)
def test_a_line_of_pgpass_loses_its_last_part(line: str, gone: bool) -> None:
    secret = body(12, WORD)
    assert (secret not in mask(line.format(secret))) == (gone or "{" not in line)


def test_at_another_port_a_line_of_pgpass_loses_what_looks_like_a_password() -> None:
    assert mask("db-1:8125:app:svc:Tr0ub4dor&3") == "db-1:8125:app:svc:[secret]"


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><th>user</th><th>Password</th></tr><tr><td>kim</td><td>{}</td></tr></table>",
        "<TABLE><TR><TH>user<TH>API key<TR><TD>kim<TD>{}</TABLE>",
        "<tr><th>user</th><th><b>Client secret</b></th></tr>\n<tr>\n<td>kim</td>\n<td> <code>{}</code> </td></tr>",
        '{{"html": "<tr><th>user<\\/th><th>Password<\\/th><\\/tr><tr><td>kim<\\/td><td>{}<\\/td><\\/tr>"}}',
        "| user | password |\n|---|:---:|\n| kim | {} |\n| lee | |",
        "user | secret\n--- | ---\nkim | `{}`",
        "> | user | **API key** |\n> |---|---|\n> | kim | {} |",
    ],
)
def test_a_cell_goes_whose_column_is_called_a_secret(table: str) -> None:
    secret = body(12, WORD)
    after = mask(table.format(secret))
    assert secret not in after
    assert "kim" in after
    assert "user" in after


@pytest.mark.parametrize(
    "table",
    [
        "<tr><th>user</th><th>Password</th></tr><tr><td>kimminjikim</td><td>Required</td></tr>",
        "<tr><th>user</th><th>Password</th></tr><tr><td>kimminjikim</td></tr>",
        "<table><tr><th>Password</th></tr></table><table><tr><td>kimminjikim</td></tr></table>",
        "<tr><th>Password</th><td>must have a digit</td></tr>",
        "<tr><th>Signature</th></tr><tr><td>kimminjikim</td></tr>",
        "| field | password |\n|---|---|\n| kimminjikim | not set yet |",
        "| field | password |\n|---|---|\n\nkimminjikim | abcdefghijkl |",
        "| field | type |\n|---|---|\n| kimminjikim | abcdefghijkl |",
        "| password |\n|---|\n| ${PASSWORD} |\n| **** |\n| 12 |",
    ],
)
def test_a_table_without_a_secret_stays_as_it_is(table: str) -> None:
    assert mask(table) == table


@pytest.mark.parametrize(
    ("cell", "gone"),
    [("9183", True), ("12", False), ("x7-Kq9!v", True), ("unchanged", False), ("hunterzwei", True)],
)
def test_a_number_in_a_column_of_passwords_goes_too(cell: str, gone: bool) -> None:
    after = mask(f"<tr><th>PIN code</th><th>Password</th></tr><tr><td>-</td><td>{cell}</td></tr>")
    assert (cell not in after) == gone


UNITS = [
    "db:5432:a:b:", "*:", "a.", "db:5432:", "<tr>", "<th>password</th>", "<td>", "<td>abcdefg</td>", "| a ", "|---", "|",
    "| password |\n|---|\n", "-", "<th>", "<t", "\\|", "a:5432:b:c:d\\:", "<tr><th>x</th></tr>",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_of_anything_takes_time_in_proportion(unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        begun = perf_counter()
        find(text)
        return perf_counter() - begun

    small = min(seconds(50_000) for _ in range(2))
    assert seconds(400_000) < 8 * 4 * max(small, 0.01)


@given(
    st.lists(st.sampled_from([*UNITS, " ", "\n", "password", "abcdefgh1!", "</td>", "</table>"]), max_size=30)
)
def test_masking_tables_again_changes_nothing(pieces: list[str]) -> None:
    masked = mask("".join(pieces))
    assert mask(masked) == masked
