"""What somebody is to be told of, in words: `circuit open`, `unsettled > 0`, `error rate > 5 % for 5m`."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.period import LENGTH, UNITS
from holdfast.policy.verdict import Cause

Occurrence = Literal[
    "budget threshold",
    "circuit open",
    "credential gate",
    "spend gate",
    "gate closed",
    "runaway run",
    "crash",
]
"""What happens once, to something that has a name: that name is the label of its incident."""
Measure = Literal["unpriced", "unsettled", "dropped"]
"""What is counted and should be none."""
Rate = Literal["error rate", "fallback rate", "refusal rate"]
"""Shares of the calls of the last minute."""
Judged = Literal["holding", "idle", "degraded"] | Cause

OCCURRENCES: tuple[Occurrence, ...] = get_args(Occurrence)
MEASURES: tuple[Measure, ...] = get_args(Measure)
RATES: tuple[Rate, ...] = get_args(Rate)
JUDGED: tuple[Judged, ...] = ("holding", "idle", "degraded", *get_args(Cause))
_OCCURRENCES: Mapping[str, Occurrence] = {one: one for one in OCCURRENCES}
_MEASURES: Mapping[str, Measure] = {one: one for one in MEASURES}
_RATES: Mapping[str, Rate] = {one: one for one in RATES}
_JUDGED: Mapping[str, Judged] = {one: one for one in JUDGED}
COUNT_WINDOW = 300.0
"""Seconds within which a measure is counted."""
LEAST_CALLS = 10
"""Calls of a minute below which a rate says nothing."""
LONGEST_LENGTH = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Happens:
    """Holds for what has happened, until it is over or has not come again for a while."""

    what: Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeds:
    """Holds while more than `above` were counted in `COUNT_WINDOW`."""

    measure: Measure
    above: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateExceeds:
    """Holds once a share of the calls was above `above` for `length` seconds."""

    rate: Rate
    above: float
    length: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictIs:
    """Holds once the verdict was this for `length` seconds; negated, anything but this."""

    kind: Judged
    negated: bool = False
    length: float = 0.0


Condition = Happens | Exceeds | RateExceeds | VerdictIs

MOMENTARY: tuple[Occurrence, ...] = ("budget threshold", "runaway run", "crash")
"""What has happened when it is told: nothing of it can be over."""

_FOR = re.compile(r"(.*?)(?:\s+for\s+(\S+))?", re.DOTALL)
_COMPARED = re.compile(r"([a-z ]+?)\s*>\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)")
_VERDICT = re.compile(r"verdict\s+is\s+(not\s+)?(\S+)")
FORMS: tuple[str, ...] = (
    *OCCURRENCES,
    *(f"{measure} > 0" for measure in MEASURES),
    *(f"{rate} > 5 % for 5m" for rate in RATES),
    *(f"verdict is {kind} for 2m" for kind in JUDGED),
    "verdict is not holding for 2m",
)


def is_momentary(condition: Condition) -> bool:
    """Whether a rule tells of moments, which do not end."""
    return isinstance(condition, Happens) and condition.what in MOMENTARY


def parse(when: str) -> Condition:
    """The rule that a text means; raises `ConfigError` with what was probably meant."""
    text = " ".join(when.lower().split())
    body, length = cast("tuple[str, str | None]", cast("re.Match[str]", _FOR.fullmatch(text)).groups())
    if (judged := _VERDICT.fullmatch(body)) is not None and (kind := _JUDGED.get(judged[2])) is not None:
        return VerdictIs(kind=kind, negated=judged[1] is not None, length=_length(when, length))
    if (compared := _COMPARED.fullmatch(body)) is not None:
        found = _comparison(when, compared, length)
        if found is not None:
            return found
    what = _OCCURRENCES.get(text)
    if what is None:
        raise _unknown(when, text)
    return Happens(what=what)


def _comparison(when: str, compared: "re.Match[str]", length: str | None) -> Condition | None:
    name, amount, percent = compared.groups()
    measure = _MEASURES.get(name)
    if measure is not None and not percent and length is None and "." not in amount:
        return Exceeds(measure=measure, above=int(amount))
    rate = _RATES.get(name)
    if rate is not None and percent and float(amount) < 100:
        return RateExceeds(rate=rate, above=float(amount) / 100, length=_length(when, length))
    return None


def _length(when: str, text: str | None) -> float:
    if text is None:
        return 0.0
    found = LENGTH.fullmatch(text)
    seconds = int(found[1]) * UNITS[found[2]].total_seconds() if found is not None else 0.0
    if not 0 < seconds <= LONGEST_LENGTH:
        raise ConfigError(
            Sentence(
                f"when: {text!r} in {when!r} is no length of time from 1s to 24h; write one such as 30s, 5m or 2h",
                ko=f"when: {when!r}의 {text!r}은(는) 1s~24h의 시간 길이가 아닙니다. 30s, 5m, 2h처럼 적으세요",
            )
        )
    return seconds


def _unknown(when: str, text: str) -> ConfigError:
    near = difflib.get_close_matches(text, FORMS, n=1)
    meant = Sentence(f"write one such as {', '.join(FORMS[:8])}", ko=f"예: {', '.join(FORMS[:8])}")
    if near:
        meant = Sentence(f"did you mean `{near[0]}`?", ko=f"혹시 `{near[0]}`인가요?")
    return ConfigError(
        Sentence(
            f"when: {when[:100]!r} is no rule; {meant.en}",
            ko=f"when: {when[:100]!r}은(는) 알 수 없는 규칙입니다. {meant.ko}",
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRuleConfig:
    """One rule.

    Attributes:
        when: in words: an occurrence (`circuit open`), a measure (`unsettled > 0`), a rate (`error rate > 5 % for
            5m`) or a verdict (`verdict is overloaded for 2m`).
        channels: who is told; none for all channels.
        again_every: seconds after which an incident that goes on is told once more; `None` for never.
        calm: seconds for which it must be over before its end is told; what comes back before is the same incident.

    Raises:
        ConfigError: `when` is no rule, or a time is none.
    """

    when: str
    channels: tuple[str, ...] = ()
    again_every: float | None = None
    calm: float = 60.0

    def __post_init__(self) -> None:
        parse(self.when)
        _check(
            "again_every",
            self.again_every is None or 60 <= self.again_every <= 30 * LONGEST_LENGTH,
            "60 s or more",
        )
        _check("calm", 0 <= self.calm <= LONGEST_LENGTH, "from 0 to 86400 seconds")

    @property
    def condition(self) -> Condition:
        """The rule as it is judged."""
        return parse(self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """Where alerts go; secrets stand in the environment, or in the files that it names with `_FILE`.

    Attributes:
        kind: `webhook` sends JSON, `slack` what Slack and its like take, `email` a letter over SMTP.
        url: of a webhook; better in the variable `url_env` where the address itself is a secret, as Slack's is.
        secret_env: holds the key that signs what a webhook gets (`x-holdfast-signature`, HMAC-SHA-256).
        host: the mail server, `port` its port; with `starttls` the letter is sent encrypted or not at all.
        user_env: holds the name to log in with, `password_env` the password.
        sender: of letters, `to` their readers.

    Raises:
        ConfigError: what the kind needs is missing.
    """

    kind: Literal["webhook", "slack", "email"]
    url: str = field(default="", repr=False)
    url_env: str | None = None
    secret_env: str | None = None
    host: str = ""
    port: int = 587
    starttls: bool = True
    user_env: str | None = None
    password_env: str | None = None
    sender: str = ""
    to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "email":
            _check("host", bool(self.host.strip()), "set for a channel of the kind email")
            _check("port", 1 <= self.port <= 65_535, "from 1 to 65535")
            _check("sender", _is_address(self.sender), "a mail address, for a channel of the kind email")
            _check("to", bool(self.to) and all(map(_is_address, self.to)), "mail addresses, one at least")
            both = (self.user_env is None) == (self.password_env is None)
            _check("password_env", both, "set together with user_env")
            _check("starttls", self.starttls or self.user_env is None, "true where a password is sent")
            return
        _check("url_env", bool(self.url) != (self.url_env is not None), "set, or url, and not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsConfig:
    """Who is told of what; with a channel and no rule, the usual ones hold.

    Raises:
        ConfigError: a rule names a channel that is not there.
    """

    channels: Mapping[str, ChannelConfig] = field(default_factory=dict[str, ChannelConfig])
    rules: Mapping[str, AlertRuleConfig] = field(default_factory=dict[str, AlertRuleConfig])

    def __post_init__(self) -> None:
        for name, rule in self.rules.items():
            for channel in rule.channels:
                if channel not in self.channels:
                    raise _no_channel(name, channel, tuple(self.channels))

    @property
    def in_force(self) -> Mapping[str, AlertRuleConfig]:
        """The rules that hold."""
        return self.rules or (DEFAULT_RULES if self.channels else {})


def _is_address(text: str) -> bool:
    name, sign, host = text.partition("@")
    return bool(name and sign and host) and all(
        letter.isprintable() and letter not in ' ,;<>"' for letter in text
    )


def _no_channel(rule: str, channel: str, known: tuple[str, ...]) -> ConfigError:
    near = difflib.get_close_matches(channel, known, n=1)
    meant = Sentence(
        f"there are: {', '.join(known) or 'none'}", ko=f"있는 채널: {', '.join(known) or '없음'}"
    )
    if near:
        meant = Sentence(f"did you mean `{near[0]}`?", ko=f"혹시 `{near[0]}`인가요?")
    return ConfigError(
        Sentence(
            f"rules: {rule} names the channel `{channel}`, which is not there; {meant.en}",
            ko=f"rules: {rule} 규칙의 `{channel}` 채널이 없습니다. {meant.ko}",
        )
    )


def _check(key: str, is_right: bool, must: str) -> None:
    if not is_right:
        raise ConfigError(
            Sentence(
                f"{key}: must be {must}; correct this setting",
                ko=f"{key}: 설정이 올바르지 않습니다({must}). 고쳐 주세요",
            )
        )


DEFAULT_RULES: Mapping[str, AlertRuleConfig] = {
    "budget": AlertRuleConfig(when="budget threshold"),
    "credential": AlertRuleConfig(when="credential gate"),
    "spend-limit": AlertRuleConfig(when="spend gate"),
    "runaway": AlertRuleConfig(when="runaway run"),
    "unsettled": AlertRuleConfig(when="unsettled > 0"),
    "unpriced": AlertRuleConfig(when="unpriced > 0"),
    "dropped": AlertRuleConfig(when="dropped > 0"),
    "crash": AlertRuleConfig(when="crash"),
    "errors": AlertRuleConfig(when="error rate > 5 % for 2m"),
    "overloaded": AlertRuleConfig(when="verdict is overloaded for 2m"),
    "failing": AlertRuleConfig(when="verdict is claude_failing for 2m"),
    "network": AlertRuleConfig(when="verdict is network for 1m"),
    "account": AlertRuleConfig(when="verdict is account for 1m"),
    "us": AlertRuleConfig(when="verdict is us for 2m"),
}
