"""The agents of a run: who started whom, and how deep that goes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from holdfast.ports import RunRecord

AGENTS = 1_000
"""Agents of a run that are remembered; the calls of any more are counted all the same."""


def entered(
    known: RunRecord | None, *, run: str, agent: str | None, parent: str | None, at: datetime
) -> RunRecord:
    """A run after one more call of it."""
    after = joined(known, RunRecord(run=run, first_at=at, last_at=at, calls=1))
    agents = _with_agent(after.agents, agent, parent)
    return after if agents is after.agents else replace(after, agents=agents, depth=depth(agents))


def joined(known: RunRecord | None, more: RunRecord) -> RunRecord:
    """A run with the calls, the cost and the moments of `more` added; its agents are those it had."""
    if known is None:
        return more
    return replace(
        known,
        first_at=min(known.first_at, more.first_at),
        last_at=max(known.last_at, more.last_at),
        calls=known.calls + more.calls,
        cost_pico=known.cost_pico + more.cost_pico,
    )


def depth(agents: Mapping[str, str]) -> int:
    """The longest chain of agents; a parent that was never heard of is one more, a circle is walked once."""
    depths: dict[str, int] = {"": 0}
    for agent in agents:
        _measure(agent, agents, depths)
    return max(depths.values())


def _with_agent(agents: Mapping[str, str], agent: str | None, parent: str | None) -> Mapping[str, str]:
    if not agent or (agent not in agents and len(agents) >= AGENTS):
        return agents
    start = parent or agents.get(agent, "")
    return agents if agents.get(agent) == start else {**agents, agent: start}


def _measure(agent: str, agents: Mapping[str, str], depths: dict[str, int]) -> None:
    """Give an agent and all above it their depths; all of a circle are as deep as it is long."""
    met: dict[str, None] = {}
    while agent not in depths and agent not in met:
        met[agent] = None
        agent = agents.get(agent, "")
    chain = list(met)
    if agent in met:
        circle = chain[chain.index(agent) :]
        depths.update(dict.fromkeys(circle, len(circle)))
        chain = chain[: -len(circle)]
    for steps, one in enumerate(reversed(chain), start=depths[agent] + 1):
        depths[one] = steps
