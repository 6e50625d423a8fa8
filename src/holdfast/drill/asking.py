"""A user of a drill: asks one question, over the gateway or through the code under test, and notes what came of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, cast

from holdfast.clock import Clock
from holdfast.errors import (
    BudgetExhausted,
    HoldfastError,
    RateLimited,
    Refused,
    StreamInterrupted,
    Unauthenticated,
)
from holdfast.gateway.responding import Receive, Scope, Send
from holdfast.hold import Holdfast

Message: TypeAlias = MutableMapping[str, Any]
Ending: TypeAlias = Literal[
    "answered", "cached", "fallback", "refused", "failed", "cut", "half", "hung", "asked"
]
RULES = (400, 401, 403, 404, 413, 429)
"""Statuses of our own refusals that are somebody's rule, and not an outage."""
OF_GATES = (RateLimited.error_code, BudgetExhausted.error_code)
"""Codes that rules and gates share; a rule names its quota or budget."""
COMING_BACK = (429, 503, 529)
"""Statuses of errors that pass: they say when."""
SYSTEM = " ".join(f"Rule {number}: answer briefly, and name your sources." for number in range(900))
"""Long enough for the prompt cache of every model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of one user; `text` carries a mark by which it is found again at the upstream."""

    text: str
    mark: str
    user: str
    run: str | None
    model: str
    max_tokens: int
    stream: bool
    cached: bool = False
    patience: float = 660.0
    retries: int = 0


Ask: TypeAlias = Callable[[Holdfast, Question], Awaitable[object]]
"""How the code under test asks: with what it returns the user is answered, with what it raises not."""


App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
"""The gateway, to whoever calls it."""


class SdkResponse(Protocol):
    """The answer that an error of the SDK is about."""

    @property
    def headers(self) -> Mapping[str, str]: ...


class SdkError(Protocol):
    """What errors of the official SDK have in common, whatever its version."""

    @property
    def status_code(self) -> int: ...

    @property
    def body(self) -> object: ...

    @property
    def response(self) -> SdkResponse: ...


@dataclass(slots=True, kw_only=True)
class Heard:
    """What became of a question; seconds are those of the clock."""

    question: Question
    began: float
    ended: float = 0.0
    first_byte: float | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytearray = field(default_factory=bytearray)
    ending: Ending = "asked"
    is_explained: bool = True

    def write(self, message: Message, now: float) -> bool:
        """Take a message of the gateway; whether it was the last."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return False
        chunk: bytes = message.get("body", b"")
        if chunk and self.first_byte is None:
            self.first_byte = now
        self.body += chunk
        return not message.get("more_body", False)

    @property
    def comes_back_in(self) -> float | None:
        """Seconds after which a client asks again that does as it is told; `None` where it is not."""
        if self.ending != "failed" or self.headers.get("x-should-retry") == "false":
            return None
        try:
            return float(self.headers["retry-after"])
        except (KeyError, ValueError):
            return None

    def judge(self, *, is_over: bool) -> None:
        """Say what a caller would make of it."""
        if not is_over:
            self.ending = "hung"
        elif self.status != 200:
            self._judge_error(_object(bytes(self.body)))
        elif self.headers.get("content-type", "").startswith("text/event-stream"):
            self._judge_stream()
        else:
            whole = _object(bytes(self.body)).get("type") == "message"
            self.ending = _good(self.headers.get("x-holdfast-outcome", "")) if whole else "half"

    def _judge_error(self, body: dict[str, Any]) -> None:
        error: dict[str, Any] = _inner(body, "error")
        details = _inner(error, "details")
        said = bool(error.get("type")) and bool(error.get("message"))
        final = self.headers.get("x-should-retry") == "false"
        when = self.status not in COMING_BACK or "retry-after" in self.headers or final
        self.is_explained = said and when
        self.ending = "refused" if self.status in RULES and _is_rule(details) else "failed"

    def _judge_stream(self) -> None:
        names = [line[7:] for line in bytes(self.body).splitlines() if line.startswith(b"event: ")]
        if b"message_stop" in names:
            self.ending = _good(self.headers.get("x-holdfast-outcome", ""))
        elif b"error" in names:
            self.ending = "cut" if b"content_block_delta" in names else "failed"
        else:
            self.ending = "half"


def _good(outcome: str) -> Ending:
    match outcome:
        case "cached" | "fallback":
            return outcome
        case _:
            return "answered"


async def over_gateway(gateway: App, clock: Clock, question: Question) -> Heard:
    """Ask as a client of the gateway does, which hangs up when its patience ends."""
    heard = Heard(question=question, began=clock.monotonic())
    gone = asyncio.Event()
    waiting = [_body(question)]
    over = False

    async def receive() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal over
        if not gone.is_set():
            over = heard.write(message, clock.monotonic())

    leaving = asyncio.get_running_loop().call_later(question.patience, gone.set)
    try:
        await gateway(_scope(question), receive, send)
    finally:
        leaving.cancel()
    heard.ended = clock.monotonic()
    heard.judge(is_over=over)
    return heard


async def over_code(ask: Ask, hold: Holdfast, clock: Clock, question: Question) -> Heard:
    """Ask through the code under test; whatever it raises, the user has seen."""
    heard = Heard(question=question, began=clock.monotonic())
    (came,) = await asyncio.gather(_within(ask, hold, question), return_exceptions=True)
    heard.ended = clock.monotonic()
    _judge_outcome(heard, came)
    return heard


def _judge_outcome(heard: Heard, came: object) -> None:
    """Say what the user saw of what the code under test returned, or raised."""
    match came:
        case asyncio.CancelledError():
            raise came
        case TimeoutError():
            heard.ending = "hung"
        case StreamInterrupted():
            heard.ending = "cut"
        case Refused() if came.status in RULES and _is_rule({"error_code": came.error_code, **came.details}):
            heard.ending = "refused"
        case BaseException() if isinstance(getattr(came, "status_code", None), int):
            _judge_sdk(heard, came)
        case BaseException():
            heard.ending, heard.is_explained = "failed", isinstance(came, HoldfastError)
        case _:
            heard.ending = _good(str(getattr(came, "outcome", "")))


def _judge_sdk(heard: Heard, error: BaseException) -> None:
    """An error of the official SDK: our envelope is inside; one of a stream that broke has the status 200."""
    facts = cast("SdkError", error)
    heard.status = facts.status_code
    if heard.status == 200:
        heard.ending = "cut"
        return
    heard.headers = {name.lower(): value for name, value in facts.response.headers.items()}
    heard.body = bytearray(json.dumps(facts.body, default=str).encode())
    heard.judge(is_over=True)


async def _within(ask: Ask, hold: Holdfast, question: Question) -> object:
    async with asyncio.timeout(question.patience):
        return await ask(hold, question)


def _is_rule(details: Mapping[str, Any]) -> bool:
    """Whether a refusal is a rule of the user's own; a gate that keeps to what an upstream says is none."""
    code = str(details.get("error_code", ""))
    if code in OF_GATES:
        return "quota" in details or "budget" in details
    return code.startswith("holdfast_") and code != Unauthenticated.error_code


def _body(question: Question) -> bytes:
    body: dict[str, Any] = {
        "model": question.model,
        "max_tokens": question.max_tokens,
        "messages": [{"role": "user", "content": question.text}],
        "stream": question.stream,
    }
    if question.cached:
        body["system"] = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    return json.dumps(body).encode()


def _scope(question: Question) -> Message:
    said = {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "drill-caller",
        "x-holdfast-user": question.user,
        "x-holdfast-run": question.run,
    }
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in said.items() if value is not None],
        "client": ("127.0.0.1", 0),
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _inner(source: dict[str, Any], name: str) -> dict[str, Any]:
    value = source.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
