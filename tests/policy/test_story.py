import msgspec
import pytest

from holdfast.policy.failure import Blame
from holdfast.policy.story import (
    AttemptStep,
    Did,
    Ended,
    Ending,
    GuardStep,
    Story,
    Turned,
    blame_of,
    decided_by,
    details,
)

PASSED = GuardStep(guard="stop", did="passed", ms=0.01)


def story(
    *guards: GuardStep, blame: Blame | None = None, code: str | None = None, attempts: int = 0
) -> Story:
    tried = [
        AttemptStep(number=number, upstream="a", model="m", began_ms=1.0, blame=blame, error_code=code)
        for number in range(1, attempts + 1)
    ]
    return Story(guards=guards, attempts=tuple(tried))


def ended(outcome: Ending, code: str | None = None, turned: Turned | None = None) -> Ended:
    return Ended(outcome=outcome, code=code, turned=turned)


def verdict(told: Story, how: Ended) -> tuple[str, str | None]:
    return decided_by(told, how), blame_of(told, how)


def test_an_answer_comes_from_the_upstream_and_nobody_is_to_blame() -> None:
    assert verdict(story(PASSED, attempts=1), ended("answered")) == ("upstream", None)
    assert verdict(story(), ended("answered")) == ("upstream", None)


def test_a_guard_that_answered_decided_it() -> None:
    cache = GuardStep(guard="cache", did="answered", ms=0.3)
    assert verdict(story(PASSED, cache), ended("cached")) == ("cache", None)


@pytest.mark.parametrize("did", ["refused", "failed", "answered"])
def test_what_a_guard_ends_is_our_doing(did: Did) -> None:
    broken = GuardStep(guard="screen", did=did, ms=0.3, code="x")
    assert verdict(story(PASSED, broken), ended("refused", "x")) == ("screen", "us")


def test_a_caller_who_left_ended_it_himself() -> None:
    assert verdict(story(PASSED, attempts=1, blame="claude"), ended("abandoned")) == ("client", "client")


@pytest.mark.parametrize("blame", ["client", "us", "network", "account", "claude"])
def test_a_failure_of_the_upstream_is_blamed_as_its_last_attempt_is(blame: Blame) -> None:
    told = story(PASSED, attempts=2, blame=blame, code="overloaded_error")
    assert verdict(told, ended("failed", "overloaded_error")) == ("upstream", blame)
    assert verdict(told, ended("fallback")) == ("upstream", blame)


def test_a_failure_behind_an_attempt_without_a_fault_is_ours() -> None:
    assert verdict(story(attempts=1), ended("failed", "KeyError")) == ("upstream", "us")


@pytest.mark.parametrize(
    ("code", "by"),
    [
        ("holdfast_stopped", "stop"),
        ("holdfast_budget_exhausted", "budget"),
        ("holdfast_budget_unavailable", "budget"),
        ("holdfast_output_blocked", "output"),
    ],
)
def test_what_ends_a_call_under_way_is_known_by_its_code(code: str, by: str) -> None:
    assert verdict(story(PASSED, attempts=1), ended("failed", code)) == (by, "us")


def test_an_upstream_that_is_a_holdfast_itself_speaks_for_itself() -> None:
    code = "holdfast_budget_exhausted"
    told = story(PASSED, attempts=1, blame="account", code=code)
    assert verdict(told, ended("failed", code)) == ("upstream", "account")


def test_the_spent_account_of_an_upstream_is_no_budget_of_ours() -> None:
    assert verdict(story(PASSED), ended("refused", "holdfast_budget_exhausted", "gate")) == (
        "gate",
        "account",
    )


def test_an_open_circuit_is_the_fault_of_whom_it_was_opened_for() -> None:
    assert verdict(story(PASSED), ended("refused", "holdfast_circuit_open", "circuit")) == (
        "circuit",
        "claude",
    )
    assert verdict(story(PASSED), ended("fallback", None, "circuit")) == ("circuit", "claude")


@pytest.mark.parametrize("turned", ["stop", "budget"])
def test_who_kept_the_first_attempt_from_being_made_decided_it(turned: Turned) -> None:
    assert verdict(story(PASSED), ended("refused", "x", turned)) == (turned, "us")


def test_after_an_attempt_the_upstream_decided_whoever_kept_the_next_from_being_made() -> None:
    told = story(PASSED, attempts=1, blame="network")
    assert verdict(told, ended("failed", "reset", "circuit")) == ("upstream", "network")


def test_a_model_that_nobody_serves_is_for_the_caller_to_put_right() -> None:
    assert verdict(story(PASSED), ended("refused", "holdfast_model_unknown")) == ("upstream", "client")


def test_a_fault_of_our_own_without_an_attempt_is_ours() -> None:
    assert verdict(story(PASSED), ended("failed", "KeyError")) == ("upstream", "us")


def test_details_tell_what_holds_no_text_of_a_call() -> None:
    known = {"path": "messages.0", "rule": "HF-G12", "tool": "rm -rf", "limit": 0, "scope": "", "kind": None}
    assert details(known) == "rule HF-G12, path messages.0, limit 0"
    assert details({}) == ""


def test_what_says_nothing_takes_no_room() -> None:
    told = story(PASSED)
    written = msgspec.json.encode(told)
    assert written == b'{"guards":[{"guard":"stop","did":"passed","ms":0.01}]}'
    assert msgspec.json.decode(written, type=Story) == told
