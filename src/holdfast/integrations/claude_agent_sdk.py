"""The Claude Agent SDK behind holdfast: its traffic through a gateway, its tools under watch, all of it one run."""

import os
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

import msgspec

from holdfast.call import OwnLimits, OwnTools, Principal
from holdfast.credentials import secret
from holdfast.errand import Errand, Tab, current
from holdfast.errors import ConfigError
from holdfast.events import Observer, unobserved
from holdfast.identity import named
from holdfast.integrations.claude_agent_sdk_environment import API_KEY, AUTH_TOKEN, Way, environment
from holdfast.integrations.claude_agent_sdk_mcp import OnErrand
from holdfast.integrations.claude_agent_sdk_outcome import Outcome, outcome
from holdfast.language import Sentence
from holdfast.parts.suspicion import Suspicion
from holdfast.policy.screening import ScreenConfig
from holdfast.settings import Settings

try:
    from claude_agent_sdk import ClaudeAgentOptions, HookMatcher
    from claude_agent_sdk.types import HookEvent

    from holdfast.integrations.claude_agent_sdk_hooks import Doubts, ToolWatch
except ImportError as error:
    raise ConfigError(
        Sentence(
            'The Claude Agent SDK is not installed; run: pip install "holdfast[claude]"',
            ko='Claude Agent SDK가 설치되어 있지 않습니다. 다음을 실행하세요: pip install "holdfast[claude]"',
        )
    ) from error

__all__ = ["Outcome", "guarded_options", "outcome"]

URL, KEY = "HOLDFAST_URL", "HOLDFAST_KEY"
"""The gateway to go through in place of one in this process, and the key that it knows this caller by."""
NO_KEY = "local"
"""What a gateway is shown that asks for no key, by a program that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lodging:
    """A place at a gateway: its address, a token for it, and how to give that back."""

    url: str
    token: str
    leave: Callable[[], None]


Lodge = Callable[[Principal, OwnLimits, OwnTools], Lodging]
"""Finds a place at the gateway of this process."""


def guarded_options(
    settings: Settings,
    options: ClaudeAgentOptions | None = None,
    *,
    lodge: Lodge,
    run: str | None = None,
    user: str | None = None,
    observe: Observer = unobserved,
) -> ClaudeAgentOptions:
    """The same options, for a Claude Code whose calls go through the pipeline and whose tools are watched.

    One run for each options: `run`, else that of the errand that it is done on, else a new one.
    """
    options = options or ClaudeAgentOptions()
    known = {**os.environ, **options.env}
    errand = _errand(run, user)
    doubts = Doubts()
    watch = ToolWatch(
        config=settings.tools,
        suspicion=_suspicion(settings.screen),
        doubts=doubts,
        has_judge=options.can_use_tool is not None or options.permission_prompt_tool_name is not None,
        language=settings.language,
        observe=observe,
    )
    way = replace(_way(errand, doubts, watch, lodge), hidden=_key_names(settings))
    ours = environment(way, known)
    return replace(
        options,
        env={**options.env, **ours},
        settings=_settings(options, ours, watch),
        hooks=_merged(options.hooks, watch.hooks()),
        mcp_servers=_joined(options.mcp_servers, errand),
    )


def _errand(run: str | None, user: str | None) -> Errand:
    """What the agents of this run are sent out on: part of the errand that the caller is on, if any."""
    outer = current()
    if outer is None:
        return Errand(run=named(run) or f"run_{token_hex(8)}", user=user, above=1)
    return replace(
        outer,
        run=named(run) or outer.run,
        parent=outer.name or outer.parent,
        user=user or outer.user,
        above=outer.above + 1,
        tab=Tab(above=outer.tab),
    )


def _way(errand: Errand, doubts: Doubts, watch: ToolWatch, lodge: Lodge) -> Way:
    """Through the gateway that `HOLDFAST_URL` names, else through that of this process."""
    if url := os.environ.get(URL, "").strip().rstrip("/"):
        has_own = any(os.environ.get(name) for name in (AUTH_TOKEN, API_KEY))
        token = secret(KEY) or (None if has_own else NO_KEY)
        return Way(url=url, token=token, run=errand.run, user=errand.user)
    who = Principal(door="sdk", run=errand.run, user=errand.user, agent=errand.name, parent=errand.parent)
    # The gateway knows the doubts and not the watch: whoever holds the options keeps the token alive.
    lodging = lodge(who, errand.limits, OwnTools(doubted=doubts.note, waits=True))
    weakref.finalize(watch, lodging.leave)
    return Way(url=lodging.url, token=lodging.token, run=errand.run, user=errand.user)


def _key_names(settings: Settings) -> tuple[str, ...]:
    """The variables with the keys of upstreams."""
    named_keys = (name for one in settings.upstreams.values() for name in (one.key_env, *one.key_envs))
    return tuple(dict.fromkeys(name for name in named_keys if name and name != API_KEY))


@lru_cache(maxsize=4)
def _suspicion(config: ScreenConfig) -> Suspicion:
    """One for each settings: it takes a while to read its rules."""
    return Suspicion(config=config)


def _settings(options: ClaudeAgentOptions, ours: Mapping[str, str], watch: ToolWatch) -> str:
    """A file with the settings of the caller and our environment, for as long as the watch is there.

    What a person has set for Claude Code goes before the environment of its process; these settings go before
    both. A file, since what stands in a command line can be read by everybody on the machine.
    """
    given = _given(options)
    inner = given.get("env")
    both = {**(cast("dict[str, object]", inner) if isinstance(inner, dict) else {}), **ours}
    handle, path = tempfile.mkstemp(prefix="holdfast-claude-", suffix=".json")
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode({**given, "env": both}))
    weakref.finalize(watch, Path(path).unlink, missing_ok=True)
    return path


def _given(options: ClaudeAgentOptions) -> dict[str, object]:
    """The settings of the caller: JSON, or a file of it."""
    text = (options.settings or "").strip()
    if not text:
        return {}
    try:
        if not text.startswith("{"):
            text = (Path(options.cwd or ".") / text).read_text("utf-8")
        return msgspec.json.decode(text, type=dict[str, object])
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(
            Sentence(
                f"ClaudeAgentOptions.settings cannot be read: {error}. Give JSON, or the path of a file of JSON.",
                ko=f"ClaudeAgentOptions.settings를 읽을 수 없습니다: {error}. JSON이나 JSON 파일의 경로를 주세요.",
            )
        ) from error


def _merged(
    theirs: Mapping[HookEvent, list[HookMatcher]] | None, ours: Mapping[HookEvent, HookMatcher]
) -> dict[HookEvent, list[HookMatcher]]:
    """Their hooks and ours, none lost."""
    merged: dict[HookEvent, list[HookMatcher]] = {}
    for event, matchers in (theirs or {}).items():
        merged[event] = [*matchers]
    for event, matcher in ours.items():
        merged.setdefault(event, []).append(matcher)
    return merged


def _joined(servers: Any, errand: Errand) -> Any:
    """The same MCP servers; what those in this process do is done on the errand."""
    if not isinstance(servers, dict):
        return servers
    return {name: _served(one, errand) for name, one in cast("dict[str, Any]", servers).items()}


def _served(server: Any, errand: Errand) -> Any:
    if not isinstance(server, dict):
        return server
    config = cast("dict[str, Any]", server)
    if config.get("type") != "sdk":
        return config
    return {**config, "instance": OnErrand(config["instance"], errand)}
