"""A quota to hold in the hand: limits for each subject, with a lock and a clock."""

from collections import deque
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from threading import Lock
from types import TracebackType
from typing import Self

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import ConfigError, OversizedCall, RateLimited
from holdfast.language import Sentence
from holdfast.parts.duration import Duration, seconds
from holdfast.policy.counters import Ask, Counters, Dimension, Granted, Limited, TooLarge, micros, too_large
from holdfast.policy.quota import Need, QuotaConfig, corrections, owner, wanted, word

LEASE = 900.0
"""Seconds after which a place that nobody gave back is free again."""
NAME = "quota"

_ids = count()


@dataclass(eq=False, repr=False)
class Quota:
    """So many requests, tokens and calls under way for each subject; the rule is GCRA.

    Ask with `acquire` or `try_acquire`, or hold a place while a block runs: `with quota:` for one subject,
    `with quota.acquire("alice"):` for many. Safe among threads and tasks.

    Attributes:
        requests: calls in `per`; that many may come at once, unless `burst` says less.
        per: seconds or `timedelta`, for requests and tokens alike.
        input_tokens: tokens in `per`.
        output_tokens: tokens in `per`.
        concurrency: calls under way at once: a place is held until it is given back, or for 15 minutes.
        scope: what a subject is, where holdfast names it: `organisation`, or of `key`, `user`, `model` and `run`
            any, joined by `+`.
        burst: requests that may come at once.
        clock: where time comes from.

    Raises `ConfigError` for a limit that makes no sense; `None` is no limit.

    Example:
        >>> from holdfast.testing import FakeClock
        >>> quota = Quota(2, per=60, clock=FakeClock())
        >>> [quota.try_acquire("alice") for _ in range(3)], quota.try_acquire("bob")
        ([True, True, False], True)
    """

    requests: int | None = None
    _: KW_ONLY
    per: Duration = 60.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrency: int | None = None
    scope: str = "user"
    burst: int | None = None
    clock: Clock | None = None
    config: QuotaConfig = field(init=False)

    def __post_init__(self) -> None:
        self.config = QuotaConfig(
            requests=_whole("requests", self.requests),
            per=seconds("per", self.per),
            input_tokens=_whole("input_tokens", self.input_tokens),
            output_tokens=_whole("output_tokens", self.output_tokens),
            concurrency=_whole("concurrency", self.concurrency),
            scope=self.scope,
            burst=_whole("burst", self.burst),
        )
        self._book = _Book((self.clock or SYSTEM_CLOCK).monotonic)

    def __repr__(self) -> str:
        limits = ("requests", "per", "input_tokens", "output_tokens", "concurrency", "scope", "burst")
        said = [f"{name}={value!r}" for name in limits if (value := getattr(self, name)) is not None]
        return f"Quota({', '.join(said)})"

    def acquire(self, subject: str = "", *, input_tokens: int = 0, output_tokens: int = 0) -> "Held":
        """Take one request, these tokens and a place; what was taken is given back by the `Held`.

        Raises `RateLimited`, whose `retry_after` says in how many seconds the same will be granted, and
        `OversizedCall` for more tokens than ever fit.
        """
        ask = self._ask(subject, input_tokens, output_tokens)
        answer = self._book.take(ask, subject)
        if isinstance(answer, Held):
            return answer
        raise refusal(answer, self.config)

    def try_acquire(self, subject: str = "", *, input_tokens: int = 0, output_tokens: int = 0) -> bool:
        """Take the same if it is there now; a place is given back by `release`."""
        return isinstance(self._book.take(self._ask(subject, input_tokens, output_tokens), subject), Held)

    def release(self, subject: str = "") -> None:
        """Give back the place that a subject has held longest; does nothing when it holds none."""
        if (held := self._book.oldest(subject)) is not None:
            held.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _ask(self, subject: str, input_tokens: int, output_tokens: int) -> Ask:
        given = Need(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            certain_input=_tokens("input_tokens", input_tokens),
            certain_output=_tokens("output_tokens", output_tokens),
        )
        whom = [(NAME, self.config, word(subject))]
        return wanted(whom, given, id=f"{next(_ids)}", lease=LEASE)


class _Book:
    """What a quota has granted, and who holds the places."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = Lock()
        self._counters = Counters()
        self._held: dict[str, deque[Held]] = {}

    def take(self, ask: Ask, subject: str) -> "Held | Limited | TooLarge":
        if (large := too_large(ask)) is not None:
            return large
        with self._lock:
            answer = self._counters.take(ask, now=micros(self._now()))
            if isinstance(answer, Limited):
                return answer
            held = Held(self, subject, answer)
            for slot in ask.slots:
                self._remember(held, slot.limit)
        return held

    def correct(self, ask: Ask, *, input_tokens: int, output_tokens: int) -> None:
        takes = corrections(ask, input_tokens=input_tokens, output_tokens=output_tokens)
        with self._lock:
            self._counters.correct(takes, now=micros(self._now()))

    def give_back(self, held: "Held") -> None:
        with self._lock:
            self._counters.release(held.granted.ask)
            others = self._held.get(held.subject, deque())
            if held in others:
                others.remove(held)
            if not others:
                self._held.pop(held.subject, None)

    def oldest(self, subject: str) -> "Held | None":
        with self._lock:
            return next(iter(self._held.get(subject, ())), None)

    def _remember(self, held: "Held", most: int) -> None:
        others = self._held.setdefault(held.subject, deque())
        others.append(held)
        # Those whose lease is over have no place any more: never more are remembered than may be held.
        if len(others) > most:
            others.popleft()


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What one `acquire` took; a context manager that gives the place back at its end."""

    book: _Book
    subject: str
    granted: Granted

    def correct(self, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """Say, once, what was really used where an estimate was taken."""
        self.book.correct(self.granted.ask, input_tokens=input_tokens, output_tokens=output_tokens)

    def release(self) -> None:
        """Give the place back; the second time this changes nothing."""
        self.book.give_back(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def refusal(answer: Limited | TooLarge, config: QuotaConfig) -> RateLimited:
    """The answer of a quota as its caller should see it; `config` is that of the quota that `answer` names."""
    name, dimension, subject = owner(answer.key)
    limit = config.limit(dimension) or 0
    details = {"quota": name, "dimension": dimension, "limit": limit}
    whose = Sentence(f"of {subject}" if subject else "of everybody", ko=subject or "전체")
    if isinstance(answer, TooLarge):
        return OversizedCall(_oversized(answer, name, dimension), details=details)
    wait = max(answer.retry_after, 0.001)
    seconds = f"{wait:.3g}" if wait < 10 else f"{wait:,.0f}"
    if dimension == "concurrency":
        return RateLimited(_crowded(name, limit, whose, seconds), retry_after=wait, details=details)
    what = _WORDS[dimension]
    sentence = Sentence(
        f"The quota `{name}` {whose.en} allows {limit:,} {what.en} in {config.per:g} s, and they are used up."
        f" Come back in {seconds} s, or ask for a higher limit.",
        ko=f"할당량 `{name}`({whose.ko})은 {config.per:g}초에 {what.ko} {limit:,}까지 허용하며 지금은 다 썼습니다."
        f" {seconds}초 뒤에 다시 시도하거나 한도를 높여 달라고 하세요.",
    )
    return RateLimited(sentence, retry_after=wait, details=details)


_WORDS: dict[Dimension, Sentence] = {
    "requests": Sentence("requests", ko="요청"),
    "input_tokens": Sentence("input tokens", ko="입력 토큰"),
    "output_tokens": Sentence("output tokens", ko="출력 토큰"),
    "concurrency": Sentence("calls at once", ko="동시 호출"),
}


def _crowded(name: str, limit: int, whose: Sentence, seconds: str) -> Sentence:
    return Sentence(
        f"The quota `{name}` {whose.en} allows {limit:,} calls at once, and as many are under way."
        f" Come back in {seconds} s, or wait for one to end.",
        ko=f"할당량 `{name}`({whose.ko})은 동시 호출을 {limit:,}개까지 허용하며 지금은 모두 진행 중입니다."
        f" {seconds}초 뒤에 다시 시도하거나 다른 호출이 끝나기를 기다리세요.",
    )


def _oversized(answer: TooLarge, name: str, dimension: Dimension) -> Sentence:
    what = _WORDS[dimension]
    return Sentence(
        f"This call needs {answer.cost:,} {what.en}, and the quota `{name}` never lets more than {answer.burst:,}"
        " through at once: waiting does not help. Make the call smaller, or raise the limit.",
        ko=f"이 호출에는 {what.ko} {answer.cost:,}이(가) 필요하지만 할당량 `{name}`은 한 번에 {answer.burst:,}까지만"
        " 허용하므로 기다려도 소용없습니다. 호출을 줄이거나 한도를 높이세요.",
    )


def _whole(key: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ConfigError(
        Sentence(
            f"{key}: {value!r} is no whole number; give one of 1 or more, or None for no limit",
            ko=f"{key}: {value!r}은(는) 정수가 아닙니다. 1 이상의 정수나 None(제한 없음)으로 적으세요",
        )
    )


def _tokens(key: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{key}: {value!r} is no number of tokens; give a whole number of 0 or more")
