"""What the demo says while it plays: every sentence of its story, with the figures of the moment."""

from dataclasses import dataclass
from typing import Literal

from holdfast.language import Sentence

Grade = Literal["good", "note", "bad"]
SIGNS: dict[Grade, str] = {"good": "●", "note": "·", "bad": "▲"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line of the story, and the second in which it was said."""

    at: float
    grade: Grade
    said: Sentence


def callers_start() -> Sentence:
    """The first line."""
    return Sentence(
        "Four callers start: chat, documents, a coding agent, a nightly job.",
        ko="호출자 넷이 시작합니다: 채팅, 문서 검색, 코딩 에이전트, 야간 작업.",
    )


def healthy(calls: int, cached: int, small: int, standard: int) -> Sentence:
    """What the cache and the routes have done so far."""
    return Sentence(
        f"{calls} calls so far; {cached} answered from the cache for $0; of those that left the choice to holdfast, "
        f"{small} went to the small model and {standard} to the standard one.",
        ko=f"지금까지 호출 {calls}건. 캐시가 {cached}건을 $0에 답했고, 모델을 맡긴 호출은 작은 모델로 {small}건, "
        f"표준 모델로 {standard}건 보냈습니다.",
    )


def outage() -> Sentence:
    """The upstream begins to fail."""
    return Sentence(
        "The upstream starts to answer 529 (overloaded).", ko="업스트림이 529(과부하)로 응답하기 시작합니다."
    )


def resets() -> Sentence:
    """It fails in another way."""
    return Sentence("Now it resets every connection.", ko="이제 모든 연결을 끊어 버립니다.")


def outage_again() -> Sentence:
    """It fails as before."""
    return Sentence("And 529 again.", ko="그리고 다시 529입니다.")


def healed() -> Sentence:
    """It is well again."""
    return Sentence(
        "The upstream is well again; holdfast finds out by itself.",
        ko="업스트림이 회복되었습니다. holdfast가 스스로 알아냅니다.",
    )


def circuit(name: str, after: str, retry_after: float | None) -> Sentence:
    """A circuit has moved."""
    match after:
        case "open":
            seconds = f"{retry_after or 0:.0f}"
            return Sentence(
                f"Circuit {name} OPEN: nothing is sent there, next probe in {seconds} s.",
                ko=f"{name} 서킷 열림(OPEN): 호출을 보내지 않으며 {seconds}초 뒤에 시험합니다.",
            )
        case "half_open":
            return Sentence(
                f"Circuit {name} half-open: a few calls try it.",
                ko=f"{name} 서킷 반열림: 몇 건만 보내 시험합니다.",
            )
        case _:
            return Sentence(f"Circuit {name} closed.", ko=f"{name} 서킷 닫힘: 정상입니다.")


def fallbacks(given: int, cached: int, errors: int) -> Sentence:
    """What callers have got meanwhile."""
    return Sentence(
        f"Callers keep going: {given} fallback answers, {cached} from the cache, {errors} user errors.",
        ko=f"호출자는 계속 일합니다: 대체 응답 {given}건, 캐시 응답 {cached}건, 사용자 오류 {errors}건.",
    )


def recovered(after: float, failures: int, errors: int) -> Sentence:
    """All circuits are closed again."""
    return Sentence(
        f"Recovered {after:.0f} s after it began: {failures} upstream failures, {errors} user errors.",
        ko=f"장애 시작 {after:.0f}초 만에 회복: 업스트림 실패 {failures}건, 사용자 오류 {errors}건.",
    )


def blocked(language: str, rule: str, status: int) -> Sentence:
    """An injection was refused."""
    which = {"en": Sentence("English", ko="영어"), "ko": Sentence("Korean", ko="한국어")}[language]
    return Sentence(
        f"Blocked: a tool result carried an injection ({which.en}), rule {rule}; its caller got a {status}, the model "
        "never saw it.",
        ko=f"차단: 도구 결과에 {which.ko} 인젝션이 있었습니다. 규칙 {rule}. 호출자는 {status}을(를) 받았고 모델은 보지 "
        "못했습니다.",
    )


def looping(run: str, owner: str, count: int, evidence: str) -> Sentence:
    """A run turns in circles."""
    return Sentence(
        f"LOOP x{count}: run {run} of {owner}. {evidence}",
        ko=f"반복(LOOP) x{count}: {owner}의 {run} 실행이 같은 인수로 같은 도구를 되풀이합니다.",
    )


def alerted(subject: str, settled: str, limit: str) -> Sentence:
    """A budget has told of itself."""
    return Sentence(
        f"Budget alert, {subject}: ${settled} of ${limit} spent, more than 80 %.",
        ko=f"예산 알림, {subject}: ${limit} 중 ${settled} 사용, 80%를 넘었습니다.",
    )


def stopped(used: str, limit: str, wanted: str) -> Sentence:
    """A budget has refused a call."""
    return Sentence(
        f"Stopped by budget: ${used} of ${limit} spent, the next call could cost ${wanted}. It was not sent.",
        ko=f"예산으로 정지: ${limit} 중 ${used} 사용, 다음 호출은 최대 ${wanted}. 보내지 않았습니다.",
    )


def never_stopped() -> Sentence:
    """What must not be said."""
    return Sentence("The run went on and nothing stopped it.", ko="실행이 멈추지 않았습니다.")
