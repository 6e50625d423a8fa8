"""Finds the Chromium that the tests of the console drive, and has Debian install it where it is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dev_steps import say, succeeds, surroundings

VARIABLE = "HOLDFAST_TEST_CHROMIUM"
"""Where the program is looked for first."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk")

CURE = (
    f"the tests of the console need a Chromium, and none could be installed. Install it (Debian: sudo apt install "
    f"{' '.join(PACKAGES)}), or name yours in {VARIABLE}.\n"
    f"dev: 콘솔 테스트에 Chromium이 필요하지만 설치하지 못했습니다. 직접 설치하거나(Debian: sudo apt install "
    f"{' '.join(PACKAGES)}) 실행 파일의 경로를 {VARIABLE}에 적으세요."
)


def find() -> Path | None:
    """The Chromium that the environment names, or one on the PATH."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    found = (shutil.which(name) for name in NAMES)
    return next((Path(path) for path in found if path is not None), None)


def install_with_apt() -> bool:
    """Have Debian install it where this is root and it is missing; whether it is there now."""
    if find() is not None:
        return True
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"installing with apt for the tests / 테스트용으로 apt로 설치합니다: {' '.join(PACKAGES)}")
    settings = surroundings(DEBIAN_FRONTEND="noninteractive")
    install = ("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES)
    if not succeeds(*install, env=settings) and succeeds("apt-get", "update", env=settings):
        succeeds(*install, env=settings)
    return find() is not None
