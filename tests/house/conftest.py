"""What the tests of the house read: the files of the checkout, its modules, and what its tests prove."""

import ast
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"tests", "src", "docs", "examples", "requirements", "deploy", ".ci"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file of the checkout."""

    name: str
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """The rows of requirements.toml, and which tests carry which id."""

    rows: dict[str, str]
    carried: dict[str, list[str]]

    @property
    def missing(self) -> list[str]:
        return [f"{id}: {sentence}" for id, sentence in self.rows.items() if id not in self.carried]


def modules(folder: str) -> list[Module]:
    return [
        Module(name=str(path.relative_to(ROOT)), text=text, tree=ast.parse(text))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (text := path.read_text(encoding="utf-8")) or path.name != "__init__.py"
    ]


def marks(tree: ast.AST) -> Iterator[str]:
    """The ids in every `pytest.mark.requirement("...")` of a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="requirement"), args=ids):
                yield from (
                    id.value for id in ids if isinstance(id, ast.Constant) and isinstance(id.value, str)
                )
            case _:
                pass


def read_proofs() -> Proofs:
    table = tomllib.loads((ROOT / "tests" / "requirements.toml").read_text(encoding="utf-8"))
    carried: dict[str, list[str]] = {}
    for module in modules("tests"):
        for id in marks(module.tree):
            carried.setdefault(id, []).append(module.name)
    return Proofs(rows={row["id"]: row["sentence"] for row in table["requirement"]}, carried=carried)


def nothing(findings: Iterable[str]) -> None:
    """Fail with every finding on a line of its own; pytest would shorten the list."""
    if found := sorted(findings):
        pytest.fail("\n".join(found), pytrace=False)


def walk(folder: Path) -> Iterator[Path]:
    """The files of a checkout without git: those of our own folders."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif path.name in OURS:
            yield from (below for below in sorted(path.rglob("*")) if below.is_file())


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sources() -> list[Module]:
    return modules("src")


@pytest.fixture(scope="session")
def everything() -> list[Module]:
    """Sources, tests, examples and the script at the root with its parts."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("dev*.py"))}
    script = [Module(name=name, text=text, tree=ast.parse(text)) for name, text in texts.items()]
    return [*modules("src"), *modules("tests"), *modules("examples"), *script]


@pytest.fixture(scope="session")
def proofs() -> Proofs:
    return read_proofs()


@pytest.fixture(scope="session")
def kept_files() -> dict[str, str]:
    """Every text file that git keeps or would keep, by its name from the root."""
    git = shutil.which("git") if (ROOT / ".git").exists() else None
    if git:
        listing = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
            "\0"
        )
        paths = [ROOT / name for name in names if name]
    else:
        paths = list(walk(ROOT))
    texts: dict[str, str] = {}
    for path in paths:
        if path.is_file() and b"\0" not in (raw := path.read_bytes()):
            texts[str(path.relative_to(ROOT))] = raw.decode("utf-8", errors="replace")
    return texts


@pytest.fixture(scope="session")
def is_whole_run() -> bool:
    """Whether the whole suite runs, as `dev.py test` without arguments does."""
    return os.environ.get("HOLDFAST_TEST_WHOLE") == "1"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if missing := read_proofs().missing:
        ids = ", ".join(row.split(": ")[0] for row in missing)
        terminalreporter.line(f"{len(missing)} requirements have no test: {ids}")
