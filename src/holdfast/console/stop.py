"""Stop: what may be stopped, what that would do, what is stopped now, and how it is taken back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from holdfast.admin.refusals import unreadable
from holdfast.console.notes import Note, Undo
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.console.refusals import not_said_twice
from holdfast.console.ways import own_path
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.operations.requests import requests
from holdfast.operations.spend import money
from holdfast.operations.stops import Told, drop_stop, has_called, put_stop, stop_facts, stop_here, stops
from holdfast.policy.request_filter import RequestFilter, Term
from holdfast.policy.stops import SCOPES, Stop, StopScope
from holdfast.ports import CallRecord

SAID_TWICE = "STOP"
"""What has to be typed before everything stops."""
TERMS: Mapping[str, timedelta | None] = {
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "2h": timedelta(hours=2),
    "1d": timedelta(days=1),
    "always": None,
}
LATELY = timedelta(minutes=5)
SHOWN = 80
"""Letters of a name in a note, which has to fit into a cookie."""
MOST = 1_000
"""Calls of late that are looked at for what a stop would do."""

LABELS: Mapping[str, Sentence] = {
    "run": Sentence("a run", ko="실행"),
    "key": Sentence("a key", ko="키"),
    "user": Sentence("a user", ko="사용자"),
    "model": Sentence("a model", ko="모델"),
    "everything": Sentence("ALL traffic", ko="모든 트래픽"),
}
WORDS: Mapping[str, Sentence] = {
    "scope": Sentence("Stop what?", ko="무엇을 정지할까요?"),
    **{f"scope_{name}": said for name, said in LABELS.items()},
    "value": Sentence("Its name", ko="이름"),
    "value_hint": Sentence("Not needed for ALL traffic.", ko="모든 트래픽에는 필요 없습니다."),
    "term": Sentence("For how long", ko="기간"),
    "term_15m": Sentence("15 minutes", ko="15분"),
    "term_30m": Sentence("30 minutes", ko="30분"),
    "term_2h": Sentence("2 hours", ko="2시간"),
    "term_1d": Sentence("1 day", ko="1일"),
    "term_always": Sentence("until it is resumed", ko="직접 풀 때까지"),
    "reason": Sentence("Reason", ko="이유"),
    "reason_hint": Sentence(
        "Callers are told, and it goes to the audit log.", ko="호출자에게 알리고 감사 기록에 남깁니다."
    ),
    "twice": Sentence("For ALL traffic, type STOP", ko="모든 트래픽을 정지하려면 STOP을 입력하세요"),
    "preview": Sentence("What it would do", ko="예상 결과"),
    "effect": Sentence(
        "In the last 5 minutes this made {calls} calls, {per_minute} a minute, for {per_hour} an hour. "
        "Those under way end at once; new ones get a 403 that says who stopped them, and are not tried again.",
        ko="최근 5분 동안 호출 {calls}건(분당 {per_minute}건), 시간당 {per_hour}입니다. 진행 중인 호출은 바로 끝나고, "
        "새 호출은 누가 정지했는지 알리는 403을 받으며 다시 시도되지 않습니다.",
    ),
    "under_way": Sentence("Under way now, of all traffic: {count}", ko="지금 진행 중인 전체 호출: {count}건"),
    "unheard": Sentence(
        "Nobody has called by this name yet; look whether it is written right.",
        ko="이 이름으로 호출한 기록이 없습니다. 이름이 맞는지 확인하세요.",
    ),
    "away": Sentence(
        "The database does not answer, so nobody can tell. It stops all the same.",
        ko="데이터베이스가 응답하지 않아 예상할 수 없지만, 정지는 그대로 됩니다.",
    ),
    "no_name": Sentence("Choose what to stop to see that.", ko="정지할 대상을 고르면 보입니다."),
    "stop": Sentence("Stop", ko="정지"),
    "cancel": Sentence("Cancel", ko="취소"),
    "now": Sentence("Stopped now", ko="지금 정지된 것"),
    "now_none": Sentence("Nothing is stopped.", ko="정지된 것이 없습니다."),
    "what": Sentence("what", ko="대상"),
    "by": Sentence("by", ko="정지한 사람"),
    "at": Sentence("since", ko="시작"),
    "until": Sentence("until", ko="종료"),
    "for_ever": Sentence("it is resumed", ko="직접 풀 때까지"),
    "resume": Sentence("Resume", ko="재개"),
    "resume_one": Sentence("Resume {name}", ko="{name} 재개"),
    "works_anyway": Sentence(
        "This works while the database is down: this machine hears of it first.",
        ko="데이터베이스가 멈춰 있어도 동작합니다. 이 컴퓨터에 먼저 적용됩니다.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody is about to stop, as far as he has said."""

    scope: StopScope
    value: str

    @property
    def is_whole(self) -> bool:
        """Whether that is enough to stop something."""
        return self.scope == "everything" or bool(self.value)


def stop_path(scope: StopScope, value: str, *, back: str) -> str:
    """The page on which that can be stopped."""
    return f"{PAGE.path}?{urlencode({'scope': scope, 'value': value, 'next': back})}"


async def look(visit: Visit) -> Facts:
    """What is chosen so far with its effect, and every stop that holds."""
    wish = _wish(visit.query)
    return {
        "scopes": list(SCOPES[1:] + SCOPES[:1]),
        "scope": wish.scope,
        "value": wish.value,
        "terms": list(TERMS),
        "term": visit.query.get("term", "30m"),
        "reason": visit.query.get("reason", ""),
        "effect": await _effect(visit, wish) if wish.is_whole else None,
        "is_whole": wish.is_whole,
        "live": visit.runtime.stations.stop.live,
        "stops": [stop_facts(one) for one in await stops(visit.desk)],
        "next": own_path(visit.query.get("next")),
    }


async def stop(visit: Visit) -> Done:
    """End calls at once; the next page offers to take it back."""
    wish, form, now = _wish(visit.form), visit.form, visit.desk.now
    if wish.scope == "everything" and form.get("twice", "").strip() != SAID_TWICE:
        raise not_said_twice(SAID_TWICE)
    word = Stop(
        scope=wish.scope,
        value="" if wish.scope == "everything" else wish.value,
        reason=form.get("reason", "").strip(),
        by=visit.session.actor,
        at=now,
        until=_until(form.get("term", ""), now),
    )
    # This worker reads the file of its machine before the database is asked, which may be slow to say no.
    await stop_here(visit.desk.settings, word, now)
    _, told = await asyncio.gather(visit.runtime.stations.watch.refresh(), put_stop(visit.desk, word))
    return Done(to=own_path(form.get("next")), note=_note(told, back=own_path(form.get("next"))))


async def resume(visit: Visit) -> Done:
    """End a stop, so that its calls are served again."""
    name = visit.form.get("name", "")
    ended = await drop_stop(visit.desk, name)
    if ended is None:
        said = Sentence(
            f"{name[:SHOWN]} was not stopped any more.", ko=f"{name[:SHOWN]}: 이미 정지가 풀려 있습니다."
        )
    else:
        said = Sentence(f"{name[:SHOWN]} is served again.", ko=f"{name[:SHOWN]} 호출을 다시 처리합니다.")
    return Done(to=own_path(visit.form.get("next")), note=Note(said=said, is_good=ended is not None))


def _wish(given: Mapping[str, str]) -> Wish:
    scope = given.get("scope", "run")
    if scope not in SCOPES:
        raise unreadable("scope", ", ".join(SCOPES))
    return Wish(scope=scope, value=given.get("value", "").strip())


def _until(term: str, now: datetime) -> datetime | None:
    if term not in TERMS:
        raise unreadable("term", ", ".join(TERMS))
    length = TERMS[term]
    return None if length is None else (now + length).replace(microsecond=0)


async def _effect(visit: Visit, wish: Wish) -> dict[str, object] | None:
    """What the same did in the last minutes: what a stop would end; `None` while the store is away."""
    try:
        return await _looked_up(visit, wish)
    except StoreUnavailable:
        return None


async def _looked_up(visit: Visit, wish: Wish) -> dict[str, object]:
    now = visit.desk.now
    since = Term(field="since", op=">=", value=now - LATELY)
    mine = () if wish.scope == "everything" else (Term(field=wish.scope, op="=", value=wish.value),)
    page = await requests(visit.desk, RequestFilter(terms=(since, *mine)), limit=MOST)
    word = Stop(scope=wish.scope, value="" if wish.scope == "everything" else wish.value, at=now)
    is_known = bool(page.calls) or await has_called(visit.desk, word)
    return {**_sums(page.calls), "is_known": is_known}


def _sums(calls: tuple[CallRecord, ...]) -> dict[str, object]:
    minutes = LATELY.total_seconds() / 60
    cost = sum(one.cost_pico or 0 for one in calls)
    return {
        "calls": len(calls),
        "at_least": len(calls) == MOST,
        "per_minute": round(len(calls) / minutes, 1),
        "per_hour": money(round(cost * 60 / minutes)),
    }


def _note(told: Told, *, back: str) -> Note:
    word = told.stop
    name = f"{word.scope} {word.value}".strip()[:SHOWN]
    said = Sentence(f"Stopped: {name}.", ko=f"정지했습니다: {name}.")
    if told.problem is not None:
        said = Sentence(
            f"Stopped on this machine: {name}. {told.problem.sentence.en}",
            ko=f"이 컴퓨터에서 정지했습니다: {name}. {told.problem.sentence.ko}",
        )
    undo = Undo(
        label=Sentence("Undo", ko="되돌리기"),
        path=f"{PAGE.path}/resume",
        fields=(("name", word.name), ("next", back)),
    )
    return Note(said=said, undo=undo)


PAGE = Page(
    name="stop",
    title=Sentence("What must stop now?", ko="지금 무엇을 멈춰야 하나?"),
    label=Sentence("Stop", ko="정지"),
    words=WORDS,
    look=look,
    under="now",
    acts={"stop": stop, "resume": resume},
    parts=("dialog", "preview"),
)
