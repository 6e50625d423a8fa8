"""The process of an MCP server: its lines in and out, and an end that leaves nobody behind."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from holdfast.agent.mcp import Command
from holdfast.errors import ConfigError
from holdfast.language import Sentence

GOODBYE = 0.5
"""Seconds that a server has to end by itself when nobody speaks to it any more."""
LAST_WORD = 0.3
"""Seconds between asking it to end and ending it."""
POLL = 0.01
STDERR_LINES = 8
Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def process(
    command: Command, *, largest: int, gone: Callable[[str], None]
) -> AsyncGenerator[Streams, None]:
    """A server that runs while the block does; `gone` hears of it, with its last words, when it ends before.

    Raises `ConfigError` for a variable that is not there, `OSError` for a program that cannot be started.
    """
    child = await asyncio.create_subprocess_exec(
        *command.words,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment(command, os.environ),
        cwd=command.cwd,
        limit=largest,
        start_new_session=True,
    )
    said: deque[str] = deque(maxlen=STDERR_LINES)
    heard, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, to_send = anyio.create_memory_object_stream[SessionMessage](0)
    complaints = asyncio.create_task(_keep_errors(child, said))
    jobs = [
        asyncio.create_task(_read(child, heard, gone)),
        asyncio.create_task(_write(child, to_send)),
        complaints,
    ]
    try:
        yield read, write
    finally:
        with anyio.CancelScope(shield=True):
            await _end(child)
            await asyncio.wait((complaints,), timeout=LAST_WORD)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
        gone(" | ".join(said))
        for stream in (heard, read, write, to_send):
            stream.close()


def environment(command: Command, ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: what every program needs, and what was named; raises `ConfigError`."""
    missing = [name for name in command.pass_env if name not in ours]
    if missing:
        raise ConfigError(
            Sentence(
                f"The variable {missing[0]} that `{command.words[0]}` is to see is not set. Set it, or leave it out.",
                ko=f"`{command.words[0]}`에 넘길 환경 변수 {missing[0]}이(가) 없습니다. 설정하거나 목록에서 빼세요.",
            )
        )
    return {**get_default_environment(), **{name: ours[name] for name in command.pass_env}, **command.env}


async def _read(
    child: Process,
    heard: MemoryObjectSendStream[SessionMessage | Exception],
    gone: Callable[[str], None],
) -> None:
    assert child.stdout is not None
    why = ""
    try:
        async with heard:
            while line := await child.stdout.readline():
                # What is no message, such as a line that was printed, is no reason to hang up.
                with suppress(ValueError):
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    await heard.send(SessionMessage(message))
    except ValueError:
        why = "it sent a message larger than allowed"
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        why = "the connection broke"
    finally:
        gone(why)


async def _write(child: Process, to_send: MemoryObjectReceiveStream[SessionMessage]) -> None:
    assert child.stdin is not None
    with suppress(OSError):  # whoever reads its answers learns that it has ended
        async with to_send:
            async for message in to_send:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                child.stdin.write(line.encode() + b"\n")
                await child.stdin.drain()


async def _keep_errors(child: Process, said: deque[str]) -> None:
    """Read what it complains of, so that it never waits for a reader, and keep the end of it."""
    assert child.stderr is not None
    while piece := await child.stderr.read(4_096):
        said.extend(
            line.strip()[:300] for line in piece.decode(errors="replace").splitlines() if line.strip()
        )


async def _end(child: Process) -> None:
    """As the protocol says: close its input, then ask, then force; whatever it has started ends with it."""
    try:
        if child.stdin is not None:
            child.stdin.close()
        if not await _has_ended(child, GOODBYE):
            _signal(child, force=False)
            await _has_ended(child, LAST_WORD)
    finally:
        _signal(child, force=True)
    await _has_ended(child, GOODBYE)


async def _has_ended(child: Process, patience: float) -> bool:
    # Not `wait`: that one also waits for the ends of pipes which a process of its own may have inherited.
    for _ in range(round(patience / POLL)):
        if child.returncode is not None:
            return True
        await asyncio.sleep(POLL)
    return child.returncode is not None


def _signal(child: Process, *, force: bool) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL if force else signal.SIGTERM)
