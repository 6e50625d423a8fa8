"""An answer begun ahead of its upstream settles as what it became."""

from dataclasses import replace

from holdfast.pipeline import Outcome, Response, Settling
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Splitter
from tests.pipeline.test_settlement import Chunks
from tests.upstream.scripted import STREAM


async def test_an_answer_settles_as_what_it_has_become() -> None:
    meter, outcomes = Meter(), list[Outcome]()
    for event in Splitter().feed(b"".join(STREAM)):
        meter.observe(event)
    begun = Response(status=200, headers=(), body=Chunks(*STREAM), meter=Meter())
    real = replace(begun, meter=meter, attempts=2, upstream="spare")
    found: list[Response] = []
    answer = Settling(
        replace(begun, current=lambda: found[-1] if found else begun), (lambda outcome: note(outcome),)
    )

    async def note(outcome: Outcome) -> None:
        outcomes.append(outcome)

    assert (answer.response.upstream, answer.response.attempts) == (None, 0)
    found.append(real)
    assert await answer.read() == b"".join(STREAM)
    assert [(o.end, o.upstream, o.attempts, o.usage.output_tokens) for o in outcomes] == [
        ("answered", "spare", 2, 7)
    ]
