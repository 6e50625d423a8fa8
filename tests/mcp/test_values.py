"""What an agent is given as its MCP servers, and what of it is refused at once."""

from typing import Any

import pytest

from holdfast import ConfigError, ProductionAgent
from holdfast.agent.mcp import Command, McpServer, Remote, servers_of
from holdfast.agent.mcp_process import environment


@pytest.mark.parametrize(
    ("given", "name", "way"),
    [
        ("https://mcp.shop.example/v1", "mcp-shop-example", Remote(url="https://mcp.shop.example/v1")),
        (
            "uvx mcp-server-git --repo '/a b'",
            "uvx",
            Command(words=("uvx", "mcp-server-git", "--repo", "/a b")),
        ),
        ("/usr/bin/git_server", "git-server", Command(words=("/usr/bin/git_server",))),
        (
            {"type": "stdio", "name": "git", "command": "uvx", "args": ["mcp-server-git"], "env": {"A": "1"}},
            "git",
            Command(words=("uvx", "mcp-server-git"), env={"A": "1"}),
        ),
        ({"command": ["node", "server.js"]}, "node-server-js", Command(words=("node", "server.js"))),
        (
            {"url": "http://localhost:1/mcp", "allow_private": True},
            "localhost",
            Remote(url="http://localhost:1/mcp", allow_private=True),
        ),
    ],
)
def test_servers_can_be_written_as_texts_and_mappings(given: Any, name: str, way: object) -> None:
    (server,) = servers_of([given])
    assert (server.name, server.way) == (name, way)


def test_a_server_stays_what_it_is() -> None:
    server = McpServer.stdio("git", command=["uvx"], tools=["read_*"], timeout=5)
    assert servers_of([server]) == (server,)
    assert (server.tools, server.timeout) == (("read_*",), 5)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["", "x"], "no list of MCP servers"),
        ("https://one.example", "no list of MCP servers"),
        ([7], "no list of MCP servers"),
        (["git", "git --again"], "Two MCP servers"),
        (["git 'unfinished"], "No closing quotation"),
        ([{"command": "git", "speed": 9}], "speed"),
        ([{"name": "a__b", "command": "git"}], "cannot be called"),
        ([{"name": "a"}], "no command"),
        (["https://localhost/mcp"], "allow_private"),
        (["https://169.254.169.254/mcp"], "metadata"),
        (["http://mcp.example/mcp"], "scheme"),
        ([{"url": "http://169.254.169.254/mcp", "allow_private": True}], "metadata"),
        ([{"command": "git", "timeout": 0}], "limit of 0"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_agent_is_made(given: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as told:
        ProductionAgent(mcp=given)
    assert told.value.say("ko") != told.value.say("en")


def test_a_secret_in_the_environment_of_a_server_is_not_shown() -> None:
    assert "s3cret" not in repr(McpServer.stdio("git", command=["uvx"], env={"TOKEN": "s3cret"}))


def test_a_variable_that_is_to_be_passed_on_must_be_there() -> None:
    command = Command(words=("git",), pass_env=("TOKEN",))
    assert environment(command, {"TOKEN": "x", "OTHER": "y"})["TOKEN"] == "x"
    with pytest.raises(ConfigError, match="TOKEN"):
        environment(command, {})
