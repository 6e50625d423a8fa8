"""Answers of the Messages API as an agent reads them: text, or a typed error."""

from collections import deque

from holdfast.errors import StreamInterrupted, UpstreamError, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.pipeline import Settling
from holdfast.wire.assembling import Assembling, Block, MalformedAnswer, Piece, content_of
from holdfast.wire.errors import ApiError, read_envelope, status_of
from holdfast.wire.headers import get
from holdfast.wire.sse import Splitter

UNREADABLE = ApiError(type="api_error", message="a part of it cannot be read", status=502)


def answer_of(answer: Settling, body: bytes, request_id: str) -> tuple[list[Block], str | None]:
    """The blocks of a message and why it stopped; raises `StreamInterrupted` for what is no message."""
    try:
        return content_of(body)
    except MalformedAnswer as error:
        raise _interrupted(answer, UNREADABLE, request_id) from error


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


class Reading:
    """A streamed answer as it is read: its pieces one by one, put together in `built`."""

    __slots__ = ("_pieces", "_request_id", "_splitter", "answer", "built")

    def __init__(self, answer: Settling, request_id: str) -> None:
        self.answer = answer
        self.built = Assembling()
        self._request_id = request_id
        self._splitter = Splitter()
        self._pieces: deque[Piece] = deque()

    async def next(self) -> Piece | None:
        """The next piece, `None` behind the last; raises the typed error that the answer breaks with."""
        if self.answer.response.status >= 400:
            failure = failure_of(self.answer, await self.answer.read(), self._request_id)
            assert failure is not None
            raise failure
        while not self._pieces:
            chunk = await anext(self.answer, None)
            if chunk is None:
                break
            self._feed(chunk)
        if self._pieces:
            return self._pieces.popleft()
        if (broken := self.answer.response.meter.error) is not None:
            raise _interrupted(self.answer, broken, self._request_id)
        return None

    def _feed(self, chunk: bytes) -> None:
        try:
            for event in self._splitter.feed(chunk):
                piece = self.built.feed(event)
                if piece is not None:
                    self._pieces.append(piece)
        except MalformedAnswer as error:
            raise _interrupted(self.answer, UNREADABLE, self._request_id) from error


def _upstream_error(error: ApiError, status: int) -> UpstreamError:
    sentence = Sentence(
        f"The upstream answered {status} {error.type}: {error.message}",
        ko=f"업스트림이 {status} {error.type}(으)로 응답했습니다: {error.message}",
    )
    kind = UpstreamUnavailable if status == 429 or status >= 500 else UpstreamError
    return kind(sentence, status=status, details={"upstream_error_code": error.error_code})


def _interrupted(answer: Settling, why: ApiError, request_id: str) -> StreamInterrupted:
    said = why.message.rstrip(".")
    error = StreamInterrupted(
        Sentence(
            f"The answer broke off: {why.type}: {said}. What arrived is incomplete; ask again.",
            ko=f"답변이 도중에 끊겼습니다: {why.type}: {said}. 받은 내용은 완전하지 않으니 다시 요청하세요.",
        ),
        status=status_of(why.type),
        request_id=request_id,
    )
    error.attempts = answer.response.attempts
    return error
