"""The way of files, skills, batches and further paths through the gateway, each with its bounds."""

from dataclasses import replace

from holdfast.assembly import Runtime
from holdfast.gateway.batch_links import address_of
from holdfast.gateway.batch_results import hand_on_results
from holdfast.gateway.batching import make
from holdfast.gateway.carrying import Errand
from holdfast.gateway.decoding import check_encoding, decoded
from holdfast.gateway.handing import hand_on
from holdfast.gateway.identity import Visitor
from holdfast.gateway.reading import expect_json, read_body, unless_gone
from holdfast.gateway.resources import Resource
from holdfast.gateway.responding import Outlet, Receive, Scope
from holdfast.gateway.uploads import Aside, Upload
from holdfast.wire.headers import get

LARGEST_SMALL = 64 * 1024
"""Bytes of a body that has nothing to say: of a request that only reads or ends something."""


class Depot:
    """Answers what no guard on words has a say in; only batches hold words, and are looked at whole."""

    def __init__(self) -> None:
        self._aside = Aside()

    async def answer(self, errand: Errand, receive: Receive, outlet: Outlet) -> None:
        """Answer one request; raises the typed error when it is refused or fails."""
        resource = errand.resource
        match errand.method, resource.family, resource.name, resource.step:
            case "POST", "batches", None, _:
                await self._make(errand, receive, outlet)
            case "GET", "batches", str(), "results":
                await unless_gone(hand_on_results(errand, outlet), receive)
            case _ if _has_body(errand):
                await _upload(errand, receive, outlet)
            case _:
                await unless_gone(hand_on(errand, outlet), receive)

    async def _make(self, errand: Errand, receive: Receive, outlet: Outlet) -> None:
        visitor, limit = errand.visitor, errand.runtime.settings.gateway.max_batch
        expect_json(visitor.headers)
        check_encoding(visitor.headers)
        async with await self._aside.read(receive, visitor.headers, limit) as packed:
            body, headers = await decoded(packed, visitor.headers, limit)
            del packed
            plain = replace(errand, visitor=replace(visitor, headers=headers))
            await unless_gone(make(plain, body, outlet), receive)


async def _upload(errand: Errand, receive: Receive, outlet: Outlet) -> None:
    limit = errand.resource.largest(errand.runtime.settings.gateway)
    if errand.method in ("GET", "HEAD", "DELETE"):
        body = await read_body(receive, errand.visitor.headers, LARGEST_SMALL)
        await unless_gone(hand_on(replace(errand, body=body), outlet), receive)
        return
    upload = Upload(receive, errand.visitor.headers, limit)
    await upload.run(hand_on(replace(errand, upload=upload), outlet))


def _has_body(errand: Errand) -> bool:
    headers = errand.visitor.headers
    length = get(headers, "content-length")
    return get(headers, "transfer-encoding") is not None or length not in (None, "0")


def errand_of(
    runtime: Runtime, outlet: Outlet, visitor: Visitor, resource: Resource, *, scope: Scope, query: str
) -> Errand:
    """One request as it will be carried."""
    return Errand(
        runtime=runtime,
        request_id=outlet.request_id,
        visitor=visitor,
        resource=resource,
        method=scope["method"],
        query=query,
        address=address_of(scope),
    )
