"""Every example runs as it stands: without a key against the simulator, and unchanged against an address with one."""

import io
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.simulator.server import RunningSimulator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
NO_COST = re.compile(r"cost: \$0(\.0+)?$", re.MULTILINE)

Run = Callable[..., str]
"""Runs an example, with words behind its name, and gives what it has printed."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of somebody who has just installed holdfast, with an empty folder of their own."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE", "HOLDFAST_CONFIG", "HOLDFAST_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_UPSTREAM", "simulator")
    monkeypatch.setenv("HOLDFAST__SIMULATOR__TIME_SCALE", "0")
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.fixture
def run(bare: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def running(name: str, *words: str, code: int = 0) -> str:
        monkeypatch.setattr("sys.argv", [f"examples/{name}.py", *words])
        ended = 0
        try:
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        except SystemExit as end:
            ended = end.code if isinstance(end.code, int) else int(end.code is not None)
        said = capsys.readouterr()
        assert ended == code, said.err
        return said.out

    return running


@pytest.mark.requirement("series:examples")
def test_the_basic_agent_answers_and_says_what_it_has_cost(run: Run) -> None:
    assert re.search(r"answered by claude-\S+, 1 attempt\(s\), \$0\.00\d+", run("basic"))


@pytest.mark.requirement("series:examples")
def test_the_conversation_goes_on_where_it_ended_and_its_branch_apart(run: Run) -> None:
    first, second = run("conversation"), run("conversation")

    assert first.startswith("0 messages so far")
    assert "the branch has 6 messages, the trip 4" in first
    assert second.startswith("4 messages so far")


@pytest.mark.requirement("series:examples")
def test_the_tool_agent_runs_its_tools_and_one_only_when_a_person_agrees(run: Run) -> None:
    said = run("tools")

    assert '{"city":"Seoul","celsius":21.5}' in said
    assert "a person agrees to book_table" in said
    assert "A table for 2 in Seoul is booked." in said


@pytest.mark.requirement("series:examples")
def test_the_bridge_answers_with_what_the_server_says(run: Run) -> None:
    assert "aisle 7" in run("bridge")


@pytest.mark.requirement("series:examples")
def test_the_memory_agent_recalls_in_english_and_korean_what_is_its_users_only(run: Run) -> None:
    said = run("memory")

    assert "minji asks for 'peanuts': ['Minji is allergic to peanuts.']" in said
    assert "['민지의 결제 서버는 서울 리전에 있습니다.']" in said
    assert "jisu asks for 'peanuts': []" in said
    assert "forgotten: 2" in said


@pytest.mark.requirement("series:examples")
def test_the_review_prints_a_report(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n", encoding="utf-8")

    assert run("review", str(tmp_path / "app.py")).startswith("# Code review")


@pytest.mark.requirement("series:examples")
def test_the_team_gives_one_answer_of_what_its_members_say(run: Run) -> None:
    assert run("team").strip()


@pytest.mark.requirement("series:examples")
def test_the_production_agent_shows_its_ways_to_answer(run: Run) -> None:
    said = run("production")

    assert [line.split()[0] for line in said.splitlines() if "claude-" in line] == [
        *("answered", "cached", "fallback", "answered", "fallback")
    ]
    assert "We cannot answer that." in said
    assert "Please ask again in" in said
    assert "3 answers" in said
    assert "from the cache: 1" in said


@pytest.mark.requirement("series:examples")
def test_the_support_agent_looks_up_and_pays_back_only_what_is_the_customers_own(run: Run) -> None:
    said = run("support")

    assert "Order A-17: shipped on Monday." in said
    assert "$9.90 of order A-17 is paid back." in said
    assert "There is no order C-99." in said
    assert "'B-04', 'amount': 120}: declined" in said
    assert "of order B-04 is paid back" not in said


@pytest.mark.requirement("series:examples")
@pytest.mark.requirement("batch:resumed")
def test_the_classification_run_again_pays_for_nothing_twice(run: Run) -> None:
    first, second = run("classify"), run("classify")

    assert first.count("\n    ") == 6
    assert NO_COST.search(first) is None
    assert NO_COST.search(second) is not None
    assert first.splitlines()[:-1] == second.splitlines()[:-1]


@pytest.mark.requirement("series:examples")
def test_the_korean_chat_answers_and_refuses_in_korean(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("korean_chat")

    assert said.count("상담원:") == 3
    assert "죄송합니다. 지금은 답변을 드릴 수 없습니다." in said
    assert "차단되었습니다" in said
    assert "대화에 남은 메시지: 4개" in said
    monkeypatch.setattr("sys.stdin", io.StringIO("환불은 언제 되나요?\n"))
    assert "“환불은 언제 되나요?”" in run("korean_chat")


@pytest.mark.requirement("series:examples")
def test_an_example_runs_unchanged_at_an_address_that_wants_a_key(
    bare: None, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_UPSTREAM", simulator.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-example")
    monkeypatch.setenv("PYTHONUTF8", "1")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / "support.py")],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "$9.90 of order A-17 is paid back." in done.stdout
    assert {request.key for request in simulator.simulator.requests} == {"sk-ant-example"}


@pytest.mark.requirement("series:examples")
@pytest.mark.parametrize("name", NAMES)
def test_where_an_example_asks_is_said_by_the_environment_and_a_page_speaks_of_it(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "series.md").read_text(encoding="utf-8")

    assert "upstream=" not in text
    assert f"HOLDFAST_UPSTREAM=simulator python examples/{name}.py" in text
    assert f"(../examples/{name}.py)" in page
