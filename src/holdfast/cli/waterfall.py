"""One request as a waterfall: what every guard decided, every attempt as a bar, the money and the tokens."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from holdfast.cli.inert import printable
from holdfast.cli.main import language
from holdfast.cli.request_rows import MARKS, length, moment, text
from holdfast.cli.table import table, width
from holdfast.language import Sentence
from holdfast.policy.money import plain

Facts = Mapping[str, Any]
BAR = 32
"""Letters of a bar: as long as the whole request took."""
WAITING, CONTENT = "░", "█"
LABEL = 10
INDENT = "  "


def waterfall(view: Facts) -> str:
    """A request as the Admin API tells it, for people."""
    parts = [_head(view), _guards(view), _attempts(view), "\n".join(_facts(view))]
    return "\n\n".join(part for part in parts if part)


def _head(view: Facts) -> str:
    call = view["call"]
    if call is None:
        under_way = Sentence(
            "under way, or its end was not written down", ko="진행 중이거나 종료가 기록되지 않음"
        )
        return f"{printable(view['request_id'])}\n{under_way.say(language())}"
    asked, served = call["model"], call["served_model"]
    stream = Sentence("stream", ko="스트림") if call["stream"] else Sentence("no stream", ko="스트림 아님")
    first = (
        f"{MARKS.get(call['outcome'], '?')} {call['outcome']}",
        text(call["status"]),
        asked if served in (None, asked) else f"{asked} -> {served}",
        stream.say(language()),
        length(call["duration_ms"]),
        _dollars(call["cost"]),
    )
    who = [f"{name} {call[name]}" for name in ("door", "key", "user", "run", "agent") if call[name]]
    lines = [view["request_id"], "  ".join(first), "  ".join([moment(call["at"]), *who])]
    return "\n".join(printable(line) for line in [*lines, *_decision(call)])


def _decision(call: Facts) -> Iterator[str]:
    if call["outcome"] != "answered" and call["decided_by"]:
        by = call["decided_by"]
        yield Sentence(f"decided by {by}", ko=f"결정: {by}").say(language()) + "".join(
            f"  {one}" for one in (call["error_code"], call["blame"] and f"blame: {call['blame']}") if one
        )


def _guards(view: Facts) -> str:
    story = view["story"]
    if story is None or not story["guards"]:
        return ""
    headers = (
        Sentence("guard", ko="가드"),
        Sentence("did", ko="처리"),
        Sentence("took", ko="소요"),
        Sentence("code", ko="코드"),
        Sentence("detail", ko="내용"),
    )
    rows = [
        [one["guard"], one["did"], _exact(one["ms"]), text(one["code"]), text(one["detail"])]
        for one in story["guards"]
    ]
    return table(headers, rows, right=(2,))


def _attempts(view: Facts) -> str:
    story = view["story"]
    if story is None or not story["attempts"]:
        return _kept_attempts(view["attempts"])
    whole = _whole(view)
    headers = (
        Sentence("attempt", ko="시도"),
        Sentence("upstream", ko="업스트림"),
        Sentence("model", ko="모델"),
        Sentence("timeline", ko="타임라인"),
        Sentence("result", ko="결과"),
        Sentence("cost $", ko="비용 $"),
    )
    rows = [
        [
            text(one["attempt"]),
            text(one["upstream"]),
            text(one["served_model"] or one["model"]),
            bar(one, whole),
            _result(one),
            text(one["settled"]),
        ]
        for one in story["attempts"]
    ]
    return table(headers, rows, right=(5,))


def _kept_attempts(attempts: Sequence[Facts]) -> str:
    """The attempts of a request that has no story, as the ledger has them."""
    if not attempts:
        return ""
    headers = (
        Sentence("attempt", ko="시도"),
        Sentence("upstream", ko="업스트림"),
        Sentence("model", ko="모델"),
        Sentence("state", ko="상태"),
        Sentence("result", ko="결과"),
        Sentence("cost $", ko="비용 $"),
    )
    rows = [
        [
            text(one["attempt"]),
            text(one["upstream"]),
            text(one["served_model"] or one["model"]),
            text(one["state"]),
            " ".join(text(part) for part in (one["status"], one["kind"]) if part),
            text(one["cost"]),
        ]
        for one in attempts
    ]
    return table(headers, rows, right=(5,))


def bar(one: Facts, whole: float) -> str:
    """When an attempt was sent, when its first content came, when it was over, to the scale of the request."""
    ended = one["ended_ms"]
    marks = [one["began_ms"], ended if one["first_ms"] is None else one["first_ms"], ended]
    begin, first, end = (_place(whole if mark is None else mark, whole) for mark in marks)
    begin = min(begin, BAR - 1)
    first, end = max(begin, first), max(begin + 1, first, end)
    return (" " * begin + WAITING * (first - begin) + CONTENT * (end - first)).ljust(BAR)[:BAR]


def _place(at: float, whole: float) -> int:
    return 0 if whole <= 0 else min(BAR, max(0, round(at / whole * BAR)))


def _whole(view: Facts) -> float:
    """How long the request took, or has so far."""
    times: list[float | None] = [
        one[name] for one in view["story"]["attempts"] for name in ("began_ms", "first_ms", "ended_ms")
    ]
    call = view["call"]
    known = [mark for mark in times if mark is not None]
    return max([*known, 0.0 if call is None else float(call["duration_ms"])])


def _result(one: Facts) -> str:
    parts = [text(one["status"])] if one["status"] is not None else []
    if one["kind"] not in ("answered", "http"):
        parts.append(one["kind"])
    if one["first_ms"] is not None:
        first = length(one["first_ms"] - one["began_ms"])
        parts.append(Sentence(f"first content {first}", ko=f"첫 내용까지 {first}").say(language()))
    if one["ended_ms"] is None:
        parts.append(Sentence("under way", ko="진행 중").say(language()))
    else:
        took = length(one["ended_ms"] - one["began_ms"])
        parts.append(Sentence(f"over after {took}", ko=f"{took} 만에 종료").say(language()))
    if one["blame"]:
        parts.append(Sentence(f"blame: {one['blame']}", ko=f"책임: {one['blame']}").say(language()))
    if one["wait_ms"] is not None:
        waited = length(one["wait_ms"])
        parts.append(Sentence(f"then waited {waited}", ko=f"이후 {waited} 대기").say(language()))
    return " · ".join(parts)


def _facts(view: Facts) -> Iterator[str]:
    call, story = view["call"], view["story"]
    if story is not None:
        yield from _line(Sentence("Money", ko="비용"), _money(story["attempts"], call))
    if call is not None:
        yield from _line(Sentence("Usage", ko="사용량"), _usage(call))
    if story is not None and story.get("cache") is not None:
        yield from _line(Sentence("Cache", ko="캐시"), _cache(story["cache"]))
    if story is not None:
        yield from _line(Sentence("Examined", ko="검사함"), "; ".join(map(_examined, story["coverage"])))
        for left in _unexamined(story["coverage"]):
            yield from _line(Sentence("Left out", ko="검사 안 함"), left)
        yield from _line(Sentence("Degraded", ko="축소됨"), ", ".join(story["degraded"]))
    yield from _line(Sentence("Body", ko="본문"), _body(None if story is None else story.get("recorded")))
    if story is not None:
        yield from _line(Sentence("Trace", ko="트레이스"), story["trace_id"] or "")


def _line(label: Sentence, value: str) -> Iterator[str]:
    if value:
        name = label.say(language())
        yield f"{name}{' ' * max(1, LABEL - width(name))}{printable(value)}"


def _money(attempts: Iterable[Facts], call: Facts | None) -> str:
    rows = [*attempts]
    held, settled = (
        [Decimal(one[name]) for one in rows if one[name] is not None] for name in ("held", "settled")
    )
    parts: list[str] = []
    if held:
        most, left = plain(sum(held, Decimal())), plain(max(Decimal(), sum(held, Decimal()) - sum(settled)))
        parts.append(Sentence(f"held ${most}", ko=f"예약 ${most}").say(language()))
        if settled:
            parts.append(Sentence(f"released ${left}", ko=f"반환 ${left}").say(language()))
    if settled:
        paid = plain(sum(settled, Decimal()))
        parts.append(Sentence(f"settled ${paid}", ko=f"정산 ${paid}").say(language()))
    if call is not None and call["price_version"]:
        version = call["price_version"]
        parts.append(Sentence(f"prices {version}", ko=f"요금표 {version}").say(language()))
    return " · ".join(parts)


def _usage(call: Facts) -> str:
    written, hour = call["cache_creation_input_tokens"], call["cache_creation_1h_input_tokens"]
    thought = call["thinking_tokens"]
    said = Sentence(
        f"in {call['input_tokens']:,} · cache read {call['cache_read_input_tokens']:,} · cache write 5m "
        f"{written - hour:,} / 1h {hour:,} · out {call['output_tokens']:,}",
        ko=f"입력 {call['input_tokens']:,} · 캐시 읽기 {call['cache_read_input_tokens']:,} · 캐시 쓰기 5m "
        f"{written - hour:,} / 1h {hour:,} · 출력 {call['output_tokens']:,}",
    ).say(language())
    if thought:
        said += Sentence(f" (thinking {thought:,})", ko=f" (사고 {thought:,})").say(language())
    if call["estimated"]:
        said += Sentence(" · estimated", ko=" · 추정").say(language())
    return said


def _body(recording: str | None) -> str:
    if recording is not None:
        return Sentence(
            f"recorded for {recording}, masked: --body shows it",
            ko=f"{recording} 설정으로 가려서 기록함: --body로 볼 수 있습니다",
        ).say(language())
    return Sentence(
        "not stored: prompts and answers are not kept", ko="저장 안 함: 프롬프트와 답변은 보관하지 않습니다"
    ).say(language())


def _cache(one: Facts) -> str:
    said = Sentence(
        f"{one['hit']:.0%} of the prompt read · {one['conversation_hit']:.0%} of the conversation",
        ko=f"프롬프트의 {one['hit']:.0%} 적중 · 대화 전체 {one['conversation_hit']:.0%}",
    ).say(language())
    if one["block"]:
        lost = "?" if one["lost"] is None else one["lost"]
        said += Sentence(
            f" · BUSTED by {one['block']}: {one['lost_tokens']:,} tokens lost, ${lost} more",
            ko=f" · {one['block']} 변경으로 무효화: 토큰 {one['lost_tokens']:,}개 손실, ${lost} 추가 비용",
        ).say(language())
    return said


def _examined(one: Facts) -> str:
    blocks = len(one["examined"])
    found = f": {', '.join(one['findings'])}" if one["findings"] else ""
    return Sentence(
        f"{one['guard']} {one['side']} {blocks} block{'' if blocks == 1 else 's'}, "
        f"{one['characters']:,} characters{found}",
        ko=f"{one['guard']} {one['side']} 블록 {blocks}개, {one['characters']:,}자{found}",
    ).say(language())


def _unexamined(coverage: Iterable[Facts]) -> Iterator[str]:
    for one in coverage:
        for block in one["skipped"]:
            yield f"{one['guard']}: {block['path']} ({block['reason']})"
        if one["further"]:
            yield Sentence(
                f"{one['guard']}: {one['further']:,} further blocks that are not named",
                ko=f"{one['guard']}: 이름을 남기지 않은 블록 {one['further']:,}개",
            ).say(language())


def _exact(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 1_000 else length(ms)


def _dollars(cost: str | None) -> str:
    if cost is None:
        return Sentence("no price known", ko="가격 모름").say(language())
    return f"${cost}"
