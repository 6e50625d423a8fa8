"""Budgets: what may be spent, by whom, in what time, and what happens on the way there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Literal, get_args

from holdfast.errors import BudgetExhausted, ConfigError
from holdfast.language import Sentence
from holdfast.policy import money
from holdfast.policy.holds import NANO, Denied, Limit
from holdfast.policy.period import Per, period, window_at, written, zone_named

Mode = Literal["strict", "expected", "clamp"]
"""strict: hold what a call may cost at most. expected: hold the usual, and more under way. clamp: shorten the answer."""

Presumption = Literal["full", "observed"]
Act = Literal["alert", "degrade", "ask", "refuse"]
"""What a rung does, gentlest first: tell, take less, ask a person, refuse."""

ACTS: tuple[str, ...] = get_args(Act)
EVERYBODY = "organisation"
DIMENSIONS = ("key", "user", "run", "agent", "model", "door")
SCOPES = (EVERYBODY, "key", "user", "model", "run", "agent")
TAG = "tag:"
LARGEST = 10**9
"""Dollars: a larger limit is a slip of the keyboard, and its nano-dollars would not fit a database column."""

SHOWN = 80
"""Characters of a name from outside that an error repeats."""

_STRANGE = re.compile(r"[%|\x00-\x1f\x7f\ud800-\udfff]")
Share = Decimal | float
"""A part of a limit: 0.8 is 80 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What happens from a part of the limit on.

    Attributes:
        at: the part of the limit, above 0 and up to 1.
        do: `alert`, `degrade` to a smaller model or shorter answers, `ask` a person, or `refuse`.
        model: the model that `degrade` asks instead.
        max_tokens: the longest answer that `degrade` leaves.
    """

    at: Decimal
    do: Act
    model: str | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", share("at", self.at))
        _one_of("do", self.do, ACTS)
        changes = self.model is not None or self.max_tokens is not None
        _check(
            "do",
            self.do != "degrade" or changes,
            "degrade needs a model or max_tokens to go down to",
            "degrade에는 낮춰 쓸 model이나 max_tokens가 필요합니다",
        )
        _check(
            "do",
            self.do == "degrade" or not changes,
            "only degrade takes a model or max_tokens",
            "model과 max_tokens는 degrade에만 쓸 수 있습니다",
        )
        _check_tokens("max_tokens", self.max_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """One budget; raises `ConfigError` for one that makes no sense.

    Attributes:
        usd: the limit in dollars.
        per: `hour`, `day`, `month`, `total`, `run`, or a length such as `24h`, which rolls.
        scope: whom the limit is for, each by itself: `organisation` is everybody together, else every `key`,
            `user`, `model`, `run`, `agent` or value of `tag:NAME`. Calls that do not say count as one subject.
        timezone: whose hours, days and months count.
        alert_at: parts of the limit that are worth an alert.
        mode: how much is held for a call.
        presumption: what a call is charged that was lost without a word: its hold (`full`, usual for `strict`)
            or what was seen of it (`observed`).
        where: dimension -> value: the only calls that count; dimensions are those of a scope and `door`.
        ladder: what happens on the way to the limit, gentlest first.
        hard: whether calls are refused; a soft budget counts and alerts.
        min_tokens: the shortest answer that `clamp` is worth.
        nano: the limit in nano-dollars.
        alerts: the sums in nano-dollars that set off an alert, those of rungs among them.
    """

    usd: Decimal
    per: Per = "month"
    scope: str = EVERYBODY
    timezone: str = "UTC"
    alert_at: tuple[Decimal, ...] = (Decimal("0.8"),)
    mode: Mode = "strict"
    presumption: Presumption | None = None
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    ladder: tuple[Rung, ...] = ()
    hard: bool = True
    min_tokens: int = 256
    nano: int = field(init=False, repr=False, compare=False)
    alerts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    zone: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "usd", money.exact(self.usd, name="usd"))
        object.__setattr__(self, "nano", money.pico(self.usd, name="usd") // NANO)
        _check("usd", self.nano > 0, "write an amount above 0", "0보다 큰 금액을 적으세요")
        _check(
            "usd",
            self.usd <= LARGEST,
            f"at most {LARGEST} dollars",
            f"최대 {LARGEST}달러까지 적을 수 있습니다",
        )
        object.__setattr__(self, "per", period(self.per))
        object.__setattr__(self, "zone", zone_named(self.timezone))
        object.__setattr__(self, "alert_at", tuple(sorted({share("alert_at", at) for at in self.alert_at})))
        _one_of("mode", self.mode, get_args(Mode))
        _check_tokens("min_tokens", self.min_tokens)
        _check_scope(self.scope, self.per)
        _check_where(self.where)
        _check_ladder(self.ladder, is_hard=self.hard)
        shares = {*self.alert_at, *(rung.at for rung in self.ladder)}
        object.__setattr__(self, "alerts", tuple(sorted({self.sum_at(at) for at in shares})))

    @property
    def is_full(self) -> bool:
        """Whether a call that was lost without a word is charged its whole hold."""
        usual = "full" if self.mode == "strict" and self.hard else "observed"
        return (self.presumption or usual) == "full"

    def sum_at(self, at: Decimal) -> int:
        """A part of the limit in nano-dollars, rounded up."""
        part = Fraction(at) * self.nano
        return -(-part.numerator // part.denominator)


def limit_of(
    name: str, config: BudgetConfig, *, payer: Mapping[str, str | None], model: str, at: datetime
) -> Limit | None:
    """How a budget binds an attempt that begins now; `None` for one that it does not count.

    `payer` has the dimensions of the caller (`key`, `user`, `run`, `agent`, `door`, `tag:NAME`); what it does
    not say counts as one subject, so that nobody gets round a budget by saying nothing. Calls without a run
    are one run a day.
    """
    said = {**payer, "model": model}
    if any(said.get(dimension) != value for dimension, value in config.where.items()):
        return None
    value = said.get(config.scope) or None
    per = "day" if config.per == "run" and value is None else config.per
    window = window_at(per, config.zone, at)
    subject = _subject(config.scope, value)
    owner = f"{_plain(name)}|{_plain(subject)}|"
    return Limit(
        budget=name,
        subject=subject,
        window=owner + window.charged,
        counted=tuple(owner + counted for counted in window.counted),
        nano=config.nano if config.hard else None,
        alerts=config.alerts,
        resets_at=window.resets_at,
        is_full=config.is_full,
    )


def rung_of(config: BudgetConfig, used_nano: int) -> Rung | None:
    """The highest rung that a sum, in nano-dollars, has reached."""
    return next((rung for rung in reversed(config.ladder) if config.sum_at(rung.at) <= used_nano), None)


def denial(
    denied: Denied, config: BudgetConfig, now: datetime, *, cure: Sentence | None = None
) -> BudgetExhausted:
    """The refusal of a call that a budget has no room for; `cure` is how to get a larger one.

    Time helps only a call that fits into the whole limit: `retry_after` is the end of the window then, in
    seconds, else `None`.
    """
    limit = denied.limit
    resets_at = limit.resets_at if denied.wanted <= config.nano else None
    story = _story(denied, config)
    when = _when(denied, config, resets_at)
    larger = cure or Sentence(
        f"raise it with `holdfast budgets set {limit.budget} --usd AMOUNT`",
        ko=f"`holdfast budgets set {limit.budget} --usd 금액`으로 한도를 올리세요",
    )
    return BudgetExhausted(
        Sentence(
            f"{story.en} {when.en} ask for a shorter answer (max_tokens), or {larger.en}.",
            ko=f"{story.ko} {when.ko} 답을 더 짧게(max_tokens) 요청하거나 {larger.ko}.",
        ),
        retry_after=None if resets_at is None else max(0.0, (resets_at - now).total_seconds()),
        details={
            "budget": limit.budget,
            "scope": config.scope,
            "subject": limit.subject,
            "limit": usd(config.nano),
            "used": usd(denied.settled),
            "held": usd(denied.reserved),
            "wanted": usd(denied.wanted),
            "resets_at": None if limit.resets_at is None else limit.resets_at.astimezone(UTC).isoformat(),
        },
    )


def usd(nano: int) -> str:
    """Nano-dollars as exact dollars, in cents or finer."""
    return f"{money.dollars(nano * NANO):f}"


def share(key: str, value: object) -> Decimal:
    """A part of a limit by its digits: 0.8 is four fifths; raises `ConfigError` unless it is in (0, 1]."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    exact = Decimal(str(value)) if is_number else Decimal(0)
    if not (exact.is_finite() and 0 < exact <= 1):
        shown = str(value) if is_number else repr(value)[:SHOWN]
        raise ConfigError(
            Sentence(
                f"{key}: {shown} is no part of the limit; write numbers above 0 and up to 1, such as 0.8",
                ko=f"{key}: {shown}은(는) 한도의 비율이 아닙니다. 0.8처럼 0보다 크고 1 이하인 수로 적으세요",
            )
        )
    return exact


def _check_scope(scope: str, per: Per) -> None:
    _check(
        "scope",
        scope in SCOPES or _is_tag(scope),
        f"write one of {', '.join(SCOPES)}, or {TAG}NAME",
        f"{', '.join(SCOPES)} 또는 {TAG}이름 중에서 적으세요",
    )
    _check(
        "per",
        per != "run" or scope == "run",
        'a budget per run is one for each run: add scope = "run"',
        'run 기간은 실행마다 따로 셉니다. scope = "run"을 함께 적으세요',
    )


def _check_where(where: Mapping[str, str]) -> None:
    _check(
        "where",
        all(name in DIMENSIONS or _is_tag(name) for name in where),
        f"calls are told apart by {', '.join(DIMENSIONS)} and {TAG}NAME",
        f"호출을 고르는 기준은 {', '.join(DIMENSIONS)}, {TAG}이름입니다",
    )
    _check(
        "where",
        all(where.values()),
        "a value is empty; write whom it means",
        "빈 값이 있습니다. 대상을 적으세요",
    )


def _check_ladder(ladder: tuple[Rung, ...], *, is_hard: bool) -> None:
    pairs = list(pairwise(ladder))
    _check(
        "ladder",
        all(lower.at < upper.at for lower, upper in pairs),
        "write the rungs from the lowest part of the limit (at) to the highest",
        "단계는 at 값이 작은 것부터 차례로 적으세요",
    )
    _check(
        "ladder",
        all(ACTS.index(lower.do) <= ACTS.index(upper.do) for lower, upper in pairs),
        f"a higher rung may not be gentler than a lower one; the order is {', '.join(ACTS)}",
        f"위 단계가 아래 단계보다 느슨할 수 없습니다. 순서는 {', '.join(ACTS)}입니다",
    )
    _check(
        "ladder",
        is_hard or all(rung.do != "refuse" for rung in ladder),
        "a soft budget (hard = false) refuses nothing; take the refuse rung out",
        "hard = false인 예산은 호출을 거절하지 않습니다. refuse 단계를 빼세요",
    )


def _check_tokens(key: str, tokens: int | None) -> None:
    _check(key, tokens is None or tokens >= 1, "write 1 token or more", "1 이상의 토큰 수를 적으세요")


def _one_of(key: str, value: str, words: tuple[str, ...]) -> None:
    shown = ", ".join(words)
    _check(key, value in words, f"write one of {shown}", f"{shown} 중에서 적으세요")


def _check(key: str, is_right: bool, english: str, korean: str) -> None:
    if not is_right:
        raise ConfigError(Sentence(f"{key}: {english}", ko=f"{key}: {korean}"))


def _is_tag(name: str) -> bool:
    return name.startswith(TAG) and name != TAG


def _subject(scope: str, value: str | None) -> str:
    if scope == EVERYBODY:
        return ""
    return f"no {scope}" if value is None else f"{scope} {value}"


def _plain(name: str) -> str:
    """A name as part of a key: nothing in it can be taken for a border, and every database can keep it."""
    return _STRANGE.sub(lambda found: f"%{ord(found[0]):02X}", name)


def _story(denied: Denied, config: BudgetConfig) -> Sentence:
    name, subject = denied.limit.budget, denied.limit.subject[:SHOWN]
    per = _per(config.per)
    left, used, held, wanted = (
        usd(nano) for nano in (denied.remaining, denied.settled, denied.reserved, denied.wanted)
    )
    who = Sentence(f"`{name}`", ko=f"`{name}`")
    if subject:
        who = Sentence(f"`{name}` for {subject}", ko=f"`{name}`({subject})")
    if not denied.wanted:
        return Sentence(
            f"The budget {who.en} of {usd(config.nano)} dollars {per.en} lets no more calls through at this "
            f"point of its ladder: {used} are spent, {held} held for calls under way.",
            ko=f"{per.ko} 한도가 {usd(config.nano)}달러인 예산 {who.ko}이(가) 설정된 단계에 이르러 호출을 더 받지 "
            f"않습니다. 사용한 금액은 {used}달러, 진행 중인 호출에 잡아 둔 금액은 {held}달러입니다.",
        )
    return Sentence(
        f"This call could cost up to {wanted} dollars, and the budget {who.en} of {usd(config.nano)} dollars "
        f"{per.en} has {left} left: {used} are spent, {held} held for calls under way.",
        ko=f"이 호출에는 최대 {wanted}달러가 들 수 있는데, 예산 {who.ko}의 {per.ko} 한도 {usd(config.nano)}달러 중 "
        f"{left}달러만 남았습니다. 사용한 금액은 {used}달러, 진행 중인 호출에 잡아 둔 금액은 {held}달러입니다.",
    )


def _when(denied: Denied, config: BudgetConfig, resets_at: datetime | None) -> Sentence:
    if denied.wanted > config.nano:
        return Sentence(
            "It would not fit into the whole budget either:", ko="예산 전체를 써도 모자라는 호출입니다."
        )
    if resets_at is None:
        return Sentence("Time does not fill it again:", ko="시간이 지나도 다시 채워지지 않는 예산입니다.")
    at = f"{resets_at.astimezone(config.zone):%Y-%m-%d %H:%M:%S} {config.timezone}"
    if isinstance(config.per, timedelta):
        return Sentence(
            f"What was spent first falls out of it at {at}: come back then,",
            ko=f"먼저 사용한 금액은 {at}에 집계에서 빠집니다. 그때 다시 호출하거나,",
        )
    return Sentence(
        f"It begins anew at {at}: come back then,", ko=f"{at}에 새로 시작됩니다. 그때 다시 호출하거나,"
    )


def _per(per: Per) -> Sentence:
    if isinstance(per, timedelta):
        return Sentence(f"in any {written(per)}", ko=f"최근 {written(per)} 동안의")
    return PERIODS[per]


PERIODS = {
    "hour": Sentence("an hour", ko="시간당"),
    "day": Sentence("a day", ko="하루"),
    "month": Sentence("a month", ko="월"),
    "total": Sentence("in all", ko="전체"),
    "run": Sentence("a run", ko="실행당"),
}
