"""`holdfast review`: findings on stdout, progress and what is missing on stderr, and an honest exit code."""

import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.cli.review_display import COLUMNS, Display
from holdfast.cli.table import width
from holdfast.errors import UpstreamError
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from holdfast.teams.review import Progress
from tests.cli.conftest import Holdfast
from tests.teams.test_review import DIFF, NOTHING, found


@pytest.fixture
def judged(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunningSimulator:
    """An upstream that says what it is told to, and a file to review."""
    monkeypatch.setenv("HOLDFAST_UPSTREAM", simulator.url)
    (tmp_path / "app.py").write_text("def f(x):\n    return 1 / x\n")
    return simulator


def test_findings_are_told_by_reviewer_and_end_with_1(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.say(found({}))
    ended = holdfast("review", "app.py", "--reviewers", "correctness", "--model", "claude-haiku-5-5")

    assert ended.code == 1
    assert ended.out == (
        "correctness\n\n  app.py:2: high: Division by zero\n    x may be 0.\n    → Check x.\n"
    )
    assert "[1/1] correctness: app.py · 1 finding" in ended.err
    assert "1 finding (1 high) in 1 file · $0.00" in ended.err


def test_what_two_have_found_is_told_once_and_names_both(
    holdfast: Holdfast, judged: RunningSimulator
) -> None:
    judged.simulator.say(found({}), found({}))
    ended = holdfast("review", ".", "--reviewers", "correctness", "--reviewers", "security")

    assert "Division by zero (also security)" in ended.out
    assert "\nsecurity\n" not in ended.out


def test_korean_is_spoken_to_those_who_speak_it(
    holdfast: Holdfast, judged: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    judged.simulator.say(found({}), found({}))
    ended = holdfast("review", "app.py", "--reviewers", "correctness,security")

    assert "app.py:2: 높음: Division by zero (security 공통)" in ended.out
    assert "파일 1개에서 1건 (높음 1)" in ended.err
    assert "Korean" in str(judged.simulator.requests[0].json()["system"])


@pytest.mark.parametrize(("fail_on", "code"), [("critical", 0), ("high", 1), ("info", 1)])
def test_who_calls_it_says_what_is_bad_enough(
    holdfast: Holdfast, judged: RunningSimulator, fail_on: str, code: int
) -> None:
    judged.simulator.say(found({}))
    assert holdfast("review", "app.py", "--reviewers", "style", "--fail-on", fail_on).code == code


def test_nothing_found_is_nothing_on_stdout(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.say(NOTHING)
    ended = holdfast("review", "app.py", "--reviewers", "style")

    assert (ended.code, ended.out) == (0, "")
    assert "0 findings in 1 file" in ended.err


def test_json_is_one_object_with_exact_money(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.say(found({}))
    ended = holdfast("review", "app.py", "--reviewers", "style", "--format", "json")
    facts = json.loads(ended.out)

    assert Decimal(facts["cost"]) == judged.simulator.billed
    assert facts["findings"][0]["reviewers"] == ["style"]


def test_markdown_is_a_comment_for_a_pull_request(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.say(found({}))
    ended = holdfast("review", "app.py", "--reviewers", "style", "--format", "markdown")

    assert ended.out.startswith("# Code review\n")
    assert "**high** `app.py:2` Division by zero (90%)" in ended.out


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_nothing_that_a_model_or_a_file_is_called_moves_the_cursor(
    holdfast: Holdfast, judged: RunningSimulator, tmp_path: Path, form: str
) -> None:
    name = "a\x1b[2J.py"
    (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "b\x1b[2J.py").write_bytes(b"\0")
    judged.simulator.say(found({"file": name, "line": 1, "title": "T\x1b[2J\u202e", "explanation": "\x9b"}))
    ended = holdfast("review", ".", "--reviewers", "style", "--format", form)

    assert ended.code == 1
    assert not {"\x1b", "\u202e", "\x9b"} & {*ended.out, *ended.err}


def test_a_diff_comes_from_a_file_or_from_stdin(
    holdfast: Holdfast, judged: RunningSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "change.diff").write_text(DIFF)
    judged.simulator.say(found({}), found({}))
    first = holdfast("review", "--diff", "change.diff", "--reviewers", "style")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DIFF.encode())))
    second = holdfast("review", "--diff", "-", "--reviewers", "style")

    assert (first.code, second.code) == (1, 1)
    assert first.out == second.out


def test_the_budget_ends_it_with_6_and_with_what_it_has(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.say(found({"severity": "info"}))
    ended = holdfast("review", "app.py", "--model", "claude-haiku-5-5", "--max-usd", "0.0001")

    assert ended.code == 6
    assert "Stopped before it was done" in ended.err
    assert "correctness 1, security 1, style 1, tests 1" in ended.err


def test_a_reviewer_that_could_not_judge_ends_it_with_7(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.say("no json", NOTHING)
    ended = holdfast("review", "app.py", "--reviewers", "correctness,style")

    assert (ended.code, "could not judge app.py" in ended.err) == (7, True)


def test_an_upstream_that_judges_nothing_ends_it_with_5(holdfast: Holdfast, judged: RunningSimulator) -> None:
    judged.simulator.fault(Fault(Status(529), times=None))
    ended = holdfast("review", "app.py", "--reviewers", "style")

    assert (ended.code, ended.out) == (5, "")
    assert "failed" in ended.err


def test_without_a_key_it_says_that_what_is_found_is_made_up(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    said, unsaid = holdfast("review", "app.py"), holdfast("review", "app.py", "--simulate")

    assert "made up" in said.err
    assert "made up" not in unsaid.err


@pytest.mark.parametrize("arguments", [(), ("app.py", "--diff", "-")])
def test_one_thing_is_reviewed_at_a_time(holdfast: Holdfast, arguments: tuple[str, ...]) -> None:
    ended = holdfast("review", *arguments)
    assert (ended.code, "--diff FILE" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing.py",), "nothing.py"),
        (("--diff", "nothing.diff"), "nothing.diff"),
        ((".", "--reviewers", "zzz"), "zzz"),
        ((".", "--max-usd", "much"), "usd"),
    ],
)
def test_what_makes_no_sense_ends_with_3(holdfast: Holdfast, arguments: tuple[str, ...], says: str) -> None:
    ended = holdfast("review", *arguments, "--simulate")
    assert (ended.code, says in ended.err) == (3, True)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def progress(files: tuple[str, ...] = ("a.py", "b.py"), error: UpstreamError | None = None) -> Progress:
    return Progress(
        reviewer="style", files=files, done=1, total=2, findings=1, cost=Decimal("0.10"), error=error
    )


def test_a_terminal_shows_one_line_that_goes_away() -> None:
    screen = Terminal()
    with Display.of(screen, "en") as display:
        display.tell(progress())
        display.tell(progress(("한" * 200,)))

    first, second, after = screen.getvalue().removeprefix("\r\x1b[K").split("\r\x1b[K")
    assert (first, after) == ("[1/2] style: a.py +1 · 1 finding · $0.1", "")
    assert width(second) <= COLUMNS
    assert "\n" not in screen.getvalue()


def test_a_terminal_that_was_told_nothing_stays_as_it_is() -> None:
    screen = Terminal()
    with Display.of(screen, "en"):
        pass
    assert screen.getvalue() == ""


def test_elsewhere_every_answer_is_a_plain_line() -> None:
    log = io.StringIO()
    with Display.of(log, "ko") as display:
        display.tell(progress(("\x1b[2J.py",), UpstreamError("gone")))

    assert log.getvalue() == "[1/2] style: �[2J.py 실패 · 지적 1건 · $0.1\n"
