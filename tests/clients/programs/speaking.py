"""What all programs in Python share: tasks come as lines of JSON on stdin, and what a client saw goes to stdout.

Nothing but the standard library, of Python 3.11: each program runs where its client is installed.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

MODEL = "claude-sonnet-5-5"
KEY = "local"
TEXT = "Where is my order?"
STORY = "Tell me a story"
TOOL = "Please use the tool weather for Seoul."
WEATHER = "Sunny, 21 degrees"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DESCRIPTION = "The weather in a city."


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One turn of a client: where to, and how many seconds it may wait for bytes."""

    turn: str
    url: str
    timeout: float


@dataclass(slots=True, kw_only=True)
class Seen:
    """What came of a turn; a stream that broke has text and an error."""

    text: str = ""
    pieces: int = 0
    stop: str | None = None
    error: str | None = None
    status: int | None = None
    message: str = ""


Turn = Callable[[Task, Seen], None]


def perform(turns: Mapping[str, Turn], task: Task) -> Seen:
    """Do one turn; whatever the client raises is what it saw."""
    seen = Seen()
    try:
        turns[task.turn](task, seen)
    except Exception as error:
        seen.error = type(error).__name__
        status = getattr(error, "status_code", None)
        seen.status = status if isinstance(status, int) else None
        seen.message = str(error)[:500]
    return seen


def speak(version: str, turns: Mapping[str, Turn]) -> None:
    """Answer tasks until there are no more."""
    sys.stdout.write(json.dumps({"version": version}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(perform(turns, Task(**json.loads(line))))) + "\n")
        sys.stdout.flush()
