"""What has happened lately in one process: the few events that a person wants to read, newest first, and loops of runs."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from holdfast.clock import Clock
from holdfast.events import (
    BudgetAlerted,
    CallCut,
    CircuitChanged,
    Event,
    GateChanged,
    HoldsExpired,
    McpMoved,
    OrderUnreadable,
    RequestCrashed,
    RunStopped,
    RunWarned,
    SettleFailed,
    ToolChanged,
)
from holdfast.language import Sentence
from holdfast.policy.masking import mask

Grade = Literal["good", "note", "bad"]
KEPT = 200
LOOPS = 500
"""Runs whose repetition is remembered."""
AGAIN = timedelta(seconds=60)
"""The same within so long is counted and not told again."""
LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened, `count` times since `at`."""

    at: datetime
    grade: Grade
    said: Sentence
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What a run repeats: `kind` is same_call, cycle, same_error or a cap; `stopped` where calls were refused for it."""

    at: datetime
    kind: str
    count: int
    stopped: bool
    evidence: str


class Chronicle:
    """An observer that remembers what is worth reading; safe from any thread, and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._happenings: deque[Happening] = deque(maxlen=KEPT)
        self._loops: OrderedDict[str, Loop] = OrderedDict()

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        tell = _TOLD.get(type(event))
        if tell is None:
            return
        told = tell(event)
        with self._lock:
            now = self._clock.now()
            if told is not None:
                self._keep(Happening(at=now, grade=told[0], said=told[1]))
            if isinstance(event, RunWarned | RunStopped) and event.run is not None:
                self._loop(event, event.run, now)

    def happenings(self, most: int = KEPT) -> tuple[Happening, ...]:
        """What has happened, newest first."""
        with self._lock:
            return tuple(self._happenings)[::-1][:most]

    def loops(self) -> Mapping[str, Loop]:
        """What runs repeat, by the name of the run."""
        with self._lock:
            return dict(self._loops)

    def _keep(self, one: Happening) -> None:
        for place in range(len(self._happenings) - 1, -1, -1):
            known = self._happenings[place]
            if one.at - known.at > AGAIN:
                break
            if known.said == one.said:
                self._happenings[place] = replace(known, count=known.count + 1)
                return
        self._happenings.append(one)

    def _loop(self, event: RunWarned | RunStopped, run: str, now: datetime) -> None:
        known = self._loops.pop(run, None)
        if isinstance(event, RunWarned):
            found = Loop(at=now, kind=event.kind, count=event.count, stopped=False, evidence=event.evidence)
        else:
            count = 0 if known is None or known.kind != event.cause else known.count
            found = Loop(at=now, kind=event.cause, count=count, stopped=True, evidence=event.evidence)
        self._loops[run] = found
        while len(self._loops) > LOOPS:
            self._loops.popitem(last=False)


Told = tuple[Grade, Sentence] | None
_REOPENED = ("open", "forced_open")


def _name(text: object) -> str:
    """A name that a caller chose: whatever it holds, it is short and no secret."""
    return mask(str(text))[:LONGEST]


def _circuit(event: CircuitChanged) -> Told:
    name = _name(event.circuit)
    if event.after in _REOPENED:
        return "bad", Sentence(
            f"Circuit {name} opened ({event.reason})", ko=f"{name} 서킷이 열림 ({event.reason})"
        )
    if event.after == "half_open":
        return "note", Sentence(f"Circuit {name} lets probes through", ko=f"{name} 서킷이 시험 호출을 보냄")
    return "good", Sentence(f"Circuit {name} closed", ko=f"{name} 서킷이 닫힘")


def _gate(event: GateChanged) -> Told:
    place = _name(event.place)
    if event.state == "closed":
        return "bad", Sentence(
            f"Gate {event.gate} before {place} closed ({event.reason})",
            ko=f"{place} 앞의 {event.gate} 게이트가 닫힘 ({event.reason})",
        )
    return "good", Sentence(
        f"Gate {event.gate} before {place} opened", ko=f"{place} 앞의 {event.gate} 게이트가 열림"
    )


def _budget(event: BudgetAlerted) -> Told:
    of = "" if event.limit is None else f" / ${event.limit}"
    return "bad", Sentence(
        f"Budget {_name(event.budget)} passed ${event.threshold}: ${event.settled}{of}",
        ko=f"예산 {_name(event.budget)}: 기준 ${event.threshold} 초과, 사용액 ${event.settled}{of}",
    )


def _cut(event: CallCut) -> Told:
    what = _name(f"{event.scope} {event.value}".strip())
    return "note", Sentence(f"Calls were ended by the stop of {what}", ko=f"{what} 정지로 호출이 종료됨")


def _warned(event: RunWarned) -> Told:
    run = _name(event.run or "-")
    return "note", Sentence(f"Run {run} repeats itself", ko=f"{run} 실행이 반복에 빠짐")


def _stopped(event: RunStopped) -> Told:
    run = _name(event.run or "-")
    return "bad", Sentence(
        f"Calls of run {run} are refused ({event.cause})", ko=f"{run} 실행의 호출을 거절함 ({event.cause})"
    )


def _expired(event: HoldsExpired) -> Told:
    return "note", Sentence(
        f"Holds of lost workers were given back: {event.count}",
        ko=f"사라진 작업자의 예약 {event.count}건을 해제함",
    )


def _tool(event: ToolChanged) -> Told:
    return "bad", Sentence(
        f"Tool {_name(event.tool)} is not as it was pinned ({event.code})",
        ko=f"{_name(event.tool)} 도구가 고정된 것과 다름 ({event.code})",
    )


def _mcp(event: McpMoved) -> Told:
    server = _name(event.server)
    if event.state in ("lost", "failed"):
        return "bad", Sentence(
            f"MCP server {server}: {event.state}", ko=f"MCP 서버 {server} 연결 문제: {event.state}"
        )
    return "note", Sentence(
        f"MCP server {server}: {event.state}", ko=f"MCP 서버 {server} 상태: {event.state}"
    )


def _settle(event: SettleFailed) -> Told:
    return "bad", Sentence(
        f"{event.guard} could not settle a call", ko=f"{event.guard} 가드가 호출을 정산하지 못함"
    )


def _crash(event: RequestCrashed) -> Told:
    return "bad", Sentence(
        f"A bug met a request: {event.error}", ko=f"요청 처리 중 내부 오류 발생: {event.error}"
    )


def _order(event: OrderUnreadable) -> Told:
    return "bad", Sentence(
        f"{event.kind} {_name(event.name)} cannot be read; what stood there before holds",
        ko=f"{event.kind} {_name(event.name)} 문서를 읽을 수 없어 이전 내용을 유지함",
    )


_TOLD: Mapping[type[Event], Callable[[Any], Told]] = {
    CircuitChanged: _circuit,
    GateChanged: _gate,
    BudgetAlerted: _budget,
    CallCut: _cut,
    RunWarned: _warned,
    RunStopped: _stopped,
    HoldsExpired: _expired,
    ToolChanged: _tool,
    McpMoved: _mcp,
    SettleFailed: _settle,
    RequestCrashed: _crash,
    OrderUnreadable: _order,
}
