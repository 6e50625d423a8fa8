"""A way to an upstream that tells it which trace a request is part of."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from holdfast.upstream.client import Client, Connection, UpstreamRequest
from holdfast.wire.headers import Headers

Outgoing = Callable[[str, Headers], Headers]
"""The name of an upstream and headers -> the headers to send."""


@dataclass(frozen=True, slots=True)
class TracedClient:
    """Another client, with headers that `outgoing` has added to; `name` is that of the upstream."""

    client: Client
    name: str
    outgoing: Outgoing

    async def send(self, request: UpstreamRequest) -> Connection:
        headers = self.outgoing(self.name, request.headers)
        sent = request if headers is request.headers else replace(request, headers=headers)
        return await self.client.send(sent)

    async def aclose(self) -> None:
        await self.client.aclose()
