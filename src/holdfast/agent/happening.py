"""What happens while an agent works on a message, as its stream tells it."""

from dataclasses import dataclass

from holdfast.agent.reply import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingDelta:
    """The next piece of what the model thinks, where the API shows it."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool is about to be run with this input."""

    id: str
    tool: str
    input: object


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnded:
    """A tool has been run; `ms` is how long it took in milliseconds."""

    id: str
    tool: str
    is_error: bool
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """The message has been answered."""

    reply: Reply


Happening = TextDelta | ThinkingDelta | ToolStarted | ToolEnded | Replied
