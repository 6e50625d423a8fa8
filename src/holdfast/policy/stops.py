"""Stops: an operator's word that some calls, or all of them, must end now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

from holdfast.errors import ConfigError, Stopped
from holdfast.language import Sentence

StopScope = Literal["everything", "run", "key", "user", "model"]
SCOPES: tuple[StopScope, ...] = get_args(StopScope)
LONGEST_REASON = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop: whose calls must end, why, on whose word, and until when.

    `value` is empty where everything stops; `until` is `None` for one that only a resume ends.
    """

    scope: StopScope
    value: str = ""
    reason: str = ""
    by: str = "operator"
    at: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        if any(moment is not None and moment.tzinfo is None for moment in (self.at, self.until)):
            raise ConfigError(
                Sentence(
                    "stop: write a moment with its zone, such as 2026-11-30T12:00:00Z",
                    ko="stop: 시각에는 2026-11-30T12:00:00Z처럼 시간대를 함께 적으세요",
                )
            )
        if self.scope not in SCOPES or (self.scope == "everything") != (not self.value):
            raise ConfigError(
                Sentence(
                    f"stop: say what to stop: everything, or one of {', '.join(SCOPES[1:])} with its name",
                    ko=f"stop: 무엇을 멈출지 적으세요. everything, 또는 {', '.join(SCOPES[1:])} 중 하나와 그 이름이 필요합니다",
                )
            )

    @property
    def name(self) -> str:
        """What no other stop is called."""
        return f"{self.scope}:{self.value}"

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.until is not None and now >= self.until

    def binds(self, said: Mapping[str, str | None], now: datetime) -> bool:
        """Whether a call must end that says so much of itself (`run`, `key`, `user`, `model`)."""
        if self.is_over(now):
            return False
        return self.scope == "everything" or said.get(self.scope) == self.value

    def error(self, now: datetime) -> Stopped:
        """The refusal of a call that it binds."""
        what = Sentence("All calls are", ko="모든 호출이")
        if self.scope != "everything":
            what = Sentence(
                f"Calls of the {self.scope} `{self.value}` are", ko=f"{self.scope} `{self.value}`의 호출이"
            )
        why = Sentence(
            f" ({self.reason})" if self.reason else "", ko=f"({self.reason})" if self.reason else ""
        )
        end = Sentence("until somebody resumes them", ko="누군가 재개할 때까지")
        if self.until is not None:
            moment = f"{self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            end = Sentence(f"until {moment}", ko=f"{moment}까지")
        command = f"holdfast resume {self.scope}" + (f" {self.value}" if self.value else "")
        return Stopped(
            Sentence(
                f"{what.en} stopped by {self.by}{why.en} {end.en}; an operator can end that with `{command}`.",
                ko=f"{what.ko} {end.ko} 정지되었습니다. 정지한 사람: {self.by}{why.ko}. 재개: `{command}`",
            ),
            retry_after=None if self.until is None else max(0.0, (self.until - now).total_seconds()),
            details={"scope": self.scope, "value": self.value, "reason": self.reason, "by": self.by},
        )


_decode = msgspec.json.Decoder(Stop).decode


def encoded(stop: Stop) -> bytes:
    """A stop as a document of the register."""
    return msgspec.json.encode(stop)


def decoded(body: bytes) -> Stop:
    """The stop that a document says; raises `ConfigError` for what is none."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"A stop cannot be read: {error}. Drop it with `holdfast resume`, or correct the file.",
                ko=f"정지 기록을 읽을 수 없습니다: {error}. `holdfast resume`으로 지우거나 파일을 고치세요.",
            )
        ) from error


def binding(stops: tuple[Stop, ...], said: Mapping[str, str | None], now: datetime) -> Stop | None:
    """The first of them that a call must obey."""
    return next((stop for stop in stops if stop.binds(said, now)), None)
