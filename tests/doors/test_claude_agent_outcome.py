"""How a run of Claude Code has ended, from messages as Claude Code 2.1.330 writes them."""

from dataclasses import replace
from decimal import Decimal

import pytest
from claude_agent_sdk import ResultError, ResultMessage

from holdfast import InputRejected, Refused
from holdfast.errors import BudgetExhausted, HoldfastError, NotAllowed, Unauthenticated, UpstreamError
from holdfast.integrations.claude_agent_sdk import outcome

GOOD = ResultMessage(
    subtype="success",
    duration_ms=1,
    duration_api_ms=1,
    is_error=False,
    num_turns=1,
    session_id="s",
    result="Done.",
    total_cost_usd=0.25,
)


def test_a_good_run_gives_its_text() -> None:
    ended = outcome(GOOD)

    assert (ended.required(), ended.cost, ended.session, ended.error) == ("Done.", Decimal("0.25"), "s", None)


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (429, "API Error: Request rejected (429) · No money is left.", Refused),
        (400, "API Error: 400 No money is left.", InputRejected),
        (401, "Failed to authenticate. API Error: 401 No money is left.", Unauthenticated),
        (403, "Failed to authenticate. API Error: 403 No money is left.", NotAllowed),
        (413, "No money is left.", Refused),
        (529, "API Error: 529 No money is left.", UpstreamError),
    ],
)
def test_a_refused_run_is_an_error_although_it_says_success(
    status: int, text: str, error: type[HoldfastError]
) -> None:
    ended = outcome(replace(GOOD, is_error=True, api_error_status=status, result=text))

    assert (type(ended.error), ended.status, ended.text) == (error, status, "No money is left.")
    with pytest.raises(error, match="No money is left"):
        ended.required()


def test_the_exception_behind_a_failed_run_is_read_in_the_same_way() -> None:
    data = {
        "subtype": "success",
        "result": "API Error: 400 Blocked.",
        "api_error_status": 400,
        "session_id": "s",
    }
    ended = outcome(ResultError("failed", data))

    assert (type(ended.error), ended.text, ended.cost, ended.session) == (
        InputRejected,
        "Blocked.",
        None,
        "s",
    )


def test_a_run_that_spent_its_own_budget_is_one_that_ran_out_of_money() -> None:
    spent = replace(GOOD, subtype="error_max_budget_usd", result=None, errors=["Reached maximum budget ($1)"])

    assert isinstance(outcome(spent).error, BudgetExhausted)
    assert "Reached maximum budget" in str(outcome(spent).error)


def test_a_run_that_ended_otherwise_says_how() -> None:
    ended = outcome(replace(GOOD, subtype="error_max_turns", result=None, terminal_reason="max_turns"))

    assert isinstance(ended.error, UpstreamError)
    assert "max_turns" in str(ended.error)
    assert "max_turns" in ended.error.say("ko")
