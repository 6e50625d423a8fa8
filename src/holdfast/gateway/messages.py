"""`POST /v1/messages`: bytes to a call, through the pipeline, and bytes back."""

from dataclasses import replace

from holdfast.assembly import Runtime
from holdfast.call import NO_LIMITS, Call, Incoming, OwnWays
from holdfast.gateway.identity import Visitor
from holdfast.gateway.ownership import Owners
from holdfast.gateway.reading import expect_json
from holdfast.gateway.responding import EVENT_STREAM, Outlet
from holdfast.gateway.standing import Standings, is_shared, without_limits
from holdfast.pipeline import Settling
from holdfast.upstream.output import FLAGGED
from holdfast.upstream.tool_gate import HELD
from holdfast.wire.headers import DEGRADED, Headers, get, merged, response_headers
from holdfast.wire.insistence import insists


async def answer_messages(
    runtime: Runtime, outlet: Outlet, visitor: Visitor, incoming: Incoming, standings: Standings
) -> None:
    """Answer one Messages request; raises the typed error when it is refused or fails before it began."""
    expect_json(incoming.headers)
    # A client that repeats every failure has its tries there: here each upstream is asked once.
    tries = len(runtime.upstreams) if insists(incoming.headers) else None
    call = runtime.call(incoming, visitor.principal, request_id=outlet.request_id, attempts=tries)
    visitor.check_model(call.request.model)
    await Owners(runtime.ledger).expect_named(visitor, incoming.body)
    if visitor.limits is not NO_LIMITS:
        call = replace(call, own_limits=visitor.limits)
    if visitor.own_tools is not None:
        call = replace(call, own_tools=visitor.own_tools)
    if visitor.models:
        call = replace(call, own_ways=OwnWays(models=visitor.models))
    answer = await runtime.pipeline(call)
    try:
        headers = _headers(runtime, call, answer)
        if is_shared(runtime, answer.response.upstream):
            headers = merged(without_limits(headers), await standings.of(runtime, call))
        await outlet.start(answer.response.status, headers)
        async for chunk in answer:
            await outlet.write(chunk)
        await outlet.end()
    finally:
        await answer.aclose()


def _headers(runtime: Runtime, call: Call, answer: Settling) -> Headers:
    response = answer.response
    headers = response_headers(response.headers)
    ours = {
        "x-holdfast-request-id": call.request_id,
        "x-holdfast-outcome": response.label if response.status < 400 else "failed",
        "x-holdfast-attempts": str(response.attempts),
    }
    if response.attempts > 1 and get(headers, "x-should-retry") == "true":
        # We have tried again already; a client that does so as well would triple what upstream is asked.
        ours["x-should-retry"] = "false"
    own = (DEGRADED, FLAGGED, HELD)
    ours |= {name: mark for name in own if (mark := get(response.headers, name)) is not None}
    if response.length is not None:
        ours["content-length"] = str(response.length)
    if (get(headers, "content-type") or "").startswith(EVENT_STREAM):
        # A proxy that gathers events before it passes them on makes a stream look dead.
        ours |= {"cache-control": "no-cache", "x-accel-buffering": "no"}
    if response.meter.model:
        ours["x-holdfast-model"] = response.meter.model.strip()
    if response.meter.complete and (cost := runtime.cost(call, response.meter)) is not None:
        ours["x-holdfast-cost"] = f"{cost:f}"
    return merged(headers, ours)
