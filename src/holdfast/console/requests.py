"""Requests: those that are over and that a filter means, newest first, and those that end just now."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import cast
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from holdfast.admin.operation import Asked
from holdfast.admin.request_shapes import RequestExportQuery
from holdfast.admin.requests import export_requests
from holdfast.admin.shapes import NoBody
from holdfast.console.outcomes import OUTCOMES
from holdfast.console.page import Facts, Page, Visit
from holdfast.console.rendering import rendered
from holdfast.language import Language, Sentence
from holdfast.operations.requests import call_facts, page_facts, requests
from holdfast.policy.filter_errors import FilterUnreadable
from holdfast.policy.filter_fields import FIELDS
from holdfast.policy.filter_words import words as words_of
from holdfast.policy.request_filter import RequestFilter, completions, matches, parse
from holdfast.telemetry.feed import Following

ROWS = 50
EVERY = 0.25
"""Seconds between two pieces of news for one browser."""
ALIVE = 15.0
"""Seconds of silence after which the stream says that it is still there."""
QUICK = ("outcome:failed", "outcome:fallback", "outcome:refused", "since:15m", "cost>0.05", "attempts>1")

WORDS: Mapping[str, Sentence] = {
    "filter": Sentence("Filter", ko="필터"),
    "filter_apply": Sentence("Show", ko="보기"),
    "filter_clear": Sentence("All requests", ko="모든 요청"),
    "filter_remove": Sentence("Take {term} out of the filter", ko="필터에서 {term} 빼기"),
    "filter_fields": Sentence("What can be asked for", ko="필터에 쓸 수 있는 항목"),
    "quick": Sentence("Add to the filter", ko="필터에 추가"),
    "time": Sentence("time", ko="시각"),
    "outcome": Sentence("outcome", ko="결과"),
    "who": Sentence("key / run", ko="키 / 실행"),
    "model": Sentence("model", ko="모델"),
    "tokens": Sentence("tokens in / out", ko="입력 / 출력 토큰"),
    "cost": Sentence("cost", ko="비용"),
    "took": Sentence("took", ko="소요"),
    "decided": Sentence("decided by", ko="결정"),
    "table": Sentence("Requests, newest first", ko="요청, 최신순"),
    "older": Sentence("Older", ko="이전 요청"),
    "newest": Sentence("Newest", ko="최신 요청"),
    "tail": Sentence("Live", ko="실시간"),
    "tail_missed": Sentence("came too fast to show", ko="건은 너무 빨라 표시하지 못함"),
    "export": Sentence("Export all of them", ko="모두 내보내기"),
    "none": Sentence("No requests yet.", ko="아직 요청이 없습니다."),
    "none_hint": Sentence(
        "Point any Anthropic client at {address}; rows appear here by themselves.",
        ko="Anthropic 클라이언트를 {address}에 연결하세요. 요청이 여기에 저절로 나타납니다.",
    ),
    "none_match": Sentence("No request is meant by this filter.", ko="이 필터에 맞는 요청이 없습니다."),
    "asked_served": Sentence("asked and served", ko="요청한 모델과 응답한 모델"),
    **{f"outcome_{name}": one.label for name, one in OUTCOMES.items()},
}


async def look(visit: Visit) -> Facts:
    """A page of the requests that are meant; a filter that cannot be read is said so, and means none."""
    text, after = visit.query.get("filter", ""), visit.query.get("after")
    problem: str | None = None
    page: dict[str, object] = {"data": [], "has_more": False, "next_page": None}
    try:
        page = page_facts(await requests(visit.desk, _filter(visit), limit=ROWS, after=after))
    except FilterUnreadable as error:
        problem = error.say(visit.language)
    return {
        "filter": text,
        "problem": problem,
        "chips": [] if problem else _chips(text),
        "quick": [{"term": term, "path": _path(f"{text} {term}".strip())} for term in QUICK],
        "fields": [{"name": name, "meaning": visit.say(rule.meaning)} for name, rule in FIELDS.items()],
        "calls": page["data"],
        "next_path": None if page["next_page"] is None else _path(text, after=str(page["next_page"])),
        "is_first": after is None,
        "signs": {name: one.sign for name, one in OUTCOMES.items()},
        "address": visit.address,
        "tail_path": f"{PAGE.path}/tail?{urlencode({'filter': text})}",
        "export_paths": {
            kind: f"{PAGE.path}/export?{urlencode({'filter': text, 'format': kind})}"
            for kind in ("csv", "jsonl")
        },
    }


async def export(visit: Visit) -> Response:
    """Every request that is meant, as a file."""
    query = RequestExportQuery(
        filter=visit.query.get("filter", ""),
        format="jsonl" if visit.query.get("format") == "jsonl" else "csv",
    )
    asked = Asked(runtime=visit.runtime, desk=visit.desk, names={}, query=query, body=NoBody())
    return cast("Response", await export_requests(asked))


async def complete(visit: Visit) -> Response:
    """What the filter that is being typed may become."""
    found = completions(visit.query.get("filter", ""))[:20]
    return Response(msgspec.json.encode(found), media_type="application/json")


async def tail(visit: Visit) -> Response:
    """Every request of this worker as it ends, as rows of the table."""
    wanted = _filter(visit)
    return Tail(visit.runtime.feed.follow(), visit, wanted)


class Tail(StreamingResponse):
    """A stream of rows that gives its place in the feed back, whichever way it ends."""

    def __init__(self, following: Following, visit: Visit, wanted: RequestFilter) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(news(following, visit, wanted), media_type="text/event-stream", headers=headers)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._following.close()


async def news(following: Following, visit: Visit, wanted: RequestFilter) -> AsyncGenerator[bytes]:
    """What a follower is shown, at most every `EVERY` seconds, until the feed or his login ends."""
    yield b"event: opened\ndata: {}\n\n"
    while visit.still():
        try:
            heard = await asyncio.wait_for(following.hear(), ALIVE)
        except TimeoutError:
            yield b": alive\n\n"
            continue
        if heard is None or not visit.still():
            return
        rows = [row(call_facts(one), visit.language) for one in heard.calls if matches(wanted, one)]
        if rows or heard.missed:
            told = msgspec.json.encode({"rows": rows, "missed": heard.missed})
            yield b"event: rows\ndata: " + told + b"\n\n"
        await visit.runtime.clock.sleep(EVERY)


def row(call: Mapping[str, object], language: Language) -> str:
    """One request as a row of the table."""
    signs = {name: one.sign for name, one in OUTCOMES.items()}
    return rendered("row.html", WORDS, language, {"call": call, "signs": signs})


def _filter(visit: Visit) -> RequestFilter:
    return parse(visit.query.get("filter", ""), now=visit.desk.now)


def _chips(text: str) -> list[dict[str, str]]:
    """Each term of a filter, and the page without it."""
    terms = [word.text for word in words_of(text)]
    return [
        {"term": term, "path": _path(" ".join(terms[:place] + terms[place + 1 :]))}
        for place, term in enumerate(terms)
    ]


def _path(text: str, *, after: str | None = None) -> str:
    query = {name: value for name, value in (("filter", text), ("after", after)) if value}
    return PAGE.path + (f"?{urlencode(query)}" if query else "")


PAGE = Page(
    name="requests",
    title=Sentence("What was asked, and what came of it?", ko="어떤 요청이 어떻게 끝났나?"),
    label=Sentence("Requests", ko="요청"),
    words=WORDS,
    look=look,
    key="r",
    reads={"tail": tail, "export": export, "complete": complete},
)
