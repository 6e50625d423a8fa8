"""The simplest book of runs there is, and one that is out of order."""

from datetime import datetime

from holdfast.errors import StoreUnavailable
from holdfast.policy.runs import depth_of
from holdfast.ports import RunRecord


class CountingRuns:
    """Counts in a dict; `broken` makes it unavailable."""

    def __init__(self) -> None:
        self.records: dict[str, RunRecord] = {}
        self.broken = False

    async def enter(self, run: str, agent: str | None, parent: str | None, at: datetime) -> RunRecord:
        if self.broken:
            raise StoreUnavailable("the disk is full")
        before = self.records.get(run, RunRecord(run=run, first_at=at, last_at=at))
        agents = dict(before.agents)
        if agent is not None:
            agents.setdefault(agent, parent or "")
        self.records[run] = RunRecord(
            run=run,
            first_at=before.first_at,
            last_at=at,
            calls=before.calls + 1,
            agents=agents,
            depth=max((depth_of(name, agents) for name in agents), default=0),
        )
        return self.records[run]

    async def run(self, run: str) -> RunRecord | None:
        return self.records.get(run)

    async def runs(self, limit: int) -> tuple[RunRecord, ...]:
        return tuple(self.records.values())[:limit]
