"""Now: is Claude down or is it us, with its evidence, its charts, the circuits, and what has happened."""

from collections.abc import Mapping
from decimal import Decimal
from math import ceil

import msgspec
from starlette.responses import Response

from holdfast.admin.status import status_of
from holdfast.assembly import Runtime
from holdfast.console.frame import verdict_facts
from holdfast.console.outcomes import OUTCOMES
from holdfast.console.page import Facts, Page, Visit
from holdfast.console.snippets import curl, python
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.operations.desk import instant
from holdfast.policy.masking import mask
from holdfast.policy.money import dollars
from holdfast.policy.verdict import CLASSES
from holdfast.policy.verdict_words import BLAMED
from holdfast.telemetry.history import Slot

RANGES: Mapping[str, tuple[float, float]] = {"5m": (300, 5), "15m": (900, 5), "1h": (3600, 20)}
"""What a chart may show: seconds in all, and of one step."""
USUAL = "15m"
SHOWN = 12
"""Happenings on the page."""

CLOSED_FOR_NOW = ("open", "half_open")
STATES: Mapping[str, tuple[str, Sentence]] = {
    "closed": ("●", Sentence("closed", ko="닫힘")),
    "open": ("■", Sentence("OPEN", ko="열림")),
    "half_open": ("◆", Sentence("half-open", ko="반열림")),
    "forced_open": ("■", Sentence("held open", ko="강제로 열림")),
    "disabled": ("○", Sentence("switched off", ko="꺼짐")),
    "metrics_only": ("○", Sentence("only counts", ko="집계만")),
}
WORDS: Mapping[str, Sentence] = {
    "since": Sentence("since", ko="시작"),
    "why": Sentence("Evidence", ko="근거"),
    "who_fails": Sentence("Who is failing, last 60 s", ko="누구 문제인가, 최근 60초"),
    "who_fails_none": Sentence("Nobody has failed in the last 60 s.", ko="최근 60초 동안 실패가 없습니다."),
    "charts": Sentence("Live charts", ko="실시간 차트"),
    "range": Sentence("Range", ko="범위"),
    "range_5m": Sentence("5 minutes", ko="5분"),
    "range_15m": Sentence("15 minutes", ko="15분"),
    "range_1h": Sentence("1 hour", ko="1시간"),
    "chart_calls": Sentence("Requests per second, by outcome", ko="초당 요청 수, 결과별"),
    "chart_latency": Sentence("Latency in ms, p50 and p95", ko="응답 시간(ms), p50과 p95"),
    "chart_cost": Sentence("Dollars per minute", ko="분당 비용(달러)"),
    "half": Sentence("half of them (p50)", ko="절반(p50)"),
    "most": Sentence("95 in 100 (p95)", ko="100건 중 95건(p95)"),
    "cost": Sentence("$ per minute", ko="분당 $"),
    "table": Sentence("The charts as a table", ko="차트를 표로 보기"),
    "time": Sentence("time", ko="시각"),
    "circuits": Sentence("Circuits", ko="서킷"),
    "circuits_none": Sentence(
        "No circuit has been used yet; each model of each upstream gets one.",
        ko="아직 사용한 서킷이 없습니다. 업스트림의 모델마다 하나씩 생깁니다.",
    ),
    "circuit": Sentence("circuit", ko="서킷"),
    "state": Sentence("state", ko="상태"),
    "next_probe": Sentence("next probe", ko="다음 시험"),
    "in_seconds": Sentence("in {seconds} s", ko="{seconds}초 뒤"),
    "failures": Sentence("failures / calls", ko="실패 / 호출"),
    "happened": Sentence("What happened", ko="있었던 일"),
    "happened_none": Sentence("Nothing worth telling yet.", ko="아직 알릴 만한 일이 없습니다."),
    "times": Sentence("{count} times", ko="{count}회"),
    "grade_good": Sentence("good", ko="회복"),
    "grade_note": Sentence("note", ko="참고"),
    "grade_bad": Sentence("problem", ko="문제"),
    "empty": Sentence(
        "No calls yet. Point any Anthropic client here; this page starts to move by itself.",
        ko="아직 호출이 없습니다. Anthropic 클라이언트를 이 주소로 연결하면 이 페이지가 저절로 움직이기 시작합니다.",
    ),
    "copy": Sentence("Copy", ko="복사"),
    "copied": Sentence("Copied", ko="복사됨"),
    "shell": Sentence("In a shell", ko="셸에서"),
    "in_python": Sentence("In Python", ko="Python에서"),
    **{f"outcome_{name}": one.label for name, one in OUTCOMES.items()},
}


async def look(visit: Visit) -> Facts:
    """The verdict with its evidence, who is to blame, circuits, happenings."""
    runtime = visit.runtime
    status = status_of(runtime)
    most = max((status.blame[name] for name in CLASSES), default=0)
    return {
        "verdict": verdict_facts(status, visit.language),
        "blame": [
            {
                "name": name,
                "label": visit.say(BLAMED[name]),
                "count": status.blame[name],
                "share": round(100 * status.blame[name] / most) if most else 0,
            }
            for name in reversed(CLASSES)
        ],
        "attempts": status.attempts,
        "good": status.good,
        "users": msgspec.to_builtins(status.users),
        "circuits": _circuits(visit),
        "happenings": [
            {"at": instant(one.at), "grade": one.grade, "said": visit.say(one.said), "count": one.count}
            for one in runtime.chronicle.happenings(SHOWN)
        ],
        "range": _range(visit),
        "empty": await _snippets(visit) if not status.users.calls else None,
    }


async def series(visit: Visit) -> Response:
    """The charts' points, oldest first; the last one is under way and left out."""
    span, step = RANGES[_range(visit)]
    slots = visit.runtime.history.slots(span, step)[:-1]
    facts = {
        "step": step,
        "at": [round(slot.at.timestamp(), 1) for slot in slots],
        "calls": {name: [_rate(slot, name, step) for slot in slots] for name in OUTCOMES},
        "p50": [slot.point.p50_ms for slot in slots],
        "p95": [slot.point.p95_ms for slot in slots],
        "cost": [_per_minute(slot.point.cost_pico, step) for slot in slots],
    }
    return Response(msgspec.json.encode(facts), media_type="application/json")


def circuits_of(runtime: Runtime) -> list[dict[str, object]]:
    """Every circuit that has been used, those that let nothing through first."""
    found = sorted(
        runtime.circuits.snapshots().items(), key=lambda pair: (pair[1].state == "closed", pair[0])
    )
    return [
        {
            # A circuit is named by the model that a caller asked for, whatever that was.
            "name": mask(name)[:200],
            "state": one.state,
            "retry_after_s": None
            if one.retry_after is None or one.state not in CLOSED_FOR_NOW
            else ceil(one.retry_after),
            "failures": one.failures,
            "calls": one.calls,
        }
        for name, one in found
    ]


def _circuits(visit: Visit) -> list[dict[str, object]]:
    return [
        {**one, "sign": STATES[str(one["state"])][0], "label": visit.say(STATES[str(one["state"])][1])}
        for one in circuits_of(visit.runtime)
    ]


async def _snippets(visit: Visit) -> dict[str, str] | None:
    """What to paste, for somebody who has never called."""
    if visit.runtime.history.slots(3600, 3600)[-1].point.outcomes or await _has_called(visit):
        return None
    model = visit.runtime.settings.models.standard
    return {"curl": curl(visit.address, model), "python": python(visit.address, model)}


async def _has_called(visit: Visit) -> bool:
    """Whether anybody ever has; a store that is away has the page shown all the same."""
    try:
        return bool(await visit.desk.store.newest(1))
    except StoreUnavailable:
        return True


def _range(visit: Visit) -> str:
    asked = visit.query.get("range", USUAL)
    return asked if asked in RANGES else USUAL


def _rate(slot: Slot, outcome: str, step: float) -> float:
    return round(slot.point.outcomes.get(outcome, 0) / step, 3)


def _per_minute(cost_pico: int, step: float) -> float:
    return float(round(dollars(cost_pico) * 60 / Decimal(str(step)), 6))


PAGE = Page(
    name="now",
    title=Sentence("Is Claude down, or is it us?", ko="Claude 장애인가, 우리 문제인가?"),
    label=Sentence("Now", ko="현황"),
    words=WORDS,
    look=look,
    key="n",
    reads={"series": series},
    parts=("live",),
)
