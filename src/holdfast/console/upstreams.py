"""Upstreams: how each of them stands with each model, what it lets through, and which models end when."""

from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from math import ceil

from holdfast.admin.refusals import missing
from holdfast.assembly import Runtime
from holdfast.console.notes import Note
from holdfast.console.now import STATES, circuits_of
from holdfast.console.outcomes import OUTCOMES
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.console.upstream_words import WORDS
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.evidence import Probed
from holdfast.policy.gate import Closed, ClosedUntil
from holdfast.policy.masking import mask
from holdfast.policy.request_filter import RequestFilter, Term
from holdfast.ports import CallQuery
from holdfast.upstream.direct import DirectProbe
from holdfast.upstream.gates import Place

LATELY = timedelta(hours=1)
MOST = 500
"""The newest requests of the last hour that the mix is of."""
ROWS = 100
AHEAD = timedelta(days=365)
"""How long before its end a model is listed."""
SOON = 60
"""Days before its end in which a model is a warning."""
CIRCUIT = "circuit"
"""The kind of document that an operator's word to a circuit or a gate leaves; its puts are what the audit shows."""


async def look(visit: Visit) -> Facts:
    """Circuits, gates, limits, the mix of the last hour, chains and retirements."""
    runtime = visit.runtime
    return {
        "upstreams": [
            {
                "name": one.name,
                "url": "" if one.config.url == "simulator" else mask(one.config.url),
                "models": list(one.config.models),
                "own_key": one.key is not None,
            }
            for one in runtime.upstreams
        ],
        "circuits": _circuits(visit),
        "gates": [_gate(place, found) for place, found in runtime.gates.closed().items()],
        "limits": _limits(runtime),
        "mix": await _mix(visit),
        "signs": {name: one.sign for name, one in OUTCOMES.items()},
        "chains": [[model, *others] for model, others in runtime.settings.failover.models.items()],
        "ends": _ends(visit),
        "probes": None,
    }


async def probe(visit: Visit) -> Facts:
    """Ask every upstream for something free, now."""
    runtime = visit.runtime
    model = runtime.settings.models.small
    found = [(one.name, await DirectProbe([one], model, runtime.clock).ask()) for one in runtime.upstreams]
    return {**await look(visit), "probes": [_probed(name, one) for name, one in found]}


async def reset(visit: Visit) -> Done:
    """Close a circuit of this worker, so that calls go through again."""
    name = _known(visit)
    visit.runtime.circuits.of(name).reset()
    return await _done(visit, name, Sentence("closed by hand", ko="직접 닫았습니다"))


async def hold_open(visit: Visit) -> Done:
    """Hold a circuit of this worker open until somebody closes it."""
    name = _known(visit)
    visit.runtime.circuits.of(name).force_open()
    return await _done(visit, name, Sentence("held open", ko="강제로 열었습니다"))


async def open_gate(visit: Visit) -> Done:
    """Let calls through a gate again."""
    for place in visit.runtime.gates.closed():
        if (place.gate, str(place)) == (visit.form.get("gate"), visit.form.get("place")):
            visit.runtime.gates.open(place)
            return await _done(
                visit, f"{place.gate} {place}", Sentence("opened by hand", ko="직접 열었습니다")
            )
    raise missing(Sentence("closed gate of that name", ko="닫힌 게이트를"))


def _circuits(visit: Visit) -> list[dict[str, object]]:
    return [
        {**one, "sign": STATES[str(one["state"])][0], "label": visit.say(STATES[str(one["state"])][1])}
        for one in circuits_of(visit.runtime)[:ROWS]
    ]


def _gate(place: Place, found: Closed) -> dict[str, object]:
    return {
        "gate": place.gate,
        "place": str(place),
        "why": found.why,
        "retry_after_s": ceil(found.retry_after) if isinstance(found, ClosedUntil) else None,
    }


def _limits(runtime: Runtime) -> list[dict[str, object]]:
    """What the headers of answers said to be left; nothing where pacing is off or an upstream does not say."""
    pacing = runtime.ring.pacing
    known = {} if pacing is None else pacing.left()
    return [
        {
            "upstream": upstream,
            "model": mask(model)[:200],
            "limit_name": one.name,
            "limit": one.limit,
            "remaining": one.remaining,
            "percent": round(100 * one.remaining / one.limit) if one.limit else 0,
            "reset_s": ceil(one.reset_after),
        }
        for (upstream, _, model), limits in list(known.items())[:ROWS]
        for one in limits
    ]


async def _mix(visit: Visit) -> list[dict[str, object]]:
    """How the requests of the last hour ended, by upstream and model."""
    since = Term(field="since", op=">=", value=visit.desk.now - LATELY)
    page = await visit.desk.store.calls(CallQuery(filter=RequestFilter(terms=(since,)), limit=MOST))
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in page.calls:
        if one.upstream:
            found[one.upstream, one.served_model or one.model][one.outcome] += 1
    return [
        {
            "upstream": upstream,
            "model": model,
            "calls": counts.total(),
            "outcomes": [{"name": name, "count": count} for name, count in counts.most_common()],
        }
        for (upstream, model), counts in sorted(found.items())[:ROWS]
    ]


def _ends(visit: Visit) -> list[dict[str, object]]:
    """The models that stop within a year, soonest first."""
    settings, today = visit.runtime.settings, visit.desk.now.date()
    models, chains = settings.models, settings.failover.models
    ours = {
        models.small,
        models.standard,
        models.large,
        *chains,
        *(one for two in chains.values() for one in two),
    }
    return [
        {
            "model": one.id,
            "day": one.retires.isoformat(),
            "days": (one.retires - today).days,
            "soon": (one.retires - today).days <= SOON,
            "replacement": one.replacement,
            "ours": not ours.isdisjoint((one.id, *one.aliases)),
        }
        for one in visit.runtime.prices.retiring(within=AHEAD, on=today)
        if one.retires is not None
    ]


def _probed(name: str, found: Probed | None) -> dict[str, object]:
    if found is None:
        return {"upstream": name, "ok": None, "mark": "", "ms": None}
    return {"upstream": name, "ok": found.ok, "mark": found.mark, "ms": found.ms}


def _known(visit: Visit) -> str:
    """A circuit is shown by its masked name; raises `Missing` where that is none."""
    asked = visit.form.get("circuit", "")
    for name in visit.runtime.circuits.states():
        if mask(name)[:200] == asked:
            return name
    raise missing(Sentence(f"circuit `{asked[:80]}`", ko=f"`{asked[:80]}` 서킷을"))


async def _done(visit: Visit, name: str, what: Sentence) -> Done:
    shown = mask(name)[:80]
    with suppress(StoreUnavailable):  # it is done, and must be when nothing else works
        await visit.desk.store.put(CIRCUIT, shown, b"{}", actor=visit.desk.actor, note=what.en)
    return Done(to=PAGE.path, note=Note(said=Sentence(f"{shown}: {what.en}.", ko=f"{shown}: {what.ko}.")))


PAGE = Page(
    name="upstreams",
    title=Sentence("What does each upstream let through?", ko="업스트림마다 무엇이 통과되나?"),
    label=Sentence("Upstreams", ko="업스트림"),
    words=WORDS,
    look=look,
    key="p",
    acts={"probe": probe, "reset": reset, "open": hold_open, "gate": open_gate},
)
