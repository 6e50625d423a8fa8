"""The no-progress breaker: whether an agent repeats itself, judged from what it did last and never from how long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.wire.history import Turn

Kind = Literal["same_call", "cycle", "same_error"]
Level = Literal["warn", "notice", "stop"]

PERIODS = (2, 3, 4)
"""Turns of a cycle that is looked for; one of a single turn is the same call."""
ERROR_FACTOR = 2
"""An error may come back so many times as often: whoever varies his arguments is still trying."""
POLLING = ("BashOutput", "TaskOutput")
"""Tools with which Claude Code waits for what runs in the background."""
_SHOWN_NAMES = 4
_LONGEST_NAME = 64

_Mark = frozenset[tuple[str, bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressConfig:
    """How much repetition is too much; `None` leaves a step out.

    Attributes:
        warn_at: repetitions from which it is announced.
        notice_at: from which the model is told so in its own answer.
        stop_at: from which calls are refused. All three count twice for an error that comes back although
            the arguments differ.
        watch: what is looked for; nothing switches it off.
        ignore: tools that repeat for good reason, such as one that waits; they are looked past.

    Raises:
        ConfigError: fewer than 2 repetitions, or steps out of order.
    """

    warn_at: int | None = 3
    notice_at: int | None = 5
    stop_at: int | None = 8
    watch: tuple[Kind, ...] = ("same_call", "cycle", "same_error")
    ignore: tuple[str, ...] = POLLING

    def __post_init__(self) -> None:
        steps = [at for at in (self.warn_at, self.notice_at, self.stop_at) if at is not None]
        if any(at < 2 for at in steps):
            raise ConfigError(
                Sentence(
                    "warn_at, notice_at and stop_at must be 2 or more, since once is no repetition; "
                    "leave one out to skip its step",
                    ko="warn_at, notice_at, stop_at은 2 이상이어야 합니다. 한 번은 반복이 아닙니다. 단계를 건너뛰려면 빼세요",
                )
            )
        if steps != sorted(steps):
            raise ConfigError(
                Sentence(
                    "warn_at, notice_at and stop_at must not fall: a warning comes before a notice, and a "
                    "notice before a stop",
                    ko="warn_at, notice_at, stop_at은 이 순서로 커져야 합니다. 경고가 알림보다, 알림이 중단보다 먼저입니다",
                )
            )

    @property
    def soonest(self) -> int | None:
        """The fewest repetitions that have a consequence; `None` when none have."""
        steps = [at for at in (self.warn_at, self.notice_at, self.stop_at) if at is not None]
        return min(steps) if steps and self.watch else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What repeats, how often, what follows from it, and the evidence in words.

    The evidence names tools and counts, and never arguments or results: those may hold secrets.
    """

    level: Level
    kind: Kind
    count: int
    evidence: Sentence


_RANK: dict[Level, int] = {"warn": 1, "notice": 2, "stop": 3}


def judge(turns: Sequence[Turn], config: ProgressConfig) -> Verdict | None:
    """What the newest turns repeat, the most serious first; `None` when all is well.

    Only the stretch at the very end counts: a loop that was left is over. A turn repeats another when it made
    the same calls and got the same results; a poll whose result changes is progress.
    """
    watched = [turn for turn in (_watched(turn, config) for turn in turns) if turn.calls]
    found = [_judged(*repetition, config) for repetition in _repetitions(watched, config)] if watched else []
    serious = [verdict for verdict in found if verdict is not None]
    return max(serious, key=lambda verdict: (_RANK[verdict.level], verdict.count), default=None)


@dataclass(frozen=True, slots=True)
class _Repetition:
    """Turns that came again and again, once, and how often."""

    turns: tuple[Turn, ...]
    count: int


def _watched(turn: Turn, config: ProgressConfig) -> Turn:
    return Turn(tuple(call for call in turn.calls if call.tool not in config.ignore))


def _repetitions(turns: Sequence[Turn], config: ProgressConfig) -> Iterator[tuple[Kind, _Repetition]]:
    marks = [_mark(turn) for turn in turns]
    if "same_call" in config.watch:
        yield "same_call", _repeated(turns, marks, 1)
    if "cycle" in config.watch:
        for period in PERIODS:
            if _is_cycle(marks[-period:], period):
                yield "cycle", _repeated(turns, marks, period)
    if "same_error" in config.watch:
        yield "same_error", _failed(turns)


def _mark(turn: Turn) -> _Mark | None:
    """What two turns must share to be the same; `None` for one whose results are not all there."""
    calls = [(call.tool, call.arguments, call.result) for call in turn.calls if call.result is not None]
    return frozenset(calls) if len(calls) == len(turn.calls) else None


def _repeated(turns: Sequence[Turn], marks: Sequence[_Mark | None], period: int) -> _Repetition:
    """How often the last `period` turns came in a row, they themselves included."""
    pairs = zip(reversed(marks), reversed(marks[:-period]), strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] is not None and pair[0] == pair[1], pairs))
    return _Repetition(tuple(turns[-period:]), alike // period + 1)


def _is_cycle(block: Sequence[_Mark | None], period: int) -> bool:
    """Whether these turns can be a cycle of this period, and not one of a shorter period repeated."""
    shorter = [size for size in range(1, period) if period % size == 0]
    return len(block) == period and not any(block[:-size] == block[size:] for size in shorter)


def _failed(turns: Sequence[Turn]) -> _Repetition:
    """How many of the last turns failed with one and the same error."""
    last = _error(turns[-1])
    if last is None:
        return _Repetition((), 0)
    alike = [*takewhile(lambda turn: _error(turn) == last, reversed(turns))]
    return _Repetition(tuple(reversed(alike)), len(alike))


def _error(turn: Turn) -> str | None:
    """The error of a turn whose calls all failed alike."""
    errors = {call.error for call in turn.calls}
    return errors.pop() if len(errors) == 1 else None


def _judged(kind: Kind, repetition: _Repetition, config: ProgressConfig) -> Verdict | None:
    level = _level(repetition.count, config, ERROR_FACTOR if kind == "same_error" else 1)
    if level is None:
        return None
    return Verdict(level=level, kind=kind, count=repetition.count, evidence=_evidence(kind, repetition))


def _level(count: int, config: ProgressConfig, factor: int) -> Level | None:
    steps: tuple[tuple[Level, int | None], ...] = (
        ("stop", config.stop_at),
        ("notice", config.notice_at),
        ("warn", config.warn_at),
    )
    return next((level for level, at in steps if at is not None and count >= at * factor), None)


def _evidence(kind: Kind, repetition: _Repetition) -> Sentence:
    if kind == "same_call":
        return _same_call(repetition)
    count = repetition.count
    if kind == "cycle":
        names = " → ".join(_names(turn) for turn in repetition.turns)
        return Sentence(
            f"The tool calls {names} were repeated {count} times in this order with the same arguments and "
            "gave the same results.",
            ko=f"도구 호출 {names}이(가) 같은 인자로 같은 순서로 {count}번 반복되었고 결과도 매번 같았습니다.",
        )
    names = _names(*repetition.turns)
    return Sentence(
        f"The last {count} turns, with calls of {names}, all failed with the same error.",
        ko=f"최근 {count}번의 도구 호출({names})이 모두 같은 오류로 실패했습니다.",
    )


def _same_call(repetition: _Repetition) -> Sentence:
    count, names = repetition.count, _names(*repetition.turns)
    if len({call.tool for call in repetition.turns[0].calls}) > 1:
        return Sentence(
            f"The tools {names} were called together {count} times in a row with the same arguments and gave "
            "the same results.",
            ko=f"도구 {names}이(가) 같은 인자로 연속 {count}번 함께 호출되었고 결과도 매번 같았습니다.",
        )
    return Sentence(
        f"The tool {names} was called {count} times in a row with the same arguments and gave the same result.",
        ko=f"도구 {names}이(가) 같은 인자로 연속 {count}번 호출되었고 결과도 매번 같았습니다.",
    )


def _names(*turns: Turn) -> str:
    """The tools of some turns, each once and in the order in which they came."""
    names = [*dict.fromkeys(call.tool for turn in turns for call in turn.calls)]
    shown = [f"`{''.join(name[:_LONGEST_NAME].split())}`" for name in names[:_SHOWN_NAMES]]
    return " + ".join([*shown, *(["…"] if len(names) > _SHOWN_NAMES else [])])


def advice(verdict: Verdict) -> Sentence:
    """What the model is to read in its own answer, marked as not its own words."""
    return Sentence(
        f"[Notice from the gateway holdfast, not written by the model: {verdict.evidence.en} Doing it again will "
        "change nothing. Try another way, or stop and say what is missing.]",
        ko=f"[모델이 쓴 글이 아니라 게이트웨이 holdfast의 알림입니다: {verdict.evidence.ko} 다시 해도 달라지지 "
        "않습니다. 다른 방법을 시도하거나, 멈추고 무엇이 부족한지 말하세요.]",
    )
