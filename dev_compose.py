"""Looks at the compose files as a careful operator would: what is open, who runs as root, which files are missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent
MADE_BY_THE_OPERATOR = "./secrets/"


def complaints(file: Path) -> Iterator[str]:
    """What is wrong with one compose file."""
    document = yaml.safe_load(file.read_text("utf-8"))
    for name, service in document["services"].items():
        for complaint in (*unsafe(service), *missing(service, document)):
            yield f"{file.name}: {name}: {complaint}"
    for name, volume in (document.get("secrets") or {}).items():
        if not str(volume["file"]).startswith(MADE_BY_THE_OPERATOR):
            yield f"{file.name}: secret {name} is not among those that the operator makes"


def unsafe(service: Mapping[str, Any]) -> Iterator[str]:
    """What opens a service further than it needs."""
    if "ALL" not in service.get("cap_drop", ()):
        yield "keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "may gain privileges"
    if service.get("privileged") or service.get("network_mode") == "host":
        yield "is privileged"
    if ":" not in service["image"].removeprefix("${HOLDFAST_IMAGE:-"):
        yield "has no version"
    yield from exposed(service)


def exposed(service: Mapping[str, Any]) -> Iterator[str]:
    """What others can reach or read."""
    for port in service.get("ports", ()):
        if not str(port).startswith("127.0.0.1:"):
            yield f"listens for other machines: {port}"
    for name in service.get("environment") or {}:
        if any(word in name for word in ("KEY", "TOKEN", "PASSWORD")) and not name.endswith("_FILE"):
            yield f"holds a secret in its environment: {name}"


def missing(service: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """What a service names and nobody has."""
    for mount in service.get("volumes", ()):
        source = str(mount).split(":", 1)[0]
        if source.startswith("./"):
            if not (ROOT / source).exists():
                yield f"mounts {source}, which is not there"
        elif source not in document["volumes"]:
            yield f"mounts the volume {source}, which nobody declares"
    yield from undeclared(service, document)


def undeclared(service: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """What a service reads or waits for, and the file does not tell of."""
    for secret in service.get("secrets", ()):
        if secret not in document["secrets"]:
            yield f"reads the secret {secret}, which nobody declares"
    for other in service.get("depends_on", ()):
        if "healthcheck" not in document["services"].get(other, {}):
            yield f"waits for {other}, whose health nobody checks"


def main() -> int:
    """Say what is wrong with every compose file."""
    found = [complaint for file in sorted(ROOT.glob("compose*.yaml")) for complaint in complaints(file)]
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
