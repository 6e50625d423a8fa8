"""`holdfast spend` as a person at a terminal and a script behind a pipe use it."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.cli import desk as cli_desk
from holdfast.clock import SYSTEM_CLOCK
from tests.cli.book import an_attempt, write
from tests.cli.conftest import Holdfast


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "holdfast.db"
    write(
        path,
        an_attempt("q1", 1_500_000, user="alice", key="web"),
        an_attempt("q2", 2_000_001, user="bob", key="web", hours_ago=30),
        an_attempt("q3", 4_000_000, user="alice", key="app", hours_ago=24 * 40),
        an_attempt("q4", None, user="=cmd|' /C calc'!A0", key="app"),
    )
    return path


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    def typed(*_: object) -> str:
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", typed)


@pytest.mark.usefixtures("book")
def test_a_report_is_a_table_with_exact_money_at_the_right(holdfast: Holdfast) -> None:
    ended = holdfast("spend", "report", "--since", "all", "--by", "user", "--where", "key=web")

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "user   attempts  tokens in  tokens out       cost $  of it estimated $",
        "alice         1      1,000         100  0.001500000        0.000000000",
        "bob           1      1,000         100  0.002000001        0.002000001",
        "total         2      2,000         200  0.003500001        0.002000001",
    ]
    assert ended.err == "Spent from the beginning until now:\n"


@pytest.mark.usefixtures("book")
def test_a_report_in_korean_is_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    ended = holdfast("spend", "report", "--since", "2026-01-01", "--until", "2100-01-01", "--by", "user,key")

    assert "2026-01-01T00:00:00Z부터 2100-01-01T00:00:00Z까지의 지출:" in ended.err
    assert "시도 1건은 가격을 몰라" in ended.err
    assert "합계" in ended.out
    assert "입력 토큰" in ended.out


def test_a_report_equals_the_export_and_the_totals_to_the_last_digit(holdfast: Holdfast, book: Path) -> None:
    report = json.loads(holdfast("spend", "report", "--since", "all", "--by", "day,model", "--json").out)
    exported = list(csv.DictReader(io.StringIO(holdfast("spend", "export").out)))
    lines = [json.loads(line) for line in holdfast("spend", "export", "--json").out.splitlines()]

    assert report["total"]["cost"] == "0.007500001"
    assert sum(Decimal(group["cost"]) for group in report["groups"]) == Decimal("0.007500001")
    assert sum(Decimal(row["cost"] or 0) for row in exported) == Decimal("0.007500001")
    assert sum(Decimal(row["cost"] or 0) for row in lines) == Decimal("0.007500001")
    assert report["total"]["unpriced"] == [row["cost"] for row in exported].count("") == 1
    assert [row["request_id"] for row in exported] == ["q3", "q2", "q1", "q4"]


@pytest.mark.usefixtures("book")
def test_no_name_becomes_a_formula_in_a_spreadsheet(holdfast: Holdfast) -> None:
    rows = list(csv.DictReader(io.StringIO(holdfast("spend", "export", "--since", "today").out)))

    assert [row["user"] for row in rows if row["cost"] == ""] == ["'=cmd|' /C calc'!A0"]
    assert {(row["tags"], row["unbilled"], row["run"]) for row in rows} == {("", "false", "")}


def test_an_empty_ledger_exports_nothing_and_says_so(holdfast: Holdfast) -> None:
    ended = holdfast("spend", "export")

    assert (ended.code, ended.out, ended.err) == (0, "", "There are no attempts in that time.\n")


@pytest.mark.usefixtures("book")
def test_this_month_is_what_is_reported_when_nothing_is_said(holdfast: Holdfast) -> None:
    facts = json.loads(holdfast("spend", "report", "--json").out)
    now = SYSTEM_CLOCK.now()

    assert facts["since"] == f"{now:%Y-%m}-01T00:00:00Z"
    assert facts["by"] == ["model"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "--by", "colour"), "`colour` is nothing"),
        (("report", "--where", "user"), "NAME=VALUE"),
        (("report", "--since", "soon"), "is no time"),
        (("report", "--timezone", "Asia/Seol"), "Asia/Seol"),
        (("export", "--since", "today", "--until", "yesterday"), "is not before"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_word_of_advice(
    holdfast: Holdfast, arguments: tuple[str, ...], told: str
) -> None:
    ended = holdfast("spend", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_a_forecast_says_what_it_assumes(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path / "holdfast.db", *[an_attempt(f"q{n}", 7_000_000, hours_ago=24 * n) for n in range(9)])
    holdfast("budgets", "set", "all", "--usd", "0.05", "--per", "total")
    ended = holdfast("spend", "forecast")
    facts = json.loads(holdfast("spend", "forecast", "--json").out)

    assert (ended.code, facts["per_day"], facts["basis_days"]) == (0, "0.007", 7)
    assert "every further day costs $0.007, the mean of the last 7 full days (UTC)" in ended.out
    assert Decimal(facts["total"]) >= Decimal(facts["spent"])
    assert facts["budgets"][0]["exhausted_at"] is not None
    assert "used up" in ended.out


def test_a_forecast_on_the_first_day_is_honest_in_both_languages(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = holdfast("spend", "forecast")
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    korean = holdfast("spend", "forecast")

    assert english.out == ("$0 spent this month. There is no full day to go by yet: come back tomorrow.\n")
    assert "내일 다시 확인하세요" in korean.out


def test_a_forecast_tells_budgets_that_will_not_be_used_up_from_those_nobody_can_tell(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    write(tmp_path / "holdfast.db", *[an_attempt(f"q{n}", 7_000_000, hours_ago=24 * n) for n in range(9)])
    holdfast("budgets", "set", "all", "--usd", "900")
    holdfast("budgets", "set", "door", "--usd", "900", "--where", "door=gateway")
    ended = holdfast("spend", "forecast")

    assert [line.split()[0] for line in ended.out.splitlines() if "not in this window" in line] == ["all"]
    assert [line.split()[0] for line in ended.out.splitlines() if "unknown" in line] == ["door"]


def test_a_dry_run_of_repricing_changes_nothing_and_the_real_one_does(holdfast: Holdfast, book: Path) -> None:
    dry = json.loads(holdfast("spend", "reprice", "--dry-run", "--json").out)
    before = json.loads(holdfast("spend", "report", "--since", "all", "--json").out)["total"]
    done = holdfast("spend", "reprice")
    after = json.loads(holdfast("spend", "report", "--since", "all", "--json").out)["total"]

    assert (dry["seen"], dry["changed"], dry["newly_priced"], dry["written"]) == (4, 4, 1, 0)
    assert before["cost"] == "0.007500001"
    assert "4 changed by the prices" in done.out
    assert (after["cost"], after["unpriced"]) == (dry["after"], 0)


@pytest.mark.usefixtures("book")
def test_at_a_terminal_repricing_shows_the_difference_and_asks_first(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_terminal(monkeypatch, "n")
    refused = holdfast("spend", "reprice")
    at_a_terminal(monkeypatch, "y")
    written = holdfast("spend", "reprice")

    assert (refused.code, refused.out) == (130, "")
    assert "4 would change" in refused.err
    assert (written.code, "4 changed" in written.out) == (0, True)
    assert (holdfast("spend", "reprice", "--yes").code) == 0


def test_the_book_of_the_simulator_is_another_one(holdfast: Holdfast) -> None:
    holdfast("chat", "Hello", "--simulate")
    ours = json.loads(holdfast("spend", "report", "--json").out)
    simulated = json.loads(holdfast("spend", "report", "--json", "--simulate").out)

    assert (ours["total"]["attempts"], simulated["total"]["attempts"]) == (0, 1)


def test_a_store_in_memory_cannot_be_seen_from_here(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('[store]\nurl = "memory:"\n')
    ended = holdfast("spend", "report", "--config", "other.toml")

    assert (ended.code, "known to the gateway alone" in ended.err) == (3, True)


def test_who_has_no_name_on_this_machine_is_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", nobody)

    assert cli_desk.actor() == "cli"
    assert cli_desk.local(None) == "-"
    assert cli_desk.Length().convert("2h", None, None) == timedelta(hours=2)
