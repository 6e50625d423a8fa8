"""Runs: which of them is looping, and what each costs by now."""

from collections.abc import Mapping
from decimal import Decimal

from holdfast.console.page import Facts, Page, Visit
from holdfast.console.stop import stop_path
from holdfast.language import Sentence
from holdfast.operations.desk import instant
from holdfast.operations.runs import Standing, run_facts, runs
from holdfast.policy.money import dollars, plain
from holdfast.telemetry.chronicle import Loop

ROWS = 100
SHORTEST = 60.0
"""Seconds that a run counts as having taken at least: less says nothing about an hour."""
LATELY = 3_600.0
"""Seconds since the last call after which a run costs nothing an hour any more."""
HOUR = 3_600

LOOPS: Mapping[str, Sentence] = {
    "same_call": Sentence("same tool, same arguments", ko="같은 도구, 같은 인수"),
    "cycle": Sentence("the same turns in a circle", ko="같은 차례를 되풀이"),
    "same_error": Sentence("the same error again and again", ko="같은 오류가 계속됨"),
}
CAPPED = Sentence("reached a cap", ko="상한에 도달")
WORDS: Mapping[str, Sentence] = {
    "table": Sentence("Runs, the one heard of last first", ko="실행, 최근 활동순"),
    "run": Sentence("run", ko="실행"),
    "calls": Sentence("calls", ko="호출"),
    "agents": Sentence("agents", ko="에이전트"),
    "cost": Sentence("cost", ko="비용"),
    "per_hour": Sentence("$ per hour", ko="시간당 $"),
    "last": Sentence("last call", ko="마지막 호출"),
    "state": Sentence("state", ko="상태"),
    "act": Sentence("do", ko="조치"),
    "ok": Sentence("ok", ko="정상"),
    "loop": Sentence("LOOP", ko="반복"),
    "refused": Sentence("refused", ko="거절됨"),
    "stopped": Sentence("stopped", ko="정지됨"),
    "stop": Sentence("Stop…", ko="정지…"),
    "stop_one": Sentence("Stop the run {run}", ko="{run} 실행 정지"),
    "none": Sentence("No runs yet.", ko="아직 실행이 없습니다."),
    "none_hint": Sentence(
        "Runs appear when requests carry a session. Claude Code sends one by itself; other programs send the "
        "header x-holdfast-run.",
        ko="요청에 세션이 들어 있으면 실행이 나타납니다. Claude Code는 저절로 보내고, 다른 프로그램은 "
        "x-holdfast-run 헤더로 보냅니다.",
    ),
}


async def look(visit: Visit) -> Facts:
    """The runs heard of last, those that loop first."""
    loops = visit.runtime.chronicle.loops()
    found = await runs(visit.desk, ROWS)
    rows = [row(visit, one, loops.get(one.record.run)) for one in found]
    return {"runs": sorted(rows, key=lambda one: one["loop"] is None)}


def row(visit: Visit, one: Standing, loop: Loop | None) -> dict[str, object]:
    """A run with what it costs an hour and what it repeats."""
    return {
        **run_facts(one),
        "per_hour": per_hour(visit, one),
        "loop": None if loop is None else loop_facts(visit, loop),
        "stop_path": stop_path("run", one.record.run, back=PAGE.path),
    }


def loop_facts(visit: Visit, loop: Loop) -> dict[str, object]:
    """What a run repeats, in the reader's language; the evidence names tools and counts."""
    return {
        "at": instant(loop.at),
        "kind": loop.kind,
        "said": visit.say(LOOPS.get(loop.kind, CAPPED)),
        "count": loop.count,
        "stopped": loop.stopped,
        "evidence": loop.evidence,
    }


def per_hour(visit: Visit, one: Standing) -> str:
    """Dollars an hour, at the pace of the whole run; nothing for one that has long been silent."""
    record = one.record
    if (visit.desk.now - record.last_at).total_seconds() > LATELY:
        return "0"
    took = max(SHORTEST, (record.last_at - record.first_at).total_seconds())
    return plain((dollars(record.cost_pico) * HOUR / Decimal(str(took))).quantize(Decimal("0.0001")))


PAGE = Page(
    name="runs",
    title=Sentence("Which run is looping?", ko="어떤 실행이 반복에 빠졌나?"),
    label=Sentence("Runs", ko="실행"),
    words=WORDS,
    look=look,
    key="u",
)
