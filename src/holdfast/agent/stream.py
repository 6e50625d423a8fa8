"""A streamed answer of an agent."""

from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Self

from holdfast.agent.reply import Reply


class ReplyStream:
    """Texts as they come, and the whole reply at the end.

    Leave it early with `async with` or `aclose()`: the upstream is then cut off at once and what it has
    produced so far is settled.

    Example:
        async with agent.stream("Tell me a story") as story:
            async for text in story:
                print(text, end="")
        print(story.reply.cost)
    """

    def __init__(self, start: Callable[[Callable[[Reply], None]], AsyncGenerator[str, None]]) -> None:
        self._reply: Reply | None = None
        self._texts = start(self._finish)

    @property
    def reply(self) -> Reply:
        """The reply; raises `RuntimeError` before the stream has ended."""
        if self._reply is None:
            raise RuntimeError("the stream has not ended: read it to its end before asking for its reply")
        return self._reply

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return await self._texts.__anext__()

    async def aclose(self) -> None:
        """Cut the stream off; may be called twice."""
        await self._texts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _finish(self, reply: Reply) -> None:
        self._reply = reply
