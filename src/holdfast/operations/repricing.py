"""Repricing: what settled attempts cost by the prices that are known today for their own days."""

from dataclasses import dataclass, replace

import msgspec

from holdfast.errors import UnknownModel
from holdfast.operations.desk import Desk, instant
from holdfast.operations.span import Span
from holdfast.operations.spend import money, pages, span_facts
from holdfast.parts.prices import PriceBook
from holdfast.ports import AttemptRecord
from holdfast.wire.usage import Usage

REPRICING = "repricing"
"""The kind of document that tells of one; its puts are what the audit shows."""

BATCH = 500
"""Attempts that get their new costs at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repricing:
    """What a repricing changes, or would change; amounts in pico-dollars.

    Attributes:
        seen: settled attempts of the span.
        changed: those whose cost is another now, of which `newly_priced` had none before.
        estimated: those among the changed whose usage was estimated; it stays so.
        unpriced: those that no price is known for, as before.
        before: what the changed ones cost by the book; `after`, what they cost now.
        written: how many the ledger took; 0 in a dry run.
    """

    span: Span
    version: str
    seen: int = 0
    changed: int = 0
    newly_priced: int = 0
    estimated: int = 0
    unpriced: int = 0
    before: int = 0
    after: int = 0
    written: int = 0

    @property
    def difference(self) -> int:
        """What is added to the book, or taken off it."""
        return self.after - self.before


async def reprice(desk: Desk, prices: PriceBook, within: Span, *, dry_run: bool) -> Repricing:
    """Price every settled attempt of a span anew, by its own date, and write the difference down.

    What the API does not bill stays free, and what was presumed of a lost attempt stays presumed. Counters of
    budgets stay: what was spent against a limit was spent at the price of the day. Safe to repeat. Raises
    `StoreUnavailable`; what was written by then is right.
    """
    told = Repricing(span=within, version=prices.version)
    name, written = f"{instant(desk.now)}", 0
    if not dry_run:
        await _tell(desk, name, told, "begun")
    async for page in pages(desk):
        rows = [one for one in page if one.state == "settled" and within.has(one.at)]
        costs: dict[str, tuple[int, str]] = {}
        for one in rows:
            cost = _cost(prices, one)
            told = _counted(told, one, cost)
            if cost is not None and cost != one.cost_pico:
                costs[one.id] = (cost, prices.version)
        if not dry_run:
            written += await _write(desk, costs)
    told = replace(told, written=written)
    if not dry_run:
        await _tell(desk, name, told, "done")
    return told


def repricing_facts(told: Repricing) -> dict[str, object]:
    """A repricing as plain data for JSON; dollars are decimal text."""
    return {
        **span_facts(told.span),
        "price_version": told.version,
        "seen": told.seen,
        "changed": told.changed,
        "newly_priced": told.newly_priced,
        "estimated": told.estimated,
        "unpriced": told.unpriced,
        "before": money(told.before),
        "after": money(told.after),
        "difference": money(told.difference),
        "written": told.written,
    }


def _cost(prices: PriceBook, one: AttemptRecord) -> int | None:
    """What an attempt costs by today's list for its day; `None` without a price."""
    if one.is_unbilled or one.usage == Usage():
        return 0
    try:
        return prices.cost_pico(one.served_model or one.model, one.usage, at=one.at)
    except UnknownModel:
        return None


def _counted(told: Repricing, one: AttemptRecord, cost: int | None) -> Repricing:
    told = replace(told, seen=told.seen + 1)
    if cost is None:
        return replace(told, unpriced=told.unpriced + (one.cost_pico is None))
    if cost == one.cost_pico:
        return told
    return replace(
        told,
        changed=told.changed + 1,
        newly_priced=told.newly_priced + (one.cost_pico is None),
        estimated=told.estimated + one.estimated,
        before=told.before + (one.cost_pico or 0),
        after=told.after + cost,
    )


async def _write(desk: Desk, costs: dict[str, tuple[int, str]]) -> int:
    ids = list(costs)
    written = 0
    for start in range(0, len(ids), BATCH):
        written += await desk.store.reprice({name: costs[name] for name in ids[start : start + BATCH]})
    return written


async def _tell(desk: Desk, name: str, told: Repricing, note: str) -> None:
    body = msgspec.json.encode({**repricing_facts(told), "state": note})
    difference = f" {money(told.difference)} dollars over {told.changed} attempts" if note == "done" else ""
    await desk.store.put(REPRICING, name, body, actor=desk.actor, note=f"{note}{difference}")
