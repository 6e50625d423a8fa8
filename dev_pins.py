"""Which requirements files there are, what each is resolved from, and how."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import dev_clients
from dev_steps import ROOT, must, say

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUIREMENTS = ROOT / "requirements"

LOCKS = {  # dev comes first: the others take their versions from it
    "dev": ("pyproject.toml", "build.in", "--extra=all", "--extra=onnx", "--group=test", "--group=check"),
    "run": ("pyproject.toml", "build.in", "--extra=anthropic"),
    "test": (
        *("pyproject.toml", "build.in", "house.in"),
        *(
            "--extra=agent",
            "--extra=anthropic",
            "--extra=fleet",
            "--extra=onnx",
            "--extra=tui",
            "--group=test",
        ),
    ),
    "docs": ("pyproject.toml", "build.in", "--group=docs"),
    "image": ("pyproject.toml", "--extra=agent", "--extra=fleet", "--extra=otel"),
    "build": ("build.in",),
    "ship": ("build.in", "ship.in"),
    "anthropic-0": ("anthropic-0.in",),
    "servers": ("servers.in",),
    "uv": ("uv.in",),
    **dev_clients.LOCKS,
}


def pin(uv: str, name: str, sources: Sequence[str], *, upgrade: bool) -> None:
    """Resolve one requirements file for every platform; uv keeps the versions of the old file."""
    follows_dev = name != "dev" and "pyproject.toml" in sources
    if follows_dev:
        shutil.copyfile(REQUIREMENTS / "dev.txt", REQUIREMENTS / f"{name}.txt")
    inputs = [f"requirements/{source}" if source.endswith(".in") else source for source in sources]
    newest = ["--upgrade"] if upgrade and not follows_dev else []
    say(f"locking requirements/{name}.txt")
    must(
        *(uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-emit-index-url"),
        *("--python-version", "3.11", "--custom-compile-command", "python3 dev.py lock"),
        *("--output-file", f"requirements/{name}.txt", *newest, *inputs),
    )
