"""An answer begun ahead of its upstream settles as what it became."""

from dataclasses import replace

from holdfast.call import Outcome, Response, Spent
from holdfast.pipeline import Settling
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Splitter
from holdfast.wire.usage import Usage
from tests.pipeline.test_settlement import Chunks
from tests.upstream.scripted import STREAM, a_call


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


async def test_an_attempt_that_began_while_the_answer_was_let_go_counts_as_sent() -> None:
    outcomes, call = list[Outcome](), a_call(stream=True)
    begun = Response(status=200, headers=(), body=Chunks(), meter=Meter())

    class Closing(Chunks):
        async def aclose(self) -> None:
            call.tally.attempts += 1
            call.tally.spent.append(Spent(upstream="main", model="m", usage=Usage(), estimated=False))

    async def note(outcome: Outcome) -> None:
        outcomes.append(outcome)

    answer = Settling(
        replace(begun, body=Closing(), current=lambda: replace(begun, attempts=call.tally.attempts)),
        (note,),
        call=call,
    )
    await answer.aclose()
    assert [(outcome.attempts, len(outcome.spent)) for outcome in outcomes] == [(1, 1)]
