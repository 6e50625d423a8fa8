import pytest

from holdfast.policy.estimate import IMAGE_TOKENS, TOOLS_OVERHEAD, input_bound, used_in_vain
from holdfast.policy.failure import Charge
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Usage

REQUEST = MessagesRequest(model="m", max_tokens=100, text_bytes=301)
SEEN = Usage(input_tokens=12, output_tokens=3)
PRESUMED = Usage(input_tokens=151)


def test_a_failure_before_any_work_costs_nothing() -> None:
    assert used_in_vain("release", SEEN, REQUEST) is None


@pytest.mark.parametrize("charge", ["settle_start", "settle_partial"])
def test_what_the_upstream_said_it_used_is_what_is_charged(charge: Charge) -> None:
    assert used_in_vain(charge, SEEN, REQUEST) == (SEEN, charge == "settle_partial")


@pytest.mark.parametrize("charge", ["presume_input", "settle_start", "settle_partial"])
def test_a_request_that_may_have_been_worked_on_is_presumed_to_have_cost_its_input(charge: Charge) -> None:
    assert used_in_vain(charge, Usage(), REQUEST) == (PRESUMED, True)


def test_a_known_input_is_never_replaced_by_a_presumed_one() -> None:
    assert used_in_vain("presume_input", SEEN, REQUEST) == (SEEN, True)


def test_an_answer_that_could_not_be_read_is_presumed_to_have_been_as_long_as_allowed() -> None:
    assert used_in_vain("presume_full", Usage(), REQUEST) == (PRESUMED.with_output(100), True)
    assert used_in_vain("presume_full", SEEN, REQUEST) == (SEEN.with_output(100), True)


def test_tools_and_images_make_the_bound_larger() -> None:
    request = MessagesRequest(model="m", text_bytes=301, tool_names=("a",), image_count=2)
    assert input_bound(request) == 151 + TOOLS_OVERHEAD + 2 * IMAGE_TOKENS
