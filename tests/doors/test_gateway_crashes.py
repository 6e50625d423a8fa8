"""Bugs of ours: the client hears that something went wrong, the operator hears what, and the gateway goes on."""

import json
from dataclasses import replace

import anthropic
import pytest

from holdfast.assembly import Runtime, assemble
from holdfast.call import Call
from holdfast.events import CallEnded, Observer, RequestCrashed
from holdfast.gateway.responding import Message, Receive, Send
from holdfast.pipeline import Guard, Proceed
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from holdfast.upstream.client import Connection, UpstreamRequest
from holdfast.upstream.inprocess import InProcessClient
from holdfast.wire.headers import Headers
from holdfast.wire.sse import emit
from tests.doors.running import RunningGateway, eventually, over, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask

SECRET = "the password is hunter2"
STREAM = {**QUESTION, "stream": True}


async def buggy(call: Call) -> Proceed:
    """A guard that trips over one kind of call and lets every other pass."""
    if "crash" in json.loads(call.body)["messages"][0]["content"]:
        raise ValueError(SECRET)
    return Proceed(call)


async def bad_at_settling(call: Call) -> Proceed:
    async def settle(outcome: object) -> None:
        raise ValueError(SECRET)

    return Proceed(call, settle)


def with_guard(guard: Guard, settings: Settings, observe: Observer) -> Runtime:
    runtime = assemble(settings, observe=observe)
    return replace(runtime, pipeline=replace(runtime.pipeline, guards=(*runtime.pipeline.guards, guard)))


def crash(gateway: RunningGateway) -> RequestCrashed:
    (event,) = (event for event in gateway.events if isinstance(event, RequestCrashed))
    return event


def tells_nothing(answer: Heard) -> bool:
    text = repr((answer.headers, answer.body))
    return not any(word in text for word in (SECRET, "ValueError", "Traceback", ".py", "hunter2"))


def test_a_guard_with_a_bug_costs_one_answer_and_tells_the_client_nothing(
    simulator: RunningSimulator,
) -> None:
    def opened(settings: Settings, observe: Observer) -> Runtime:
        return with_guard(buggy, settings, observe)

    with serving(simulator, quick_settings(simulator), opened=opened) as gateway:
        for body in (QUESTION, STREAM):
            gateway.events.clear()
            answer = ask(gateway.url, {**body, "messages": [{"role": "user", "content": "crash!"}]})
            assert (answer.status, answer.error_type) == (500, "api_error")
            assert answer.json["error"]["details"] == {"error_code": "holdfast_internal_error"}
            assert answer.headers["x-should-retry"] == "false"
            assert answer.headers["x-holdfast-outcome"] == "failed"
            assert tells_nothing(answer)

            event = crash(gateway)
            assert event.request_id == answer.headers["x-holdfast-request-id"]
            assert event.place == "POST /v1/messages"
            assert event.error == "ValueError"
            assert "ValueError: the password is [secret]" in event.trace
            (ended,) = (event for event in gateway.events if isinstance(event, CallEnded))
            assert (ended.end, ended.status, ended.error_code) == ("failed", 500, "ValueError")

        assert simulator.simulator.requests == ()
        assert gateway.totals().cost_pico == 0
        assert ask(gateway.url, QUESTION).status == 200


def test_a_settle_with_a_bug_costs_nobody_anything(simulator: RunningSimulator) -> None:
    def opened(settings: Settings, observe: Observer) -> Runtime:
        return with_guard(bad_at_settling, settings, observe)

    with serving(simulator, quick_settings(simulator), opened=opened) as gateway:
        for body in (QUESTION, STREAM):
            assert ask(gateway.url, body).status == 200
        assert gateway.totals().cost == simulator.simulator.billed > 0


class BuggyClient:
    """A way to an upstream that has a bug: before an answer, or in the middle of a stream."""

    async def send(self, request: UpstreamRequest) -> Connection:
        if request.path != "/v1/messages":
            raise ValueError(SECRET)
        return BuggyConnection()

    async def aclose(self) -> None:
        return None


class BuggyConnection:
    """The beginning of a stream, and then the bug."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: Headers = (("content-type", "text/event-stream"),)
        usage = {"input_tokens": 50, "output_tokens": 1}
        message = {"id": "m", "model": "claude-sonnet-5-5", "content": list[object](), "usage": usage}
        block = {"type": "text", "text": "Hello"}
        self._documents: list[dict[str, object]] = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
        ]

    async def read(self) -> bytes:
        if not self._documents:
            raise ValueError(SECRET)
        document = self._documents.pop(0)
        return emit(str(document["type"]), json.dumps(document).encode())

    async def aclose(self) -> None:
        return None


def test_a_bug_in_the_middle_of_a_stream_ends_it_with_a_typed_error(
    simulator: RunningSimulator,
) -> None:
    with serving(simulator, quick_settings(simulator), opened=over(BuggyClient())) as gateway:
        answer = ask(gateway.url, STREAM)
        assert answer.status == 200
        name, data = answer.body.decode().rstrip("\n").split("\n\n")[-1].split("\n")
        error = json.loads(data.removeprefix("data: "))
        assert (name, error["error"]["type"]) == ("event: error", "api_error")
        assert error["request_id"] == crash(gateway).request_id
        assert tells_nothing(answer)
        (record,) = gateway.records()
        assert (record.end, record.usage.input_tokens) == ("failed", 50)

        with (
            anthropic.Anthropic(api_key="local", base_url=gateway.url) as client,
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(
                model="claude-sonnet-5-5", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]
            ) as stream,
        ):
            stream.get_final_message()


def test_a_bug_on_the_way_of_a_relayed_path_is_an_error_of_the_api(
    simulator: RunningSimulator,
) -> None:
    with serving(simulator, quick_settings(simulator), opened=over(BuggyClient())) as gateway:
        answer = ask(gateway.url, method="GET", path="/v1/models")
        assert (answer.status, answer.error_type) == (500, "api_error")
        assert tells_nothing(answer)
        assert crash(gateway).place == "GET /v1/models"
        assert ask(gateway.url, method="GET", path="/healthz").status == 200


def test_the_log_has_the_request_and_the_trace_of_a_crash() -> None:
    with AgentLogger("gateway", keep=1) as logger:
        logged(logger)(
            RequestCrashed(request_id="hfr_1", place="GET /x", error="ValueError", trace="in line 5")
        )
        (entry,) = logger.entries
    assert (entry["level"], entry["message"]) == ("error", "request crashed")
    assert "hfr_1" in str(entry)
    assert "in line 5" in str(entry)


def test_what_an_upstream_writes_into_headers_cannot_break_the_answer(simulator: RunningSimulator) -> None:
    async def odd(scope: Message, receive: Receive, send: Send) -> None:
        model = " \x01claude\r\nx-injected: yes\x7f\t😀 "
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"type": "message", "id": "m", "model": model, "usage": usage, "stop_reason": "end_turn"}
        headers = [(b"content-type", b"application/json"), (b"x-odd", b"a\x01b\x0bc")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(message).encode(), "more_body": False})

    with serving(simulator, quick_settings(simulator), opened=over(InProcessClient(odd))) as gateway:
        answer = ask(gateway.url, QUESTION)
        assert answer.status == 200
        assert "x-injected" not in answer.headers
        assert not [event for event in gateway.events if isinstance(event, RequestCrashed)]


def test_an_observer_is_told_once_a_crash(simulator: RunningSimulator) -> None:
    with serving(simulator, quick_settings(simulator), opened=over(BuggyClient())) as gateway:
        for _ in range(3):
            ask(gateway.url, method="GET", path="/v1/models")
        eventually(lambda: len([e for e in gateway.events if isinstance(e, RequestCrashed)]) == 3)
