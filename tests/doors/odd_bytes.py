"""Bodies as no library writes them, an upstream that keeps what it is sent and answers in odd slices, and a caller."""

import asyncio
import contextlib
import json
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from holdfast.cli.listening import listen
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import PATIENCE, RunningGateway, quick_settings, serving
from tests.doors.talking import connected, request

WORDS = (
    "order",
    "weather",
    "서울",
    "배송은 언제",
    "naïve",
    "🙂",
    "a/b",
    'say "hi"',
    "back\\slash",
    "tab\there",
)
NUMBERS = (
    *("0", "-0", "1", "1.0", "1e2", "1E+2", "-1.5e-3", "0.30000000000000004"),
    *(
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1.000000000000000000001",
    ),
)
SPACES = ("", "", "", " ", "  ", "\n", "\t", "\r\n ")
ESCAPED = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request's body, and the answer that it gets from the upstream."""

    body: bytes
    status: int
    content_type: str
    answer: bytes
    cuts: int
    """Seed of where the answer is cut."""


@dataclass(slots=True)
class Writer:
    """Writes JSON oddly: any spacing, any escape, numbers in any notation, names of any kind."""

    dice: random.Random

    def space(self) -> str:
        return self.dice.choice(SPACES)

    def text(self, text: str) -> str:
        return '"' + "".join(self._letter(letter) for letter in text) + '"'

    def _letter(self, letter: str) -> str:
        if self.dice.random() < 0.1:
            units = letter.encode("utf-16-be")
            pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
            return "".join("\\u" + (pair.upper() if self.dice.random() < 0.5 else pair) for pair in pairs)
        if letter == "/" and self.dice.random() < 0.5:
            return "\\/"
        return ESCAPED.get(letter, letter)

    def words(self) -> str:
        return self.text(" ".join(self.dice.choices(WORDS, k=self.dice.randint(0, 6))))

    def value(self, depth: int = 0) -> str:
        kind = self.dice.randint(0, 3 if depth > 3 else 5)
        match kind:
            case 0:
                return self.words()
            case 1:
                return self.dice.choice(NUMBERS)
            case 2:
                return self.dice.choice(("true", "false", "null"))
            case 3:
                return self.dice.choice(("[]", "{}", "[ ]", "{\n}"))
            case 4:
                return self.array([self.value(depth + 1) for _ in range(self.dice.randint(1, 4))])
            case _:
                return self.object(self.members(depth + 1))

    def members(self, depth: int = 0) -> list[tuple[str, str]]:
        names = [f"x_{self.dice.choice(WORDS)}_{number}" for number in range(self.dice.randint(0, 4))]
        return [(name, self.value(depth)) for name in names]

    def array(self, values: list[str]) -> str:
        return "[" + ",".join(f"{self.space()}{value}{self.space()}" for value in values) + "]"

    def object(self, members: list[tuple[str, str]]) -> str:
        self.dice.shuffle(members)
        pairs = (
            f"{self.space()}{self.text(name)}{self.space()}:{self.space()}{value}{self.space()}"
            for name, value in members
        )
        return "{" + ",".join(pairs) + "}"


def question(write: Writer, *, stream: bool) -> str:
    block = write.object([("type", write.text("text")), ("text", write.words()), *write.members(2)])
    message = write.object(
        [("role", write.text("user")), ("content", write.array([block])), *write.members(2)]
    )
    known = [
        ("model", write.text("claude-sonnet-5-5")),
        ("max_tokens", "300"),
        ("messages", write.array([message])),
    ]
    flag = [("stream", "true")] if stream else write.dice.choice(([], [("stream", "false")]))
    return write.object([*known, *flag, *write.members()])


def answer(write: Writer) -> str:
    usage = write.object([("input_tokens", "10"), ("output_tokens", "5"), *write.members(2)])
    block = write.object([("type", write.text("text")), ("text", write.words()), *write.members(2)])
    return write.object(
        [
            *(("type", write.text("message")), ("role", write.text("assistant"))),
            *(("id", write.text("msg_1")), ("model", write.text("claude-sonnet-5-5"))),
            *(("content", write.array([block])), ("stop_reason", write.text("end_turn")), ("usage", usage)),
            *write.members(),
        ]
    )


def transcript(write: Writer) -> bytes:
    """A stream that is whole, in any of the forms that the grammar of server-sent events allows."""
    dice, end = write.dice, write.dice.choice(("\n", "\r\n"))
    start = '{"type":"message_start","message":{"type":"message","id":"msg_1","role":"assistant",'
    start += '"model":"claude-sonnet-5-5","content":[],"usage":{"input_tokens":10,"output_tokens":1}}}'
    events = [
        ("message_start", start),
        (
            "content_block_start",
            '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        ),
        *(("content_block_delta", _delta(write)) for _ in range(dice.randint(1, 8))),
        ("content_block_stop", '{"type":"content_block_stop","index":0}'),
        (
            "message_delta",
            '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":99}}',
        ),
        ("message_stop", '{"type":"message_stop"}'),
    ]
    return "".join(_event(dice, end, name, data) for name, data in events).encode()


def _delta(write: Writer) -> str:
    delta = write.object([("type", write.text("text_delta")), ("text", write.words()), *write.members(3)])
    known = [("type", write.text("content_block_delta")), ("index", "0"), ("delta", delta)]
    return write.object([*known, *write.members(3)]).replace("\r", " ").replace("\n", " ")


def _event(dice: random.Random, end: str, name: str, data: str) -> str:
    odd = ("", "", "", f": still here{end}", f"id: {dice.randint(0, 9)}{end}", f"retry: 10{end}")
    other = (f"event: ping{end}data: {{}}{end}{end}", f"event: news{end}data: {{}}{end}{end}")
    before = dice.choice(other) if name != "message_start" and dice.random() < 0.2 else ""
    colon = dice.choice((": ", ":"))
    return f"{before}{dice.choice(odd)}event{colon}{name}{end}data{colon}{data}{end}{end}"


def exchanges(seed: int, count: int) -> Iterator[Exchange]:
    """As many as asked, the same for the same seed."""
    for number in range(count):
        write = Writer(random.Random(f"{seed}/{number}"))
        stream = write.dice.random() < 0.4
        body = f"{write.space()}{question(write, stream=stream)}{write.space()}".encode()
        cuts = write.dice.randint(0, 2**32)
        if write.dice.random() < 0.1:
            error = write.object([("type", write.text("invalid_request_error")), ("message", write.words())])
            refusal = write.object([("type", write.text("error")), ("error", error), *write.members()])
            yield Exchange(body, write.dice.choice((400, 413)), "application/json", refusal.encode(), cuts)
        elif stream:
            yield Exchange(body, 200, "text/event-stream", transcript(write), cuts)
        else:
            yield Exchange(body, 200, "application/json", answer(write).encode(), cuts)


@dataclass
class Capture:
    """An upstream on a bare socket: keeps each body as it came, and answers as it is told, cut anywhere."""

    url: str = ""
    planned: deque[Exchange] = field(default_factory=deque[Exchange])
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def serve(self, listener: socket.socket, ended: asyncio.Event) -> None:
        async with await asyncio.start_server(self._talk, sock=listener):
            await ended.wait()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                (length,) = (
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                self.bodies.append(await reader.readexactly(length))
                await self._answer(self.planned.popleft(), writer)
        writer.close()

    async def _answer(self, plan: Exchange, writer: asyncio.StreamWriter) -> None:
        dice = random.Random(plan.cuts)
        is_chunked = plan.content_type == "text/event-stream" or dice.random() < 0.5
        framing = "transfer-encoding: chunked" if is_chunked else f"content-length: {len(plan.answer)}"
        head = f"HTTP/1.1 {plan.status} X\r\ncontent-type: {plan.content_type}\r\n{framing}\r\n\r\n"
        written = head.encode() + (_chunked(plan.answer, dice) if is_chunked else plan.answer)
        at = 0
        while at < len(written):
            step = dice.choice((1, 7, 40, 300, 300, 2_000, 2_000))
            writer.write(written[at : at + step])
            await writer.drain()
            at += step
            if dice.random() < 0.1:
                await asyncio.sleep(0)


def _chunked(body: bytes, dice: random.Random) -> bytes:
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        size = dice.choice((1, 64, 300, 1_000))
        piece = body[at : at + size]
        pieces.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        at += size
    return b"".join(pieces) + b"0\r\n\r\n"


@contextlib.contextmanager
def capturing() -> Generator[Capture]:
    """A capturing upstream in a thread of its own."""
    capture, ended, loop = Capture(), asyncio.Event(), asyncio.new_event_loop()
    listener = listen("127.0.0.1", 0)
    capture.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(capture.serve(listener, ended))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield capture
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE)


def differences(seed: int, count: int, *, told: Callable[[int], None] = lambda _: None) -> list[str]:
    """What is not byte for byte the same on its way there and back, in that many exchanges."""
    found: list[str] = []
    with capturing() as upstream, gateway_before(upstream) as gateway, connected(gateway.url) as connection:
        for number, plan in enumerate(exchanges(seed, count)):
            json.loads(plan.body)  # what this writes is JSON, however odd
            upstream.planned.append(plan)
            connection.send(request(plan.body))
            heard = connection.hear()
            sent = upstream.bodies.pop() if upstream.bodies else b"(nothing)"
            if sent != plan.body:
                found.append(f"{seed}/{number}: sent {plan.body!r}, went out as {sent!r}, answered {heard}")
                upstream.planned.clear()
            elif (heard.status, heard.body) != (plan.status, plan.answer):
                found.append(
                    f"{seed}/{number}: came {plan.answer!r}, handed on as {heard.status} {heard.body!r}"
                )
            told(number)
    return found


@contextlib.contextmanager
def gateway_before(upstream: Capture) -> Generator[RunningGateway]:
    """A gateway whose only upstream this is."""
    stand_in = RunningSimulator()
    stand_in.url = upstream.url
    with serving(stand_in, quick_settings(stand_in)) as gateway:
        yield gateway
