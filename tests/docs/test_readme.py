"""What the READMEs print is what happens: every block of Python runs, the configuration loads."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import Settings
from holdfast.cli.main import CONFIG, FAILED, KEY_MISSING, REFUSED, UNREACHABLE

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


PAGES = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))


class Silent(ast.NodeTransformer):
    """Takes the words out of a program: what is left is what it does."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        shown = [part for part in node.values if not isinstance(part, ast.Constant)]
        return ast.JoinedStr(values=sorted(shown, key=ast.dump))


def deeds(program: str) -> str:
    """What a program does, whatever the language of its texts."""
    return ast.dump(Silent().visit(ast.parse(program)))


def blocks(file: str, language: str) -> list[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return [match[2] for match in BLOCK.finditer(text) if match[1] == language]


def numbered(file: str) -> list[object]:
    return [pytest.param(block, id=f"{file}-{n}") for n, block in enumerate(blocks(file, "python"), start=1)]


def of_its_own(file: str) -> list[object]:
    """The blocks of a page that do anything else than those of the English page that it translates."""
    english = file.replace("docs/ko/", "docs/")
    known = set(map(deeds, blocks(english, "python"))) if english in PAGES and english != file else set[str]()
    found = enumerate(blocks(file, "python"), start=1)
    return [pytest.param(block, id=f"{file}-{n}") for n, block in found if deeds(block) not in known]


def run(program: str, home: Path, **more: str) -> str:
    """What a program prints; it must end well and have nothing to complain about."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST", "ANTHROPIC"))
    }
    ours = {"HOLDFAST_HOME": str(home), "HOLDFAST__SIMULATOR__TIME_SCALE": "0", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", program],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=home,
        env={**kept, **ours, **more},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("program", [*numbered("README.md"), *numbered("README.ko.md")])
def test_every_block_of_python_runs_as_printed(program: str, tmp_path: Path) -> None:
    assert run(program, tmp_path)


@pytest.mark.parametrize("program", [block for page in PAGES for block in of_its_own(page)])
def test_every_block_of_the_pages_runs_as_well(program: str, tmp_path: Path) -> None:
    run(program, tmp_path, HOLDFAST_UPSTREAM="simulator")


def test_a_translated_program_is_run_again_only_if_it_does_something_else() -> None:
    hello = 'name = "Ada"\nprint(f"Hello, {name}", 1)\n'
    assert deeds(hello) == deeds('name = "에이다"  # 이름\nprint(f"{name} 님, 안녕하세요", 1)\n')
    assert deeds(hello) != deeds('name = "Ada"\nprint(f"Hello, {name}", 2)\n')


@pytest.mark.requirement("article:usage")
def test_the_usage_example_of_the_article_tells_what_the_article_tells(tmp_path: Path) -> None:
    (program,) = (block for block in blocks("README.ko.md", "python") if "TypeScript" in block)
    *answer, tokens_in, tokens_out, cost, count, circuit = run(program, tmp_path).splitlines()

    assert "TypeScript의 장점" in "".join(answer)
    assert (count, circuit) == ("요청 수: 1", "서킷 상태: closed")
    assert int(tokens_in.removeprefix("입력 토큰: ")) > 0
    assert int(tokens_out.removeprefix("출력 토큰: ")) > 0
    assert cost.startswith("비용: 0.00")


@pytest.mark.parametrize("file", ["README.md", "README.ko.md", *PAGES])
def test_the_printed_configuration_loads_without_a_problem(file: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(file, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        settings = Settings.load(path, environment={})

        assert {origin.kind for origin in settings.origins.values()} == {"default", "file"}


def test_the_printed_variable_does_what_the_line_beside_it_does() -> None:
    (line,) = re.findall(
        r"environment: (HOLDFAST__\w+)=(\d+)", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    settings = Settings.load(environment=dict([line]))

    assert str(settings.breaker.failure_threshold) == line[1]


def test_the_printed_exit_codes_are_those_of_the_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert (FAILED, CONFIG, KEY_MISSING, UNREACHABLE, REFUSED) == (1, 3, 4, 5, 6)
    assert "| 3, 4 | configuration invalid, key missing |" in text
    assert "| 5, 6 | upstream unreachable, refused by a rule |" in text


@pytest.mark.parametrize("file", ["README.md", "README.ko.md", *PAGES])
def test_every_file_that_is_pointed_to_is_there(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", text)]

    assert links or not file.startswith("README")
    assert [link for link in links if not (ROOT / file).parent.joinpath(link).exists()] == []
