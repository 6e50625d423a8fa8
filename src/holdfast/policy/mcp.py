"""Tools of MCP servers as an agent offers them: under names of their own, and in sizes that a prompt can bear."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b

import msgspec

from holdfast.policy.sanitation import whole
from holdfast.wire.offer import Offered, read_offer

SERVER = re.compile(r"(?!.*__)[A-Za-z0-9](?:[A-Za-z0-9_-]{0,30}[A-Za-z0-9])?")
"""The name of a server; no `__` in it, so that nobody can read where it ends in two ways."""
LONGEST_NAME = 128
LONGEST_DESCRIPTION = 8_000
"""Characters of a description that the model is shown; the rest is cut off, before anybody trusts it."""
LARGEST_SCHEMA = 64 * 1024
"""Bytes of a schema; a tool with a larger one is left out."""
MOST_TOOLS = 1_000
"""Tools of one server; the rest is left out."""
FIRST_REST, LONGEST_REST = 1.0, 60.0

_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
_UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertised:
    """What a server says of one of its tools; `acts` where it says that the tool destroys something."""

    name: str
    description: str
    input_schema: Mapping[str, object]
    acts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A tool of a server as a request offers it: `name` is what the model calls it, `own` what its server does."""

    name: str
    own: str
    description: str
    input_schema: Mapping[str, object]
    acts: bool
    offered: Offered

    @property
    def offer(self) -> Mapping[str, object]:
        """How a request offers it."""
        return _offer(self.name, self.description, self.input_schema)


def listed(server: str, tools: Iterable[Advertised], chosen: Sequence[str] = ("*",)) -> tuple[Listed, ...]:
    """The tools of a server whose own names fit one of the patterns, each under a name that no other tool has.

    Left out: a second tool of one name, one that is too large or cannot be written down, and whatever is too many.
    """
    found: dict[str, Listed] = {}
    taken: set[str] = set()
    for tool in tools:
        if len(found) == MOST_TOOLS:
            break
        if tool.name in found or not any(fnmatchcase(tool.name, pattern) for pattern in chosen):
            continue
        one = _listed(full_name(server, tool.name), tool)
        if one is not None and one.name not in taken:
            found[tool.name] = one
            taken.add(one.name)
    return tuple(found.values())


def full_name(server: str, tool: str) -> str:
    """`mcp__server__tool`; where letters had to be changed or left out, with a digest of the tool's own name."""
    prefix = f"mcp__{server}__"
    plain = _STRANGE.sub("_", tool)
    if plain == tool and tool and len(prefix) + len(tool) <= LONGEST_NAME:
        return prefix + tool
    digest = blake2b(tool.encode("utf-8", "backslashreplace"), digest_size=5).hexdigest()
    return f"{prefix}{plain[: LONGEST_NAME - len(prefix) - len(digest) - 1]}_{digest}"


def rest(failures: int) -> float:
    """Seconds until a server that could not be reached so many times in a row is tried again; none after none."""
    return 0.0 if failures < 1 else min(LONGEST_REST, FIRST_REST * 2.0 ** min(failures - 1, 10))


def _listed(name: str, tool: Advertised) -> Listed | None:
    description = whole(tool.description).strip()[:LONGEST_DESCRIPTION] or f"The tool {name}."
    schema = {**tool.input_schema, "type": "object"}
    try:
        if len(msgspec.json.encode(schema)) > LARGEST_SCHEMA:
            return None
        (offered,) = read_offer(msgspec.json.encode({"tools": [_offer(name, description, schema)]}))
    except _UNREADABLE:
        return None
    return Listed(
        name=name,
        own=tool.name,
        description=description,
        input_schema=schema,
        acts=tool.acts,
        offered=offered,
    )


def _offer(name: str, description: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "description": description, "input_schema": dict(schema)}
