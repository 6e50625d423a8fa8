"""Recordings: an operator's word that the bodies of some calls are kept for a while, and the rules of keeping them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence

RecordingScope = Literal["key", "user", "run"]
SCOPES: tuple[RecordingScope, ...] = get_args(RecordingScope)
RECORDING = "recording"
"""The kind of a recording's document in the register."""
LONGEST = timedelta(hours=24)
"""A recording is for looking into something, and not for keeping everything."""
USUAL_BYTES, LEAST_BYTES, MOST_BYTES = 64 * 1024, 256, 1024 * 1024
"""Bytes of one body, as it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Whose bodies are kept, on whose word, and until when; of one body at most `max_bytes`.

    Raises:
        ConfigError: nobody is named, it has no end or a late one, or the size makes no sense.
    """

    scope: RecordingScope
    value: str
    by: str = "operator"
    at: datetime
    until: datetime
    max_bytes: int = USUAL_BYTES

    def __post_init__(self) -> None:
        if self.scope not in SCOPES or not self.value:
            raise ConfigError(_NOBODY)
        if self.at.tzinfo is None or self.until.tzinfo is None:
            raise ConfigError(_NO_ZONE)
        if not timedelta() < self.until - self.at <= LONGEST:
            raise ConfigError(_TOO_LONG)
        if not LEAST_BYTES <= self.max_bytes <= MOST_BYTES:
            raise ConfigError(_NO_SIZE)

    @property
    def name(self) -> str:
        """What no other recording is called."""
        return f"{self.scope}:{self.value}"

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return now >= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderConfig:
    """How long bodies are kept that were recorded, and how much room they take: `[recorder]`.

    Attributes:
        keep_days: days after which they are forgotten.
        max_bytes: bytes of all of them together; the oldest are forgotten first.

    Raises:
        ConfigError: a number that makes no sense.
    """

    keep_days: int = 7
    max_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if not 1 <= self.keep_days <= 400:
            raise ConfigError(_unfit("keep_days", "from 1 to 400 days", "1일에서 400일 사이여야"))
        if self.max_bytes < MOST_BYTES:
            raise ConfigError(
                _unfit("max_bytes", f"{MOST_BYTES} bytes or more", f"{MOST_BYTES}바이트 이상이어야")
            )


def binding(
    recordings: tuple[Recording, ...], said: Mapping[str, str | None], now: datetime
) -> Recording | None:
    """The recording that a call falls under, by what it says of itself (`key`, `user`, `run`): the most generous."""
    meant = [one for one in recordings if said.get(one.scope) == one.value and not one.is_over(now)]
    return max(meant, key=lambda one: one.max_bytes, default=None)


_decode = msgspec.json.Decoder(Recording).decode


def encoded(recording: Recording) -> bytes:
    """A recording as a document of the register."""
    return msgspec.json.encode(recording)


def decoded(body: bytes) -> Recording:
    """The recording that a document says; raises `ConfigError` for what is none."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"A recording cannot be read: {error}. Switch it off with `holdfast requests record off`.",
                ko=f"기록 설정을 읽을 수 없습니다: {error}. `holdfast requests record off`로 끄세요.",
            )
        ) from error


def _unfit(key: str, english: str, korean: str) -> Sentence:
    return Sentence(
        f"{key}: must be {english}; correct this setting", ko=f"{key}: {korean} 합니다. 설정을 고치세요"
    )


_NOBODY = Sentence(
    f"recording: say whose calls: one of {', '.join(SCOPES)} with its name",
    ko=f"recording: 누구의 호출인지 적으세요. {', '.join(SCOPES)} 중 하나와 그 이름이 필요합니다",
)
_NO_ZONE = Sentence(
    "recording: write a moment with its zone, such as 2026-11-30T12:00:00Z",
    ko="recording: 시각에는 2026-11-30T12:00:00Z처럼 시간대를 함께 적으세요",
)
_TOO_LONG = Sentence(
    "recording: bodies are recorded for at most 24 hours at a time; say a shorter length, such as 15m",
    ko="recording: 본문은 한 번에 24시간까지만 기록합니다. 15m처럼 더 짧게 적으세요",
)
_NO_SIZE = Sentence(
    f"recording: a body may take from {LEAST_BYTES} to {MOST_BYTES} bytes; say a size between them",
    ko=f"recording: 본문 크기는 {LEAST_BYTES}에서 {MOST_BYTES}바이트 사이로 적으세요",
)
