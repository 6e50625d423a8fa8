"""Paths of the API that go upstream as they are: which there are, and what each takes."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from holdfast.policy.gateway import GatewayConfig, passed_on

Family = Literal["batches", "files", "skills", "other"]
ROOTS: dict[str, Family] = {"/v1/messages/batches": "batches", "/v1/files": "files", "/v1/skills": "skills"}
ANY = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_STEP = re.compile(r"(?!\.+$)[0-9A-Za-z._:@-]{1,200}")
"""A step of a path that leads nowhere else: our key must not fetch what a `..` in it would lead to."""

_METHODS: dict[Family, tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = {
    "batches": (
        (re.compile(r""), ("GET", "POST")),
        (re.compile(r"\w+"), ("GET", "DELETE")),
        (re.compile(r"\w+/cancel"), ("POST",)),
        (re.compile(r"\w+/results"), ("GET",)),
    ),
    "files": (
        (re.compile(r""), ("GET", "POST")),
        (re.compile(r"[^/]+"), ("GET", "DELETE")),
        (re.compile(r"[^/]+/content"), ("GET",)),
    ),
    "skills": (
        (re.compile(r""), ("GET", "POST")),
        (re.compile(r"[^/]+"), ("GET", "DELETE")),
        (re.compile(r"[^/]+/versions"), ("GET", "POST")),
        (re.compile(r"[^/]+/versions/[^/]+"), ("GET", "DELETE")),
        (re.compile(r"[^/]+/versions/[^/]+/content"), ("GET",)),
    ),
    "other": ((re.compile(r".*"), ANY),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One path: of which family it is, the id in it, what is asked of that, and which methods it takes."""

    family: Family
    path: str
    name: str | None = None
    step: str = ""
    methods: tuple[str, ...] = ()

    @property
    def is_content(self) -> bool:
        """Whether its answer may be of any length and is no document of the API."""
        return self.step.endswith(("content", "results")) or self.family == "other"

    def largest(self, config: GatewayConfig) -> int:
        """Bytes that a request to it may have."""
        match self.family:
            case "batches":
                return config.max_batch
            case "files" | "skills":
                return config.max_upload
            case _:
                return config.max_body


def resource(path: str, passthrough: tuple[str, ...] = ()) -> Resource | None:
    """What a path means; `None` for one that nobody decided to serve."""
    for root, family in ROOTS.items():
        if passed_on(path, (root,)):
            return _found(family, path, path.removeprefix(root).removeprefix("/"))
    return _found("other", path, "") if passed_on(path, passthrough) else None


def _found(family: Family, path: str, rest: str) -> Resource | None:
    steps = path.split("/")[1:]
    if not all(_STEP.fullmatch(step) for step in steps):
        return None
    methods = next((allowed for shape, allowed in _METHODS[family] if shape.fullmatch(rest)), None)
    if methods is None:
        return None
    name, _, step = rest.partition("/")
    return Resource(
        family=family, path=quote(path, safe="/:@"), name=name or None, step=step, methods=methods
    )
