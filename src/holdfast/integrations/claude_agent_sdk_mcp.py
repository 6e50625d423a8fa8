"""MCP servers of this process, whose tools work for the run of the agent that calls them."""

from contextvars import Context, copy_context
from typing import Any, Self

from holdfast.errand import Errand, sent_on, within


class OnErrand:
    """A server whose tools run on an errand: in its run, on its money."""

    def __init__(self, server: Any, errand: Errand) -> None:
        self._server = server
        self._errand = errand

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def run(self, incoming: Any, outgoing: Any, *others: Any, **options: Any) -> Any:
        """Serve one session, as the server itself does."""
        with sent_on(self._errand):
            return await self._server.run(_Incoming(incoming, self._errand), outgoing, *others, **options)


class _Incoming:
    """The stream of requests. From mcp 2 on each is worked on in the context of its sender, which this adds to."""

    def __init__(self, stream: Any, errand: Errand) -> None:
        self._stream = stream
        self._errand = errand

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def last_context(self) -> Context:
        """The context for the work on what came in last."""
        return within(getattr(self._stream, "last_context", None) or copy_context(), self._errand)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await self._stream.__anext__()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *how: Any) -> Any:
        return await self._stream.__aexit__(*how)
