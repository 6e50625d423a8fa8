"""What to say when nothing answers: the last good answer to the same request, else a text of the operator's.

It stands between the ring and `EarlyCommit`, so that it also ends a stream that pings have begun; nothing of
an answer has been released there, so it never follows half of one.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Self

import msgspec

from holdfast.call import Body, Call, Response, Unanswered
from holdfast.clock import Clock
from holdfast.errors import HoldfastError
from holdfast.pipeline import Send
from holdfast.policy.fallback import (
    LARGEST,
    WHOLE,
    FallbackConfig,
    Kept,
    KeptAnswers,
    stands_in,
    stands_in_for,
)
from holdfast.upstream.bodies import WholeBody
from holdfast.upstream.commit import EVENT_STREAM
from holdfast.upstream.commit import HEADERS as STREAM_HEADERS
from holdfast.wire.headers import DEGRADED, Headers, credential, get
from holdfast.wire.meter import Meter
from holdfast.wire.sse import emit

JSON_HEADERS: Headers = (("content-type", "application/json"),)
SHAPING = ("anthropic-version", "anthropic-beta")
"""Headers that make another answer of the same body."""
UNUSED = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 0,
}


def with_fallback(send: Send, config: FallbackConfig, clock: Clock) -> Send:
    """`send` itself as long as there is nothing to say instead of its errors, so that it costs nothing."""
    return Fallback(send=send, config=config, clock=clock) if config.is_on else send


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Sends a call, and answers it here when nobody could.

    Only for faults that are not the caller's: his own are shown to him, and so is everything else when there
    is nothing to say. What the attempts cost stays on the call's tally.
    """

    send: Send
    config: FallbackConfig
    clock: Clock
    _answers: KeptAnswers = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_answers", KeptAnswers(self.config))

    async def __call__(self, call: Call) -> Response | Unanswered:
        """What `send` answers, or the fallback; raises what `send` raises where none stands in for it."""
        try:
            found = await self.send(call)
        except HoldfastError as error:
            fallback = self._instead(call) if stands_in(error) else None
            if fallback is None:
                raise
            return fallback
        if isinstance(found, Unanswered):
            return (self._instead(call) if stands_in(found.error) else None) or found
        return await self._judge(call, found)

    async def _judge(self, call: Call, found: Response) -> Response:
        if stands_in_for(found.status) and (fallback := self._instead(call)) is not None:
            await found.body.aclose()
            return fallback
        return self._watched(call, found)

    def _watched(self, call: Call, found: Response) -> Response:
        """The same answer, kept once it has come to a good end."""
        if not self.config.cached or found.status != 200:
            return found
        key = key_of(call)

        def keep(answer: Kept) -> None:
            with self._lock:
                self._answers.keep(key, answer, now=self.clock.monotonic())

        return replace(found, body=KeepingBody(found, keep))

    def _instead(self, call: Call) -> Response | None:
        kept = self._kept(call) if self.config.cached else None
        if kept is not None:
            return _again(call, kept)
        return None if self.config.text is None else _said(call, self.config.text)

    def _kept(self, call: Call) -> Kept | None:
        key = key_of(call)
        with self._lock:
            return self._answers.find(key, now=self.clock.monotonic())


class KeepingBody:
    """Passes an answer on and remembers it, to be kept if it proves whole and good."""

    def __init__(self, response: Response, keep: Callable[[Kept], None]) -> None:
        self._body: Body = response.body
        self._response = response
        self._keep: Callable[[Kept], None] | None = keep
        self._chunks: list[bytes] = []
        self._size = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._body.__anext__()
        except StopAsyncIteration:
            self._end()
            raise
        self._size += len(chunk)
        if self._size > LARGEST:
            self._keep = None
            self._chunks.clear()
        if self._keep is not None:
            self._chunks.append(chunk)
        return chunk

    async def aclose(self) -> None:
        # Many readers leave after the last event, before the last byte.
        self._end()
        await self._body.aclose()

    def _end(self) -> None:
        keep, self._keep = self._keep, None
        answer = self._answer()
        if keep is not None and answer is not None:
            keep(answer)
        self._chunks.clear()

    def _answer(self) -> Kept | None:
        meter, length = self._response.meter, self._response.length
        is_all_here = meter.complete and self._size > 0 and length in (None, self._size)
        if not is_all_here or meter.error is not None or meter.malformed or meter.stop_reason not in WHOLE:
            return None
        headers = self._response.headers
        return Kept(
            body=b"".join(self._chunks),
            headers=tuple(pair for pair in headers if pair[0] in ("content-type", DEGRADED)),
            model=meter.model or "",
            stop_reason=meter.stop_reason,
        )


def key_of(call: Call) -> bytes:
    """Stands for a caller and what he asks for, word for word; a stream and a message are kept apart."""
    document: dict[str, Any] = msgspec.json.decode(call.body, type=dict[str, Any])
    document.pop("stream", None)
    principal, headers = call.principal, call.headers
    # Without a key of ours the caller's own says who he is: one must never hear what another was told.
    who = (principal.key, principal.user, credential(headers))
    how = (call.request.stream, call.query, *(get(headers, name) for name in SHAPING))
    return sha256(msgspec.json.encode((who, how, document))).digest()


def _again(call: Call, kept: Kept) -> Response:
    headers = STREAM_HEADERS if _is_stream(kept.headers) else JSON_HEADERS
    marks = tuple(pair for pair in kept.headers if pair[0] == DEGRADED)
    return _response(call, (*headers, *marks), kept.body, _unspent(kept.model, kept.stop_reason))


def _said(call: Call, text: str) -> Response:
    meter = _unspent(call.request.model, "end_turn")
    message = _message(call)
    block = {"type": "text", "text": text}
    if call.request.stream:
        return _response(call, STREAM_HEADERS, _stream(message, text), meter)
    whole = {**message, "content": [block], "stop_reason": "end_turn"}
    return _response(call, JSON_HEADERS, msgspec.json.encode(whole), meter)


def _message(call: Call) -> dict[str, object]:
    """A message that has just begun."""
    return {
        "id": f"msg_holdfast_{call.request_id}",
        "type": "message",
        "role": "assistant",
        "model": call.request.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": UNUSED,
    }


def _stream(message: dict[str, object], text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return b"".join(
        (
            _event("message_start", message=message),
            _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            _event("content_block_delta", index=0, delta=delta),
            _event("content_block_stop", index=0),
            _event("message_delta", delta=end, usage=UNUSED),
            _event("message_stop"),
        )
    )


def _event(name: str, **members: object) -> bytes:
    return emit(name, msgspec.json.encode({"type": name, **members}))


def _response(call: Call, headers: Headers, body: bytes, meter: Meter) -> Response:
    return Response(
        status=200,
        headers=headers,
        body=WholeBody(body),
        meter=meter,
        length=None if _is_stream(headers) else len(body),
        attempts=call.tally.attempts,
        label="fallback",
    )


def _unspent(model: str, stop_reason: str) -> Meter:
    """What is known of an answer that nobody is charged for: it was paid when it was first given, if ever."""
    meter = Meter()
    message = {"type": "message", "model": model, "stop_reason": stop_reason, "usage": UNUSED}
    meter.observe_body(msgspec.json.encode(message))
    return meter


def _is_stream(headers: Headers) -> bool:
    return (get(headers, "content-type") or "").startswith(EVENT_STREAM)
