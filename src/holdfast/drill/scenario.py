"""Scenarios: what users ask, what goes wrong meanwhile, and what must hold in the end, as a file of TOML says it."""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from holdfast.drill.expectation import Expectation, expectation
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.simulator import Action

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
FIRST, ALL = "first", "all"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence in both languages; a single string stands for both."""

    en: str
    ko: str

    def sentence(self) -> Sentence:
        """The same as the product says it."""
        return Sentence(self.en, ko=self.ko)


class Load(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of users who ask one question after the other.

    Attributes:
        users: how many there are; they begin spread over `every` seconds.
        calls: how many questions each asks.
        every: seconds between two questions of a user; a slow answer delays the next.
        starts: seconds after which they begin.
        stream: whether answers are streamed; `mixed` is every other one.
        model: the model asked: an id, or `small`, `standard` or `large` as `[models]` says.
        max_tokens: the longest answer asked for.
        prompt: the question, to which a number is added that makes it one of its kind.
        cached: whether a long system prompt is sent along that the API keeps in its prompt cache.
        run: the name of the run that all calls belong to.
        patience: seconds after which a user gives up.
        retries: how often a client comes back that is told when (`retry-after`); the official SDKs do so twice.
    """

    users: Count = 4
    calls: Count = 10
    every: Seconds = 5.0
    starts: Seconds = 0.0
    stream: bool | Literal["mixed"] = "mixed"
    model: str = "standard"
    max_tokens: Count = 256
    prompt: str = "What should I check first?"
    cached: bool = False
    run: str | None = None
    patience: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 660.0
    retries: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0


class Trouble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Something that goes wrong from `at` to `until`; without `until`, for good.

    `on` is the upstream it happens to: `first`, `all`, or the name of one.
    """

    at: Seconds = 0.0
    until: Seconds | None = None
    on: str = FIRST

    @property
    def end(self) -> float:
        """The second in which it is over."""
        return float("inf") if self.until is None else self.until


class Break(Trouble, frozen=True, tag="fault"):
    """Requests are hit by an action of the simulator: a `share` of them, or each `every`-th, at most `times`."""

    action: Action
    share: Share = 1.0
    every: Count = 1
    times: Count | None = None
    stream: bool | None = None
    model: str | None = None


class Slow(Trouble, frozen=True, tag="slow"):
    """Everything takes `factor` times as long, and a share of the requests fails with 529."""

    until: Seconds = 60.0
    factor: Annotated[float, msgspec.Meta(gt=0, le=1_000)] = 10.0
    error_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


class Revoke(Trouble, frozen=True, tag="revoke_key"):
    """The first key is answered with 401."""


class Freeze(Trouble, frozen=True, tag="freeze_store"):
    """Another connection holds the database file, so that nothing can be written; played in real time."""


Step: TypeAlias = Break | Slow | Revoke | Freeze


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An expectation, and what to do where it does not hold."""

    that: str
    cure: Words | str | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario as it is written."""

    name: str
    title: Words | str
    load: list[Load]
    expect: list[str | Expected]
    step: list[Step] = []
    starts_at: datetime | None = None
    answer_tokens: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    wait: Seconds = 0.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario, read and checked.

    Attributes:
        name: what it is called.
        title: what goes wrong in it.
        loads: who asks.
        steps: what goes wrong.
        expectations: what must hold.
        starts_at: the moment of the virtual clock at which it begins.
        answer_tokens: how long every answer would like to be; 0 for a few sentences.
        wait: seconds to wait after the last call before the books are read.
    """

    name: str
    title: Sentence
    loads: tuple[Load, ...]
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
    starts_at: datetime | None = None
    answer_tokens: int = 0
    wait: float = 0.0

    @property
    def is_real(self) -> bool:
        """Whether it takes real time: a file that is locked knows no other."""
        return any(isinstance(step, Freeze) for step in self.steps)


def read_scenario(path: str | Path) -> Scenario:
    """Read a scenario from a file of TOML; raises `ConfigError` that says where it makes no sense."""
    try:
        text = Path(path).expanduser().read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise _wrong(path, str(error)) from error
    return scenario_of(text, path)


def scenario_of(text: str, path: str | Path) -> Scenario:
    """The same from its text; `path` is what it is called in errors."""
    try:
        written = msgspec.convert(tomllib.loads(text), _File)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise _wrong(path, str(error)) from error
    return _checked(written, path)


def _checked(written: _File, path: str | Path) -> Scenario:
    if not written.load or not written.expect:
        raise _wrong(path, _EMPTY)
    for step in written.step:
        if step.end <= step.at:
            raise _wrong(path, _backwards(step))
    if written.starts_at is not None and written.starts_at.tzinfo is None:
        raise _wrong(path, _NO_ZONE)
    try:
        expected = tuple(_expectation(one) for one in written.expect)
    except ConfigError as error:
        raise ConfigError(
            Sentence(f"{path}: {error.sentence.en}", ko=f"{path}: {error.sentence.ko}")
        ) from error
    return Scenario(
        name=written.name,
        title=_sentence(written.title),
        loads=tuple(written.load),
        steps=tuple(written.step),
        expectations=expected,
        starts_at=written.starts_at,
        answer_tokens=written.answer_tokens,
        wait=written.wait,
    )


def _expectation(one: str | Expected) -> Expectation:
    if isinstance(one, str):
        return expectation(one)
    return expectation(one.that, None if one.cure is None else _sentence(one.cure))


def _sentence(words: Words | str) -> Sentence:
    return Sentence(words, ko=words) if isinstance(words, str) else words.sentence()


_EMPTY = Sentence(
    "it needs at least one [[load]] and one expectation in `expect`",
    ko="[[load]]와 `expect`의 기대 조건이 하나 이상 있어야 합니다",
)
_NO_ZONE = Sentence(
    "starts_at needs a time zone, as in 2026-10-06T23:59:00Z",
    ko="starts_at에는 2026-10-06T23:59:00Z처럼 시간대가 있어야 합니다",
)


def _backwards(step: Step) -> Sentence:
    return Sentence(
        f"a step is over (until = {step.end:g}) before it begins (at = {step.at:g})",
        ko=f"단계의 끝(until = {step.end:g})이 시작(at = {step.at:g})보다 뒤여야 합니다",
    )


def _wrong(path: str | Path, why: Sentence | str) -> ConfigError:
    reason = why if isinstance(why, Sentence) else Sentence(why, ko=why)
    return ConfigError(
        Sentence(
            f"{path}: this is no scenario for a drill: {reason.en}. Correct it; docs/drill.md tells every key.",
            ko=f"{path}: 훈련 시나리오로 읽을 수 없습니다: {reason.ko}. 고쳐 주세요. 모든 키는 docs/drill.md에 있습니다.",
        )
    )
