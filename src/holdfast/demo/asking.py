"""How the callers of the demo ask: over HTTP, as any client does, and what each makes of its answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp

from holdfast.clock import Clock
from holdfast.wire.headers import DEGRADED

KEY = "demo"
PATIENCE = 60.0
"""Real seconds after which a caller gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a caller asks: `kind` is what it is to the story."""

    caller: str
    kind: str
    body: Mapping[str, Any]
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of a question: `at` is the second of the story in which it was over; `status` 0 where nothing came."""

    question: Question
    began: float
    at: float
    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])
    whole: bool = True

    @property
    def outcome(self) -> str:
        """What the gateway calls it."""
        return self.headers.get("x-holdfast-outcome", "")

    @property
    def is_good(self) -> bool:
        """Whether the user has a whole answer."""
        return self.status == 200 and self.whole

    @property
    def is_degraded(self) -> bool:
        """Whether the answer says that it stands in for another."""
        return self.outcome == "fallback" or DEGRADED in self.headers

    @property
    def error(self) -> Mapping[str, Any]:
        """The error that was told, if it was one."""
        return _object(self.message.get("error"))

    @property
    def details(self) -> Mapping[str, Any]:
        """What it told besides."""
        return _object(self.error.get("details"))

    @property
    def tool_uses(self) -> list[dict[str, Any]]:
        """The calls of tools in an answer."""
        content: object = self.message.get("content")
        blocks = cast("list[object]", content) if isinstance(content, list) else []
        return [block for one in blocks if (block := _object(one)).get("type") == "tool_use"]


class Line:
    """The line to the gateway; close it with `aclose`."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, question: Question, began: float) -> Heard:
        """Ask, and hear the answer to its end; a line that breaks is an answer without a status."""
        since = self._clock.monotonic()
        headers = {
            "x-api-key": KEY,
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
            "x-holdfast-user": question.caller,
        }
        if question.run is not None:
            headers["x-claude-code-session-id"] = question.run
        status, said, body = 0, {}, b""
        try:
            async with self._open().post(
                f"{self.url}/v1/messages", data=json.dumps(question.body), headers=headers
            ) as response:
                status, said = response.status, {name.lower(): one for name, one in response.headers.items()}
                body = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        message, whole = _read(body, said.get("content-type", ""))
        at = began + self._clock.monotonic() - since
        return Heard(
            question=question,
            began=began,
            at=at,
            status=status,
            headers=said,
            message=message,
            whole=whole,
        )

    async def get(self, path: str, token: str) -> dict[str, Any]:
        """What the Admin API tells under a path; nothing where it does not."""
        try:
            async with self._open().get(self.url + path, headers={"x-api-key": token}) as response:
                return _parsed(await response.read()) if response.status == 200 else {}
        except (aiohttp.ClientError, OSError, TimeoutError):
            return {}

    async def pages(self, *paths: str) -> list[tuple[int, str]]:
        """Pages one after the other, as a browser opens them with the cookies that it is given on the way."""
        jar, timeout = aiohttp.CookieJar(unsafe=True), aiohttp.ClientTimeout(total=PATIENCE)
        found: list[tuple[int, str]] = []
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout) as session:
            for path in paths:
                try:
                    async with session.get(self.url + path) as response:
                        found.append((response.status, await response.text()))
                except (aiohttp.ClientError, OSError, TimeoutError):
                    found.append((0, ""))
        return found

    async def aclose(self) -> None:
        """Hang up."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64), timeout=aiohttp.ClientTimeout(total=PATIENCE)
            )
        return self._session


def _read(body: bytes, kind: str) -> tuple[dict[str, Any], bool]:
    """The message or error of a body, and whether it came to its end."""
    if not kind.startswith("text/event-stream"):
        message = _parsed(body)
        return message, message.get("type") == "message"
    lines = body.decode(errors="replace").splitlines()
    names = [line[7:] for line in lines if line.startswith("event: ")]
    if "error" in names:
        told = [line[6:] for line in lines if line.startswith("data: ")]
        return _parsed(told[-1].encode()) if told else {}, False
    return {}, "message_stop" in names


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return _object(json.loads(body))
    except ValueError:
        return {}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
