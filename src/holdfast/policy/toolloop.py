"""What an agent does after each answer: run tools, ask again, or be done; and when it has done enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from holdfast.errors import ConfigError, RunCapReached
from holdfast.language import Sentence
from holdfast.policy.money import Money, dollars, pico, plain

Block = Mapping[str, object]

RESUMED = ("pause_turn", "compaction")
"""Stop reasons after which the API only waits to be asked again (stop reasons page)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLimits:
    """How far one message may take an agent; `None` sets no limit.

    Attributes:
        turns: answers of the model.
        usd: dollars for all of them.
        time: seconds or `timedelta` for all of them, tools included.

    Raises:
        ConfigError: a limit of 0, which lets nothing through.
    """

    turns: int | None = 25
    usd: Money | None = None
    time: float | timedelta | None = None

    def __post_init__(self) -> None:
        if self.turns is not None and self.turns < 1:
            raise _zero("turns")
        if self.usd is not None and pico(self.usd, name="usd") < 1:
            raise _zero("usd")
        if self.seconds is not None and not self.seconds > 0:
            raise _zero("time")

    @property
    def seconds(self) -> float | None:
        """The time in seconds."""
        return self.time.total_seconds() if isinstance(self.time, timedelta) else self.time

    def reached(self, *, turns: int, spent: Decimal, elapsed: float) -> RunCapReached | None:
        """Why no further answer may be asked for, or `None`."""
        if self.turns is not None and turns >= self.turns:
            return _reached("turns", str(self.turns), "turns of the model", "모델 응답 횟수")
        if self.usd is not None and spent >= dollars(pico(self.usd, name="usd")):
            limit = plain(dollars(pico(self.usd, name="usd")))
            return _reached("usd", f"${limit}", "dollars", "비용")
        if self.seconds is not None and elapsed >= self.seconds:
            return _reached("time", f"{self.seconds:g} s", "seconds", "시간")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a tool that a model asks for; `is_readable` is false when its input is no JSON."""

    id: str
    name: str
    input: object
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do; `kept` is what of the answer may stand in a history."""

    kept: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class RunTools:
    """These tools are to be run, and their results sent back."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The API has paused: the same conversation with this answer at its end goes on by itself."""


def next_step(
    content: Sequence[Block], stop_reason: str | None, *, unreadable: frozenset[int] = frozenset()
) -> Done | RunTools | AskAgain:
    """What follows from an answer; `unreadable` are positions of calls whose input is no JSON.

    A call that was cut off where the answer ended for another reason is not made, and may not stand in a history,
    since the API wants a result for every call.
    """
    if stop_reason in RESUMED:
        return AskAgain()
    calls = tuple(
        ToolCall(
            id=str(block.get("id", "")),
            name=str(block.get("name", "")),
            input=block.get("input", {}),
            is_readable=at not in unreadable,
        )
        for at, block in enumerate(content)
        if block.get("type") == "tool_use"
    )
    if stop_reason == "tool_use" and calls:
        return RunTools(calls)
    if stop_reason == "refusal":
        return Done(())
    return Done(_standing(content))


def _standing(content: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks up to the first open call, less what may not be the end of a turn."""
    kept: list[Block] = []
    for block in content:
        if block.get("type") == "tool_use":
            break
        kept.append(block)
    while kept and (_is_thinking(kept[-1]) or is_empty(kept[-1])):
        kept.pop()
    return tuple(block for block in kept if not is_empty(block))


def _is_thinking(block: Block) -> bool:
    return block.get("type") in ("thinking", "redacted_thinking")


def is_empty(block: Block) -> bool:
    """Whether this is a text without a letter, which the API takes in no turn."""
    text = block.get("text")
    return block.get("type") == "text" and not (isinstance(text, str) and text.strip())


def _zero(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{name}: 0 lets nothing through; leave it out for no limit",
            ko=f"{name}: 0이면 아무것도 실행할 수 없습니다. 제한하지 않으려면 빼세요",
        )
    )


def _reached(cap: str, limit: str, what: str, korean: str) -> RunCapReached:
    return RunCapReached(
        Sentence(
            f"The agent was stopped after {limit} ({what}) for one message, before it was done. Ask for less at "
            f"once, or raise `limits.{cap}`.",
            ko=f"에이전트가 메시지 하나에 허용된 한도({korean} {limit})에 이르러 중단되었습니다. 한 번에 더 적게 "
            f"요청하거나 `limits.{cap}`을(를) 늘리세요.",
        ),
        details={"cap": cap, "limit": limit},
    )
