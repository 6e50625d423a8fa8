"""What `holdfast doctor` looks at: the key, the way to the API, the clock, the store, the fleet; each with a cure."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.credentials import keys_of, secret
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.policy.masking import mask
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings
from holdfast.stores.open import SQLITE, open_store
from holdfast.upstream.client import TransportFailed, UpstreamRequest
from holdfast.upstream.http import HttpClient
from holdfast.wire.headers import Headers, get

State = Literal["good", "weak", "bad"]
PATIENCE = 10.0
"""Seconds that one look may take."""
SKEW = 60.0
"""Seconds by which the clocks may differ before signatures, expiries and budgets of a day suffer."""
LEAST_ROOM = 1 << 30
"""Bytes that should be free where the store is."""
VERSION = "2023-06-01"
NOTHING = Sentence("", ko="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One look: what was found, and what to do about it where it is not good."""

    name: str
    state: State
    sentence: Sentence
    cure: Sentence = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom the doctor looks at."""

    settings: Settings
    environment: Mapping[str, str]
    clock: Clock = SYSTEM_CLOCK


Look = Callable[[Patient], Awaitable[list[Finding]]]


async def examine(patient: Patient) -> list[Finding]:
    """Every look at once; one that breaks is a finding, too."""
    looks: tuple[Look, ...] = (_upstreams, _loop, _store, _redis)
    found = await asyncio.gather(*(_bounded(look, patient) for look in looks))
    return [finding for findings in found for finding in findings]


async def _bounded(look: Look, patient: Patient) -> list[Finding]:
    name = look.__name__.strip("_")
    try:
        return await asyncio.wait_for(look(patient), PATIENCE * 2)
    except TimeoutError:
        return [
            _bad(
                name,
                Sentence(
                    f"no answer within {PATIENCE * 2:g} seconds",
                    ko=f"{PATIENCE * 2:g}초 안에 응답이 없습니다",
                ),
                Sentence(
                    "check the way there: names, firewalls, proxies",
                    ko="이름 해석, 방화벽, 프록시를 확인하세요",
                ),
            )
        ]
    except HoldfastError as error:
        return [_bad(name, error.sentence, Sentence("see the sentence above", ko="위 설명을 따르세요"))]


def _good(name: str, sentence: Sentence) -> Finding:
    return Finding(name=name, state="good", sentence=sentence)


def _weak(name: str, sentence: Sentence, cure: Sentence) -> Finding:
    return Finding(name=name, state="weak", sentence=sentence, cure=cure)


def _bad(name: str, sentence: Sentence, cure: Sentence) -> Finding:
    return Finding(name=name, state="bad", sentence=sentence, cure=cure)


async def _upstreams(patient: Patient) -> list[Finding]:
    chosen = patient.settings.upstreams or {
        "default": UpstreamConfig.at("https://api.anthropic.com", has_key=True)
    }
    found = await asyncio.gather(*(_upstream(name, config, patient) for name, config in chosen.items()))
    return [finding for findings in found for finding in findings]


async def _upstream(name: str, config: UpstreamConfig, patient: Patient) -> list[Finding]:
    label = f"upstreams.{name}"
    if config.url == SIMULATOR:
        return [
            _good(
                label,
                Sentence(
                    "the embedded simulator: no key, no network",
                    ko="내장 시뮬레이터: 키와 네트워크가 필요 없음",
                ),
            )
        ]
    try:
        key, _ = keys_of(config)
    except ConfigError as error:
        return [_bad(label, error.sentence, Sentence("set the key anew", ko="키를 다시 설정하세요"))]
    client = HttpClient(config.url, connect_timeout=PATIENCE)
    try:
        status, headers = await asyncio.wait_for(_models(client, key), PATIENCE)
    except (TransportFailed, TimeoutError) as error:
        return [_unreached(label, config.url, error)]
    finally:
        await client.aclose()
    return [_key(label, config, key, status), *_time(headers, patient.clock.now())]


async def _models(client: HttpClient, key: str | None) -> tuple[int, Headers]:
    """Ask for one model, which is free, and read the answer to its end."""
    headers: list[tuple[str, str]] = [("anthropic-version", VERSION)]
    if key is not None:
        headers.append(("x-api-key", key))
    connection = await client.send(
        UpstreamRequest(method="GET", path="/v1/models?limit=1", headers=tuple(headers))
    )
    try:
        while await connection.read():
            pass
        return connection.status, connection.headers
    finally:
        await connection.aclose()


def _unreached(label: str, url: str, error: Exception) -> Finding:
    reason = mask(str(error)) or "no answer"
    host = urlsplit(url).hostname or url
    return _bad(
        label,
        Sentence(f"{host} cannot be reached: {reason}", ko=f"{host}에 연결할 수 없습니다: {reason}"),
        Sentence(
            "check the address, name resolution, HTTPS_PROXY and SSL_CERT_FILE",
            ko="주소, 이름 해석, HTTPS_PROXY, SSL_CERT_FILE을 확인하세요",
        ),
    )


def _key(label: str, config: UpstreamConfig, key: str | None, status: int) -> Finding:
    host = urlsplit(config.url).hostname or config.url
    if status < 300:
        return _good(
            label, Sentence(f"{host} answers and takes the key", ko=f"{host}이(가) 응답하고 키를 받습니다")
        )
    if status in (401, 403) and key is None:
        return _weak(
            label,
            Sentence(
                f"{host} answers; holdfast has no key for it", ko=f"{host}이(가) 응답하지만 키가 없습니다"
            ),
            Sentence(
                f"set {config.key_env or 'ANTHROPIC_API_KEY'}, or let callers bring their own",
                ko=f"{config.key_env or 'ANTHROPIC_API_KEY'}를 설정하거나 호출자가 키를 가져오게 하세요",
            ),
        )
    if status in (401, 403):
        return _bad(
            label,
            Sentence(f"{host} refuses the key ({status})", ko=f"{host}이(가) 키를 거절합니다({status})"),
            Sentence("make a new key and set it", ko="새 키를 만들어 설정하세요"),
        )
    return _weak(
        label,
        Sentence(f"{host} answers with {status}", ko=f"{host}의 응답: {status}"),
        Sentence(
            "look again in a minute; `holdfast status` keeps watch",
            ko="잠시 뒤 다시 보세요. `holdfast status`로 지켜볼 수 있습니다",
        ),
    )


def _time(headers: Headers, now: datetime) -> list[Finding]:
    """How far this machine's clock is from the upstream's."""
    told = get(headers, "date")
    if told is None:
        return []
    try:
        skew = abs(now - parsedate_to_datetime(told))
    except ValueError:
        return []
    seconds = skew.total_seconds()
    if skew <= timedelta(seconds=SKEW):
        return [
            _good(
                "clock",
                Sentence(f"within {seconds:.0f} s of the upstream's", ko=f"업스트림과 {seconds:.0f}초 차이"),
            )
        ]
    return [
        _weak(
            "clock",
            Sentence(
                f"{seconds:.0f} s away from the upstream's", ko=f"업스트림과 {seconds:.0f}초 차이가 납니다"
            ),
            Sentence("switch time synchronisation on", ko="시간 동기화를 켜세요"),
        )
    ]


async def _loop(patient: Patient) -> list[Finding]:
    """Whether the SDK's own variable would make the gateway ask itself."""
    address = patient.environment.get("ANTHROPIC_BASE_URL", "")
    gateway = patient.settings.gateway
    parts = urlsplit(address)
    here = {"127.0.0.1", "localhost", "::1", gateway.host}
    itself = any(
        urlsplit(config.url).port == gateway.port and urlsplit(config.url).hostname in here
        for config in patient.settings.upstreams.values()
    )
    if itself:
        return [
            _bad(
                "loop",
                Sentence("an upstream is this gateway itself", ko="업스트림이 이 게이트웨이 자신입니다"),
                Sentence("give [upstreams] the address of the API", ko="[upstreams]에 API 주소를 적으세요"),
            )
        ]
    if parts.hostname in here and parts.port == gateway.port:
        return [
            _good(
                "loop",
                Sentence(
                    "clients of this shell go through the gateway",
                    ko="이 셸의 클라이언트는 게이트웨이를 거칩니다",
                ),
            )
        ]
    return []


async def _store(patient: Patient) -> list[Finding]:
    url = patient.settings.store_url
    store = open_store(url, clock=patient.clock)
    try:
        await asyncio.wait_for(store.check(), PATIENCE)
    finally:
        await store.aclose()
    where = mask(url)
    return [
        _good("store", Sentence(f"{where} can be read and written", ko=f"{where}: 읽고 쓸 수 있습니다")),
        *_room(url),
    ]


def _room(url: str) -> list[Finding]:
    if not url.startswith(SQLITE):
        return []
    folder = Path(url.removeprefix(SQLITE)).expanduser().parent
    free = shutil.disk_usage(folder).free
    if free >= LEAST_ROOM:
        return []
    return [
        _weak(
            "disk",
            Sentence(
                f"{free >> 20} MB are free where the store is",
                ko=f"저장소 디스크에 {free >> 20}MB만 남았습니다",
            ),
            Sentence(
                "make room, or lower [store] keep_days", ko="공간을 비우거나 [store] keep_days를 줄이세요"
            ),
        )
    ]


async def _redis(patient: Patient) -> list[Finding]:
    fleet = patient.settings.fleet
    url = fleet.redis_url or (secret(fleet.redis_url_env) if fleet.redis_url_env else None)
    if not url:
        return []
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ModuleNotFoundError:
        return [
            _bad(
                "redis",
                Sentence("its driver is not installed", ko="Redis 드라이버가 설치되어 있지 않습니다"),
                Sentence(
                    "run: pip install 'holdfast[fleet]'", ko="실행하세요: pip install 'holdfast[fleet]'"
                ),
            )
        ]
    try:
        connect = cast("Any", Redis).from_url  # its annotations leave the keywords open
        async with connect(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
            await client.ping()
    except (RedisError, OSError, ValueError) as error:
        return [
            _weak(
                "redis",
                Sentence(
                    f"it does not answer: {mask(str(error))}", ko=f"응답하지 않습니다: {mask(str(error))}"
                ),
                Sentence(
                    "bring it back; until then every worker keeps to its share of the limits",
                    ko="복구하세요. 그동안 각 워커는 한도의 자기 몫만 씁니다",
                ),
            )
        ]
    return [_good("redis", Sentence("it answers", ko="응답합니다"))]
