"""One run: what it repeats, its agents, its models, its requests, and how its context and its cost have grown."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from holdfast.admin.refusals import missing
from holdfast.console.outcomes import OUTCOMES
from holdfast.console.page import Facts, Page, Visit
from holdfast.console.runs import loop_facts, per_hour
from holdfast.console.stop import stop_path
from holdfast.language import Sentence
from holdfast.operations.requests import call_facts, requests
from holdfast.operations.runs import run, view_facts
from holdfast.policy.request_filter import RequestFilter, Term, text_of
from holdfast.ports import CallRecord

ROWS = 100
WIDE, HIGH = 1000.0, 100.0

WORDS: Mapping[str, Sentence] = {
    "back": Sentence("All runs", ko="모든 실행"),
    "loop": Sentence("LOOP", ko="반복"),
    "refused": Sentence("its calls are refused", ko="호출을 거절하는 중"),
    "stopped": Sentence("stopped", ko="정지됨"),
    "stop": Sentence("Stop this run…", ko="이 실행 정지…"),
    "facts": Sentence("The run", ko="실행 정보"),
    "calls": Sentence("calls", ko="호출"),
    "cost": Sentence("cost", ko="비용"),
    "per_hour": Sentence("$ per hour", ko="시간당 $"),
    "first": Sentence("first call", ko="첫 호출"),
    "last": Sentence("last call", ko="마지막 호출"),
    "depth": Sentence("depth of agents", ko="에이전트 깊이"),
    "agents": Sentence("Agents", ko="에이전트"),
    "agent": Sentence("agent", ko="에이전트"),
    "parent": Sentence("called by", ko="상위 에이전트"),
    "models": Sentence("Models", ko="모델"),
    "model": Sentence("model", ko="모델"),
    "attempts": Sentence("attempts", ko="시도"),
    "tokens": Sentence("tokens in / out", ko="입력 / 출력 토큰"),
    "curves": Sentence("How it grew, the latest calls", ko="최근 호출의 변화"),
    "context": Sentence("tokens in, by call", ko="호출별 입력 토큰"),
    "spent": Sentence("cost so far, by call", ko="호출별 누적 비용"),
    "curve": Sentence("from {first} to {last}", ko="{first}에서 {last}까지"),
    "requests": Sentence("Its requests, newest first", ko="이 실행의 요청, 최신순"),
    "all": Sentence("All requests of this run", ko="이 실행의 모든 요청"),
    "time": Sentence("time", ko="시각"),
    "outcome": Sentence("outcome", ko="결과"),
    "who": Sentence("key / run", ko="키 / 실행"),
    "took": Sentence("took", ko="소요"),
    "decided": Sentence("decided by", ko="결정"),
    "asked_served": Sentence("asked and served", ko="요청한 모델과 응답한 모델"),
    "none": Sentence("None.", ko="없습니다."),
    **{f"outcome_{name}": one.label for name, one in OUTCOMES.items()},
}


async def look(visit: Visit) -> Facts:
    """A run with all that is known of it; raises `Missing` for one that nobody has heard of."""
    name = visit.query.get("run", "")
    if not name or await visit.desk.store.run(name) is None:
        raise missing(Sentence(f"run `{name[:200]}`", ko=f"`{name[:200]}` 실행을"))
    view = await run(visit.desk, name)
    mine = RequestFilter(terms=(Term(field="run", op="=", value=name),))
    page = await requests(visit.desk, mine, limit=ROWS)
    loop = visit.runtime.chronicle.loops().get(name)
    return {
        **view_facts(view),
        "per_hour": per_hour(visit, view.standing),
        "loop": None if loop is None else loop_facts(visit, loop),
        "calls_latest": [call_facts(one) for one in page.calls],
        "curves": _curves(page.calls),
        "signs": {name: one.sign for name, one in OUTCOMES.items()},
        "filter": text_of(mine),
        "stop_path": stop_path("run", name, back="/console/runs"),
    }


def _curves(calls: Sequence[CallRecord]) -> dict[str, object] | None:
    """Two curves over the calls, oldest first; `None` for fewer than two."""
    if len(calls) < 2:
        return None
    ordered = tuple(reversed(calls))
    tokens = [one.usage.prompt_tokens for one in ordered]
    spent = list(accumulate((one.cost_pico or 0) / 10**12 for one in ordered))
    return {
        "context": {"points": curve(tokens), "first": tokens[0], "last": tokens[-1]},
        "spent": {"points": curve(spent), "first": round(spent[0], 6), "last": round(spent[-1], 6)},
    }


def curve(values: Sequence[float]) -> str:
    """The points of a line from left to right, as high as the largest value."""
    most = max([*values, 0]) or 1
    step = WIDE / max(1, len(values) - 1)
    return " ".join(
        f"{place * step:.1f},{HIGH - value / most * HIGH:.1f}" for place, value in enumerate(values)
    )


PAGE = Page(
    name="run",
    title=Sentence("What is this run doing?", ko="이 실행은 무엇을 하고 있나?"),
    label=Sentence("Run", ko="실행"),
    words=WORDS,
    look=look,
    under="runs",
)
