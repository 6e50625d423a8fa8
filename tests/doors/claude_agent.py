"""The Claude Agent SDK with the Claude Code that it brings, in an environment that belongs to nobody."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, Message, ResultError, ResultMessage, query

from holdfast import Holdfast
from holdfast.integrations.claude_agent_sdk import Outcome, outcome

MODEL = "claude-sonnet-5-5"
MARK = "HOLDFAST_TEST_CHILD"
PRIVATE = ("ANTHROPIC", "CLAUDE", "HOLDFAST", "AWS_", "GOOGLE_", "OTEL_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def scrub(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Leave nothing in the environment that is somebody's own."""
    for name in os.environ:
        if name.startswith(PRIVATE) or name.upper() in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
    monkeypatch.chdir(home)


def options(home: Path, **more: object) -> ClaudeAgentOptions:
    """Options that load no settings, with a mark by which their processes are found."""
    given: dict[str, object] = {
        "model": MODEL,
        "setting_sources": [],
        "cwd": str(home),
        "env": {MARK: uuid4().hex},
    }
    return ClaudeAgentOptions(**{**given, **more})  # type: ignore[arg-type]  # any of its fields


async def told(prompt: str, guarded: ClaudeAgentOptions) -> tuple[Outcome, list[Message]]:
    """How a run ends, and all its messages."""
    messages: list[Message] = []
    try:
        async for message in query(prompt=prompt, options=guarded):
            messages.append(message)
    except ResultError:
        pass  # what the last message has said is said once more
    return outcome([one for one in messages if isinstance(one, ResultMessage)][-1]), messages


async def ends(guarded: ClaudeAgentOptions, prompt: str) -> list[Outcome]:
    """How a turn of a client ends, which stays open for more."""
    client = ClaudeSDKClient(guarded)
    await client.connect()
    try:
        await client.query(prompt)
        return [outcome(one) async for one in client.receive_response() if isinstance(one, ResultMessage)]
    finally:
        await client.disconnect()


def processes(mark: str) -> list[int]:
    """The processes that carry a mark in their environment."""
    return [*_marked(f"{MARK}={mark}".encode())]


def until_gone(mark: str) -> bool:
    """Whether no process with the mark is left, or none is in a moment."""
    for _ in range(200):
        if not processes(mark):
            return True
        time.sleep(0.02)  # noqa: TID251 - real processes, real time
    return False


def is_private(path: Path) -> bool:
    """Whether nobody else may read a file."""
    return path.stat().st_mode & 0o077 == 0


def until_removed(path: Path) -> bool:
    """Whether a file is gone, now that nobody holds what it was for."""
    return not path.exists()


def _marked(pair: bytes) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and pair in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
        except OSError:
            continue  # it has ended, or is somebody else's


async def rows(hold: Holdfast) -> list[tuple[int, str | None, str | None, str | None]]:
    """The calls of the ledger in their order: status, code, run, agent."""
    records = await hold.runtime.ledger.newest(50)
    return [(one.status, one.error_code, one.run, one.agent) for one in reversed(records)]
