"""Agents of one's own are drilled with pytest: fixtures, and a marker with the names of incidents."""

from collections.abc import Callable
from pathlib import Path

import anthropic
import pytest

from holdfast import Holdfast, Settings
from holdfast.drill import Question, Sheet
from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from holdfast.testing.fixtures import Drill
from holdfast.testing.ledger import LedgerView


async def my_agent(hold: Holdfast, question: Question) -> object:
    agent = hold.agent(question.model, max_tokens=question.max_tokens, fallback=None)
    return await agent.chat(question.text, user=question.user)


async def my_polite_agent(hold: Holdfast, question: Question) -> object:
    return await hold.agent(question.model, fallback="Please come back later.").chat(question.text)


async def my_careless_agent(hold: Holdfast, question: Question) -> object:
    raise RuntimeError("nobody expected this")


@pytest.mark.requirement("drill:plugin")
@pytest.mark.drill("429-window", "mid-stream-errors", settings=Settings(), ask=my_polite_agent)
def test_an_agent_with_a_fallback_is_drilled_by_a_marker(sheet: Sheet) -> None:
    assert sheet.facts["users_saw_errors"] == 0
    assert sheet.facts["upstream_requests"] != 0


def test_an_agent_without_a_fallback_lets_its_users_see_an_overload(drill: Drill) -> None:
    sheet = drill("529-storm", Settings(), ask=my_agent)
    assert int(sheet.facts["failed"] or 0) > 0
    assert sheet.facts["circuit_opened"] is True


def test_an_agent_that_crashes_leaves_its_users_without_an_explanation(drill: Drill) -> None:
    sheet = drill("price-change", Settings(), ask=my_careless_agent)
    assert sheet.facts["unexplained"] == sheet.facts["failed"] == sheet.facts["calls"]


def test_a_scenario_of_one_s_own_is_named_by_its_file(drill: Drill, tmp_path: Path) -> None:
    file = tmp_path / "quiet.toml"
    file.write_text(
        'name = "quiet"\ntitle = "Nothing happens"\nexpect = ["answered == 2"]\n[[load]]\nusers = 1\ncalls = 2\n'
    )
    assert drill(file, Settings()).passed


@pytest.mark.requirement("drill:plugin")
def test_faults_and_bills_of_the_simulator_are_fixtures(
    simulator: RunningSimulator, faults: Callable[..., None], ledger: LedgerView
) -> None:
    faults(Status(529))
    with anthropic.Anthropic(base_url=simulator.url, api_key="k", max_retries=1) as client:
        message = client.messages.create(
            model="claude-haiku-5-5", max_tokens=64, messages=[{"role": "user", "content": "hello"}]
        )
    assert len(ledger.requests) == 2
    assert [entry.message_id for entry in ledger.entries] == [message.id]
    assert ledger.total > 0
