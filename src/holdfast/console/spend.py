"""Spend: who is burning money, what the month will cost, how budgets stand, and whether the books are whole."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlencode

from starlette.responses import Response

from holdfast.admin.operation import Asked
from holdfast.admin.refusals import unreadable
from holdfast.admin.shapes import ExportQuery, NoBody
from holdfast.admin.spend import export_spend
from holdfast.console.movers import BYS, SHOWN, By, mover_facts, movers
from holdfast.console.notes import Note, Undo
from holdfast.console.outlook import outlook, outlook_facts
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.console.saved import savings
from holdfast.console.spend_words import WORDS
from holdfast.console.stop import stop_path
from holdfast.language import Sentence
from holdfast.operations.budgets import (
    Known,
    Standing,
    approve,
    budget_facts,
    budgets,
    drop_budget,
    put_budget,
    standing_facts,
)
from holdfast.operations.desk import Desk, instant
from holdfast.operations.forecast import Exhaustion, forecast
from holdfast.operations.repricing import reprice, repricing_facts
from holdfast.operations.span import span
from holdfast.operations.spend import money, report
from holdfast.policy.budget import EVERYBODY
from holdfast.policy.stops import StopScope

LONGEST_NAME = 60
"""Letters of a name that a budget is called by as it is; a longer one is called by its digest."""
PERIODS = ("hour", "day", "month", "total")
LISTED = 100
"""Rows of budgets on the page."""


async def look(visit: Visit) -> Facts:
    """The month, who moves it, the budgets and the state of the books."""
    desk, by, zone = visit.desk, _by(visit.query), visit.query.get("tz", "UTC")
    made = await forecast(desk, timezone=zone)
    found = await movers(desk, by, timezone=zone)
    month = (await report(desk, span("month", None, timezone=zone, now=desk.now))).total
    today = sum(one.today for one in found)
    known = await budgets(desk)
    return {
        "by": by,
        "tz": zone,
        "bys": [{"name": one, "path": _path(visit, by=one)} for one in BYS],
        "today": money(today),
        "forecast": outlook_facts(made, await outlook(desk, made)),
        "movers": [_mover(visit, by, mover_facts(one, today)) for one in found[:SHOWN]],
        "further": max(0, len(found) - SHOWN),
        "budgets": [_standing(visit, one) for one in made.budgets[:LISTED]],
        "budget_count": len(known),
        "unpriced": month.unpriced,
        "dearest": visit.runtime.settings.pricing.unknown_model == "dearest",
        "estimated": money(month.estimated_pico),
        "holds": await _holds(desk),
        "savings": [
            {"name": one.name, "amount": one.amount, "calls": one.calls, "how": visit.say(one.how)}
            for one in await savings(visit.runtime, desk)
        ],
        "prices": {
            "version": visit.runtime.prices.version,
            "as_of": visit.runtime.prices.as_of.isoformat(),
        },
        "reckoned": None,
        "limit": _wanted(visit.query, known),
        "periods": list(PERIODS),
        "exports": {
            kind: f"{PAGE.path}/export?{urlencode({'format': kind, 'since': 'month', 'tz': zone})}"
            for kind in ("csv", "jsonl")
        },
    }


async def set_limit(visit: Visit) -> Done:
    """Lay a budget down for one name, or change one; the next page offers to take it back."""
    form, desk = visit.form, visit.desk
    by, value, per = form.get("by", ""), form.get("value", "").strip(), form.get("per", "")
    if per not in PERIODS:
        raise unreadable("per", ", ".join(PERIODS))
    if by not in (EVERYBODY, *BYS) or bool(value) != (by != EVERYBODY):
        raise unreadable("by", f"{', '.join(BYS)} + name, or {EVERYBODY}")
    known = await budgets(desk)
    before = _for_one(known, by, value)
    name = _name(by, value) if before is None else before.name
    where = {} if by == EVERYBODY else {by: value}
    members: Mapping[str, Any] = {"usd": form.get("usd", "").strip(), "per": per, "where": where}
    made = await put_budget(desk, name, members)
    return _laid_down(visit, made, before)


async def change(visit: Visit) -> Done:
    """Another limit for a budget that there is; everything else about it stays."""
    name = visit.form.get("name", "")
    before = next((one for one in await budgets(visit.desk) if one.name == name), None)
    if before is None:
        raise unreadable("name", "no such budget")
    made = await put_budget(visit.desk, name, {"usd": visit.form.get("usd", "").strip()})
    return _laid_down(visit, made, before)


async def take_back(visit: Visit) -> Done:
    """The budget as it was before the last change, or none where there was none."""
    form = visit.form
    name, usd, per = form.get("name", ""), form.get("usd", ""), form.get("per", "")
    if usd:
        await put_budget(visit.desk, name, {"usd": usd, "per": per})
    else:
        await drop_budget(visit.desk, name)
    said = Sentence(
        f"Budget {name[:80]}: as it was before.", ko=f"예산 {name[:80]}: 이전 상태로 되돌렸습니다."
    )
    return Done(to=PAGE.path, note=Note(said=said))


async def let_on(visit: Visit) -> Done:
    """A budget that asks a person goes on until its window ends."""
    name, subject = visit.form.get("name", ""), visit.form.get("subject") or None
    limit = await approve(visit.desk, name, subject, note="console")
    until = instant(limit.resets_at) or ""
    said = Sentence(
        f"Budget {limit.budget[:80]} goes on {until and f'until {until}'}".rstrip() + ".",
        ko=f"예산 {limit.budget[:80]}: 계속 쓰도록 승인했습니다. {until}".rstrip(),
    )
    return Done(to=PAGE.path, note=Note(said=said))


async def reckon(visit: Visit) -> Facts:
    """Price the books anew by today's list: what would change, or, where that was said, change it."""
    form, desk = visit.form, visit.desk
    within = span(form.get("since") or "month", None, timezone="UTC", now=desk.now)
    is_real = form.get("write") == "yes"
    told = await reprice(desk, visit.runtime.prices, within, dry_run=not is_real)
    return {**await look(visit), "reckoned": {**repricing_facts(told), "written_down": is_real}}


async def export(visit: Visit) -> Response:
    """Every attempt of a span as a file."""
    given = visit.query
    query = ExportQuery(
        since=given.get("since", "all"),
        until=given.get("until"),
        tz=given.get("tz", "UTC"),
        format="jsonl" if given.get("format") == "jsonl" else "csv",
    )
    asked = Asked(runtime=visit.runtime, desk=visit.desk, names={}, query=query, body=NoBody())
    return cast("Response", await export_spend(asked))


def _by(given: Mapping[str, str]) -> By:
    asked = given.get("by")
    for one in BYS:
        if one == asked:
            return one
    return "key"


def _path(visit: Visit, **changed: str) -> str:
    kept = {name: visit.query[name] for name in ("by", "tz") if name in visit.query}
    return f"{PAGE.path}?{urlencode({**kept, **changed})}"


def _mover(visit: Visit, by: By, facts: dict[str, object]) -> dict[str, object]:
    name = facts["name"]
    if not isinstance(name, str):
        return {**facts, "limit_path": None, "stop_path": None}
    scope: StopScope = by
    return {
        **facts,
        "limit_path": f"{_path(visit, by=by, limit=name)}#limit",
        "stop_path": stop_path(scope, name, back=PAGE.path),
    }


def _standing(visit: Visit, one: Exhaustion) -> dict[str, object]:
    found: Standing = one.standing
    config = found.budget.config
    used = found.settled + found.reserved
    return {
        **standing_facts(found),
        "used_percent": min(100, round(100 * used / config.nano)) if config.nano else 100,
        "exhausted_at": instant(one.at),
        "per": str(budget_facts(found.budget)["per"]),
        "scope": config.scope,
        "origin": found.budget.origin,
        "asks": any(rung.do == "ask" for rung in config.ladder),
        "for_all": config.scope == EVERYBODY,
        "change_path": f"{_path(visit, budget=found.budget.name)}#limit",
    }


async def _holds(desk: Desk) -> dict[str, object]:
    found = await desk.store.held()
    return {"count": len(found), "amount": money(sum(one.amount for one in found))}


def _wanted(given: Mapping[str, str], known: tuple[Known, ...]) -> dict[str, object]:
    """What the form for a limit is filled with: a budget that is to change, or whom a new one is for."""
    chosen = next((one for one in known if one.name == given.get("budget")), None)
    return {
        "name": None if chosen is None else chosen.name,
        "usd": "" if chosen is None else f"{chosen.config.usd:f}",
        "by": _by(given) if "limit" in given else EVERYBODY,
        "value": given.get("limit", ""),
        "choices": [EVERYBODY, *BYS],
    }


def _for_one(known: tuple[Known, ...], by: str, value: str) -> Known | None:
    """The budget that this page laid down for the same before."""
    return next((one for one in known if one.name == _name(by, value)), None)


def _name(by: str, value: str) -> str:
    if by == EVERYBODY:
        return "console"
    is_short = value.isprintable() and len(value) <= LONGEST_NAME
    return f"{by} {value if is_short else sha256(value.encode()).hexdigest()[:16]}"


def _laid_down(visit: Visit, made: Known, before: Known | None) -> Done:
    amount, per = f"${made.config.usd:f}", str(budget_facts(made)["per"])
    old = {"usd": "", "per": ""}
    if before is not None and before.origin == "register":
        old = {"usd": f"{before.config.usd:f}", "per": str(budget_facts(before)["per"])}
    said = Sentence(f"Budget {made.name}: {amount} per {per}.", ko=f"예산 {made.name}: {amount}, 단위 {per}.")
    undo = Undo(
        label=Sentence("Undo", ko="되돌리기"),
        path=f"{PAGE.path}/undo",
        fields=(("name", made.name), ("usd", old["usd"]), ("per", old["per"])),
    )
    return Done(to=PAGE.path, note=Note(said=said, undo=undo))


PAGE = Page(
    name="spend",
    title=Sentence(
        "Who is burning money, and what will this month cost?", ko="누가 돈을 쓰고, 이번 달은 얼마가 될까?"
    ),
    label=Sentence("Spend", ko="지출"),
    words=WORDS,
    look=look,
    key="d",
    acts={"limit": set_limit, "change": change, "undo": take_back, "approve": let_on, "reprice": reckon},
    reads={"export": export},
)
