"""What callers write, in logs and in our own headers: one event is one line, and no header starts another."""

import json
from io import StringIO

import pytest

from holdfast.simulator.actions import OtherBody
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

FORGED = '{"level": "error", "message": "forged"}'
NASTY = (
    f'a"}}\\n{FORGED}',
    f"a\u2028{FORGED}",
    f"a\u2029{FORGED}\u0085",
    "\u202ereversed\u202c \u2066isolated\u2069",
    "zero\u200bwidth \U000e0041tag",
    "x" * 8_000,
    '","level":"error","x":"',
    "a\t\tb",
    "한글 사용자",
    "\x9b31m",
)
NAMES = (
    *("x-holdfast-user", "x-holdfast-run", "x-claude-code-session-id", "x-claude-code-agent-id"),
    *("x-claude-code-parent-agent-id", "user-agent", "x-request-id", "anthropic-version", "x-holdfast-tags"),
)
CONTROL = {
    *map(chr, range(32)),
    "\x7f",
    *map(chr, range(0x80, 0xA0)),
    *"\u2028\u2029\u202e\u2066\u200b\U000e0041",
}


def lines(gateway: RunningGateway) -> list[str]:
    """The log of everything that happened, as `serve` writes it."""
    gateway.records()
    stream = StringIO()
    with AgentLogger("gateway", level="debug", stream=stream) as log:
        write = logged(log)
        for event in gateway.events:
            write(event)
    return stream.getvalue().split("\n")[:-1]


def test_whatever_callers_call_themselves_one_event_is_one_line(gateway: RunningGateway) -> None:
    for name in NAMES:
        for value in NASTY:
            answer = ask(gateway.url, QUESTION, headers={name: value.encode().decode("latin-1")})
            assert answer.status in (200, 400), (name, value)
    written = lines(gateway)
    assert len(written) == len([event for event in gateway.events if type(event).__name__ != "AttemptEnded"])
    for line in written:
        assert not CONTROL & set(line)
        document = json.loads(line)
        assert document["level"] != "error"
        assert len(line) < 20_000


@pytest.mark.parametrize("place", ["model", "metadata", "system", "tools"])
def test_whatever_stands_in_a_body_one_event_is_one_line(gateway: RunningGateway, place: str) -> None:
    for value in (*NASTY, f"a\n{FORGED}", "a\r\nb", "\x1b[2J\x1b]0;title\x07", "\0"):
        members: dict[str, object] = {
            "model": value,
            "metadata": {"user_id": value},
            "system": value,
            "tools": [{"name": value, "input_schema": {"type": "object"}}],
        }
        assert ask(gateway.url, {**QUESTION, place: members[place]}).status in (200, 400, 404)
    for line in lines(gateway):
        assert not CONTROL & set(line)
        assert json.loads(line)["level"] != "error"


def test_names_in_the_ledger_are_of_one_line_and_bounded(gateway: RunningGateway) -> None:
    for value in NASTY:
        ask(gateway.url, QUESTION, headers={"x-holdfast-user": value.encode().decode("latin-1")})
        ask(gateway.url, {**QUESTION, "metadata": {"user_id": f"{value}\r\n\x1b[31m"}})
    for record in gateway.records():
        assert record.user is not None
        assert len(record.user) <= 200
        assert not CONTROL & set(record.user)


def test_a_model_or_path_of_the_callers_starts_no_header_of_ours(gateway: RunningGateway) -> None:
    for model in (
        "a\r\nx-evil: 1",
        "a\nset-cookie: a=b",
        "claude-sonnet-5-5\r\n\r\n<html>",
        "\u2028x",
        "클로드",
        "\0",
    ):
        answer = ask(gateway.url, {**QUESTION, "model": model})
        assert answer.error_type in ("invalid_request_error", "not_found_error")
        assert not {"x-evil", "set-cookie"} & set(answer.headers)
    for path in ("/v1/models/a%0d%0ax-evil:%201", "/%0d%0aset-cookie:a=b", "/v1/messages?x=%0d%0ax-evil:1"):
        answer = ask(gateway.url, QUESTION, path=path)
        assert not {"x-evil", "set-cookie"} & set(answer.headers)
        assert b"\r\n" not in answer.body


def test_an_upstream_that_names_a_strange_model_starts_no_header_of_ours(gateway: RunningGateway) -> None:
    for model in ("a\r\nx-evil: 1", "a\nset-cookie: a=b", "\u2028클로드\0", "x" * 30_000):
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "m", "type": "message", "role": "assistant", "model": model, "usage": usage}
        body = json.dumps({**message, "content": [], "stop_reason": "end_turn"})
        gateway.simulator.simulator.fault(OtherBody(body=body))
        answer = ask(gateway.url, QUESTION)
        assert answer.status in (200, 502)
        assert not {"x-evil", "set-cookie"} & set(answer.headers)


def test_a_key_that_is_not_ascii_is_no_key(gateway: RunningGateway) -> None:
    for value in ("\xff\xfe", "키".encode().decode("latin-1"), "Bearer \xe9", "\xad" * 1_000):
        for name in ("x-api-key", "authorization"):
            assert ask(gateway.url, QUESTION, headers={"x-api-key": "", name: value}).status in (200, 401)
