"""What a drill found out: facts counted from what users heard, what upstreams saw and billed, and what the books say."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from holdfast.drill.asking import Heard
from holdfast.drill.facts import Fact
from holdfast.drill.scenario import Freeze, Revoke
from holdfast.drill.stage import Stage, smallest_budget
from holdfast.policy.money import dollars
from holdfast.simulator import CapturedRequest

MARK = re.compile(rb"\[drill (\d+-\d+-\d+)\]")
MESSAGES = "/v1/messages"
LATEST = 3
"""How many calls say how it stands in the end."""
REACTION = 0.5
"""Seconds within which a request that is on its way may still arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the books of holdfast say when all is over, in dollars."""

    settled: Decimal
    held: Decimal


async def read_books(stage: Stage) -> Books:
    """Read them."""
    totals, holds = await stage.store.totals(), await stage.store.held()
    return Books(settled=totals.cost, held=dollars(sum(hold.amount for hold in holds)))


def count(stage: Stage, heard: list[Heard], books: Books) -> dict[str, Fact]:
    """Every fact."""
    requests = _requests(stage)
    return {
        **_outcomes(heard),
        **_ending(heard, requests),
        **_requested(stage, heard, requests),
        **_moves(stage),
        **_times(heard),
        **_money(stage, books, requests),
    }


def _outcomes(heard: list[Heard]) -> dict[str, Fact]:
    endings = Counter(one.ending for one in heard)
    errors = endings["failed"] + endings["cut"] + endings["half"] + endings["hung"]
    return {
        "calls": len(heard),
        "answered": endings["answered"],
        "cached": endings["cached"],
        "fallbacks": endings["fallback"],
        "refused": endings["refused"],
        "failed": endings["failed"],
        "cut": endings["cut"],
        "half_answers": endings["half"],
        "hung": endings["hung"],
        "unexplained": sum(not one.is_explained for one in heard),
        "users_saw_errors": errors,
    }


def _ending(heard: list[Heard], requests: list[tuple[str, CapturedRequest]]) -> dict[str, Fact]:
    last = sorted(heard, key=lambda one: one.began)[-LATEST:]
    asked = {_mark(request) for _, request in requests}
    return {
        "recovered": all(one.ending in ("answered", "cached", "refused") for one in last),
        "stopped": not any(one.question.mark in asked for one in last),
    }


def _requests(stage: Stage) -> list[tuple[str, CapturedRequest]]:
    """The Messages requests that reached upstreams, each with the name of its own."""
    return [
        (name, request)
        for name, simulator in stage.simulators.items()
        for request in simulator.requests
        if request.path == MESSAGES
    ]


def _mark(request: CapturedRequest) -> str:
    """The mark of the newest question in it."""
    found = MARK.findall(request.body)
    return found[-1].decode() if found else ""


def _requested(
    stage: Stage, heard: list[Heard], requests: list[tuple[str, CapturedRequest]]
) -> dict[str, Fact]:
    per_call = Counter(mark for _, request in requests if (mark := _mark(request)))
    steps = [step for step in stage.scenario.steps if not isinstance(step, Freeze)]
    began = min((one.began for one in heard), default=0.0)
    start = min((load.starts for load in stage.scenario.loads), default=0.0)
    zero = began - start

    def in_trouble(at: float, name: str | None) -> bool:
        return any(
            step.at <= at - zero < step.end and (name is None or name in stage.troubled(step))
            for step in steps
        )

    return {
        "upstream_requests": len(requests),
        "upstream_requests_per_call": max(per_call.values(), default=0),
        "troubled_calls": sum(in_trouble(one.began, None) for one in heard),
        "troubled_requests": sum(in_trouble(request.arrived, name) for name, request in requests),
        "too_early": sum(_too_early(requests)),
    }


def _too_early(requests: list[tuple[str, CapturedRequest]]) -> Iterator[bool]:
    """For each request, whether its upstream and key had said to wait longer; what is on its way is on its way."""
    told: dict[tuple[str, str], tuple[float, float]] = {}
    for name, request in sorted(requests, key=lambda one: one[1].arrived):
        place = (name, request.headers.get("x-api-key", request.headers.get("authorization", "")))
        since, until = told.get(place, (0.0, 0.0))
        yield since + REACTION < request.arrived < until - REACTION
        if request.retry_after is not None and request.ended is not None:
            told[place] = (request.ended, request.ended + request.retry_after)


def _moves(stage: Stage) -> dict[str, Fact]:
    spare = [
        len(stage.keys[name]) - 1
        for step in stage.scenario.steps
        if isinstance(step, Revoke)
        for name in stage.troubled(step)
    ]
    return {
        "circuit_opened": any(event.after == "open" for event in stage.circuits),
        "circuit_closed": any(event.after == "closed" for event in stage.circuits),
        "gate_closed": any(event.state == "closed" for event in stage.gates),
        "spare_keys": min(spare, default=0),
    }


def _times(heard: list[Heard]) -> dict[str, Fact]:
    streams = [
        one.first_byte - one.began for one in heard if one.question.stream and one.first_byte is not None
    ]
    return {
        "slowest": max((one.ended - one.began for one in heard), default=0.0),
        "slowest_first_byte": max(streams, default=0.0),
    }


def _money(stage: Stage, books: Books, requests: list[tuple[str, CapturedRequest]]) -> dict[str, Fact]:
    """At the prices that the user pays: `pricing.multiplier` times those of the list."""
    scale = Decimal(stage.settings.pricing.multiplier)
    billed = sum((simulator.billed for simulator in stage.simulators.values()), Decimal(0)) * scale
    frozen = {request.request_id for _, request in requests if _while_frozen(stage, request)}
    entries = [entry for simulator in stage.simulators.values() for entry in simulator.ledger]
    blind = sum((entry.cost for entry in entries if entry.request_id in frozen), Decimal(0)) * scale
    return {
        "billed": billed,
        "settled": books.settled,
        "spent": billed,
        "budget": smallest_budget(stage.settings),
        "held": books.held,
        "emergency": Decimal(stage.settings.store.emergency_usd),
        "spent_while_frozen": blind,
    }


def _while_frozen(stage: Stage, request: CapturedRequest) -> bool:
    return any(
        frozen + timedelta(seconds=REACTION) < request.arrived_at < thawed for frozen, thawed in stage.frozen
    )
