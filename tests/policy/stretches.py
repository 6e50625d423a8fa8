"""Turns of an agent, written down by what it called and what came of it."""

from holdfast.policy.progress import ProgressConfig, Verdict, judge
from holdfast.wire.history import ToolCall, Turn


def call(
    tool: str = "read", given: str = "", came: str | None = "same", error: str | None = None
) -> ToolCall:
    """One call; without a result when nothing came."""
    result = None if came is None else came.encode()
    return ToolCall(tool=tool, arguments=given.encode(), result=result, error=error)


def turn(tool: str = "read", given: str = "", came: str | None = "same", error: str | None = None) -> Turn:
    """A turn with one call."""
    return Turn((call(tool, given, came, error),))


def failed(error: str = "no such file", given: str = "", tool: str = "read") -> Turn:
    """A turn whose call failed; the result differs with what was given."""
    return turn(tool, given, f"{error} {given}", error)


def level(turns: list[Turn], config: ProgressConfig | None = None) -> str:
    """What follows, in a word: `fine` for nothing."""
    verdict = judge(turns, config or ProgressConfig())
    return "fine" if verdict is None else verdict.level


def verdict(turns: list[Turn], config: ProgressConfig | None = None) -> Verdict:
    """What follows, where something does."""
    found = judge(turns, config or ProgressConfig())
    assert found is not None
    return found
