"""What the pipeline costs per call: empty guards, then the guards of this house, over an upstream that does nothing."""

import asyncio
import json
from datetime import UTC, datetime

from benchmarks.measure import Figure, measure_async, table
from holdfast.assembly import assemble
from holdfast.call import Call, Incoming, Principal, Response
from holdfast.pipeline import Guard, Pipeline, Proceed
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.upstream.bodies import WholeBody
from holdfast.wire.messages import read_request
from holdfast.wire.meter import Meter

BODY = json.dumps(
    {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "What is the capital of France? Answer briefly."}],
    }
).encode()
ANSWER = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Paris."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 20, "output_tokens": 3},
    }
).encode()
CALLER = Principal(door="library")


async def send(call: Call) -> Response:
    """The upstream that does nothing."""
    meter = Meter()
    meter.observe_body(ANSWER)
    return Response(status=200, headers=(), body=WholeBody(ANSWER), meter=meter)


async def empty_guard(call: Call) -> Proceed:
    """A guard that lets everything on."""
    return Proceed(call)


async def run() -> list[Figure]:
    """Time one whole call in each set-up."""
    settings = Settings(
        store=StoreConfig(url="memory:"), upstreams={"simulator": UpstreamConfig(url="simulator")}
    )
    runtime = assemble(settings)
    call = runtime.call(Incoming(body=BODY), CALLER, request_id="hfr_1")

    async def bare() -> None:
        response = await send(call)
        async for _ in response.body:
            pass

    def through(guards: tuple[Guard, ...]) -> Pipeline:
        return Pipeline(guards, send)

    def whole(pipeline: Pipeline) -> "Call":
        return runtime.call(Incoming(body=BODY), CALLER, request_id=f"hfr_{next(numbers)}")

    numbers = iter(range(10**9))
    empty, guarded = through((empty_guard,) * 6), through(tuple(runtime.pipeline.guards))

    async def with_empty_guards() -> None:
        await (await empty(call)).read()

    async def with_our_guards() -> None:
        await (await guarded(whole(guarded))).read()

    async def reading() -> None:
        read_request(BODY)

    figures = [
        await measure_async("the upstream that does nothing, alone", bare),
        await measure_async("pipeline with six empty guards", with_empty_guards),
        await measure_async("pipeline with record (memory) and screen", with_our_guards, calls=500),
        await measure_async("reading the request once", reading),
    ]
    await runtime.aclose()
    return figures


def main() -> None:
    """Print the table."""
    print(datetime.now(UTC).date())
    print(table("pipeline", asyncio.run(run())))


if __name__ == "__main__":
    main()
