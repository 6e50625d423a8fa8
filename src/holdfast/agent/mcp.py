"""An MCP server as an agent is given one: what it is called, how it is reached, and how far it is trusted."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from holdfast.agent.tools import LARGEST, TIMEOUT, Policy
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.address import AddressRefused, check_url
from holdfast.policy.mcp import SERVER

START_TIMEOUT = 20.0
LARGEST_MESSAGE = 32 * 1024 * 1024
_URL = re.compile(r"https?://", re.IGNORECASE)
_LETTERS = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A server that is a process of ours, spoken to over its standard input and output.

    Attributes:
        words: the program and its arguments; no shell reads them.
        env: variables of its environment, besides the few that every program needs (`PATH`, `HOME`).
        pass_env: names of further variables of ours that it may see; nothing else of our environment reaches it.
        cwd: the folder that it works in.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    pass_env: tuple[str, ...] = ()
    cwd: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server behind a URL that speaks streamable HTTP.

    Attributes:
        url: https; plain http only with `allow_private`.
        headers_env: headers whose values stand in variables of our environment, by the names of the headers; that of
            `Authorization` holds the token alone, which is sent as `Bearer`.
        allow_private: whether it may be on this machine or its own network; a cloud's metadata never may.
    """

    url: str
    headers_env: Mapping[str, str] = field(default_factory=dict[str, str])
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """An MCP server whose tools an agent offers as `mcp__NAME__TOOL`; made by `stdio` or `http`.

    Attributes:
        name: letters, digits, `-` and `_`, at most 32, without `__`.
        way: how it is reached.
        tools: patterns of the names of the tools that are offered, as the server calls them.
        policy: as of `Tool`, for all of them; `ask` has a person decide on each call.
        timeout: seconds that a call may take.
        start_timeout: seconds until the server must have answered for the first time.
        largest: characters of a result that the model is shown.
        largest_message: bytes of one message of the server; one that sends more is cut off.

    Raises:
        ConfigError: a name, command or URL that makes no sense, a URL that leads inside, a limit of 0.
    """

    name: str
    way: Command | Remote
    tools: tuple[str, ...] = ("*",)
    policy: Policy | None = None
    timeout: float = TIMEOUT
    start_timeout: float = START_TIMEOUT
    largest: int = LARGEST
    largest_message: int = LARGEST_MESSAGE

    def __post_init__(self) -> None:
        if SERVER.fullmatch(self.name) is None:
            raise _bad_name(self.name)
        if min(self.timeout, self.start_timeout, self.largest, self.largest_message) <= 0:
            raise _zero(self.name)
        match self.way:
            case Command(words=words) if not words or not all(words):
                raise _no_command(self.name)
            case Remote(url=url, allow_private=allow_private):
                _check(self.name, url, allow_private=allow_private)
            case _:
                pass

    @classmethod
    def stdio(
        cls,
        name: str,
        *,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        pass_env: Sequence[str] = (),
        cwd: str | None = None,
        **options: Any,
    ) -> Self:
        """A server that is started as a process: `McpServer.stdio("git", command=["uvx", "mcp-server-git"])`."""
        words = tuple(shlex.split(command)) if isinstance(command, str) else tuple(command)
        way = Command(words=words, env=dict(env or {}), pass_env=tuple(pass_env), cwd=cwd)
        return cls(name=name, way=way, **_options(options))

    @classmethod
    def http(
        cls,
        name: str,
        url: str,
        *,
        headers_env: Mapping[str, str] | None = None,
        allow_private: bool = False,
        **options: Any,
    ) -> Self:
        """A server behind a URL: `McpServer.http("crm", "https://...", headers_env={"Authorization": "CRM_TOKEN"})`."""
        way = Remote(url=url, headers_env=dict(headers_env or {}), allow_private=allow_private)
        return cls(name=name, way=way, **_options(options))


Given = McpServer | str | Mapping[str, Any]
"""A server, the URL or the command line of one, or its options as a mapping with `url` or `command`."""


def servers_of(given: Sequence[Given]) -> tuple[McpServer, ...]:
    """The servers that were given; raises `ConfigError` for what is none, and for two of one name."""
    if isinstance(given, str | Mapping):
        raise _no_server(given)
    servers = tuple(_server(one) for one in given)
    names = [server.name.lower() for server in servers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _twice(twice)
    return servers


def _server(given: Given) -> McpServer:
    match given:
        case McpServer():
            return given
        case str() if _URL.match(given):
            return McpServer.http(_named(given), given)
        case str() if given.strip():
            words = _words(given)
            return McpServer.stdio(_named(words[0].replace("\\", "/").rpartition("/")[2]), command=words)
        case Mapping():
            return _from_options(dict(given))
        case _:
            raise _no_server(given)


def _from_options(options: dict[str, Any]) -> McpServer:
    """As configuration files of MCP clients write it: `url`, or `command` with `args`."""
    options.pop("type", None)
    name = str(options.pop("name", "") or _named(str(options.get("url") or options.get("command") or "")))
    try:
        if "url" in options:
            return McpServer.http(name, str(options.pop("url")), **options)
        command: object = options.pop("command", ())
        words = _words(command) if isinstance(command, str) else [str(word) for word in cast("Any", command)]
        arguments = [str(word) for word in options.pop("args", ())]
        return McpServer.stdio(name, command=[*words, *arguments], **options)
    except TypeError as error:
        raise _bad_option(name, str(error)) from error


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise _bad_option(command[:40], str(error)) from error


def _named(text: str) -> str:
    """A name from the host of a URL, or from a program."""
    place = _URL.sub("", text).partition("/")[0].partition(":")[0] if _URL.match(text) else text
    return _LETTERS.sub("-", place)[:32].strip("-") or "server"


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    tools: object = options.get("tools")
    return {**options} if tools is None else {**options, "tools": tuple(cast("Sequence[str]", tools))}


def _check(name: str, url: str, *, allow_private: bool) -> None:
    try:
        check_url(
            url, allow_private=allow_private, schemes=("https", "http") if allow_private else ("https",)
        )
    except AddressRefused as error:
        raise ConfigError(
            Sentence(
                f"The MCP server `{name}`: {error.sentence.en} One on this machine or network needs "
                "`allow_private=True`.",
                ko=f"MCP 서버 `{name}`: {error.sentence.ko} 이 컴퓨터나 내부망의 서버라면 `allow_private=True`가 "
                "필요합니다.",
            )
        ) from error


def _bad_name(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"An MCP server cannot be called {name[:80]!r}: use at most 32 of a-z, A-Z, 0-9, - and _, beginning and "
            "ending with a letter or digit, without `__`.",
            ko=f"MCP 서버 이름으로 {name[:80]!r}을(를) 쓸 수 없습니다. a-z, A-Z, 0-9, -, _로 32자까지 쓰되, 처음과 끝은 "
            "글자나 숫자여야 하고 `__`는 쓸 수 없습니다.",
        )
    )


def _zero(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The MCP server `{name}` has a limit of 0, which lets nothing through; leave it out.",
            ko=f"MCP 서버 `{name}`의 한도가 0이라 아무것도 할 수 없습니다. 빼세요.",
        )
    )


def _no_command(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The MCP server `{name}` has no command; write the program and its arguments.",
            ko=f"MCP 서버 `{name}`에 명령이 없습니다. 프로그램과 인수를 적으세요.",
        )
    )


def _no_server(given: object) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{str(given)[:80]!r} is no list of MCP servers: write `mcp=[...]` with URLs, command lines or `McpServer`.",
            ko=f"{str(given)[:80]!r}은(는) MCP 서버 목록이 아닙니다. `mcp=[...]`에 URL, 명령줄, `McpServer`를 넣으세요.",
        )
    )


def _bad_option(name: str, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The MCP server `{name}` cannot be read: {why}. See the arguments of `McpServer.stdio` and `McpServer.http`.",
            ko=f"MCP 서버 `{name}` 설정을 읽을 수 없습니다: {why}. `McpServer.stdio`와 `McpServer.http`의 인수를 확인하세요.",
        )
    )


def _twice(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"Two MCP servers are called `{name}`; give one of them another name.",
            ko=f"`{name}`이라는 MCP 서버가 둘입니다. 하나의 이름을 바꾸세요.",
        )
    )
