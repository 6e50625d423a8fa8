"""Caps of a run: calls, wall time, and how far its agents may spread."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Literal, Protocol

from holdfast.errors import ConfigError, RunCapReached
from holdfast.language import Sentence
from holdfast.policy.progress import ProgressConfig

Cap = Literal["calls", "seconds", "agents", "children", "depth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsConfig:
    """How far one run may go; `None` sets no cap. What it may cost is a budget of the scope `run`.

    Attributes:
        calls: calls of the run in all.
        seconds: wall time from its first call to now; a pause in between counts too.
        agents: agents of the run in all.
        children: agents that one agent may start; those without a parent count as children of the run itself.
        depth: agents in one line of descent; 1 lets none of them start another.
        progress: when an agent is taken to turn in circles.

    Raises:
        ConfigError: a cap of 0, which lets nothing through.
    """

    calls: int | None = None
    seconds: float | None = None
    agents: int | None = None
    children: int | None = None
    depth: int | None = None
    progress: ProgressConfig = field(default_factory=ProgressConfig)

    def __post_init__(self) -> None:
        for name in ("calls", "agents", "children", "depth"):
            cap: int | None = getattr(self, name)
            if cap is not None and cap < 1:
                raise _lets_nothing_through(name)
        if self.seconds is not None and not 0 < self.seconds < inf:
            raise _lets_nothing_through("seconds")


class RunFacts(Protocol):
    """How a run stands, the call in question counted in."""

    @property
    def first_at(self) -> datetime: ...

    @property
    def calls(self) -> int: ...

    @property
    def agents(self) -> Mapping[str, str]:
        """Agent -> its parent, `""` for none; in the order in which they were first heard of.

        One that calls and is not among them is one more than the store can tell apart.
        """
        ...


def check(
    facts: RunFacts, config: RunsConfig, *, agent: str | None = None, now: datetime
) -> RunCapReached | None:
    """The refusal of a call that goes beyond a cap, or `None`.

    Calls and time end the whole run. The other caps end the agent that is one too many, and leave those that
    were there before it at work.
    """
    if config.calls is not None and facts.calls > config.calls:
        return _too_many_calls(config.calls)
    if config.seconds is not None and (now - facts.first_at).total_seconds() > config.seconds:
        return _too_long(config.seconds)
    if agent is None or (config.agents, config.children, config.depth) == (None, None, None):
        return None
    return _check_agent(facts.agents, config, agent)


def _check_agent(agents: Mapping[str, str], config: RunsConfig, agent: str) -> RunCapReached | None:
    if agent not in agents:
        # More than the store can tell apart: whose child it is, nobody knows any more.
        return _too_many_agents(len(agents))
    if config.agents is not None and [*agents].index(agent) >= config.agents:
        return _too_many_agents(config.agents)
    siblings = [name for name, parent in agents.items() if parent == agents[agent]]
    if config.children is not None and siblings.index(agent) >= config.children:
        return _too_many_children(config.children)
    if config.depth is not None and depth_of(agent, agents) > config.depth:
        return _too_deep(config.depth)
    return None


def depth_of(agent: str, agents: Mapping[str, str]) -> int:
    """How many agents lead to this one, itself included; a parent that was never heard of counts as one.

    Parents are what clients say: a line that leads back to itself is followed once.
    """
    line: Counter[str] = Counter()
    while agent and not line[agent]:
        line[agent] += 1
        agent = agents.get(agent, "")
    return len(line)


def _reached(cap: Cap, limit: float, sentence: Sentence) -> RunCapReached:
    return RunCapReached(sentence, details={"cap": cap, "limit": limit})


def _too_many_calls(limit: int) -> RunCapReached:
    return _reached(
        "calls",
        limit,
        Sentence(
            f"This run has made the {limit:,} calls that runs.calls allows. Look at what it has done, then start "
            "a new run or raise the cap.",
            ko=f"이 실행은 runs.calls가 허용하는 {limit:,}번의 호출을 모두 썼습니다. "
            "진행 상황을 확인한 뒤 새로 시작하거나 한도를 올리세요.",
        ),
    )


def _too_long(limit: float) -> RunCapReached:
    return _reached(
        "seconds",
        limit,
        Sentence(
            f"This run began more than the {limit:,g} s ago that runs.seconds allows. Start a new run, or raise "
            "the cap.",
            ko=f"이 실행은 시작한 지 runs.seconds가 허용하는 {limit:,g}초가 지났습니다. 새로 시작하거나 한도를 올리세요.",
        ),
    )


def _too_many_agents(limit: int) -> RunCapReached:
    return _reached(
        "agents",
        limit,
        Sentence(
            f"This run already has {limit:,} agents, as many as it may have, so this one may not start. Let the "
            "others do its work, or raise runs.agents.",
            ko=f"이 실행에는 이미 허용된 {limit:,}개의 에이전트가 있어 더 시작할 수 없습니다. "
            "기존 에이전트에 맡기거나 runs.agents를 올리세요.",
        ),
    )


def _too_many_children(limit: int) -> RunCapReached:
    return _reached(
        "children",
        limit,
        Sentence(
            f"The agent that started this one already has the {limit:,} children that runs.children allows. Let "
            "those do its work, or raise the cap.",
            ko=f"이 에이전트를 시작한 쪽은 이미 runs.children이 허용하는 {limit:,}개의 하위 에이전트를 두고 있습니다. "
            "그 에이전트들에 맡기거나 한도를 올리세요.",
        ),
    )


def _too_deep(limit: int) -> RunCapReached:
    return _reached(
        "depth",
        limit,
        Sentence(
            f"This agent stands deeper than the {limit:,} levels that runs.depth allows. Let its parent do the "
            "work, or raise the cap.",
            ko=f"이 에이전트는 runs.depth가 허용하는 {limit:,}단계보다 깊습니다. 상위 에이전트에서 처리하거나 한도를 올리세요.",
        ),
    )


def _lets_nothing_through(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{name}: must be above 0; leave it out to set no cap",
            ko=f"{name}: 0보다 커야 합니다. 한도를 두지 않으려면 빼세요",
        )
    )
