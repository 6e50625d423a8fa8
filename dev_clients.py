"""Installs the clients that the gateway is tested with, each in a place of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

from dev_steps import ROOT, TOOLS, Failed, call, must, say, succeeds, surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PYTHON = ("anthropic-1", "pydantic-ai", "langchain", "litellm")
"""The clients in Python that need an environment of their own, by their files in `requirements/clients`."""

LOCKS = {f"clients/{name}": (f"clients/{name}.in",) for name in PYTHON}
NODE = TOOLS / "clients"
"""Where the clients in JavaScript are installed."""

OLDEST_NODE = 20
NO_NODE = f"""\
the clients in JavaScript need Node.js {OLDEST_NODE} or newer and npm on the PATH. Install them, then try again.
dev: JavaScript 클라이언트에는 PATH에 Node.js {OLDEST_NODE} 이상과 npm이 필요합니다. 설치한 뒤 다시 시도하세요.
       Debian 13, Ubuntu 25.04 and newer   sudo apt install nodejs npm
       macOS                               brew install node"""


def install_node() -> Path:
    """The folder with the JavaScript clients in their exact versions, installed unless they are there already."""
    pins = ROOT / "requirements" / "clients" / "package.json"
    stamp, digest = NODE / ".holdfast-stamp", hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return NODE
    is_new = f"process.exit(parseInt(process.versions.node) < {OLDEST_NODE} ? 1 : 0)"
    if shutil.which("npm") is None or not succeeds("node", "-e", is_new):
        raise Failed(NO_NODE)
    say("installing the clients in JavaScript into .tools/clients")
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir(parents=True)
    shutil.copyfile(pins, NODE / "package.json")
    # No lock file: it would record where the packages were fetched from.
    quiet = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    must("npm", "install", "--prefix", NODE, *quiet)
    stamp.write_text(digest)
    return NODE


def run(python: Path, places: Mapping[str, Path], arguments: Sequence[str]) -> int:
    """Run the client suite; `python` has holdfast, `places` says which client has which interpreter."""
    installed = {**{name: str(place) for name, place in places.items()}, "node": str(install_node())}
    settings = surroundings(HOLDFAST_TEST_WHEEL="1", HOLDFAST_TEST_CLIENTS=json.dumps(installed))
    chosen = () if any(argument.startswith("tests") for argument in arguments) else ("tests/clients",)
    return call(python, "-m", "pytest", *chosen, *arguments, env=settings)
