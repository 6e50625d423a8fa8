"""What leaves the house besides the wheel: image, chart, unit, workflow, rules; looked at without an engine."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from dev_steps import ROOT, call, must, say, succeeds, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHART = ROOT / "deploy" / "helm" / "holdfast"
RELEASES = {
    "the usual fleet": (),
    "one pod on SQLite": (
        "replicas=1",
        "fleet.database=false",
        "fleet.redis=false",
        "persistence.enabled=true",
    ),
    "everything on": (
        "autoscaling.enabled=true",
        "networkPolicy.enabled=true",
        "serviceMonitor.enabled=true",
    ),
}
REFUSED = {
    "two pods on one file": ("replicas=2", "fleet.database=false"),
    "a value nobody knows": ("replica=2",),
}
SBOM = "holdfast.cdx.json"


def ship(tool: Callable[[str], Path], python: Path) -> int:
    """Build what is published into `dist/`, then look at every shipped file; 0 when all of it is good."""
    must(python, "-m", "hatchling", "build", "--directory", ROOT / "dist")
    must(
        *(tool("cyclonedx-py"), "requirements", ROOT / "requirements" / "image.txt"),
        *("--pyproject", ROOT / "pyproject.toml", "--mc-type", "application", "--output-reproducible"),
        *("--of", "JSON", "--output-file", ROOT / "dist" / SBOM),
    )
    count = len(json.loads((ROOT / "dist" / SBOM).read_text())["components"])
    say(f"dist/{SBOM}: {count} components")
    looks = (dockerfile, compose, workflow, chart, unit, alerts)
    return max(look(tool) for look in looks)


def dockerfile(tool: Callable[[str], Path]) -> int:
    """Lint the Dockerfile."""
    return told("Dockerfile", call(tool("hadolint"), "--failure-threshold", "warning", ROOT / "Dockerfile"))


def compose(tool: Callable[[str], Path]) -> int:
    """Look at the compose files: what is open, what is missing."""
    return told("compose files", call(tool("python"), ROOT / "dev_compose.py"))


def workflow(tool: Callable[[str], Path]) -> int:
    """Audit the release workflow, without asking the network."""
    command = (
        tool("zizmor"),
        "--offline",
        "--quiet",
        "--min-severity",
        "medium",
        ROOT / ".github" / "workflows",
    )
    return told("release workflow", call(*command))


def chart(tool: Callable[[str], Path]) -> int:
    """Lint the chart, and render every kind of release that it is for and each that it refuses."""
    helm = (tool("helm"),)
    settings = surroundings(HELM_CACHE_HOME=str(ROOT / ".tools" / "helm"))
    codes = [call(*helm, "lint", "--quiet", "--strict", CHART, env=settings)]
    for name, values in RELEASES.items():
        sets = [part for value in values for part in ("--set", value)]
        codes.append(
            told(f"chart, {name}", not succeeds(*helm, "template", "ours", CHART, *sets, env=settings))
        )
    for name, values in REFUSED.items():
        sets = [part for value in values for part in ("--set", value)]
        codes.append(
            told(f"chart refuses {name}", succeeds(*helm, "template", "ours", CHART, *sets, env=settings))
        )
    return max(codes)


def unit(_: Callable[[str], Path]) -> int:
    """Have systemd judge how far the unit is open to attacks: at most 2.0 of 10."""
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        say("systemd unit: no systemd here, not judged / systemd가 없어 검사하지 않음")
        return 0
    file = ROOT / "deploy" / "systemd" / "holdfast.service"
    judged = succeeds(systemd, "security", "--offline=true", "--threshold=20", "--no-pager", file)
    return told("systemd unit", not judged)


def alerts(_: Callable[[str], Path]) -> int:
    """Have Prometheus read its configuration and the alert rules, where its tool is installed."""
    promtool = shutil.which("promtool")
    if promtool is None:
        say("alert rules: no promtool here, not judged / promtool이 없어 검사하지 않음")
        return 0
    return told(
        "alert rules", call(promtool, "check", "rules", ROOT / "deploy" / "prometheus" / "alerts.yml")
    )


def told(name: str, code: int | bool) -> int:
    """Say how one look ended."""
    say(f"{'ok    ' if code == 0 else 'FAILED'} {name}")
    return 1 if code else 0
