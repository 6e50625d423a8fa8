"""What is left of the story in the books of the gateway, asked of its Admin API and its console when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from holdfast.console.ways import login_path
from holdfast.demo.tale import Tale
from holdfast.events import AnswerReused, RouteChosen

ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The figures of the summary, each counted."""

    seconds: float
    calls: int
    upstream_failures: int
    user_errors: int
    blocked: int
    runaways: int
    cost: Decimal
    saved: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the gateway tells: the calls by their ids, the runaway, the waits of a retried call, the rules, and its pages.

    `settled` holds what is `presumed` of attempts of which the upstream never said what they used; of what it has
    `billed`, by its own ledger, it has `told` the rest.
    """

    calls: Mapping[str, Mapping[str, Any]]
    runaway: Mapping[str, Any]
    waits: tuple[float, ...]
    rules: Mapping[str, int]
    pages: tuple[tuple[int, str], ...]
    settled: Decimal
    presumed: Decimal
    billed: Decimal
    told: Decimal
    reused: tuple[AnswerReused, ...] = ()
    routed: tuple[RouteChosen, ...] = field(default=())


async def prove(tale: Tale) -> Proof:
    """Ask for all of it."""
    line, token = tale.troupe.line, tale.stage.token
    calls: dict[str, Mapping[str, Any]] = {}
    page: str | None = None
    while True:
        after = "" if page is None else f"&after={quote(page)}"
        found = await line.get(f"/api/v1/requests?limit={ROWS}{after}", token)
        calls |= {str(one["request_id"]): one for one in found.get("data", ())}
        page = found.get("next_page")
        if not found.get("has_more") or page is None:
            break
    run = await line.get(f"/api/v1/runs/{quote(tale.troupe.runaway, safe='')}", token)
    stats = await line.get("/api/v1/guard/stats", token)
    spent = await line.get("/api/v1/spend?by=model&since=all", token)
    ticket = login_path(tale.stage.tickets.issue("viewer", "demo"))
    return Proof(
        calls=calls,
        runaway=run,
        waits=await _waits(tale),
        rules={str(one["rule"]): int(one["blocked"]) for one in stats.get("rules", ())},
        pages=tuple(await line.pages(ticket, "/console/runs", "/console/requests")),
        settled=_sum(spent, "cost"),
        presumed=_sum(spent, "estimated_cost"),
        billed=tale.stage.simulator.billed,
        told=sum((one.cost for one in tale.stage.simulator.ledger if one.ending == "completed"), Decimal(0)),
        reused=tuple(event for _, event in tale.events if isinstance(event, AnswerReused)),
        routed=tuple(event for _, event in tale.events if isinstance(event, RouteChosen)),
    )


def card(tale: Tale, proof: Proof) -> Card:
    """The figures of the summary."""
    heard = tale.troupe.heard
    ids = {one.headers.get("x-holdfast-request-id", "") for one in heard}
    costs = [Decimal(str(call["cost"])) for name, call in proof.calls.items() if name in ids and call["cost"]]
    saved = [event.saved for event in proof.reused] + [one.saved for one in proof.routed if not one.shadow]
    refused = tale.refusals
    return Card(
        seconds=tale.tempo.seconds,
        calls=len(heard),
        upstream_failures=tale.upstream_failures,
        user_errors=tale.user_errors,
        blocked=sum(one.status == 400 for name, one in refused.items() if name.startswith("injection")),
        runaways=sum(one.status == 429 for name, one in refused.items() if name == "budget"),
        cost=sum(costs, Decimal(0)),
        saved=sum((Decimal(one) for one in saved if one is not None), Decimal(0)),
    )


def _sum(spent: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(str(spent.get("total", {}).get(name, "0")))


async def _waits(tale: Tale) -> tuple[float, ...]:
    """The waits between the attempts of a call of the outage, in milliseconds, as its waterfall shows them."""
    since = tale.marks.get("outage", 0.0)
    for one in tale.troupe.heard:
        tries = one.headers.get("x-holdfast-attempts", "")
        if one.at >= since and tries.isdigit() and int(tries) > 1:
            name = one.headers.get("x-holdfast-request-id", "")
            found = await tale.troupe.line.get(f"/api/v1/requests/{quote(name, safe='')}", tale.stage.token)
            story: Mapping[str, Any] = found.get("story") or {}
            attempts: list[Mapping[str, Any]] = list(story.get("attempts", ()))
            return tuple(float(step["wait_ms"]) for step in attempts if step["wait_ms"] is not None)
    return ()
