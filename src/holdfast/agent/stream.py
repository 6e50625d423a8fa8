"""A streamed answer of an agent."""

from collections.abc import AsyncGenerator, Callable, Iterator
from types import TracebackType
from typing import Self

from holdfast.agent.happening import Happening, TextDelta
from holdfast.agent.reply import Reply
from holdfast.portal import Portal


class ReplyStream:
    """Texts as they come, and the whole reply at the end; `events()` tells of everything else, too.

    Leave it early with `async with` or `aclose()`: the upstream is then cut off at once and what it has
    produced so far is settled.

    Example:
        async with agent.stream("Tell me a story") as story:
            async for text in story:
                print(text, end="")
        print(story.reply.cost)
    """

    def __init__(self, start: Callable[[Callable[[Reply], None]], AsyncGenerator[Happening, None]]) -> None:
        # A box of its own: a stream that its generator knew would outlive the loop that was left early.
        self._replies: list[Reply] = []
        self._happenings = start(self._replies.append)

    @property
    def reply(self) -> Reply:
        """The reply; raises `RuntimeError` before the stream has ended."""
        if not self._replies:
            raise RuntimeError("the stream has not ended: read it to its end before asking for its reply")
        return self._replies[0]

    def events(self) -> AsyncGenerator[Happening, None]:
        """Everything that happens, as values: text, thinking, tools begun and ended, and the reply at last."""
        return self._happenings

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            happening = await self._happenings.__anext__()
            if isinstance(happening, TextDelta):
                return happening.text

    async def aclose(self) -> None:
        """Cut the stream off; may be called twice."""
        await self._happenings.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def in_thread(stream: ReplyStream, portal: Portal) -> Iterator[str]:
    """The texts of a stream for a thread without an event loop; leaving the loop early cuts it off."""

    async def following() -> str | None:
        return await anext(stream, None)

    try:
        while (text := portal.call(following())) is not None:
            yield text
    finally:
        portal.call(stream.aclose())
