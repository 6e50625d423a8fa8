"""Facts: what a drill has found out, by the names that expectations use."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from holdfast.language import Sentence

Fact: TypeAlias = Decimal | int | float | bool | None
"""A number, dollars, seconds, yes or no; `None` where there is nothing to tell."""

FACTS: Mapping[str, Sentence] = {
    "calls": Sentence("calls that users made", ko="사용자가 한 호출 수"),
    "answered": Sentence("answered by a model, whole", ko="모델이 끝까지 답한 호출 수"),
    "cached": Sentence("answered from the response cache", ko="응답 캐시로 답한 호출 수"),
    "fallbacks": Sentence("answered by the fallback", ko="대체 응답으로 답한 호출 수"),
    "refused": Sentence(
        "refused by your own rules: budgets, quotas, caps, policies",
        ko="예산, 한도, 정책 등 스스로 정한 규칙이 거절한 호출 수",
    ),
    "failed": Sentence("ended in an error before any content", ko="내용이 나오기 전에 오류로 끝난 호출 수"),
    "cut": Sentence("begun, then ended by a typed error", ko="답이 나오다가 오류 이벤트로 끝난 호출 수"),
    "half_answers": Sentence(
        "ended in the middle without a word: a client takes them for whole",
        ko="오류 표시 없이 중간에 끊긴 답 수(클라이언트는 완전한 답으로 착각합니다)",
    ),
    "hung": Sentence("not over when the user gave up", ko="사용자가 포기할 때까지 끝나지 않은 호출 수"),
    "unexplained": Sentence(
        "errors without type or sentence, or where waiting helps without `retry-after`",
        ko="종류나 설명이 없거나, 기다리면 되는데 `retry-after`가 없는 오류 수",
    ),
    "users_saw_errors": Sentence(
        "failed + cut + half_answers + hung: what was not the users' own rules",
        ko="failed + cut + half_answers + hung: 규칙에 따른 거절이 아닌 오류 수",
    ),
    "recovered": Sentence(
        "whether the last three calls were answered, or refused by your own rules",
        ko="마지막 세 호출이 정상적으로 답을 받았거나 스스로 정한 규칙으로 거절되었는지",
    ),
    "stopped": Sentence(
        "whether the last three calls reached no upstream",
        ko="마지막 세 호출이 업스트림에 닿지 않았는지",
    ),
    "upstream_requests": Sentence("Messages requests that reached an upstream", ko="업스트림에 닿은 요청 수"),
    "upstream_requests_per_call": Sentence("the most of them for one call", ko="호출 하나당 최대 요청 수"),
    "troubled_calls": Sentence("calls begun while something was wrong", ko="장애 중에 시작한 호출 수"),
    "troubled_requests": Sentence(
        "requests to what was wrong, while it was", ko="장애 중인 업스트림에 그동안 간 요청 수"
    ),
    "too_early": Sentence(
        "requests sent before a `retry-after` was over", ko="`retry-after`가 지나기 전에 보낸 요청 수"
    ),
    "circuit_opened": Sentence("whether a circuit opened", ko="서킷이 열렸는지"),
    "circuit_closed": Sentence("whether one closed again", ko="열린 서킷이 다시 닫혔는지"),
    "gate_closed": Sentence(
        "whether a gate closed: rate, spend, credential or ramp",
        ko="게이트(속도, 지출, 키, 증가 속도)가 닫혔는지",
    ),
    "spare_keys": Sentence(
        "keys that can stand in for the one that was revoked", ko="폐기된 키를 대신할 수 있는 키 수"
    ),
    "slowest": Sentence("seconds that the slowest call took", ko="가장 느린 호출이 걸린 시간(초)"),
    "slowest_first_byte": Sentence(
        "seconds until the slowest stream sent its first byte",
        ko="가장 느린 스트림의 첫 바이트까지 걸린 시간(초)",
    ),
    "billed": Sentence(
        "dollars that the upstreams billed, by their own ledgers", ko="업스트림 자체 원장의 청구액(달러)"
    ),
    "settled": Sentence("dollars in the ledger of holdfast", ko="holdfast 원장의 금액(달러)"),
    "spent": Sentence("the same as billed", ko="billed와 같음"),
    "budget": Sentence(
        "the smallest hard budget in dollars, of those without `where`; there may be none",
        ko="`where`가 없는 가장 작은 강제 예산(달러), 없을 수 있음",
    ),
    "held": Sentence("dollars still held when all is over", ko="모두 끝난 뒤에도 잡혀 있는 금액(달러)"),
    "emergency": Sentence("`store.emergency_usd`", ko="`store.emergency_usd` 값"),
    "spent_while_frozen": Sentence(
        "dollars for requests sent while the store was frozen",
        ko="저장소가 멈춘 동안 보낸 요청의 금액(달러)",
    ),
}
"""Every fact, and what it means."""


def shown(fact: Fact) -> str:
    """A fact as it is printed."""
    match fact:
        case None:
            return "none"
        case bool():
            return "true" if fact else "false"
        case float():
            return f"{fact:.2f}"
        case int():
            return str(fact)
        case Decimal():
            return f"{fact.normalize():f}"
