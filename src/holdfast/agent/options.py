"""Whether what an agent is made of makes sense, said before it is asked anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from holdfast.agent.archive import Where
from holdfast.agent.fallback import is_fallback
from holdfast.agent.memory import Memory
from holdfast.errors import ConfigError
from holdfast.language import Language, Sentence
from holdfast.parts.budget import Budget
from holdfast.parts.cache import Cache
from holdfast.parts.quota import Quota
from holdfast.parts.route import Route
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.toolloop import LoopLimits


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an option may be, and how that is said."""

    is_good: Callable[[object], bool]
    english: str
    korean: str


def check(given: Callable[[str], object]) -> None:
    """Raise `ConfigError` for the first option without sense; `given` says what each was given."""
    for name, wanted in _WANTED.items():
        value = given(name)
        if not wanted.is_good(value):
            raise _senseless(
                f"{name} is {_shown(value)}: give {wanted.english}",
                f"{name} 값이 {_shown(value)}입니다. {wanted.korean}",
            )
    upstream = given("upstream")
    if upstream is not None and given("hold") is not None:
        raise _senseless(
            "give either hold or upstream: a hold has upstreams of its own",
            "hold와 upstream 중 하나만 쓰세요. hold에는 업스트림이 이미 있습니다",
        )
    if isinstance(upstream, str):
        UpstreamConfig.at(upstream)


def check_message(message: object) -> None:
    """Raise `TypeError` for what is neither a text nor content blocks."""
    if isinstance(message, str):
        return
    if not isinstance(message, list | tuple):
        raise TypeError(f"message must be str or a list of content blocks, not {type(message).__name__}")
    for block in cast("Sequence[object]", message):
        if not isinstance(block, Mapping):
            raise TypeError(f"a content block must be a mapping, not {type(block).__name__}")


def check_decisions(decisions: object) -> None:
    """Raise `TypeError` for what says nothing about single calls."""
    if not isinstance(decisions, Mapping):
        kind = type(decisions).__name__
        raise TypeError(f"decisions must map the ids of calls to True or False, not be {kind}")


def check_names(**names: object) -> None:
    """Raise `TypeError` for a name that is neither a text nor left out."""
    for what, name in names.items():
        if not _text(name):
            raise TypeError(f"{what} must be str, not {type(name).__name__}")


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _number(least: int, *, or_none: bool = False) -> Callable[[object], bool]:
    def is_good(value: object) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return (or_none and value is None) or (is_whole and int(str(value)) >= least)

    return is_good


def _a(kind: type[object]) -> Callable[[object], bool]:
    return lambda value: value is None or isinstance(value, kind)


def _many(value: object) -> bool:
    return isinstance(value, list | tuple)


_WANTED: Mapping[str, _Wanted] = {
    "model": _Wanted(
        _text,
        "the id of a model, such as 'claude-sonnet-5-5'",
        "'claude-sonnet-5-5' 같은 모델 id를 쓰세요",
    ),
    "system": _Wanted(_text, "a text", "글을 쓰세요"),
    "name": _Wanted(_text, "a text", "글을 쓰세요"),
    "tools": _Wanted(_many, "a list of functions", "함수의 목록을 쓰세요"),
    "memory": _Wanted(_a(Memory), "a Memory(), or None", "Memory()나 None을 쓰세요"),
    "budget": _Wanted(
        _a(Budget), "a Budget, such as Budget(5, per='day')", "Budget(5, per='day')처럼 Budget을 쓰세요"
    ),
    "quota": _Wanted(_a(Quota), "a Quota, such as Quota(20, per=60)", "Quota(20, per=60)처럼 Quota를 쓰세요"),
    "cache": _Wanted(_a(Cache), "a Cache, such as Cache(ttl=600)", "Cache(ttl=600)처럼 Cache를 쓰세요"),
    "route": _Wanted(_a(Route), "a Route(), or None", "Route()나 None을 쓰세요"),
    "limits": _Wanted(
        lambda value: isinstance(value, LoopLimits),
        "LoopLimits, such as LoopLimits(turns=5) of holdfast.policy.toolloop",
        "holdfast.policy.toolloop의 LoopLimits(turns=5)처럼 쓰세요",
    ),
    "approve": _Wanted(
        lambda value: value is None or callable(value),
        "a function that takes a call and says whether it may be run, or None to have calls wait",
        "호출을 받아 실행 여부를 답하는 함수, 또는 기다리게 하는 None을 쓰세요",
    ),
    "max_tokens": _Wanted(_number(1), "a whole number of at least 1", "1 이상의 정수를 쓰세요"),
    "max_retries": _Wanted(_number(0), "a whole number of at least 0", "0 이상의 정수를 쓰세요"),
    "context_tokens": _Wanted(
        _number(1, or_none=True),
        "a whole number of at least 1, or None for all that the model takes",
        "1 이상의 정수, 또는 모델이 받는 만큼 쓰는 None을 쓰세요",
    ),
    "language": _Wanted(
        lambda value: value in get_args(Language), "'en' or 'ko'", "'en'이나 'ko'로 적으세요"
    ),
    "sessions": _Wanted(
        lambda value: value in get_args(Where), "'memory' or 'store'", "'memory'나 'store'로 적으세요"
    ),
    "fallback": _Wanted(
        is_fallback,
        "a text, a callable that takes the error, or None to raise it",
        "글, 오류를 받는 함수, 또는 오류를 그대로 올리는 None을 쓰세요",
    ),
    "hold": _Wanted(
        lambda value: value is None or hasattr(value, "opened"),
        "a Holdfast, or None for a pipeline of its own",
        "Holdfast를 쓰거나, 파이프라인을 따로 열려면 None을 쓰세요",
    ),
    "upstream": _Wanted(
        _text, "the address of a Messages API, or 'simulator'", "Messages API 주소나 'simulator'를 쓰세요"
    ),
}


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"


def _senseless(english: str, korean: str) -> ConfigError:
    return ConfigError(Sentence(f"{english}.", ko=f"{korean}."))
