"""An answer on its way out, remembered so that it can be given again."""

from typing import Self

from holdfast.call import Outcome, Response
from holdfast.wire.headers import DEGRADED, get
from holdfast.wire.replay import stop_reason_of, whole_of, whole_of_stream

EVENT_STREAM = "text/event-stream"
MARKS = (DEGRADED, "x-holdfast-held-tools", "x-holdfast-flagged")
"""Headers of answers that are not what was asked for."""


class Recording:
    """Passes an answer on and remembers it, up to so many bytes; closing it closes the answer."""

    def __init__(self, response: Response, most: int) -> None:
        self._response = response
        self._body = response.body
        self._chunks: list[bytes] | None = []
        self._left = most

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._body.__anext__()
        self._left -= len(chunk)
        if self._left < 0:
            self._chunks = None
        if self._chunks is not None:
            self._chunks.append(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._body.aclose()

    def message(self, outcome: Outcome) -> bytes | None:
        """The whole message, if that is what it was: not cut off, not declined, and nothing taken out of it."""
        if self._chunks is None or not _is_good(outcome):
            return None
        current = self._response.current
        headers = (self._response if current is None else current()).headers
        if any(get(headers, mark) is not None for mark in MARKS):
            return None
        body = b"".join(self._chunks)
        streamed = (get(headers, "content-type") or "").startswith(EVENT_STREAM)
        message = whole_of_stream(body) if streamed else whole_of(body)
        # A guard may have put another end to it than the model did.
        is_same = message is not None and stop_reason_of(message) == outcome.stop_reason
        return message if is_same else None


def _is_good(outcome: Outcome) -> bool:
    return (
        outcome.end == "answered"
        and outcome.status == 200
        and outcome.label == "answered"
        and outcome.error_code is None
    )
