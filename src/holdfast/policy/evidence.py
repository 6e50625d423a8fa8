"""What stands beside a verdict: what a direct probe found, what holdfast itself takes, and what it has lost."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.language import Sentence
from holdfast.policy.verdict_words import MARKS

WINDOW = 60.0
"""Seconds that are looked back on, as a verdict does."""
MOST = 2_000
"""Calls of them that are remembered, the newest."""
SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What an upstream said when it was asked for something free, past every guard, circuit and gate.

    Attributes:
        mark: the status, or how the connection failed.
        ms: how long that took; `age` is how many seconds ago it was.
    """

    upstream: str
    ok: bool
    mark: str
    ms: float
    age: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """What holdfast itself took of calls: `p95` milliseconds or less for 95 of 100 of so many calls."""

    p95: float
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What should have been kept or told since this worker began, and was not."""

    log_lines: int = 0
    spans: int = 0
    recordings: int = 0
    alerts: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether all of it is there."""
        return not (self.log_lines or self.spans or self.recordings or self.alerts)


class Overheads:
    """What holdfast itself took of the calls of the last minute; moments are seconds of one clock."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: deque[tuple[float, float]] = deque(maxlen=MOST)

    def add(self, now: float, ms: float) -> None:
        """A call is over that waited so long for us."""
        self._taken.append((now, ms))

    def of_late(self, now: float) -> Overhead | None:
        """What most calls had to wait; `None` without any call."""
        taken = sorted(ms for at, ms in self._taken if now - at < WINDOW)
        if not taken:
            return None
        return Overhead(p95=taken[math.ceil(SHARE * len(taken)) - 1], calls=len(taken))


def beside(probed: Probed | None, overhead: Overhead | None, lost: Lost) -> Iterator[Sentence]:
    """The lines for what there is."""
    if probed is not None:
        yield _of_probe(probed)
    if overhead is not None:
        calls = f"{overhead.calls:,} call" + ("" if overhead.calls == 1 else "s")
        yield Sentence(
            f"Holdfast's own overhead: p95 {overhead.p95:.1f} ms over {calls}, until the upstream was asked.",
            ko=f"holdfast 자체 지연: 업스트림에 요청하기까지 p95 {overhead.p95:.1f}ms(호출 {overhead.calls:,}건).",
        )
    if not lost.is_nothing:
        yield _of_losses(lost)


def _of_probe(one: Probed) -> Sentence:
    mark = MARKS.get(one.mark, Sentence(one.mark, ko=one.mark))
    when = Sentence("just now", ko="방금") if one.age < 1 else _ago(one.age)
    if one.ok:
        return Sentence(
            f"A direct probe of {one.upstream} (count_tokens, free) succeeds in {one.ms:.0f} ms, {when.en}.",
            ko=f"{one.upstream} 직접 확인(무료 count_tokens)은 {one.ms:.0f}ms 만에 성공했습니다({when.ko}).",
        )
    return Sentence(
        f"A direct probe of {one.upstream} (count_tokens, free) also fails: {mark.en} after {one.ms:.0f} ms, {when.en}.",
        ko=f"{one.upstream} 직접 확인(무료 count_tokens)도 실패했습니다: {one.ms:.0f}ms 뒤 {mark.ko}({when.ko}).",
    )


def _ago(seconds: float) -> Sentence:
    return Sentence(f"{seconds:.0f} s ago", ko=f"{seconds:.0f}초 전")


def _of_losses(lost: Lost) -> Sentence:
    counts = (
        (lost.log_lines, Sentence("log lines", ko="로그")),
        (lost.spans, Sentence("spans", ko="스팬")),
        (lost.recordings, Sentence("recordings", ko="녹화")),
        (lost.alerts, Sentence("alerts", ko="알림")),
    )
    named = [(count, name) for count, name in counts if count]
    return Sentence(
        f"Lost since this worker began: {', '.join(f'{count:,} {name.en}' for count, name in named)}.",
        ko=f"이 워커가 시작된 뒤 유실: {', '.join(f'{name.ko} {count:,}건' for count, name in named)}.",
    )
