"""Answers looked through on their way out: whole ones, streams, and who hears of what was found."""

import json
from dataclasses import replace

import pytest

from holdfast.call import Call, Response, Unanswered
from holdfast.errors import UpstreamUnavailable
from holdfast.events import Event, OutputFlagged
from holdfast.pipeline import Send
from holdfast.policy.output import OutputConfig
from holdfast.upstream.output import AT_ONCE, InspectedBody, OutputGuard, looked_through
from holdfast.wire.headers import Headers, get
from holdfast.wire.messages import read_request
from holdfast.wire.meter import Meter
from tests.policy.leak_styles import PROMPTS
from tests.upstream.scripted import JSON, SSE, START, STOP, a_call, event, text

KEY = "sk-ant-api03-" + "Qz7Rk2Lm9Xp4Vt1Wb6Yn3Cs8Jd5Hf0Gg"
OPENED = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
CLOSED = event("content_block_stop", index=0)
REDACT = OutputConfig(leak="redact", secrets="redact", egress="redact")
STOP_ALL = OutputConfig(leak="stop", secrets="stop", egress="stop")


class Chunks:
    """A body in pieces, which knows whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.closed = 0

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.pop(0)

    async def aclose(self) -> None:
        self.closed += 1


def answer(*pieces: bytes, headers: Headers = JSON, status: int = 200) -> Response:
    length = sum(map(len, pieces)) if headers is JSON else None
    return Response(status=status, headers=headers, body=Chunks(*pieces), meter=Meter(), length=length)


def whole(*texts: str) -> bytes:
    return json.dumps(
        {"type": "message", "content": [{"type": "text", "text": said} for said in texts]}
    ).encode()


def streamed(*texts: str) -> list[bytes]:
    return [START, OPENED, *map(text, texts), CLOSED, STOP]


def sending(found: Response | Unanswered) -> Send:
    async def send(call: Call) -> Response | Unanswered:
        return found

    return send


def asked(system: str, words: str = "Hello") -> Call:
    call = a_call()
    document = {
        "model": "m",
        "max_tokens": 9,
        "system": system,
        "messages": [{"role": "user", "content": words}],
    }
    body = json.dumps(document).encode()
    return replace(call, body=body, request=read_request(body))


async def through(
    found: Response, config: OutputConfig, call: Call, events: list[Event] | None = None
) -> tuple[Response, bytes]:
    """The answer as it comes out of the guard, and its whole body."""
    guard = OutputGuard(
        send=sending(found), config=config, observe=(events if events is not None else []).append
    )
    given = await guard(call)
    assert isinstance(given, Response)
    return given, b"".join([chunk async for chunk in given.body])


async def test_a_whole_answer_that_is_flagged_keeps_its_bytes_and_says_so_in_a_header() -> None:
    events: list[Event] = []
    body = whole(f"It is {KEY}.", PROMPTS[0])

    given, out = await through(answer(body[:9], body[9:]), OutputConfig(), asked(PROMPTS[0]), events)

    assert out == body
    assert given.length == len(body)
    assert get(given.headers, "x-holdfast-flagged") == "leak,secret"
    assert events == [
        OutputFlagged(request_id="hfr_test", kind="secret", code="key", action="flag"),
        OutputFlagged(request_id="hfr_test", kind="leak", code="prompt_start", action="flag"),
    ]


async def test_a_whole_answer_is_redacted_and_has_its_new_length() -> None:
    given, out = await through(answer(whole(f"It is {KEY}.")), REDACT, asked(""))

    assert out == whole("It is [REDACTED:key].").replace(b", ", b", ")
    assert given.length == len(out)


async def test_a_whole_answer_that_is_stopped_becomes_a_refusal_that_nobody_sends_again() -> None:
    found = answer(whole(f"It is {KEY}."))

    given, out = await through(found, STOP_ALL, asked(""))

    error = json.loads(out)["error"]
    assert (given.status, given.length) == (400, len(out))
    assert (error["type"], error["details"]["error_code"]) == ("policy_blocked", "holdfast_output_blocked")
    assert get(given.headers, "x-should-retry") == "false"
    assert given.meter is found.meter
    assert given.meter.error is not None
    assert isinstance(found.body, Chunks)
    assert found.body.closed == 1


async def test_a_stream_without_findings_passes_byte_for_byte() -> None:
    pieces = streamed("Hello ", "there. " * 60, "Bye.")

    _, out = await through(answer(*pieces, b": rest", headers=SSE), REDACT, asked(PROMPTS[0]))

    assert out == b"".join(pieces) + b": rest"


async def test_a_stream_is_redacted_across_its_events() -> None:
    pieces = streamed("It is ", KEY[:9], KEY[9:30], KEY[30:], " and more")

    _, out = await through(answer(*pieces, headers=SSE), REDACT, asked(""))

    assert KEY[13:30].encode() not in out
    assert b"[REDACTED:key]" in out


async def test_a_stream_that_is_stopped_ends_with_a_typed_error_and_is_hung_up_on() -> None:
    events: list[Event] = []
    found = answer(*streamed("Well. " * 60, f"It is {KEY}", " and more " * 60), headers=SSE)

    given, out = await through(found, STOP_ALL, asked(""), events)

    assert KEY.encode() not in out
    assert out.endswith(b"\n\n")
    last = json.loads(out.rpartition(b"data: ")[2])["error"]
    assert (last["type"], last["details"]["error_code"]) == ("policy_blocked", "holdfast_output_blocked")
    assert given.meter.error is not None
    assert given.meter.error.status == 400
    assert isinstance(found.body, Chunks)
    assert found.body.closed == 1
    assert [event.action for event in events if isinstance(event, OutputFlagged)] == ["stop"]


@pytest.mark.parametrize("headers", [JSON, SSE])
async def test_what_was_examined_is_noted_once_on_the_call(headers: Headers) -> None:
    call = asked(PROMPTS[0])
    pieces = [whole("Hello")] if headers is JSON else streamed("Hello")

    given, _ = await through(answer(*pieces, headers=headers), OutputConfig(), call)
    await given.body.aclose()

    (note,) = call.tally.notes
    assert (note.side, note.guard, note.examined, note.characters) == ("output", "output", ("content.0",), 5)


async def test_a_stream_that_is_closed_early_is_noted_as_far_as_it_went() -> None:
    call = asked("")
    found = answer(*streamed("Hello", "more"), headers=SSE)
    given = await OutputGuard(send=sending(found), config=OutputConfig())(call)
    assert isinstance(given, Response)
    assert [await anext(given.body) for _ in range(3)][-1] == text("Hello")

    await given.body.aclose()

    assert call.tally.notes[0].characters == 5
    assert isinstance(given.body, InspectedBody)
    assert [chunk async for chunk in given.body] == []


async def test_what_the_user_has_sent_himself_comes_back_to_him() -> None:
    body = whole(f"Your key {KEY} and your text: {PROMPTS[3]}", f"![x](https://my.host.io/?d={'aB3' * 12})")
    call = asked(PROMPTS[3], f"My key is {KEY}. Is my.host.io right for this? {PROMPTS[3]}")

    given, out = await through(answer(body), REDACT, call)

    assert out == body
    assert get(given.headers, "x-holdfast-flagged") is None


@pytest.mark.parametrize(
    "found", [answer(whole(KEY), status=529), Unanswered(error=UpstreamUnavailable("gone"))]
)
async def test_errors_and_no_answers_are_left_alone(found: Response | Unanswered) -> None:
    call = asked("")

    assert await OutputGuard(send=sending(found), config=STOP_ALL)(call) is found
    assert call.tally.notes == []


async def test_a_long_system_prompt_is_made_ready_once() -> None:
    system = " ".join(f"{prompt} {at}" for at in range(12) for prompt in PROMPTS)
    assert len(system) > AT_ONCE
    guard = OutputGuard(send=sending(answer()), config=OutputConfig())

    first = await guard(asked(system))
    second = await guard(asked(system))

    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert guard._prompts.find(system) is not None  # pyright: ignore[reportPrivateUsage]  # there is no other sign


def test_with_everything_off_nothing_stands_in_the_way() -> None:
    send = sending(answer())

    assert looked_through(send, OutputConfig(leak="off", secrets="off", egress="off")) is send
    assert isinstance(looked_through(send, OutputConfig()), OutputGuard)
