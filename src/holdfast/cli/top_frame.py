"""One frame of `holdfast top`: what a gateway tells, as lines of a terminal that need no colour."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from holdfast.cli.inert import printable
from holdfast.cli.request_rows import MARKS, length, text
from holdfast.cli.table import width
from holdfast.language import Language, Sentence

Facts = Mapping[str, Any]
View = Literal["now", "runs", "requests", "spend"]
VIEWS: Mapping[str, tuple[View, Sentence]] = {
    "1": ("now", Sentence("Now", ko="현황")),
    "2": ("runs", Sentence("Runs", ko="실행")),
    "3": ("requests", Sentence("Requests", ko="요청")),
    "4": ("spend", Sentence("Spend", ko="지출")),
}
COLUMNS, ROWS = 80, 24
"""The smallest terminal that a frame is made for."""
SPARK = "▁▂▃▄▅▆▇█"
SPARKS = 20
"""Seconds of the sparkline."""
STEP = 3
WINDOW = 60.0
HOUR = 3_600
RUNS_SHOWN = 7
STATES: Mapping[str, str] = {"open": "OPEN", "half_open": "half-open", "forced_open": "HELD OPEN"}
KEYS = Sentence(
    "1 Now 2 Runs 3 Requests 4 Spend  / filter s stop space pause enter t ? keys q quit",
    ko="1 현황 2 실행 3 요청 4 지출  / 필터 s 정지 space 일시 정지 enter t ? 도움말 q 끝",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the gateway has told at `at`; `problem` where it has not."""

    url: str
    at: datetime
    status: Facts = field(default_factory=dict[str, Any])
    requests: Sequence[Facts] = ()
    runs: Sequence[Facts] = ()
    spend: Facts = field(default_factory=dict[str, Any])
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How the frame is looked at: which view, which run is chosen, what the lowest line says."""

    view: View = "now"
    chosen: int = 0
    wanted: str = ""
    paused: bool = False
    detail: str = ""
    foot: str = ""


def frame(
    shot: Snapshot, pose: Pose, language: Language, columns: int = COLUMNS, rows: int = ROWS
) -> tuple[str, ...]:
    """The lines of a frame: exactly so many, and none wider than the terminal."""
    top = [*_head(shot, language), *_measures(shot, language), _circuits(shot, language), ""]
    room = max(1, rows - len(top) - 1)
    body = list(_body(shot, pose, language, room))[:room]
    body += [""] * (room - len(body))
    foot = pose.foot or _foot(pose, language)
    return tuple(fitted(line, columns) for line in (*top, *body, foot))


def chosen_run(shot: Snapshot, pose: Pose) -> str | None:
    """The run that the cursor is on."""
    if not shot.runs:
        return None
    return str(shot.runs[min(pose.chosen, len(shot.runs) - 1)]["run"])


def fitted(line: str, columns: int) -> str:
    """A line as a terminal may have it: inert, and no wider than that."""
    shown = printable(line)
    if width(shown) <= columns:
        return shown
    while width(shown) > columns - 1:
        shown = shown[:-1]
    return f"{shown}\N{HORIZONTAL ELLIPSIS}"


def _head(shot: Snapshot, language: Language) -> Iterator[str]:
    clock = f"{shot.at.astimezone():%H:%M:%S}"
    if shot.problem or not shot.status:
        unknown = Sentence("? no answer", ko="? 응답 없음").say(language)
        yield f" HOLDFAST  {shot.url}  {unknown}  {clock}"
        yield f" {shot.problem}"
        return
    status = shot.status
    sign = "●" if status["ok"] else "▲"
    badge = "  [SIMULATOR]" if status["simulated"] else "  [LIVE]"
    yield f" HOLDFAST  {sign} {_say(status['title'], language)}   {clock}{badge}   {shot.url}"
    yield f" {_say(status['sentence'], language)}"


def _measures(shot: Snapshot, language: Language) -> Iterator[str]:
    users: Facts = shot.status.get("users") or {}
    calls = max(1, int(users.get("calls", 0)))
    shares = "  ".join(
        f"{label.say(language)} {round(100 * int(users.get(name, 0)) / calls)}%" for name, label in _SHARES
    )
    late = sorted(float(one["duration_ms"]) for one in _late(shot))
    p95 = length(late[min(len(late) - 1, int(len(late) * 0.95))]) if late else "-"
    rate = len(late) / WINDOW
    cost = sum((Decimal(str(one["cost"])) for one in _late(shot) if one["cost"] is not None), Decimal(0))
    hourly = (cost * HOUR / Decimal(int(WINDOW))).quantize(Decimal("0.01"))
    yield f" {Sentence('req/s', ko='초당').say(language)} {sparkline(shot)} {rate:.1f}   {shares}   p95 {p95}   ${hourly}/h"


_SHARES: Sequence[tuple[str, Sentence]] = (
    ("answered", Sentence("ok", ko="정상")),
    ("cached", Sentence("cache", ko="캐시")),
    ("fallbacks", Sentence("fallback", ko="대체")),
    ("errors", Sentence("err", ko="오류")),
    ("refused", Sentence("refused", ko="거절")),
)


def sparkline(shot: Snapshot) -> str:
    """Calls of the last minute, oldest first."""
    counts = Counter(int((shot.at - _at(one)).total_seconds() // STEP) for one in _late(shot))
    heights = [counts.get(place, 0) for place in range(SPARKS - 1, -1, -1)]
    most = max(heights) or 1
    return "".join(SPARK[(len(SPARK) - 1) * one // most] for one in heights)


def _late(shot: Snapshot) -> list[Facts]:
    since = shot.at - timedelta(seconds=WINDOW)
    return [one for one in shot.requests if since <= _at(one)]


def _at(one: Facts) -> datetime:
    return datetime.fromisoformat(str(one["at"]))


def _circuits(shot: Snapshot, language: Language) -> str:
    found: Mapping[str, str] = shot.status.get("circuits") or {}
    said = "  ".join(f"{name} {STATES.get(state, state)}" for name, state in found.items())
    none = Sentence("all closed", ko="모두 닫힘").say(language)
    return f" {Sentence('CIRCUITS', ko='서킷').say(language)}  {said or none}"


def _body(shot: Snapshot, pose: Pose, language: Language, room: int) -> Iterator[str]:
    if pose.detail:
        yield from pose.detail.splitlines()
        return
    match pose.view:
        case "now":
            yield from _runs(shot, pose, language, RUNS_SHOWN)
            yield f" {Sentence('TAIL', ko='최근 요청').say(language)}{_filtered(pose)}"
            yield from _tail(shot, language, room)
        case "runs":
            yield from _runs(shot, pose, language, room)
        case "requests":
            yield f" {Sentence('REQUESTS', ko='요청').say(language)}{_filtered(pose)}"
            yield from _tail(shot, language, room)
        case "spend":
            yield from _spend(shot, language)


def _runs(shot: Snapshot, pose: Pose, language: Language, most: int) -> Iterator[str]:
    headers = Sentence(
        f" {'RUN':<22} {'CALLS':>5} {'$':>10}  STATE", ko=f" {'실행':<20} {'호출':>3} {'$':>10}  상태"
    )
    yield headers.say(language)
    if not shot.runs:
        yield Sentence("  no runs yet", ko="  아직 실행이 없습니다").say(language)
    first = max(0, min(pose.chosen, len(shot.runs) - 1) - most + 2)
    for place, one in enumerate(shot.runs[first : first + most - 1], start=first):
        mark = ">" if place == min(pose.chosen, len(shot.runs) - 1) else " "
        name = fitted(str(one["run"]), 22)
        yield f"{mark}{name}{' ' * (22 - width(name))} {one['calls']:>5} {one['cost']:>10}  {_state(one, language)}"


def _state(one: Facts, language: Language) -> str:
    if one.get("stopped"):
        return Sentence("STOPPED", ko="정지됨").say(language)
    loop: Facts | None = one.get("loop")
    if loop is None:
        return Sentence("ok", ko="정상").say(language)
    word = Sentence("LOOP", ko="반복(LOOP)").say(language)
    refused = Sentence("REFUSED", ko="거절됨").say(language)
    return f"{refused if loop['stopped'] else word} x{loop['count']}  {loop['evidence']}"


def _tail(shot: Snapshot, language: Language, room: int) -> Iterator[str]:
    if not shot.requests:
        yield Sentence("  no requests", ko="  요청이 없습니다").say(language)
    for one in shot.requests[:room]:
        served = one["served_model"] or one["model"]
        who = text(one["user"] or one["run"] or one["key"])
        mark = MARKS.get(str(one["outcome"]), "?")
        why = f"  {one['error_code']}" if one["error_code"] else ""
        yield (
            f" {_at(one).astimezone():%H:%M:%S} {mark} {one['outcome']!s:<9} {fitted(who, 14):<14} "
            f"{fitted(str(served), 20):<20} {length(one['duration_ms']):>8}{why}"
        )


def _spend(shot: Snapshot, language: Language) -> Iterator[str]:
    headers = Sentence(
        f" {'MODEL (today)':<28} {'$':>12} {'TOKENS IN':>12} {'OUT':>10}",
        ko=f" {'모델(오늘)':<23} {'$':>12} {'입력 토큰':>8} {'출력':>8}",
    )
    yield headers.say(language)
    groups: Sequence[Facts] = shot.spend.get("groups") or ()
    for one in groups:
        model = fitted(text(one.get("model")), 28)
        yield f" {model:<28} {one['cost']:>12} {one['input_tokens']:>12,} {one['output_tokens']:>10,}"
    if not groups:
        yield Sentence("  nothing spent today", ko="  오늘 지출이 없습니다").say(language)


def _filtered(pose: Pose) -> str:
    return f"  [{pose.wanted}]" if pose.wanted else ""


def _foot(pose: Pose, language: Language) -> str:
    paused = Sentence("PAUSED  ", ko="일시 정지  ").say(language) if pose.paused else ""
    return f" {paused}{KEYS.say(language)}"


def _say(words: Mapping[str, str], language: Language) -> str:
    return str(words.get(language) or words.get("en", ""))
