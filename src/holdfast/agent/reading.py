"""Answers of the Messages API as an agent reads them: text, or a typed error."""

from collections.abc import AsyncGenerator

import msgspec

from holdfast.errors import StreamInterrupted, UpstreamError, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.pipeline import Settling
from holdfast.wire.errors import ApiError, read_envelope, status_of
from holdfast.wire.headers import get
from holdfast.wire.sse import Splitter


class _Block(msgspec.Struct):
    type: str = ""
    text: object = ""


class _Message(msgspec.Struct):
    content: list[_Block] = []


class _Delta(msgspec.Struct):
    delta: _Block


_read_message = msgspec.json.Decoder(_Message).decode
_read_delta = msgspec.json.Decoder(_Delta).decode
_NO_JSON = (msgspec.MsgspecError, UnicodeDecodeError)
UNREADABLE = ApiError(type="api_error", message="a part of it cannot be read", status=502)


def message_text(answer: Settling, body: bytes, request_id: str) -> str:
    """The text blocks of a message, joined; raises `StreamInterrupted` for what is no message."""
    try:
        blocks = _read_message(body).content
    except _NO_JSON as error:
        raise _interrupted(answer, UNREADABLE, request_id) from error
    return "".join(block.text for block in blocks if block.type == "text" and isinstance(block.text, str))


def failure_of(answer: Settling, body: bytes, request_id: str) -> UpstreamError | None:
    """The typed error in an answer that is none, or `None`."""
    response = answer.response
    if response.status < 400:
        return None
    error = _upstream_error(read_envelope(body, response.status), response.status)
    error.request_id = request_id
    error.attempts = response.attempts
    wait = get(response.headers, "retry-after") or ""
    error.retry_after = float(wait) if wait.isdecimal() else None
    return error


async def texts_of(answer: Settling, request_id: str) -> AsyncGenerator[str, None]:
    """The text of a streamed answer as it comes; raises the typed error it breaks with."""
    if answer.response.status >= 400:
        failure = failure_of(answer, await answer.read(), request_id)
        assert failure is not None
        raise failure
    splitter = Splitter()
    async for chunk in answer:
        for event in splitter.feed(chunk):
            if event.name != "content_block_delta":
                continue
            text = _text_in(event.data)
            if text is None:
                raise _interrupted(answer, UNREADABLE, request_id)
            if text:
                yield text
    if (broken := answer.response.meter.error) is not None:
        raise _interrupted(answer, broken, request_id)


def _text_in(data: bytes) -> str | None:
    try:
        delta = _read_delta(data).delta
    except _NO_JSON:
        return None
    return delta.text if delta.type == "text_delta" and isinstance(delta.text, str) else ""


def _upstream_error(error: ApiError, status: int) -> UpstreamError:
    sentence = Sentence(
        f"The upstream answered {status} {error.type}: {error.message}",
        ko=f"업스트림이 {status} {error.type}(으)로 응답했습니다: {error.message}",
    )
    kind = UpstreamUnavailable if status == 429 or status >= 500 else UpstreamError
    return kind(sentence, status=status, details={"upstream_error_code": error.error_code})


def _interrupted(answer: Settling, why: ApiError, request_id: str) -> StreamInterrupted:
    error = StreamInterrupted(
        Sentence(
            f"The answer broke off: {why.type}: {why.message}. What arrived is incomplete; ask again.",
            ko=f"답변이 도중에 끊겼습니다: {why.type}: {why.message}. 받은 내용은 완전하지 않으니 다시 요청하세요.",
        ),
        status=status_of(why.type),
        request_id=request_id,
    )
    error.attempts = answer.response.attempts
    return error
