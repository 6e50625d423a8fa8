"""The caps of a run: what each refuses, and whom it leaves at work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import BudgetExhausted, ConfigError
from holdfast.policy.runs import RunsConfig, check, depth_of

BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TREE = {"main": "", "a": "main", "b": "main", "c": "main", "aa": "a", "aaa": "aa"}


@dataclass(frozen=True)
class Facts:
    calls: int = 1
    first_at: datetime = BEGAN
    agents: Mapping[str, str] = field(default_factory=dict[str, str])


def cap(facts: Facts, agent: str | None = None, *, after: float = 0.0, **caps: Any) -> object:
    """The cap that refuses, or `None`."""
    refusal = check(facts, RunsConfig(**caps), agent=agent, now=BEGAN + timedelta(seconds=after))
    return None if refusal is None else refusal.details["cap"]


def refused(**caps: int) -> list[str]:
    """The agents of the tree that may not work."""
    return [agent for agent in TREE if cap(Facts(agents=TREE), agent, **caps) is not None]


def test_a_run_without_caps_goes_on_for_ever() -> None:
    assert cap(Facts(calls=10**9, agents=TREE), "aaa", after=1e9) is None


def test_the_last_call_allowed_passes_and_the_next_does_not() -> None:
    assert cap(Facts(calls=10), calls=10) is None
    assert cap(Facts(calls=11), calls=10) == "calls"


def test_wall_time_counts_from_the_first_call_whatever_happened_in_between() -> None:
    assert cap(Facts(calls=2), after=60.0, seconds=60) is None
    assert cap(Facts(calls=2), after=60.001, seconds=60) == "seconds"


def test_a_clock_that_went_back_is_no_reason_to_refuse() -> None:
    assert cap(Facts(), after=-10, seconds=1) is None


def test_the_agent_that_is_one_too_many_is_refused_and_the_others_go_on() -> None:
    assert refused(agents=4) == ["aa", "aaa"]
    assert refused(agents=6) == []


def test_the_child_that_is_one_too_many_is_refused_and_its_siblings_go_on() -> None:
    assert refused(children=2) == ["c"]
    assert refused(children=3) == []


def test_agents_without_a_parent_are_children_of_the_run() -> None:
    roots = {"a": "", "b": "", "c": ""}
    assert [agent for agent in roots if cap(Facts(agents=roots), agent, children=2)] == ["c"]


def test_an_agent_that_stands_too_deep_is_refused_and_its_parents_go_on() -> None:
    assert refused(depth=3) == ["aaa"]
    assert refused(depth=2) == ["aa", "aaa"]
    assert refused(depth=4) == []


def test_calls_of_no_agent_know_no_fan_out() -> None:
    assert cap(Facts(agents=TREE), None, agents=1, children=1, depth=1) is None


@pytest.mark.parametrize("name", ["agents", "children", "depth"])
def test_an_agent_that_the_store_can_no_longer_tell_apart_is_one_too_many(name: str) -> None:
    assert cap(Facts(agents=TREE), "one more", **{name: 9}) == "agents"
    assert cap(Facts(agents=TREE), "one more", calls=9) is None


def test_a_parent_that_was_never_heard_of_still_stands_above() -> None:
    assert depth_of("a", {"a": "ghost"}) == 2


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdef"])))
def test_lines_that_lead_back_to_themselves_end(agents: dict[str, str]) -> None:
    assert all(1 <= depth_of(agent, agents) <= 7 for agent in agents)


@pytest.mark.parametrize(
    ("caps", "facts", "agent", "after"),
    [
        ({"calls": 1}, Facts(calls=2), None, 0),
        ({"seconds": 90.5}, Facts(), None, 100),
        ({"agents": 1}, Facts(agents=TREE), "b", 0),
        ({"children": 1}, Facts(agents=TREE), "b", 0),
        ({"depth": 1}, Facts(agents=TREE), "b", 0),
    ],
)
def test_every_refusal_names_its_cap_in_both_languages_and_ends_all_retries(
    caps: dict[str, Any], facts: Facts, agent: str | None, after: float
) -> None:
    error = check(facts, RunsConfig(**caps), agent=agent, now=BEGAN + timedelta(seconds=after))
    assert isinstance(error, BudgetExhausted)
    assert (error.status, error.error_type, error.error_code) == (
        429,
        "rate_limit_error",
        "holdfast_run_cap_reached",
    )
    assert (error.should_retry, error.retry_after) == (False, None)
    ((name, limit),) = caps.items()
    assert error.details == {"cap": name, "limit": limit}
    assert f"runs.{name}" in error.say("en")
    assert f"runs.{name}" in error.say("ko")


@pytest.mark.parametrize("name", ["calls", "seconds", "agents", "children", "depth"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_cap_that_lets_nothing_through_is_refused(name: str, value: int) -> None:
    caps: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError, match=name):
        RunsConfig(**caps)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_seconds_are_a_number(value: float) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        RunsConfig(seconds=value)
