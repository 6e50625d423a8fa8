"""Which files nobody reviews: what git ignores, what others have written, what no person has written."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

VENDORED = frozenset(
    {
        "node_modules", "vendor", "vendored", "third_party", "site-packages", "dist", "build", "target",
        "venv", "env", "htmlcov", "coverage", "__pycache__",
    }
)  # fmt: skip
GENERATED = re.compile(
    r"(\.min\.(js|css)|\.(map|lock|snap|svg|csv|tsv|ipynb|pb\.go)|_pb2(_grpc)?\.pyi?|-lock\.(json|yaml)|go\.sum)$"
)
LONGEST = 500
"""Characters of a pattern that is worth reading."""
MOST_DEEP = 3
"""Times that a pattern may stand for folders in any number."""
_ESCAPED = re.compile(r"\\(.)")
_ANY = "**"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a `.gitignore`: the pattern of each folder on the way, and what it says of paths that match."""

    parts: tuple[str, ...]
    is_for_folders: bool
    keeps: bool


def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules of a `.gitignore`, in their order; lines that make no sense are left out."""
    found = (_rule(line.removesuffix("\r")) for line in text.split("\n"))
    return tuple(rule for rule in found if rule is not None)


def is_ignored(path: str, rules: Iterable[tuple[str, Sequence[Rule]]], *, is_folder: bool) -> bool:
    """Whether git would ignore a path; `rules` are those of each folder above it, the outermost first.

    The last rule that matches decides.
    """
    verdict = False
    for folder, lines in rules:
        names = (path[len(folder) + 1 :] if folder else path).split("/")
        for rule in lines:
            if (is_folder or not rule.is_for_folders) and _matches(rule.parts, names):
                verdict = not rule.keeps
    return verdict


def is_nobodys(name: str, *, is_folder: bool) -> bool:
    """Whether the name of a file or folder says that nobody here has written it, or that it is not for others.

    Hidden files such as `.env` hold settings, and often secrets.
    """
    if name.startswith("."):
        return True
    return name in VENDORED or name.endswith(".egg-info") if is_folder else is_generated(name)


def is_generated(name: str) -> bool:
    """Whether a tool writes files of this name."""
    return GENERATED.search(name) is not None


def _rule(line: str) -> Rule | None:
    text = line if line.endswith("\\ ") else line.rstrip()
    if not text or text.startswith("#") or len(text) > LONGEST:
        return None
    keeps, text = text.startswith("!"), text.removeprefix("!")
    is_for_folders, text = text.endswith("/"), text.rstrip("/")
    is_anchored = "/" in text
    parts = [_part(part) for part in text.split("/") if part]
    if not parts or parts.count(_ANY) > MOST_DEEP:
        return None
    return Rule(tuple(parts if is_anchored else [_ANY, *parts]), is_for_folders, keeps)


def _part(part: str) -> str:
    """As `fnmatch` has it, which knows no escapes and negates a set with `!` alone."""
    return _ESCAPED.sub(r"[\1]", part).replace("[^", "[!")


def _matches(parts: Sequence[str], names: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] != _ANY:
        return bool(names) and fnmatchcase(names[0], parts[0]) and _matches(parts[1:], names[1:])
    if len(parts) == 1:
        return bool(names)
    return any(_matches(parts[1:], names[at:]) for at in range(len(names)))
