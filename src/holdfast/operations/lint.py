"""What a valid configuration is advised against: the rules of `holdfast check`, which ask nobody."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import urlsplit

from holdfast.language import Sentence
from holdfast.operations.price_check import findings
from holdfast.parts.prices import PriceBook
from holdfast.policy.routing import SIMULATOR
from holdfast.settings import Settings

Level = Literal["warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to look at: `setting` is the path that it is about, empty for the whole."""

    code: str
    setting: str
    sentence: Sentence
    level: Level = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the rules may know beside the settings.

    Attributes:
        environment: the variables of this process.
        day: today.
        readable_by_all: whether everybody on this machine can read the file.
    """

    environment: Mapping[str, str]
    day: date
    readable_by_all: bool = False


def advice(settings: Settings, around: Surroundings) -> tuple[Advice, ...]:
    """Everything worth a look, in the order of the codes."""
    found = (item for rule in _RULES for item in rule(settings, around))
    return tuple(sorted(found, key=lambda item: item.code))


def _is_live(settings: Settings) -> bool:
    return not settings.simulated


def _budgets(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    if _is_live(settings) and not settings.budgets:
        yield Advice(
            code="HF201",
            setting="budgets",
            sentence=Sentence(
                "no budget: serve applies 10 dollars a day, the library none; add [budgets.NAME]",
                ko="예산이 없습니다. serve만 하루 10달러를 적용합니다. [budgets.이름]을 추가하세요",
            ),
        )
    if settings.budgets and not any(budget.hard for budget in settings.budgets.values()):
        yield Advice(
            code="HF202",
            setting="budgets",
            sentence=Sentence(
                "every budget is soft: they count and alert, and refuse nothing",
                ko="모든 예산이 세고 알리기만 할 뿐 거절하지 않습니다",
            ),
        )


def _models(settings: Settings, around: Surroundings) -> Iterator[Advice]:
    listed = PriceBook.default()
    book = PriceBook.default(config=settings.pricing)
    for finding in findings(settings, book, listed, around.day):
        yield Advice(
            code="HF213" if finding.code == "book_old" else "HF203",
            setting=finding.setting or "pricing",
            sentence=finding.sentence,
            level="warning" if finding.level == "problem" else "note",
        )


def _times(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    times = settings.timeouts
    for name in ("connect", "stall", "commit_after"):
        seconds = getattr(times, name)
        if seconds >= times.deadline:
            yield Advice(
                code="HF204",
                setting=f"timeouts.{name}",
                sentence=Sentence(
                    f"timeouts.{name} ({seconds:g} s) is never reached: the deadline is {times.deadline:g} s",
                    ko=f"timeouts.{name}({seconds:g}초)에 이르기 전에 제한 시간 {times.deadline:g}초가 끝납니다",
                ),
            )


def _failover(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    for model, others in settings.failover.models.items():
        if model in others:
            yield Advice(
                code="HF205",
                setting=f"failover.models.{model}",
                sentence=Sentence(
                    f"{model} fails over to itself", ko=f"{model} 모델이 자기 자신으로 대체됩니다"
                ),
            )


def _secrets(settings: Settings, around: Surroundings) -> Iterator[Advice]:
    written = [name for name in _addresses(settings) if _is_in_file(settings, name)]
    for name in written:
        yield Advice(
            code="HF206",
            setting=name,
            sentence=Sentence(
                f"{name} holds a secret and stands in the file; name a variable instead",
                ko=f"{name}에 비밀 값이 있는데 파일에 적혀 있습니다. 환경 변수를 쓰세요",
            ),
        )
    if written and around.readable_by_all:
        yield Advice(
            code="HF212",
            setting=written[0],
            sentence=Sentence(
                "everybody on this machine can read the file; run chmod 600 on it",
                ko="이 컴퓨터의 모든 사용자가 파일을 읽을 수 있습니다. chmod 600으로 바꾸세요",
            ),
        )


def _addresses(settings: Settings) -> Iterator[str]:
    """Settings that hold an address with a secret in it."""
    for name, address in (("store.url", settings.store.url), ("fleet.redis_url", settings.fleet.redis_url)):
        if urlsplit(address).password:
            yield name
    for name, channel in settings.alerts.channels.items():
        if channel.kind == "slack" and channel.url:
            yield f"alerts.channels.{name}.url"


def _is_in_file(settings: Settings, name: str) -> bool:
    origin = settings.origins.get(name)
    return origin is not None and origin.kind == "file"


def _clear(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    for name, upstream in settings.upstreams.items():
        if upstream.url.startswith("http://") and not _is_here(urlsplit(upstream.url).hostname or ""):
            yield Advice(
                code="HF207",
                setting=f"upstreams.{name}.url",
                sentence=Sentence(
                    f"upstreams.{name} is asked over http: its key travels in clear",
                    ko=f"upstreams.{name}을(를) http로 부르므로 키가 암호화되지 않습니다",
                ),
            )
    gateway = settings.gateway
    if not _is_here(gateway.host) and gateway.tls_cert is None:
        yield Advice(
            code="HF207",
            setting="gateway.host",
            sentence=Sentence(
                f"callers reach {gateway.host} without TLS; set gateway.tls_cert, or end TLS in a proxy",
                ko=f"호출자가 TLS 없이 {gateway.host}에 접속합니다. gateway.tls_cert를 설정하거나 프록시에서 TLS를 처리하세요",
            ),
            level="note",
        )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def _screen(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    screen = settings.screen
    if screen.enabled and screen.mode == "enforce" and "*" not in screen.monitor:
        return
    yield Advice(
        code="HF208",
        setting="screen.mode" if screen.enabled else "screen.enabled",
        sentence=Sentence("the screen blocks nothing", ko="입력 검사가 아무것도 차단하지 않습니다"),
    )


def _workers(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    fleet = settings.fleet
    limited = bool(settings.quotas) or _is_live(settings)
    if fleet.workers > 1 and limited and not (fleet.redis_url or fleet.redis_url_env):
        yield Advice(
            code="HF209",
            setting="fleet.workers",
            sentence=Sentence(
                f"{fleet.workers} workers and no Redis: each grants 1/{fleet.workers} of every limit",
                ko=f"워커가 {fleet.workers}개인데 Redis가 없어 각자 한도의 1/{fleet.workers}만 씁니다",
            ),
        )


def _variables(settings: Settings, around: Surroundings) -> Iterator[Advice]:
    for setting, variable in _named(settings):
        if not (around.environment.get(variable) or around.environment.get(f"{variable}_FILE")):
            yield Advice(
                code="HF210",
                setting=setting,
                sentence=Sentence(
                    f"{setting} names {variable}, which is not set here",
                    ko=f"{setting}에 적힌 {variable} 변수가 여기에 설정되어 있지 않습니다",
                ),
                level="note",
            )


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    """(setting, variable) of every variable that the settings name."""
    for name, upstream in settings.upstreams.items():
        if upstream.url != SIMULATOR:
            yield from (
                (f"upstreams.{name}.key_env", each) for each in (upstream.key_env, *upstream.key_envs) if each
            )
    for name, channel in settings.alerts.channels.items():
        for field in ("url_env", "secret_env", "user_env", "password_env"):
            if variable := getattr(channel, field):
                yield f"alerts.channels.{name}.{field}", variable
    if settings.fleet.redis_url_env:
        yield "fleet.redis_url_env", settings.fleet.redis_url_env
    if settings.redaction.tag_key_env:
        yield "redaction.tag_key_env", settings.redaction.tag_key_env


def _alerts(settings: Settings, _: Surroundings) -> Iterator[Advice]:
    if _is_live(settings) and settings.upstreams and not settings.alerts.channels:
        yield Advice(
            code="HF211",
            setting="alerts.channels",
            sentence=Sentence(
                "nobody is told when something is wrong; add [alerts.channels.NAME]",
                ko="문제가 생겨도 알림을 받을 곳이 없습니다. [alerts.channels.이름]을 추가하세요",
            ),
            level="note",
        )


Rule = Callable[[Settings, Surroundings], Iterator[Advice]]
_RULES: tuple[Rule, ...] = (
    _budgets,
    _models,
    _times,
    _failover,
    _secrets,
    _clear,
    _screen,
    _workers,
    _variables,
    _alerts,
)
