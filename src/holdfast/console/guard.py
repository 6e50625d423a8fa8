"""Guard: what was blocked and why, what rules only watch for, what a text would meet, and which tools are trusted."""

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlencode

from holdfast.admin.refusals import missing, unreadable
from holdfast.catalogue.codes import explained
from holdfast.console.guard_words import WORDS
from holdfast.console.marking import pieces
from holdfast.console.notes import Note
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.language import Sentence
from holdfast.operations import tool_pins
from holdfast.operations.desk import Desk, instant
from holdfast.operations.guard import Answer, Screen
from holdfast.parts.validator import default_rules
from holdfast.policy.client_words import without_client_words
from holdfast.policy.masking import mask
from holdfast.policy.monitoring import decide
from holdfast.policy.pins import Pin
from holdfast.policy.request_filter import RequestFilter, Term
from holdfast.policy.screening import CHANNELS, DETECTED, Channel, ScreenConfig
from holdfast.policy.story import GuardStep
from holdfast.ports import CallQuery, CallRecord

GUARDS = ("screen", "pins", "output")
"""Guards that block for what a text says."""
ROWS = 25
LONGEST_TEXT = 100_000
"""Letters that are tested at once: a fifth of a second of work in a thread."""
PINS = 200
EXCERPT = 200
_DETAIL = re.compile(r"(?:^|, )(rule|path|kind|trouble|scope|fingerprint) ([^,]+)")


async def look(visit: Visit) -> Facts:
    """What was blocked last, what each rule has seen, and the tools."""
    config = visit.runtime.settings.screen
    seen = visit.runtime.stations.sightings.by_rule()
    pins = await tool_pins.readable_pins(visit.desk)
    return {
        "enabled": config.enabled,
        "mode": config.mode,
        "rule_count": len(default_rules()),
        "blocked": [await _blocked(visit, one) for one in await _calls(visit.desk)],
        "rules": [
            {
                "rule": rule,
                "said": _reason(visit, rule),
                "watches": config.only_watches(rule),
                "blocked": one.blocked,
                "flagged": one.flagged,
                "would_have_blocked": one.would_have_blocked,
            }
            for rule, one in seen.items()
        ],
        "snippet": _snippet(config, visit.query.get("rule", "")),
        "pins": [tool_pins.pin_facts(pin) for pin in pins[:PINS]],
        "approval": {name: visit.query.get(name, "") for name in ("scope", "tool", "fingerprint")},
        "channels": list(CHANNELS),
        "tested": None,
    }


async def test(visit: Visit) -> Facts:
    """What the screen makes of a text; it is shown this once and kept nowhere."""
    text, channel = visit.form.get("text", ""), _channel(visit.form.get("channel", "user"))
    if len(text) > LONGEST_TEXT:
        raise unreadable("text", f"{len(text)} > {LONGEST_TEXT}")
    cleaned = without_client_words(text)
    answer = await asyncio.to_thread(_screen().judged, cleaned, channel=channel)
    return {**await look(visit), "tested": _tested(visit, cleaned, channel, answer)}


async def approve(visit: Visit) -> Done:
    """Trust a tool of one key with one description."""
    form = visit.form
    names = [form.get(name, "").strip() for name in ("scope", "tool", "fingerprint")]
    pin = await tool_pins.approve(visit.desk.store, *names, at=visit.desk.now, actor=visit.desk.actor)
    return _done(pin, Sentence("is trusted with this description", ko="도구의 설명을 승인했습니다"))


async def refuse(visit: Visit) -> Done:
    """Refuse a tool of one key, whatever it says."""
    known = await _pin(visit)
    pin = await tool_pins.refuse(
        visit.desk.store, known.scope, known.tool, at=visit.desk.now, actor=visit.desk.actor
    )
    return _done(pin, Sentence("is refused", ko="도구를 거절합니다"))


async def forget(visit: Visit) -> Done:
    """Pin a tool anew when it is next seen."""
    pin = await _pin(visit)
    await tool_pins.forget(visit.desk.store, pin.scope, pin.tool, actor=visit.desk.actor)
    return _done(pin, Sentence("is pinned anew when it is next seen", ko="도구를 다음에 다시 고정합니다"))


async def _calls(desk: Desk) -> tuple[CallRecord, ...]:
    guards = tuple(Term(field="guard", op="=", value=name) for name in GUARDS)
    page = await desk.store.calls(CallQuery(filter=RequestFilter(terms=guards), limit=ROWS))
    return page.calls


async def _blocked(visit: Visit, one: CallRecord) -> dict[str, object]:
    """A request that a guard ended: by which rule, where, and what its caller got."""
    by = one.decided_by or ""
    told = _told(await visit.desk.store.find(one.request_id), by)
    meant = explained(one.error_code or "")
    rule = told.get("rule", "")
    approval = {name: told[name] for name in ("scope", "fingerprint") if name in told}
    return {
        "request_id": one.request_id,
        "at": instant(one.at),
        "by": by,
        "rule": rule or told.get("trouble") or told.get("kind") or one.error_code or "",
        "said": _reason(visit, rule) if rule else "" if meant is None else visit.say(meant.what),
        "path": told.get("path", ""),
        "source": _source(by, told.get("path", "")),
        "key": one.key,
        "run": one.run,
        "status": one.status,
        "error_code": one.error_code,
        "approve_path": f"{PAGE.path}?{urlencode(approval)}#approve" if approval else None,
        "allow_path": f"{PAGE.path}?{urlencode({'rule': rule})}#allow" if rule else None,
    }


def _told(call: CallRecord | None, by: str) -> Mapping[str, str]:
    """What the story tells of why a guard ended a call; it holds no text."""
    steps: tuple[GuardStep, ...] = () if call is None or call.story is None else call.story.guards
    step = next((one for one in steps if one.guard == by), None)
    return {} if step is None else dict(_DETAIL.findall(step.detail))


def _source(by: str, path: str) -> str:
    match by:
        case "pins":
            return "offer"
        case "output":
            return "answer"
        case _ if not path:
            return "unknown"
        case _ if ".source" in path:
            return "document"
        case _:
            return "tool" if path.count("content") > 1 else "user"


def _reason(visit: Visit, rule: str) -> str:
    if rule == DETECTED:
        return visit.say(WORDS["detector"])
    return visit.say(_reasons().get(rule, WORDS["unknown_rule"]))


@cache
def _reasons() -> Mapping[str, Sentence]:
    return {rule.id: rule.description for rule in default_rules()}


@cache
def _screen() -> Screen:
    return Screen.opened()


def _tested(visit: Visit, text: str, channel: Channel, answer: Answer) -> dict[str, object]:
    config, scan = visit.runtime.settings.screen, answer.scan
    tools = visit.runtime.settings.tools
    is_fenced = channel == "tool" and tools.fence and tools.while_tainted != "off"
    decision = decide(scan.findings, config, detected=scan.detected, may_block=not is_fenced)
    told = answer.plain(visit.language)
    spans = [(one.start, one.end) for one in scan.findings]
    return {
        "channel": channel,
        "action": decision.action,
        "would_block": list(decision.would_block),
        "fenced": is_fenced,
        "unscreened": not config.enabled or channel not in config.channels,
        "score": f"{decision.score:.2f}",
        "rate": f"{answer.rate:.2%}",
        "block_at": f"{config.block_at:g}",
        "flag_at": f"{config.flag_at:g}",
        "findings": [
            {
                "rule": one.rule,
                "said": visit.say(one.reason),
                "view": one.view,
                "start": one.start,
                "end": one.end,
                "weight": f"{one.weight:.2f}",
                "excerpt": mask(one.excerpt)[:EXCERPT],
            }
            for one in scan.findings
        ],
        "concepts": told["concepts"],
        "pieces": pieces(text, spans),
    }


def _snippet(config: ScreenConfig, rule: str) -> str | None:
    """What lets a rule watch only; the names of rules are letters of ours, and nothing else gets here."""
    if rule not in _reasons() and rule != DETECTED:
        return None
    rules = ", ".join(f'"{one}"' for one in dict.fromkeys((*config.monitor, rule)))
    return f"[screen]\nmonitor = [{rules}]"


def _channel(text: str) -> Channel:
    for one in CHANNELS:
        if one == text:
            return one
    raise unreadable("channel", ", ".join(CHANNELS))


async def _pin(visit: Visit) -> Pin:
    which = visit.form.get("id", "")
    for pin in await tool_pins.readable_pins(visit.desk):
        if pin.name == which:
            return pin
    raise missing(Sentence(f"tool pin `{which[:80]}`", ko=f"`{which[:80]}` 도구 고정 기록을"))


def _done(pin: Pin, what: Sentence) -> Done:
    name = pin.tool[:80]
    return Done(to=PAGE.path, note=Note(said=Sentence(f"{name} {what.en}.", ko=f"{name}: {what.ko}.")))


PAGE = Page(
    name="guard",
    title=Sentence("What was blocked, and why?", ko="무엇이 왜 차단됐나?"),
    label=Sentence("Guard", ko="가드"),
    words=WORDS,
    look=look,
    key="g",
    acts={"test": test, "approve": approve, "refuse": refuse, "forget": forget},
)
