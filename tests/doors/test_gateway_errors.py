"""Errors of the upstream: the official SDK raises the right exception, and nothing is asked more than three times."""

import json
from collections.abc import Callable
from dataclasses import replace

import anthropic
import pytest

from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, ask

Ask = Callable[[anthropic.Anthropic], object]


def plain(client: anthropic.Anthropic) -> object:
    return client.messages.create(
        model="claude-sonnet-5-5", max_tokens=300, messages=[{"role": "user", "content": "Hello"}]
    )


def streamed(client: anthropic.Anthropic) -> object:
    with client.messages.stream(
        model="claude-sonnet-5-5", max_tokens=300, messages=[{"role": "user", "content": "Hello"}]
    ) as stream:
        return stream.get_final_message()


def failing(gateway: RunningGateway, status: Status, ask: Ask = plain) -> anthropic.APIStatusError:
    """What the SDK raises, with the retries it makes by default, when the upstream always answers so."""
    gateway.simulator.simulator.fault(Fault(status, times=None))
    with (
        anthropic.Anthropic(api_key="local", base_url=gateway.url) as client,
        pytest.raises(anthropic.APIStatusError) as raised,
    ):
        ask(client)
    assert (
        status.status == 504 or gateway.totals().cost_pico == 0
    )  # behind a timeout somebody may have worked
    return raised.value


def upstream_requests(gateway: RunningGateway) -> int:
    return len(gateway.simulator.simulator.requests)


@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (413, anthropic.RequestTooLargeError),
        (422, anthropic.UnprocessableEntityError),
    ],
)
def test_a_fault_of_the_caller_is_asked_once_and_raised_as_what_it_is(
    gateway: RunningGateway, status: int, kind: type[anthropic.APIStatusError], ask: Ask
) -> None:
    error = failing(gateway, Status(status=status, message="the upstream's own words"), ask)
    assert type(error) is kind
    assert error.status_code == status
    assert "the upstream's own words" in error.message
    assert upstream_requests(gateway) == 1
    assert error.request_id == gateway.simulator.simulator.requests[0].request_id


@pytest.mark.parametrize("ask", [plain, streamed])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, anthropic.APIStatusError),
        (409, anthropic.ConflictError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (503, anthropic.ServiceUnavailableError),
        (504, anthropic.DeadlineExceededError),
        (529, anthropic.OverloadedError),
    ],
)
def test_what_may_pass_is_asked_at_most_three_times_and_raised_as_what_it_is(
    gateway: RunningGateway, status: int, kind: type[anthropic.APIStatusError], ask: Ask
) -> None:
    error = failing(gateway, Status(status=status, message="the upstream's own words"), ask)
    assert isinstance(error, kind)
    assert error.status_code == status
    assert "the upstream's own words" in error.message
    assert 1 <= upstream_requests(gateway) <= 3


def test_a_rate_limit_says_when_to_come_back(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Fault(Status(status=429, retry_after=120), times=None))
    answer = ask(gateway.url, QUESTION)
    assert (answer.status, answer.headers["retry-after"]) == (429, "120")
    assert upstream_requests(gateway) == 1


def test_a_spent_limit_is_final(gateway: RunningGateway) -> None:
    error = failing(
        gateway, Status(status=429, message="no more money", error_code="enforced_spend_limit_reached")
    )
    assert isinstance(error, anthropic.RateLimitError)
    assert error.response.headers["x-should-retry"] == "false"
    assert upstream_requests(gateway) == 1


def test_a_page_of_html_in_place_of_an_answer_becomes_an_error_of_the_api(gateway: RunningGateway) -> None:
    page = Status(status=502, body="<html><h1>Bad Gateway</h1></html>", content_type="text/html")
    error = failing(gateway, page)
    assert isinstance(error, anthropic.InternalServerError | anthropic.ServiceUnavailableError)
    assert json.loads(error.response.content)["type"] == "error"
    assert upstream_requests(gateway) <= 3


def test_the_body_of_an_error_arrives_unchanged(gateway: RunningGateway) -> None:
    # 401 comes last: it closes the gate of the key.
    for status in (400, 404, 413, 429, 500, 529, 401):
        body = json.dumps({"type": "error", "error": {"type": "x_error", "message": "안녕", "more": [1]}})
        gateway.simulator.simulator.reset()
        gateway.simulator.simulator.fault(Fault(Status(status=status, body=body), times=None))
        answer = ask(gateway.url, QUESTION)
        assert (answer.status, answer.body) == (status, body.encode())
        assert answer.headers["x-holdfast-outcome"] == "failed"
        assert answer.headers["x-holdfast-attempts"] == str(upstream_requests(gateway))


def test_an_upstream_that_fails_once_is_nothing_the_client_hears_of(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Status(status=529), Status(status=500))
    answer = ask(gateway.url, QUESTION)
    assert (answer.status, answer.headers["x-holdfast-attempts"]) == (200, "3")
    assert gateway.records()[0].attempts == 3


def test_an_upstream_that_is_not_there_is_an_error_of_the_api(simulator: RunningSimulator) -> None:
    settings = quick_settings(simulator)
    simulator.stop()
    with serving(simulator, settings) as gateway:
        answer = ask(gateway.url, QUESTION)
        assert (answer.status, answer.error_type) == (503, "api_error")
        assert answer.headers["x-holdfast-attempts"] == "3"
        for method, path in (("GET", "/v1/models"), ("POST", "/v1/messages/count_tokens")):
            answer = ask(gateway.url, QUESTION, method=method, path=path)
            assert (answer.status, answer.error_type) == (503, "api_error")
            assert answer.headers["x-holdfast-outcome"] == "failed"
        assert simulator.url.removeprefix("http://") not in answer.body.decode()


def test_a_relayed_path_that_answers_nonsense_is_an_error_of_the_api(gateway: RunningGateway) -> None:
    for fault, status in (
        (Status(status=502, body="<html>", content_type="text/html"), 502),
        (Status(status=302, body="", headers={"location": "http://elsewhere"}), 502),
    ):
        gateway.simulator.simulator.fault(Fault(fault, path="/v1/models"))
        answer = ask(gateway.url, method="GET", path="/v1/models")
        assert (answer.status, answer.error_type) == (status, "api_error")
        assert "location" not in answer.headers


def test_a_refusal_speaks_the_language_of_the_settings(simulator: RunningSimulator) -> None:
    with serving(simulator, replace(quick_settings(simulator), language="ko")) as gateway:
        answer = ask(gateway.url, b"{")
        assert answer.error_type == "invalid_request_error"
        assert "올바른 JSON이 아닙니다" in answer.json["error"]["message"]
