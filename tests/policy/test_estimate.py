from dataclasses import replace

import pytest

from holdfast.policy.estimate import IMAGE_TOKENS, TOOLS_OVERHEAD, charge_of, input_bound, used_in_vain
from holdfast.policy.failure import Charge, Failure, rule
from holdfast.wire.errors import status_of
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Usage

REQUEST = MessagesRequest(model="m", max_tokens=100, text_bytes=301)
SEEN = Usage(input_tokens=12, output_tokens=3)
PRESUMED = Usage(input_tokens=151)


def test_a_failure_before_any_work_costs_nothing() -> None:
    assert used_in_vain("release", SEEN, REQUEST) is None


@pytest.mark.parametrize("charge", ["settle_start", "settle_said", "settle_partial"])
def test_what_the_upstream_said_it_used_is_what_is_charged(charge: Charge) -> None:
    assert used_in_vain(charge, SEEN, REQUEST) == (SEEN, charge == "settle_partial")


@pytest.mark.parametrize("charge", ["presume_input", "settle_start", "settle_partial"])
@pytest.mark.parametrize("seen", [None, Usage(), Usage(service_tier="standard")])
def test_a_request_that_may_have_been_worked_on_is_presumed_to_have_cost_its_input(
    charge: Charge, seen: Usage | None
) -> None:
    assert used_in_vain(charge, seen, REQUEST) == (PRESUMED, True)


@pytest.mark.parametrize(("seen", "cost"), [(None, None), (Usage(), (PRESUMED, True)), (SEEN, (SEEN, False))])
def test_an_error_instead_of_a_message_is_free_and_one_behind_its_beginning_is_not(
    seen: Usage | None, cost: tuple[Usage, bool] | None
) -> None:
    assert used_in_vain("settle_said", seen, REQUEST) == cost


ERRORS = {
    "overloaded_error": None,
    "rate_limit_error": None,
    "api_error": None,
    "invalid_request_error": None,
    "authentication_error": None,
    "some_new_error": None,
    "timeout_error": (PRESUMED, True),
}


@pytest.mark.parametrize(("error_type", "cost"), ERRORS.items())
def test_an_error_as_the_first_event_of_a_stream_costs_what_the_same_answer_would_without_a_stream(
    error_type: str, cost: tuple[Usage, bool] | None
) -> None:
    status = status_of(error_type)
    plain = Failure(phase="response", kind="http", status=status, error_type=error_type)
    streamed = Failure(phase="held", kind="stream_error", error_type=error_type)
    assert used_in_vain(rule(plain).charge, None, REQUEST) == cost
    assert used_in_vain(rule(streamed).charge, None, REQUEST) == cost
    assert used_in_vain(rule(streamed).charge, SEEN, REQUEST) == (SEEN, False)


def test_a_known_input_is_never_replaced_by_a_presumed_one() -> None:
    assert used_in_vain("presume_input", SEEN, REQUEST) == (SEEN, True)


def test_an_answer_that_could_not_be_read_is_presumed_to_have_been_as_long_as_allowed() -> None:
    assert used_in_vain("presume_full", None, REQUEST) == (PRESUMED.with_output(100), True)
    assert used_in_vain("presume_full", SEEN, REQUEST) == (SEEN.with_output(100), True)


def test_tools_and_images_make_the_bound_larger() -> None:
    request = MessagesRequest(model="m", text_bytes=301, tool_names=("a",), image_count=2)
    assert input_bound(request) == 151 + TOOLS_OVERHEAD + 2 * IMAGE_TOKENS


def test_a_plain_answer_given_up_in_silence_may_be_paid_for_whole() -> None:
    silent = Failure(phase="sent", kind="first_byte_timeout")
    assert charge_of("presume_input", silent, streamed=False) == "presume_full"
    assert charge_of("presume_input", silent, streamed=True) == "presume_input"
    assert charge_of("presume_input", replace(silent, kind="reset"), streamed=False) == "presume_input"
    assert charge_of("release", silent, streamed=False) == "release"
