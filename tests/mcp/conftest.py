"""A world with MCP servers in it: processes that really run, and a server behind a URL."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.agent.mcp import McpServer
from holdfast.simulator.replies import Turn
from tests.agent.conftest import World

PLAIN = str(Path(__file__).parent / "plain_server.py")


@dataclass
class Plain:
    """A server as a process; what it does next stands in a file."""

    state: Path

    def behave(self, **said: object) -> None:
        """How it behaves from now on."""
        self.state.write_text(json.dumps(said))

    def called(self) -> bool:
        """Whether a call has reached it since it was told how to behave."""
        return self.state.with_suffix(".called").exists()

    def server(self, name: str = "shop", **options: Any) -> McpServer:
        """What an agent is given; without doubts whether each call is what its user wants."""
        options.setdefault("policy", "allow")
        return McpServer.stdio(name, command=[sys.executable, "-S", PLAIN, str(self.state)], **options)


@pytest.fixture
def plain(tmp_path: Path) -> Plain:
    made = Plain(tmp_path / "behaviour.json")
    made.behave()
    return made


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hold(world: World) -> Iterator[Holdfast]:
    with world.hold() as hold:
        yield hold


def wants(tool: str, **given: object) -> Turn:
    """An answer of the model that calls a tool."""
    return Turn(text="Let me see.", tools=((tool, given),))


def offered(world: World, at: int = -1) -> list[str]:
    """The names of the tools that the model was offered in one of its requests."""
    return [tool["name"] for tool in world.bodies()[at].get("tools", [])]


def result(world: World, at: int = -1) -> dict[str, Any]:
    """The result of the one tool that the model was shown in one of its requests."""
    content = world.bodies()[at]["messages"][-1]["content"]
    assert len(content) == 1, content
    (found,) = content
    return dict(found)


def is_running(pid: int) -> bool:
    """Whether there is such a process, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
