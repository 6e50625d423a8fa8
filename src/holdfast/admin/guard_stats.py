"""What the rules of the screen have seen, over the Admin API."""

from dataclasses import asdict

from msgspec import Struct

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.shapes import NoBody, Query


class RuleStats(Struct, kw_only=True):
    """Texts in which one rule has seen something; each is counted under one of the three."""

    rule: str
    watches: bool
    blocked: int
    flagged: int
    would_have_blocked: int


class GuardStats(Struct, kw_only=True):
    """What the screen of the worker that was asked has seen since it began, and how it is set."""

    enabled: bool
    mode: str
    rules: list[RuleStats]


async def stats(asked: Asked[Query, NoBody]) -> object:
    """The counts of this moment, in the order of the rules' names."""
    config = asked.runtime.settings.screen
    seen = asked.runtime.stations.sightings.by_rule()
    return GuardStats(
        enabled=config.enabled,
        mode=config.mode,
        rules=[
            RuleStats(rule=rule, watches=config.only_watches(rule), **asdict(counts))
            for rule, counts in seen.items()
        ],
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/api/v1/guard/stats",
        name="getGuardStats",
        summary="Say how often each rule of the screen of this worker has blocked, flagged, or would have blocked",
        work=stats,
        gives=GuardStats,
        query=Query,
        body=NoBody,
    ),
)
