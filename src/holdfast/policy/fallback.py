"""When somebody else's failure is answered all the same, and which earlier answers may be given again."""

from collections import OrderedDict
from dataclasses import dataclass

from holdfast.errors import (
    BudgetExhausted,
    ConfigError,
    DeadlineExceeded,
    HoldfastError,
    InputRejected,
    Refused,
)
from holdfast.language import Sentence
from holdfast.policy.retry import check_time
from holdfast.wire.headers import Headers

WHOLE = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""Stop reasons of answers that are all there; cut off and declined ones are never given again (semantics 2.3)."""
MOST_BYTES = 64 * 1024 * 1024
"""Of all answers kept."""
LARGEST = 4 * 1024 * 1024
"""Bytes of one answer that is kept: one alone must not drive out the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackConfig:
    """What is said when no upstream answers; by default nothing, and the error goes to the caller.

    Attributes:
        text: this, as a message of the model.
        cached: before that, the last good answer to the very same request of the same caller, if there is one.
        keep: how many answers are kept for that, in memory only.
        max_age: seconds after which an answer is too old to be given again.
    """

    text: str | None = None
    cached: bool = False
    keep: int = 1000
    max_age: float = 3600.0

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise ConfigError(
                Sentence(
                    "text: must not be empty; say something, or leave this setting out to pass the error on",
                    ko="text: 비워 둘 수 없습니다. 대신 보낼 문구를 적거나, 오류를 그대로 전달하려면 이 설정을 빼세요",
                )
            )
        if self.keep < 1:
            raise ConfigError(
                Sentence(
                    "keep: must be 1 or more; to keep nothing, set `cached` to false",
                    ko="keep: 1 이상이어야 합니다. 아무것도 보관하지 않으려면 `cached`를 false로 두세요",
                )
            )
        check_time("max_age", self.max_age)

    @property
    def is_on(self) -> bool:
        """Whether there is anything to say."""
        return self.text is not None or self.cached


def stands_in(error: HoldfastError) -> bool:
    """Whether a fallback may be said instead of this error: never for the request's own fault or a budget of ours."""
    match error:
        case InputRejected():
            return False
        case BudgetExhausted() if "budget" in error.details:
            # A limit of our own, and no outage: whoever it stops must hear of it.
            return False
        case Refused() | DeadlineExceeded():
            return True
        case _:
            return stands_in_for(error.status)


def stands_in_for(status: int) -> bool:
    """Whether a fallback may be said instead of an answer of this status."""
    return status >= 500 or status == 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as it was given: `headers` are those without which it would be misread."""

    body: bytes
    headers: Headers
    model: str
    stop_reason: str


class KeptAnswers:
    """The last good answers, bounded in number, bytes and age; callers serialise the access.

    `now` is a moment of the monotonic clock in seconds.
    """

    def __init__(self, config: FallbackConfig, *, most_bytes: int = MOST_BYTES) -> None:
        self._config = config
        self._most_bytes = most_bytes
        self._answers: OrderedDict[bytes, tuple[float, Kept]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size(self) -> int:
        """Bytes of all answers kept."""
        return self._bytes

    def keep(self, key: bytes, answer: Kept, *, now: float) -> None:
        """Keep an answer in the place of an older one; what was used least recently makes room for it."""
        self._forget(key)
        if len(answer.body) > self._most_bytes:
            return
        self._answers[key] = (now, answer)
        self._bytes += len(answer.body)
        while len(self._answers) > self._config.keep or self._bytes > self._most_bytes:
            self._forget(next(iter(self._answers)))

    def find(self, key: bytes, *, now: float) -> Kept | None:
        """The answer under this key, unless it is too old."""
        since, answer = self._answers.get(key, (now, None))
        if answer is None:
            return None
        if now - since > self._config.max_age:
            self._forget(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def _forget(self, key: bytes) -> None:
        found = self._answers.pop(key, None)
        if found is not None:
            self._bytes -= len(found[1].body)
