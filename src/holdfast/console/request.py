"""One request as a waterfall: what every guard decided, every attempt to scale, the money and the tokens."""

from collections.abc import Mapping
from typing import Any, cast

from holdfast.admin.refusals import missing
from holdfast.console.outcomes import OUTCOMES
from holdfast.console.page import Facts, Page, Visit
from holdfast.console.snippets import request_as
from holdfast.language import Sentence
from holdfast.operations.requests import request, view_facts

WIDE = 1000.0
"""Units of a bar that is as long as the whole request took."""
THIN = 4.0

WORDS: Mapping[str, Sentence] = {
    "under_way": Sentence(
        "Under way, or its end was not written down.", ko="진행 중이거나 종료가 기록되지 않았습니다."
    ),
    "back": Sentence("All requests", ko="모든 요청"),
    "outcome": Sentence("outcome", ko="결과"),
    "status": Sentence("status", ko="상태 코드"),
    "model": Sentence("model", ko="모델"),
    "took": Sentence("took", ko="소요"),
    "cost": Sentence("cost", ko="비용"),
    "at": Sentence("at", ko="시각"),
    "door": Sentence("came in by", ko="들어온 경로"),
    "key": Sentence("key", ko="키"),
    "user": Sentence("user", ko="사용자"),
    "run": Sentence("run", ko="실행"),
    "agent": Sentence("agent", ko="에이전트"),
    "decided": Sentence("decided by", ko="결정"),
    "blame": Sentence("whose doing", ko="책임"),
    "error": Sentence("error code", ko="오류 코드"),
    "stream": Sentence("stream", ko="스트림"),
    "yes": Sentence("yes", ko="예"),
    "no": Sentence("no", ko="아니요"),
    "facts": Sentence("The request", ko="요청 정보"),
    "guards": Sentence("What the guards decided", ko="가드의 판단"),
    "guard": Sentence("guard", ko="가드"),
    "did": Sentence("did", ko="처리"),
    "code": Sentence("code", ko="코드"),
    "detail": Sentence("detail", ko="내용"),
    "attempts": Sentence("Attempts, to scale", ko="시도별 타임라인"),
    "attempt": Sentence("attempt", ko="시도"),
    "upstream": Sentence("upstream", ko="업스트림"),
    "timeline": Sentence("timeline", ko="타임라인"),
    "result": Sentence("result", ko="결과"),
    "held": Sentence("held", ko="예약"),
    "settled": Sentence("settled", ko="정산"),
    "waited": Sentence("then waited {wait}", ko="이후 {wait} 대기"),
    "bar": Sentence(
        "from {began} to {ended}, first content after {first}",
        ko="{began}부터 {ended}까지, 첫 내용까지 {first}",
    ),
    "no_attempts": Sentence("No upstream was asked.", ko="업스트림을 호출하지 않았습니다."),
    "usage": Sentence("Tokens", ko="토큰"),
    "in": Sentence("in", ko="입력"),
    "out": Sentence("out", ko="출력"),
    "thinking": Sentence("thinking, part of out", ko="출력 중 사고"),
    "cache_read": Sentence("cache read", ko="캐시 읽기"),
    "cache_5m": Sentence("cache write, 5 min", ko="캐시 쓰기(5분)"),
    "cache_1h": Sentence("cache write, 1 h", ko="캐시 쓰기(1시간)"),
    "price": Sentence("price list", ko="요금표"),
    "body": Sentence("Body", ko="본문"),
    "body_none": Sentence(
        "Not stored, which is the default: prompts and answers are kept only while somebody records them.",
        ko="저장하지 않았습니다(기본값). 프롬프트와 응답은 녹화하는 동안에만 저장됩니다.",
    ),
    "body_kept": Sentence("Recorded as", ko="녹화 이름"),
    "coverage": Sentence("What was examined", ko="검사 범위"),
    "examined": Sentence("examined", ko="검사함"),
    "skipped": Sentence("not examined", ko="검사 안 함"),
    "side": Sentence("side", ko="방향"),
    "findings": Sentence("findings", ko="발견"),
    "copy_as": Sentence("Ask for it as", ko="다음 방법으로 조회"),
    "copy": Sentence("Copy", ko="복사"),
    "copied": Sentence("Copied", ko="복사됨"),
    "shell": Sentence("In a shell", ko="셸에서"),
    "in_python": Sentence("In Python", ko="Python에서"),
    "cli": Sentence("On the command line", ko="명령줄에서"),
    "stop_run": Sentence("Stop this run…", ko="이 실행 정지…"),
    "trace": Sentence("trace", ko="추적 ID"),
    "degraded": Sentence("lacking", ko="빠진 것"),
    **{f"outcome_{name}": one.label for name, one in OUTCOMES.items()},
}


async def look(visit: Visit) -> Facts:
    """A request with its attempts and its story; raises `Missing` for one that nobody has heard of."""
    name = visit.query.get("id", "")
    view = await request(visit.desk, name) if name else None
    if view is None:
        raise missing(Sentence(f"request `{name[:200]}`", ko=f"`{name[:200]}` 요청을"))
    facts = cast("dict[str, Any]", view_facts(view))
    return {
        **facts,
        "bars": bars(facts),
        "signs": {name: one.sign for name, one in OUTCOMES.items()},
        "copy": request_as(visit.address, view.request_id),
    }


def bars(view: Mapping[str, Any]) -> list[dict[str, float]]:
    """Where each attempt lies in its request: a part that waits and a part with content, in thousandths."""
    story = view["story"]
    if story is None:
        return []
    ends = [float(one["ended_ms"] or one["first_ms"] or one["began_ms"]) for one in story["attempts"]]
    took = 1.0 if view["call"] is None else float(view["call"]["duration_ms"])
    whole = max(1.0, took, *ends)
    return [_bar(one, whole) for one in story["attempts"]]


def _bar(one: Mapping[str, Any], whole: float) -> dict[str, float]:
    began = float(one["began_ms"])
    ended = whole if one["ended_ms"] is None else float(one["ended_ms"])
    first = ended if one["first_ms"] is None else float(one["first_ms"])
    start = min(began / whole * WIDE, WIDE - THIN)
    middle, end = (max(start, min(WIDE, at / whole * WIDE)) for at in (first, ended))
    end = max(end, start + THIN)
    return {"start": round(start, 1), "middle": round(min(middle, end), 1), "end": round(end, 1)}


PAGE = Page(
    name="request",
    title=Sentence("What became of this request?", ko="이 요청은 어떻게 처리됐나?"),
    label=Sentence("Request", ko="요청"),
    words=WORDS,
    look=look,
    under="requests",
)
