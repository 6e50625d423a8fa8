"""The fields that a filter of requests knows: what each is called, holds, and may be compared by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from holdfast.language import Sentence

Field = Literal[
    "outcome",
    "end",
    "model",
    "served",
    "upstream",
    "key",
    "user",
    "run",
    "agent",
    "door",
    "blame",
    "code",
    "status",
    "cost",
    "tokens",
    "ms",
    "attempts",
    "stream",
    "guard",
    "id",
    "since",
    "until",
]
Op = Literal["=", "!=", ">", ">=", "<", "<=", "~", "!~"]
"""`~` is contains, `!~` does not contain."""
Kind = Literal["text", "word", "count", "dollars", "milliseconds", "truth", "moment"]
"""What a field holds; a `word` is one of a few."""

EQUALITY: tuple[Op, ...] = ("=", "!=")
ORDER: tuple[Op, ...] = (">", ">=", "<", "<=")
DIGITS: Mapping[Field, int] = {"status": 3, "attempts": 9, "tokens": 15, "cost": 6, "ms": 12}
"""How many digits a whole number may have, that of dollars before the point: what columns of a ledger hold."""
OPS: Mapping[Kind, tuple[Op, ...]] = {
    "text": (*EQUALITY, "~", "!~"),
    "word": EQUALITY,
    "count": (*EQUALITY, *ORDER),
    "dollars": (*EQUALITY, *ORDER),
    "milliseconds": (*EQUALITY, *ORDER),
    "truth": EQUALITY,
    "moment": ("=",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """One field: what it holds, what it means, and the words it is one of or that are worth offering."""

    kind: Kind
    meaning: Sentence
    words: tuple[str, ...] = ()


def _rule(kind: Kind, en: str, ko: str, words: tuple[str, ...] = ()) -> FieldRule:
    return FieldRule(kind=kind, meaning=Sentence(en, ko=ko), words=words)


OUTCOMES = ("answered", "cached", "fallback", "refused", "failed", "abandoned")
AGES = ("15m", "1h", "24h", "7d", "today", "yesterday")
ENDS = ("answered", "refused", "failed", "abandoned")
BLAMES = ("client", "us", "network", "account", "claude")

FIELDS: Mapping[Field, FieldRule] = {
    "outcome": _rule("word", "what the caller got", "호출자가 받은 결과", OUTCOMES),
    "end": _rule("word", "how the call ended", "호출이 끝난 방식", ENDS),
    "model": _rule("text", "the model that was asked for", "요청한 모델"),
    "served": _rule("text", "the model that answered", "응답한 모델"),
    "upstream": _rule("text", "the upstream that was asked last", "마지막으로 호출한 업스트림"),
    "key": _rule("text", "the name of the caller's key", "호출자의 키 이름"),
    "user": _rule("text", "on whose behalf", "사용자"),
    "run": _rule("text", "the run it belongs to", "호출이 속한 실행"),
    "agent": _rule("text", "the agent in that run", "실행 안의 에이전트"),
    "door": _rule("text", "where it came in: gateway, library", "들어온 경로: gateway, library"),
    "blame": _rule("word", "whose doing a failure was", "실패의 책임", BLAMES),
    "code": _rule("text", "the code of its error", "오류 코드"),
    "status": _rule("count", "the HTTP status", "HTTP 상태"),
    "cost": _rule(
        "dollars", "dollars; a call without a price has none", "달러 비용. 가격을 모르는 호출에는 없음"
    ),
    "tokens": _rule(
        "count", "all tokens, those of the prompt cache among them", "프롬프트 캐시를 포함한 모든 토큰"
    ),
    "ms": _rule("milliseconds", "how long it took, in milliseconds", "걸린 시간(밀리초)"),
    "attempts": _rule("count", "how often an upstream was asked", "업스트림에 시도한 횟수"),
    "stream": _rule("truth", "whether it was a stream", "스트림 여부", ("true", "false")),
    "guard": _rule("text", "the guard that decided it", "결과를 정한 가드"),
    "id": _rule("text", "the id of the request", "요청 ID"),
    "since": _rule("moment", "not older than this", "이 시점부터", AGES),
    "until": _rule("moment", "older than this", "이 시점 전까지", AGES),
}
