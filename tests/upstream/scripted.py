"""Calls to send, and upstreams that answer them word for word as a test wrote it down."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.call import Call, Principal
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.events import AttemptFailed, CircuitChanged, Event
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.retry import RetryBudget, RetryBudgetConfig, RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.testing import FakeClock
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.client import Client, TransportFailed, UpstreamRequest
from holdfast.upstream.gates import Gates
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import Headers
from holdfast.wire.messages import read_request

MODEL = "claude-sonnet-5-5"
ASKED = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
SSE = (("content-type", "text/event-stream; charset=utf-8"), ("request-id", "req_up"))
JSON = (("content-type", "application/json"), ("request-id", "req_up"))


def a_call(
    text: str = "Hello there",
    *,
    stream: bool = False,
    clock: Clock = SYSTEM_CLOCK,
    seconds: float = 600.0,
    attempts: int | None = None,
    model: str = MODEL,
    headers: Headers = (),
) -> Call:
    """A call that begins now and has `seconds` to be answered."""
    document = {
        "model": model,
        "max_tokens": 1024,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    }
    body = json.dumps(document, ensure_ascii=False).encode()
    started = clock.monotonic()
    return Call(
        request_id="hfr_test",
        principal=Principal(door="library", user="alice"),
        request=read_request(body),
        body=body,
        headers=(*ASKED, *headers),
        arrived=clock.now(),
        started=started,
        deadline=started + seconds,
        attempts=attempts,
    )


def event(name: str, **data: object) -> bytes:
    """One event as the API writes it."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def text(words: str) -> bytes:
    """One delta of text."""
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": words})


def error(kind: str = "overloaded_error", message: str = "Overloaded") -> bytes:
    """The event that ends a stream badly."""
    return event("error", error={"type": kind, "message": message})


START = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "model": MODEL,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    },
)
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
PING = event("ping")
ENOUGH = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7})
STOP = event("message_stop")
STREAM = (START, BLOCK, PING, text("Good "), text("day"), ENOUGH, STOP)
MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "Good day"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 7},
    }
).encode()


class Silence:
    """Never sends another byte."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Sends nothing for so many real seconds."""

    seconds: float


Piece = bytes | Silence | Pause | Exception


@dataclass(frozen=True, slots=True)
class Reply:
    """What the upstream says to one request: a status, headers, and pieces of a body in order."""

    status: int = 200
    headers: Headers = JSON
    pieces: Sequence[Piece] = (MESSAGE,)

    @classmethod
    def stream(cls, *pieces: Piece) -> "Reply":
        """A stream of these pieces; the whole of `STREAM` by default."""
        return cls(headers=SSE, pieces=pieces or STREAM)

    @classmethod
    def refusal(cls, status: int, kind: str, message: str = "No", **headers: str) -> "Reply":
        """The API's envelope of an error; headers with `_` for `-`."""
        body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
        extra = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return cls(status=status, headers=(*JSON, *extra), pieces=(body,))


class ScriptedConnection:
    """Reads from a reply; remembers whether it was closed, and refuses to be read after that."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.closed = 0
        self._pieces = list(reply.pieces)

    async def read(self) -> bytes:
        assert not self.closed, "a closed connection was read"
        await asyncio.sleep(0)
        while self._pieces:
            match self._pieces.pop(0):
                case Silence():
                    await asyncio.Event().wait()
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Exception() as failure:
                    raise failure
                case bytes() as piece:
                    return piece
        return b""

    async def aclose(self) -> None:
        self.closed += 1


Answer = Reply | Exception | Silence


class ScriptedClient:
    """Answers the first request with the first answer, and so on; the last one stands for all that follow."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[UpstreamRequest] = []
        self.connections: list[ScriptedConnection] = []

    async def send(self, request: UpstreamRequest) -> ScriptedConnection:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        match answer:
            case Silence():
                await asyncio.Event().wait()
                raise AssertionError("silence ended")
            case Exception():
                raise answer
            case Reply():
                self.connections.append(ScriptedConnection(answer))
                return self.connections[-1]

    async def aclose(self) -> None:
        return None

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self.requests)

    @property
    def left_open(self) -> int:
        """How many connections nobody has closed."""
        return sum(1 for connection in self.connections if not connection.closed)


RESET = TransportFailed("sent", "reset")
UNREACHABLE = TransportFailed("connect", "refused")
CUT = TransportFailed("body", "reset")


@dataclass(kw_only=True)
class Ring:
    """The inner ring around one or more clients, and all that it announces."""

    clients: dict[str, Client]
    models: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    breaker: BreakerConfig = field(default_factory=lambda: BreakerConfig(recovery_timeout=5.0))
    gate: GateConfig = field(default_factory=GateConfig)
    retry: RetryConfig = field(default_factory=RetryConfig)
    budget: RetryBudgetConfig = field(default_factory=RetryBudgetConfig)
    clock: Clock = field(default_factory=FakeClock)
    stall: float = 5.0
    upstream: dict[str, UpstreamConfig] = field(default_factory=dict[str, UpstreamConfig])
    substitutes: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    key: str | None = "sk-test"
    further: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.events: list[Event] = []
        dice = random.Random(7)
        self.circuits = Circuits(self.breaker, clock=self.clock, dice=dice, observe=self.events.append)
        self.gates = Gates(self.gate, clock=self.clock, dice=dice, observe=self.events.append)
        self.budgets = {name: RetryBudget(self.budget) for name in self.clients}
        self.attempts = Attempts(
            upstreams=tuple(
                Upstream(
                    name=name, config=self._config(name), client=client, key=self.key, further=self.further
                )
                for name, client in self.clients.items()
            ),
            circuits=self.circuits,
            gates=self.gates,
            retry=self.retry,
            budgets=self.budgets,
            stall=self.stall,
            substitutes=self.substitutes,
            clock=self.clock,
            dice=dice,
            observe=self.events.append,
        )

    def _config(self, name: str) -> UpstreamConfig:
        plain = UpstreamConfig(url="http://127.0.0.1:9", models=self.models.get(name, ()))
        return self.upstream.get(name, plain)

    @property
    def failures(self) -> list[str]:
        """What went wrong, an attempt a word."""
        return [event.kind for event in self.events if isinstance(event, AttemptFailed)]

    @property
    def moves(self) -> list[tuple[str, str]]:
        """How circuits moved."""
        return [(event.before, event.after) for event in self.events if isinstance(event, CircuitChanged)]

    def live(self, name: str = "main", model: str = MODEL) -> int:
        """Permits out at this moment."""
        return self.circuits.of(f"{name}/{model}").snapshot().live


def ring(client: Client, **options: object) -> Ring:
    """A ring around one client called `main`."""
    return Ring(clients={"main": client}, **options)  # type: ignore[arg-type]  # a test passes the fields by name


def tasks() -> "set[asyncio.Task[object]]":
    """The tasks of this event loop, those of the test runner left out."""
    return {task for task in asyncio.all_tasks() if "TestRunner" not in repr(task.get_coro())}
