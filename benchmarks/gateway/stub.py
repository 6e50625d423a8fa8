"""The light upstream: whole answers, streams in a burst, and streams of one event every so many milliseconds."""

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

DELTAS = 50
"""Deltas of a stream; five events more begin and end it."""
EVENTS = DELTAS + 5
BURST, PACED, LONG = 64, 65, 66
"""What a request asks for by its `max_tokens`, which every gateway lets through."""
LONG_DELTAS = 100_000
TICK = 0.001
SLOTS = 10
"""A paced stream has an event every `SLOTS` ticks: 10 ms. The streams are spread over the ticks."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_TOKENS = re.compile(rb'"max_tokens": *(\d+)')
_STREAM = re.compile(rb'"stream": *true')
_MODEL = "claude-haiku-5-5"


def _event(name: str, **fields: object) -> bytes:
    said = json.dumps({"type": name, **fields}, separators=(",", ":"))
    return f"event: {name}\ndata: {said}\n\n".encode()


def _message(content: list[object], stop: str | None, output: int) -> dict[str, object]:
    usage = {"input_tokens": 250, "output_tokens": output}
    about = {"id": "msg_01", "type": "message", "role": "assistant", "model": _MODEL}
    return {**about, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


_WORDS = {"type": "text_delta", "text": "some words of it "}
_BODY = json.dumps(_message([{"type": "text", "text": "some words of it " * 20}], "end_turn", 80)).encode()
_OK = b"HTTP/1.1 200 OK\r\nrequest-id: req_1\r\n"
WHOLE = _OK + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
HEAD = _OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OPENING = _chunk(_event("message_start", message=_message([], None, 1))) + _chunk(
    _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
)
DELTA = _chunk(_event("content_block_delta", index=0, delta=_WORDS))
CLOSING = (
    _chunk(_event("content_block_stop", index=0))
    + _chunk(
        _event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": 4 * DELTAS},
        )
    )
    + _chunk(_event("message_stop"))
    + b"0\r\n\r\n"
)
BURST_STREAM = HEAD + OPENING + DELTA * DELTAS + CLOSING


class Wheel:
    """Every stream that is paced, in one of the slots; each tick writes an event to those of one slot."""

    def __init__(self, tick: float = TICK) -> None:
        self.slots: list[dict[Answering, int]] = [{} for _ in range(SLOTS)]
        self._tick = tick
        self._taken = 0

    def add(self, answering: "Answering", deltas: int) -> None:
        self._taken += 1
        self.slots[self._taken % SLOTS][answering] = deltas

    async def turn(self) -> None:
        """Tick for ever; a tick that is late is caught up with."""
        loop = asyncio.get_running_loop()
        began, ticks = loop.time(), 0
        while True:
            ticks += 1
            await asyncio.sleep(max(0.0, began + ticks * self._tick - loop.time()))
            slot = self.slots[ticks % SLOTS]
            for answering, left in list(slot.items()):
                if left and not answering.gone:
                    answering.transport.write(DELTA)
                    slot[answering] = left - 1
                else:
                    del slot[answering]
                    answering.finish()


class Answering(asyncio.Protocol):
    """One connection: any POST is a Messages request."""

    transport: asyncio.Transport

    def __init__(self, wheel: Wheel) -> None:
        self.wheel = wheel
        self._seen = bytearray()
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._seen, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._seen) < whole:
                return
            body = bytes(self._seen[end + 4 : whole])
            del self._seen[:whole]
            self.answer(body)

    def finish(self) -> None:
        if not self.gone:
            self.transport.write(CLOSING)

    def answer(self, body: bytes) -> None:
        if not _STREAM.search(body):
            self.transport.write(WHOLE)
            return
        asked = _TOKENS.search(body)
        match int(asked[1]) if asked else BURST:
            case 65:
                self.transport.write(HEAD + OPENING)
                self.wheel.add(self, DELTAS)
            case 66:
                self.transport.write(HEAD + OPENING)
                self.wheel.add(self, LONG_DELTAS)
            case _:
                self.transport.write(BURST_STREAM)


async def serve(port: int) -> None:
    """Answer on the loopback until killed."""
    wheel = Wheel()
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(wheel), "127.0.0.1", port, backlog=2048
    )
    async with server:
        await wheel.turn()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
