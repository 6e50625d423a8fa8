"""A verdict in words: the cause, its evidence, and what users notice of it."""

from collections.abc import Mapping, Sequence

from holdfast.language import Sentence
from holdfast.policy.failure import Blame
from holdfast.policy.verdict import CLASSES, WINDOW, Kind, Verdict, class_of

TITLES: Mapping[Kind, Sentence] = {
    "holding": Sentence("All holding", ko="모두 정상입니다"),
    "idle": Sentence("Nothing to judge", ko="판단할 호출이 없습니다"),
    "degraded": Sentence("Users notice something", ko="사용자에게 영향이 있습니다"),
    "overloaded": Sentence("Claude is overloaded", ko="Claude가 과부하 상태입니다"),
    "claude_failing": Sentence("Claude is failing", ko="Claude에서 오류가 나고 있습니다"),
    "network": Sentence(
        "The network between here and Claude is failing", ko="Claude까지의 네트워크에 문제가 있습니다"
    ),
    "account": Sentence(
        "The account at Claude does not let calls through", ko="Claude 계정 때문에 호출이 막히고 있습니다"
    ),
    "client": Sentence(
        "Callers send requests that Claude refuses", ko="호출자가 Claude가 거절하는 요청을 보내고 있습니다"
    ),
    "us": Sentence(
        "Holdfast itself refuses or fails calls", ko="holdfast가 호출을 거절하거나 처리하지 못하고 있습니다"
    ),
}
"""Short enough for the title of a page."""
BLAMED: Mapping[Blame, Sentence] = {
    "client": Sentence("client", ko="호출자"),
    "us": Sentence("us", ko="holdfast 자체"),
    "network": Sentence("network", ko="네트워크"),
    "account": Sentence("account", ko="계정"),
    "claude": Sentence("Claude", ko="Claude 쪽"),
}
MARKS: Mapping[str, Sentence] = {
    "connect_error": Sentence("no connection", ko="연결 실패"),
    "reset": Sentence("reset connections", ko="연결 끊김"),
    "truncated": Sentence("answers cut short", ko="중간에 잘린 응답"),
    "cut": Sentence("cut streams", ko="끊긴 스트림"),
    "stall": Sentence("silence in mid-answer", ko="응답 도중 멈춤"),
    "first_byte_timeout": Sentence("no first byte", ko="첫 바이트 없음"),
    "unreadable_body": Sentence("unreadable answers", ko="읽을 수 없는 응답"),
    "other": Sentence("others", ko="기타"),
}
"""What a mark that is no status and no error code is called."""


def sentence(verdict: Verdict) -> Sentence:
    """The verdict in one line: cause, evidence, effect on users."""
    counts, title, effect = verdict.counts, TITLES[verdict.kind], _effect(verdict)
    match verdict.kind:
        case "idle":
            return _idle(verdict)
        case "holding":
            calls = _counted(counts.calls, "call")
            return Sentence(
                f"{title.en}. {calls} and {_counted(counts.attempts, 'attempt')} in the last {WINDOW} s, "
                f"{counts.good} of them good{_success(verdict).en}. {effect.en}",
                ko=f"{title.ko}. 최근 {WINDOW}초 동안 호출 {counts.calls}건, 시도 {counts.attempts}건 중 "
                f"{counts.good}건 성공{_success(verdict).ko}. {effect.ko}",
            )
        case "degraded":
            return Sentence(
                f"{title.en}, and no single cause stands out{_success(verdict, '; ').en}. {effect.en}",
                ko=f"{title.ko}. 뚜렷한 단일 원인은 없습니다{_success(verdict).ko}. {effect.ko}",
            )
        case _:
            evidence = _evidence(verdict)
            return Sentence(
                f"{title.en} ({evidence.en}{_success(verdict).en}). {effect.en}",
                ko=f"{title.ko}({evidence.ko}{_success(verdict).ko}). {effect.ko}",
            )


def evidence(verdict: Verdict, circuits: Sequence[str] = ()) -> tuple[Sentence, ...]:
    """The lines below it; `circuits` are those that let nothing through, or little."""
    counts = verdict.counts
    blamed = [(BLAMED[blame], counts.blamed(blame)) for blame in reversed(CLASSES)]
    lines = [
        Sentence(
            f"Who failed in the last {WINDOW} s: {', '.join(f'{name.en} {count}' for name, count in blamed)}; "
            f"{counts.good} of {_counted(counts.attempts, 'attempt')} good.",
            ko=f"최근 {WINDOW}초 실패 원인: {', '.join(f'{name.ko} {count}' for name, count in blamed)}. "
            f"시도 {counts.attempts}건 중 {counts.good}건 성공.",
        ),
        Sentence(
            f"Users: {_counted(counts.calls, 'call')}, {counts.effect('answered')} answered, "
            f"{counts.effect('fallback')} fallbacks, {counts.effect('cached')} from the cache, "
            f"{counts.effect('failed')} errors, {counts.effect('refused')} refused, "
            f"{counts.effect('left')} hung up.",
            ko=f"사용자: 호출 {counts.calls}건, 응답 {counts.effect('answered')}건, "
            f"대체 응답 {counts.effect('fallback')}건, 캐시 응답 {counts.effect('cached')}건, "
            f"오류 {counts.effect('failed')}건, 거절 {counts.effect('refused')}건, "
            f"중단 {counts.effect('left')}건.",
        ),
        Sentence(
            f"This has been so for {_age(verdict.for_seconds).en}.",
            ko=f"이 상태가 된 지 {_age(verdict.for_seconds).ko}.",
        ),
    ]
    if circuits:
        names = ", ".join(circuits)
        lines.append(Sentence(f"Circuits not closed: {names}.", ko=f"닫히지 않은 서킷: {names}."))
    return tuple(lines)


def _idle(verdict: Verdict) -> Sentence:
    counts, title = verdict.counts, TITLES["idle"]
    if not counts.attempts + counts.calls:
        return Sentence(
            f"{title.en}: no call in the last {WINDOW} s.",
            ko=f"{title.ko}. 최근 {WINDOW}초 동안 호출이 없었습니다.",
        )
    return Sentence(
        f"Too little to judge: {_counted(counts.calls, 'call')} and {_counted(counts.attempts, 'attempt')} "
        f"in the last {WINDOW} s, none of them good. {_effect(verdict).en}",
        ko=f"판단하기에는 호출이 너무 적습니다. 최근 {WINDOW}초 동안 호출 {counts.calls}건, 시도 {counts.attempts}건이 "
        f"있었고 성공은 없었습니다. {_effect(verdict).ko}",
    )


def _evidence(verdict: Verdict) -> Sentence:
    """What failed how often of how many."""
    counts, blame = verdict.counts, class_of(verdict.kind)
    assert blame is not None
    assert blame != "degraded"
    marks = counts.marks(blame)[:2]
    if not marks:
        return Sentence(
            f"{_counted(counts.unsent, 'call')} not even sent in the last {WINDOW} s",
            ko=f"최근 {WINDOW}초 동안 {counts.unsent}건은 보내지도 못함",
        )
    of = counts.calls if blame == "us" else counts.attempts
    noun = Sentence("call", ko="호출") if blame == "us" else Sentence("attempt", ko="시도")
    heads = [(MARKS.get(mark, Sentence(mark, ko=mark)), count) for mark, count in marks]
    return Sentence(
        f"{' and '.join(f'{mark.en} on {count}' for mark, count in heads)} of the last {_counted(of, noun.en)}",
        ko=f"최근 {noun.ko} {of}건 중 {', '.join(f'{mark.ko} {count}건' for mark, count in heads)}",
    )


def _success(verdict: Verdict, before: str = ", ") -> Sentence:
    if class_of(verdict.kind) in ("us", "client"):
        return Sentence("", ko="")
    if verdict.success_age is None:
        return Sentence(f"{before}no success yet", ko=", 아직 성공 없음")
    age = _age(verdict.success_age)
    return Sentence(f"{before}last success {age.en} ago", ko=f", 마지막 성공 {age.ko} 전")


def _effect(verdict: Verdict) -> Sentence:
    counts = verdict.counts
    errors, fallbacks = counts.effect("failed"), counts.effect("fallback")
    seen = Sentence("0 users saw an error.", ko="오류를 본 사용자는 0명입니다.")
    if errors:
        seen = Sentence(
            f"{errors} of {_counted(counts.calls, 'call')} ended in an error for their user.",
            ko=f"호출 {counts.calls}건 중 {errors}건이 사용자에게 오류로 끝났습니다.",
        )
    if refused := counts.effect("refused"):
        seen = Sentence(
            f"{seen.en[:-1]}, {refused} {'was' if refused == 1 else 'were'} refused.",
            ko=f"{seen.ko} 거절된 호출은 {refused}건입니다.",
        )
    if fallbacks:
        return Sentence(
            f"You are serving fallbacks ({fallbacks}): {seen.en}",
            ko=f"대체 응답을 내보내고 있습니다({fallbacks}건). {seen.ko}",
        )
    return seen


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _age(seconds: float) -> Sentence:
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return Sentence(f"{hours} h {minutes} m", ko=f"{hours}시간 {minutes}분")
    if minutes:
        return Sentence(f"{minutes} m {rest} s", ko=f"{minutes}분 {rest}초")
    return Sentence(f"{whole} s", ko=f"{whole}초")
