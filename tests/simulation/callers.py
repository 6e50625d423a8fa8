"""Callers: one request each over ASGI, or one chat with an agent, and perhaps a hang-up in the middle."""

import asyncio
import hashlib
import json
import re
from random import Random

from holdfast.agent.stream import ReplyStream
from holdfast.errors import HoldfastError
from holdfast.gateway.app import Gateway
from tests.simulation.scenario import Caller, Scenario
from tests.simulation.world import Heard, Message, World

IDS = re.compile(rb"hfr_[0-9a-f]+")
CONTENT = (b"event: content_block", b"event: message_delta", b"event: message_stop", b"event: error")
MARGIN = 2.0
"""Seconds before the end of a client's patience at which it must have been answered."""


async def play(scenario: Scenario) -> World:
    """Run a scenario to its end."""
    world = World(scenario)
    await come(world, world.hold.asgi())
    world.final = world.circuits()
    return world


async def come(world: World, gateway: Gateway) -> None:
    """Every caller of the scenario comes and goes."""
    async with asyncio.TaskGroup() as group:
        for caller in world.scenario.callers:
            group.create_task(_live(world, gateway, caller), name=f"caller-{caller.number}")
    # A server that closed its connection lets its client go a moment later.
    await asyncio.sleep(0)


async def _live(world: World, gateway: Gateway, caller: Caller) -> None:
    await world.clock.sleep(caller.arrives)
    for number in range(caller.calls):
        question = f"Question {caller.number}.{number}"
        heard = Heard(caller.number, question, caller.form, world.clock.monotonic(), _allowed(world, caller))
        world.heard.append(heard)
        world.note(f"caller {caller.number} asks: {caller.form}, {caller.model}")
        if caller.form.startswith("agent"):
            await _chat(world, caller, heard)
        else:
            await Client(world, gateway, caller, heard).ask()
        heard.returned = world.clock.monotonic()
        world.note(f"caller {caller.number}: {_told(heard)}")
        await world.clock.sleep(caller.pause)


def _allowed(world: World, caller: Caller) -> float:
    """Seconds in which the first content, or a refusal, must come."""
    deadline = world.scenario.timeouts.deadline
    if caller.patience is None or caller.form.startswith("agent"):
        return deadline
    return min(deadline, max(1.0, caller.patience - MARGIN))


def _told(heard: Heard) -> str:
    if heard.left is not None:
        return f"left, {len(heard.body)} bytes read"
    mark = hashlib.sha256(IDS.sub(b"id", heard.body)).hexdigest()[:8]
    return f"{heard.status} {heard.error or ''} {heard.text or ''} {len(heard.body)} bytes, {mark}"


async def _chat(world: World, caller: Caller, heard: Heard) -> None:
    agent = world.hold.agent(caller.model, max_tokens=caller.max_tokens)
    try:
        async with asyncio.timeout(caller.hangs_up):
            if caller.form == "agent":
                reply = await agent.chat(heard.question, user=caller.user)
                heard.status = 200 if reply.outcome == "answered" else None
                heard.text, heard.error = reply.text, reply.reason.error_code if reply.reason else None
                heard.first_content = world.clock.monotonic()
            else:
                await _read(world, agent.stream(heard.question, user=caller.user), heard)
    except TimeoutError:
        heard.left = world.clock.monotonic()
    except HoldfastError as error:
        heard.error = error.error_code
    heard.ended = world.clock.monotonic()


async def _read(world: World, stream: ReplyStream, heard: Heard) -> None:
    heard.text = ""
    async with stream as texts:
        async for text in texts:
            heard.text += text
            heard.first_content = heard.first_content or world.clock.monotonic()
    heard.status = 200 if stream.reply.outcome == "answered" else None


class Client:
    """What an ASGI server is to the gateway, for one request: a connection that its client may cut.

    After a hang-up some servers raise when they are written to, and others throw away what they get.
    """

    def __init__(self, world: World, gateway: Gateway, caller: Caller, heard: Heard) -> None:
        self._world = world
        self._gateway = gateway
        self._caller = caller
        self._heard = heard
        self._gone = asyncio.Event()
        self._body: bytes | None = None
        self._chunks = 0
        self._raises = Random(world.scenario.seed * 1000 + caller.number).random() < 0.5

    async def ask(self) -> None:
        """Send the question and read the answer, until it ends or the caller leaves."""
        caller = self._caller
        body = {
            "model": caller.model,
            "max_tokens": caller.max_tokens,
            "messages": [{"role": "user", "content": self._heard.question}],
            "stream": caller.form == "stream",
        }
        self._body = json.dumps(body).encode()
        leaving = asyncio.get_running_loop().call_later(caller.hangs_up, self._leave)
        try:
            await self._gateway(self._scope(), self._receive, self._send)
        finally:
            leaving.cancel()

    def _leave(self) -> None:
        if not self._gone.is_set() and self._heard.ended is None:
            self._heard.left = self._world.clock.monotonic()
            self._gone.set()

    def _scope(self) -> Message:
        headers = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "k"}
        caller = self._caller
        said = {
            "x-stainless-read-timeout": None if caller.patience is None else f"{caller.patience:g}",
            "x-holdfast-user": caller.user,
            "x-holdfast-run": caller.run,
            "x-holdfast-tags": None if caller.team is None else f"team={caller.team}",
        }
        headers |= {name: value for name, value in said.items() if value is not None}
        return {
            "type": "http",
            "method": "POST",
            "path": "/v1/messages",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            if self._raises:
                raise OSError("the client is gone")
            return
        heard, now = self._heard, self._world.clock.monotonic()
        if message["type"] == "http.response.start":
            heard.status = message["status"]
            heard.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        chunk: bytes = message.get("body", b"")
        heard.body += chunk
        if not heard.is_stream or any(mark in chunk for mark in CONTENT):
            heard.first_content = now if heard.first_content is None else heard.first_content
            heard.last_content = now
        if not message.get("more_body", False):
            heard.ended = now
            return
        await self._pause()

    async def _pause(self) -> None:
        self._chunks += 1
        if self._chunks == self._caller.hangs_up_after_chunks:
            self._leave()
        elif self._caller.reads_slowly:
            await self._world.clock.sleep(self._caller.reads_slowly)
