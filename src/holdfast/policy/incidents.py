"""Incidents: each is told once when it begins and once when it is over, unless somebody has silenced it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.alert_rules import AlertRuleConfig, is_momentary

MOST = 500
"""Incidents that are kept at once: labels may be named by callers."""
LONGEST_REASON = 500
ANY = "*"
What = Literal["began", "goes_on", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an incident is about: a rule, and which budget, circuit or run it has met, if it is about one."""

    rule: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody's word that a rule is not to be told for a while; `label` empty silences all it is about."""

    rule: str
    label: str = ""
    until: datetime
    by: str = "operator"
    reason: str = ""

    def __post_init__(self) -> None:
        if self.until.tzinfo is None or not self.rule or len(self.reason) > LONGEST_REASON:
            raise ConfigError(
                Sentence(
                    f"silence: name a rule or {ANY}, a moment with its zone, and a reason of at most "
                    f"{LONGEST_REASON} characters",
                    ko=f"silence: 규칙 이름이나 {ANY}, 시간대가 있는 시각, {LONGEST_REASON}자 이하의 사유를 적으세요",
                )
            )

    @property
    def name(self) -> str:
        """What no other silence is called."""
        return f"{self.rule}|{self.label}"

    def covers(self, case: Case, now: datetime) -> bool:
        """Whether nothing is to be told of a case."""
        return now < self.until and self.rule in (ANY, case.rule) and self.label in ("", case.label)


_decode = msgspec.json.Decoder(Silence).decode


def encoded(silence: Silence) -> bytes:
    """A silence as a document of the register."""
    return msgspec.json.encode(silence)


def decoded(body: bytes) -> Silence:
    """The silence that a document says; raises `ConfigError` for what is none."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"A silence cannot be read: {error}. End it with `holdfast alerts resume`.",
                ko=f"알림 중지 기록을 읽을 수 없습니다: {error}. `holdfast alerts resume`으로 해제하세요.",
            )
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident; moments in seconds of the monotonic clock.

    Attributes:
        began: when it did.
        seen: when it was last seen to go on.
        told: when somebody was last told of it; `None` while it is silenced.
    """

    case: Case
    began: float
    seen: float
    told: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to be told."""

    what: What
    incident: Incident


class Incidents:
    """All incidents under way; `step` says what is to be told."""

    __slots__ = ("_open", "_rules")

    def __init__(self, rules: Mapping[str, AlertRuleConfig]) -> None:
        self._rules = rules
        self._open: dict[Case, Incident] = {}

    @property
    def open(self) -> tuple[Incident, ...]:
        """The incidents under way, oldest first."""
        return tuple(self._open.values())

    def step(
        self, now: float, active: Collection[Case], silenced: Collection[Case] = ()
    ) -> tuple[Notice, ...]:
        """What is to be told, now that these cases are seen and those of them are silenced."""
        for case in active:
            self._see(now, case)
        told = [
            notice for case in tuple(self._open) if (notice := self._next(now, case, silenced)) is not None
        ]
        return tuple(told)

    def _see(self, now: float, case: Case) -> None:
        known = self._open.get(case)
        if known is not None:
            self._open[case] = replace(known, seen=now)
        elif case.rule in self._rules and len(self._open) < MOST:
            self._open[case] = Incident(case=case, began=now, seen=now)

    def _next(self, now: float, case: Case, silenced: Collection[Case]) -> Notice | None:
        incident, rule = self._open[case], self._rules[case.rule]
        if incident.seen < now and now - incident.seen >= rule.calm:
            del self._open[case]
            # Who was never told that it began need not hear that it is over, and what has happened just has.
            return (
                None
                if incident.told is None or is_momentary(rule.condition)
                else Notice(what="over", incident=incident)
            )
        if case in silenced:
            return None
        if incident.told is not None and (rule.again_every is None or now - incident.told < rule.again_every):
            return None
        self._open[case] = replace(incident, told=now)
        return Notice(what="began" if incident.told is None else "goes_on", incident=self._open[case])


def silenced(cases: Iterable[Case], silences: Collection[Silence], now: datetime) -> frozenset[Case]:
    """Those of the cases that somebody does not want to hear of."""
    return frozenset(case for case in cases if any(silence.covers(case, now) for silence in silences))
