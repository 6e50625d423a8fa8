"""The sheet of the demo: for each row of its story whether it was to be seen, and what was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from holdfast.demo.asking import Heard
from holdfast.demo.proof import Proof
from holdfast.demo.questions import CALLERS, CHAT, DOCUMENTS, LARGE, RUNAWAY, SMALL, STANDARD
from holdfast.demo.stage import FALLBACK, RUN_BUDGET
from holdfast.demo.tale import ENOUGH, REPEATS, Tale
from holdfast.events import AttemptFailed, BudgetAlerted, CallEnded, CircuitChanged, Event, RunWarned
from holdfast.language import Language, Sentence

FEW = 30
"""Attempts in vain that two circuits take to open, those that were under way meanwhile among them; on a busy machine
seconds say less."""
BLOCKED = "policy_blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: whether everything in it was to be seen, and the evidence."""

    name: str
    title: Sentence
    checks: Mapping[str, bool]
    found: str

    @property
    def passed(self) -> bool:
        """Whether all of it holds."""
        return all(self.checks.values())

    def said(self, language: Language) -> str:
        """The row as a line; where it failed, with the checks that did."""
        missed = [name for name, held in self.checks.items() if not held]
        mark = Sentence("pass", ko="통과") if self.passed else Sentence("FAIL", ko="실패")
        line = f"{mark.say(language)}  {self.title.say(language)}: {self.found}"
        return line if self.passed else f"{line}  [{', '.join(missed)}]"


def sheet(tale: Tale, proof: Proof) -> tuple[Row, ...]:
    """Every row of the story."""
    return tuple(check(tale, proof) for check in ROWS)


def _healthy(tale: Tale, proof: Proof) -> Row:
    early = [one for one in tale.troupe.heard if one.at < tale.marks["outage"]]
    served = {one.question.caller for one in early if one.is_good}
    verdicts = {look.verdict for look in tale.looks if look.at < tale.marks["outage"]}
    known = [one for one in tale.troupe.heard if _id(one) in proof.calls]
    login, runs, requests = (*proof.pages, (0, ""), (0, ""), (0, ""))[:3]
    return Row(
        name="healthy",
        title=Sentence("Healthy: four callers served, page painted", ko="정상: 호출자 넷 응답, 페이지 표시"),
        checks={
            "four callers answered": served == set(CALLERS),
            "verdict holding": "holding" in verdicts and verdicts <= {"holding", "idle"},
            "console opens": login[0] == runs[0] == requests[0] == 200,
            "every call is in the books": len(known) == len(tale.troupe.heard),
            "cost counted": any(Decimal(str(proof.calls[_id(one)]["cost"] or 0)) > 0 for one in known),
        },
        found=f"{len(early)} calls by {len(served)} callers, verdict {'/'.join(sorted(verdicts))}",
    )


def _cache(tale: Tale, proof: Proof) -> Row:
    hits = [one for one in tale.troupe.heard if one.outcome == "cached" and one.at < tale.marks["outage"]]
    costs = [proof.calls.get(_id(one), {}).get("cost") for one in hits]
    return Row(
        name="cache",
        title=Sentence("Repeated questions answered from the cache", ko="반복 질문을 캐시로 응답"),
        checks={
            "two hits or more": len(hits) >= REPEATS,
            "they cost nothing": all(Decimal(str(cost or 0)) == 0 for cost in costs),
        },
        found=f"{len(hits)} hits before the outage, $0",
    )


def _route(tale: Tale, proof: Proof) -> Row:
    asked = [
        one for one in tale.troupe.heard if one.question.body["model"] == "auto" and one.outcome == "answered"
    ]
    small = sum(one.headers.get("x-holdfast-model") == SMALL for one in asked if one.question.caller == CHAT)
    standard = sum(
        one.headers.get("x-holdfast-model") == STANDARD for one in asked if one.question.caller == DOCUMENTS
    )
    rows = [proof.calls.get(_id(one), {}).get("served_model") for one in asked]
    return Row(
        name="route",
        title=Sentence("Routed by what is asked", ko="질문에 맞춰 모델 선택"),
        checks={
            "short to the small model": small > 0,
            "long to the standard model": standard > 0,
            "the books say so": {SMALL, STANDARD} <= {row for row in rows if row is not None},
        },
        found=f"{small} to {SMALL}, {standard} to {STANDARD}",
    )


def _attempts(tale: Tale, proof: Proof) -> Row:
    failed = [event for _, event in tale.events if isinstance(event, AttemptFailed)]
    statuses = {event.status for event in failed}
    waits = proof.waits
    return Row(
        name="attempts",
        title=Sentence("Outage: failures stay at the attempts", ko="장애: 실패는 시도에만 남음"),
        checks={
            "529 met": 529 in statuses,
            "resets met": any(event.status is None for event in failed),
            "retried with waits": bool(waits),
        },
        found=f"{tale.upstream_failures} failed upstream, one call waited {', '.join(f'{one:.0f}' for one in waits)} ms",
    )


def _opened(tale: Tale, proof: Proof) -> Row:
    outage = tale.marks["outage"]
    opened = [at for at, event in tale.events if isinstance(event, CircuitChanged) and event.after == "open"]
    failed = sum(
        isinstance(event, AttemptFailed) for at, event in tale.events if at <= min(opened, default=0.0)
    )
    during = [look for look in tale.looks if outage <= look.at < tale.marks["recovered"]]
    after = min(opened, default=999.0) - outage
    return Row(
        name="opened",
        title=Sentence("Circuit opens, the sentence turns", ko="서킷이 열리고 문장이 바뀜"),
        checks={
            "opened after a few failures": 0 < failed <= FEW,
            "the status says open": any("open" in look.circuits.values() for look in during),
            "verdict overloaded": any(look.verdict == "overloaded" for look in during),
        },
        found=f"open {after:.1f} s and {failed} failed attempts after the outage began",
    )


def _fallbacks(tale: Tale, proof: Proof) -> Row:
    outage, healed = tale.marks["outage"], tale.marks["healed"]
    during = [one for one in tale.troupe.heard if outage <= one.began and one.at < healed]
    given = [one for one in during if one.outcome == "fallback"]
    cached = sum(one.outcome == "cached" for one in during)
    static = sum(FALLBACK in str(one.message) for one in given)
    kept = [one for one in given if one.headers.get("x-holdfast-attempts") == "0"]
    cost = sum((Decimal(str(proof.calls.get(_id(one), {}).get("cost") or 0)) for one in kept), Decimal(0))
    errors = sum(not one.is_good for one in during)
    return Row(
        name="fallbacks",
        title=Sentence("Fallback answers, no user error", ko="대체 응답, 사용자 오류 없음"),
        checks={
            "fallbacks given": len(given) >= ENOUGH and static > 0,
            "cache answers too": cached > 0,
            "marked in the header": all(one.is_degraded for one in given),
            "no user error": errors == 0,
            "what was not sent cost nothing": bool(kept) and cost == 0,
        },
        found=f"{len(given)} fallbacks, {cached} from the cache, {errors} user errors; {len(kept)} never sent, ${cost}",
    )


def _recovered(tale: Tale, proof: Proof) -> Row:
    healed, recovered = tale.marks["healed"], tale.marks["recovered"]
    moves = [event.after for at, event in tale.events if isinstance(event, CircuitChanged) and at >= healed]
    later = [one for one in tale.troupe.heard if one.began > recovered and one.outcome == "answered"]
    last = tale.looks[-1] if tale.looks else None
    return Row(
        name="recovered",
        title=Sentence("Recovered through half-open", ko="반열림을 거쳐 회복"),
        checks={
            "half-open, then closed": "half_open" in moves and "closed" in moves,
            "all circuits closed": last is not None and not last.circuits,
            "answers again": len(later) > 0,
            "verdict holding again": last is not None and last.verdict == "holding",
        },
        found=f"{recovered - tale.marks['outage']:.1f} s after it began, {recovered - healed:.1f} s after the upstream",
    )


def _injection(tale: Tale, proof: Proof) -> Row:
    found = [tale.refusals.get(f"injection-{language}") for language in ("en", "ko")]
    refused = [one for one in found if one is not None and one.error.get("type") == BLOCKED]
    rules = [str(one.details.get("rule", "")) for one in refused]
    seen = sum(b"collect.example.net" in one.body for one in tale.requests)
    return Row(
        name="injection",
        title=Sentence("Injection in a tool result blocked", ko="도구 결과의 인젝션 차단"),
        checks={
            "refused with 400": len(refused) == 2 and all(one.status == 400 for one in refused),
            "English and Korean rules": sorted(rule[:3] for rule in rules) == ["en-", "ko-"],
            "counted by the guard": all(proof.rules.get(rule, 0) > 0 for rule in rules),
            "the model never saw it": seen == 0,
        },
        found=", ".join(rules),
    )


def _loop(tale: Tale, proof: Proof) -> Row:
    run = tale.troupe.runaway
    warned = [event for _, event in tale.events if isinstance(event, RunWarned) and event.run == run]
    page = proof.pages[1][1] if len(proof.pages) > 1 else ""
    return Row(
        name="loop",
        title=Sentence("Looping run seen, with evidence", ko="반복 실행 발견, 근거 제시"),
        checks={
            "at three repetitions": any(event.count == 3 for event in warned),
            "names the tool": all("`Bash`" in event.evidence for event in warned),
            "badge in the console": run in page and "LOOP" in page,
            "owner named": any(
                call.get("run") == run and call.get("user") == RUNAWAY for call in proof.calls.values()
            ),
        },
        found=f"{run} of {RUNAWAY}, x{max((event.count for event in warned), default=0)}",
    )


def _budget(tale: Tale, proof: Proof) -> Row:
    refused = tale.refusals.get("budget")
    told: Mapping[str, Any] = {} if refused is None else refused.details
    spent, wanted = Decimal(str(proof.runaway.get("cost", "-1"))), Decimal(str(told.get("wanted", "0")))
    order = [
        type(event) for _, event in tale.events if isinstance(event, BudgetAlerted) or _ends(event, refused)
    ]
    sent = sum(tale.troupe.runaway.encode() in one.body for one in tale.requests)
    turns = sum(one.is_good for one in tale.troupe.heard if one.question.run == tale.troupe.runaway)
    others = [
        one
        for one in tale.troupe.heard
        if one.began >= tale.marks["runaway"] and one.question.caller != RUNAWAY
    ]
    return Row(
        name="budget",
        title=Sentence("Run budget refuses before the overspend", ko="실행 예산: 초과 전에 거절"),
        checks={
            "refused with 429": refused is not None and refused.status == 429,
            "not to be repeated": refused is not None and refused.headers.get("x-should-retry") == "false",
            "within the budget": 0 < spent <= RUN_BUDGET,
            "the next call would not fit": spent + wanted > RUN_BUDGET,
            "nothing was sent": sent == turns,
            "alert at 80 % before": order == [BudgetAlerted, CallEnded],
            "others unaffected": bool(others) and all(one.is_good for one in others),
        },
        found=f"${spent} of ${RUN_BUDGET} spent on {LARGE}, the next call could have cost ${wanted}",
    )


def _calm(tale: Tale, proof: Proof) -> Row:
    errors, settled, presumed = tale.user_errors, proof.settled, proof.presumed
    return Row(
        name="calm",
        title=Sentence("Calm: books and bills agree", ko="마무리: 장부와 청구가 일치"),
        checks={
            "no user error in all": errors == 0,
            "to the last digit what the upstream told": settled - presumed == proof.told,
            "never less than billed": settled >= proof.billed,
        },
        found=f"{len(tale.troupe.heard)} calls, {errors} user errors; ${settled} settled, ${proof.billed} billed, "
        f"${presumed} of it presumed for what was reset",
    )


def _ends(event: Event, heard: Heard | None) -> bool:
    return isinstance(event, CallEnded) and heard is not None and event.request_id == _id(heard)


def _id(heard: Heard) -> str:
    return heard.headers.get("x-holdfast-request-id", "")


ROWS: Sequence[Callable[[Tale, Proof], Row]] = (
    _healthy,
    _cache,
    _route,
    _attempts,
    _opened,
    _fallbacks,
    _recovered,
    _injection,
    _loop,
    _budget,
    _calm,
)
