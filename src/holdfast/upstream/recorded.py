"""Answers listened to on their way out, where the bodies of a call are recorded."""

from dataclasses import dataclass, replace
from typing import Self

from holdfast.call import Body, Call, Capture, Response, Unanswered
from holdfast.pipeline import Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Sends a call; the answer to one that is recorded is copied as it passes. Any other costs nothing here."""

    send: Send

    async def __call__(self, call: Call) -> Response | Unanswered:
        """What `send` answers; raises what it raises."""
        found = await self.send(call)
        if call.tally.capture is None or isinstance(found, Unanswered):
            return found
        return replace(found, body=_Copied(found.body, call.tally.capture))


class _Copied:
    """A body that is copied while it is read; closing it closes the body."""

    def __init__(self, body: Body, capture: Capture) -> None:
        self._body = body
        self._capture = capture

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._body.__anext__()
        self._capture.add(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._body.aclose()
