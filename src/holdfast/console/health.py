"""Health: whether holdfast itself is all right, with what the doctor finds where he is asked."""

import asyncio
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import urlsplit

from holdfast.assembly import Runtime
from holdfast.console.page import Facts, Page, Visit
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.operations.examination import Finding, Patient, examine
from holdfast.policy.masking import mask
from holdfast.stores.stop_file import spool_folder
from holdfast.version import __version__

State = Literal["good", "weak", "bad"]
SIGNS: Mapping[State, str] = {"good": "●", "weak": "▲", "bad": "■"}
STORE_TIMEOUT = 2.0
"""Seconds the store may take to answer before it counts as away."""
SLOW_MS = 250.0
"""Milliseconds from which a store is slow."""
LATE_MS = 100.0
"""Milliseconds from which the event loop is late."""
OLD_DAYS = 60
"""Days after which a price list is worth a look."""
PACKAGES = ("uvicorn", "starlette", "msgspec", "jinja2")

WORDS: Mapping[str, Sentence] = {
    "all_good": Sentence("Holdfast itself is all right.", ko="holdfast 자체에는 문제가 없습니다."),
    "not_good": Sentence("{count} things need a look.", ko="살펴볼 항목이 {count}개 있습니다."),
    "idle_hint": Sentence(
        "These are facts about holdfast, not about Claude: with no call yet they should all be good.",
        ko="Claude가 아니라 holdfast에 대한 정보입니다. 아직 호출이 없다면 모두 정상이어야 합니다.",
    ),
    "checks": Sentence("Of the worker that answered", ko="응답한 워커의 상태"),
    "what": Sentence("what", ko="항목"),
    "value": Sentence("now", ko="현재"),
    "state_good": Sentence("good", ko="정상"),
    "state_weak": Sentence("worth a look", ko="확인 필요"),
    "state_bad": Sentence("bad", ko="문제"),
    "state": Sentence("state", ko="상태"),
    "means": Sentence("what it means", ko="의미"),
    "check_store": Sentence("store answers in", ko="저장소 응답 시간"),
    "means_store": Sentence(
        "Away: calls under budgets are refused, and the rest is written down later.",
        ko="응답이 없으면 예산이 걸린 호출은 거절하고, 나머지 기록은 나중에 씁니다.",
    ),
    "check_spool": Sentence("records that wait for the store", ko="저장소를 기다리는 기록 파일"),
    "means_spool": Sentence(
        "The ledger lags by them; they are brought as soon as the store answers.",
        ko="그만큼 장부가 늦습니다. 저장소가 응답하면 바로 옮깁니다.",
    ),
    "check_queue": Sentence("messages that wait for a channel", ko="채널을 기다리는 알림"),
    "means_queue": Sentence("A channel that is slow delays them.", ko="채널이 느리면 늦게 도착합니다."),
    "check_dropped": Sentence(
        "dropped alerts, log lines, spans and recordings", ko="버려진 알림, 로그, 스팬, 녹화"
    ),
    "means_dropped": Sentence("Must be 0.", ko="0이어야 합니다."),
    "check_limits": Sentence("shared limits (Redis)", ko="공유 한도(Redis)"),
    "means_limits": Sentence(
        "Away: each worker keeps to its part of the limits.",
        ko="응답이 없으면 워커마다 한도를 나눠 지킵니다.",
    ),
    "check_lag": Sentence("event loop late by, at worst of late", ko="최근 이벤트 루프 최대 지연"),
    "means_lag": Sentence("Every call waits as long as this.", ko="모든 호출이 이만큼 기다립니다."),
    "check_prices": Sentence("price list is as of", ko="요금표 기준일"),
    "means_prices": Sentence(
        "Newer models have no price in an old list; update holdfast or override prices.",
        ko="오래된 요금표에는 새 모델의 요금이 없습니다. holdfast를 업데이트하거나 요금을 직접 적으세요.",
    ),
    "check_orders": Sentence("standing orders heard of", ko="지시 사항 수신"),
    "means_orders": Sentence(
        "Stops, keys and budgets set elsewhere are known here.",
        ko="다른 곳에서 설정한 정지, 키, 예산을 알고 있습니다.",
    ),
    "local": Sentence("of this process", ko="이 프로세스 전용"),
    "shared": Sentence("shared", ko="공유 중"),
    "away": Sentence("away", ko="응답 없음"),
    "unknown": Sentence("not known", ko="알 수 없음"),
    "yes": Sentence("yes", ko="예"),
    "no": Sentence("not yet", ko="아직"),
    "versions": Sentence("Versions", ko="버전"),
    "workers": Sentence("workers", ko="워커"),
    "store": Sentence("store", ko="저장소"),
    "doctor": Sentence("Doctor", ko="진단"),
    "doctor_hint": Sentence(
        "Looks at the key, the way to the API, the clock, the disk and Redis; takes up to 20 seconds and costs nothing.",
        ko="키, API 연결, 시계, 디스크, Redis를 확인합니다. 최대 20초가 걸리며 비용은 없습니다.",
    ),
    "examine": Sentence("Examine now", ko="지금 진단"),
    "cure": Sentence("What to do", ko="조치"),
}


async def look(visit: Visit) -> Facts:
    """What holdfast is made of, and how each part of it stands."""
    runtime = visit.runtime
    checks = [*(await _store(runtime)), *_here(runtime)]
    return {
        "checks": checks,
        "troubles": sum(one["state"] != "good" for one in checks),
        "signs": dict(SIGNS),
        "versions": _versions(),
        "workers": runtime.settings.fleet.workers,
        "store": urlsplit(runtime.settings.store_url).scheme or "memory",
        "prices": runtime.prices.version,
        "findings": None,
    }


async def examined(visit: Visit) -> Facts:
    """What the doctor finds now."""
    found = await examine(
        Patient(settings=visit.runtime.settings, environment=os.environ, clock=visit.runtime.clock)
    )
    return {**await look(visit), "findings": [_finding(visit, one) for one in found]}


async def _store(runtime: Runtime) -> list[dict[str, object]]:
    began = runtime.clock.monotonic()
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            await runtime.ledger.check()
    except (StoreUnavailable, TimeoutError):
        return [_check("store", "bad", word="away")]
    took = (runtime.clock.monotonic() - began) * 1000
    return [_check("store", "good" if took < SLOW_MS else "weak", ms=round(took, 1))]


def _here(runtime: Runtime) -> list[dict[str, object]]:
    waiting = _spooled(runtime)
    queue = sum(one.waiting for one in runtime.alerting.deliveries.values())
    tools = runtime.reporting.metrics.instruments
    dropped = (
        runtime.alerting.dropped + tools.recordings_lost() + tools.lines_dropped() + tools.spans_dropped()
    )
    late = round(tools.lag() * 1000, 1)
    age = (runtime.clock.now().date() - runtime.prices.as_of).days
    return [
        _check("spool", "good" if not waiting else "weak", count=waiting),
        _check("queue", "good" if not queue else "weak", count=queue),
        _check("dropped", "good" if not dropped else "bad", count=dropped),
        _limits(runtime),
        _check("lag", "weak" if late >= LATE_MS else "good", ms=late),
        _check("prices", "good" if age <= OLD_DAYS else "weak", text=runtime.prices.as_of.isoformat()),
        _orders(runtime),
    ]


def _limits(runtime: Runtime) -> dict[str, object]:
    if runtime.stations.quotas.degraded:
        return _check("limits", "weak", word="away")
    has_redis = bool(runtime.settings.fleet.redis_url or runtime.settings.fleet.redis_url_env)
    return _check("limits", "good", word="shared" if has_redis else "local")


def _orders(runtime: Runtime) -> dict[str, object]:
    is_informed = runtime.stations.watch.is_informed
    return _check("orders", "good" if is_informed else "weak", word="yes" if is_informed else "no")


def _check(
    name: str,
    state: State,
    *,
    ms: float | None = None,
    count: int | None = None,
    word: str | None = None,
    text: str | None = None,
) -> dict[str, object]:
    return {"name": name, "state": state, "ms": ms, "count": count, "word": word, "text": text}


def _spooled(runtime: Runtime) -> int:
    """Files of records that the store has not taken yet."""
    folder = spool_folder(runtime.settings.store_url)
    if not folder.is_dir():
        return 0
    return sum(1 for one in folder.iterdir() if one.is_file() and one.stat().st_size)


def _versions() -> dict[str, str]:
    found = {"holdfast": __version__, "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _finding(visit: Visit, one: Finding) -> dict[str, object]:
    return {
        "name": one.name,
        "state": one.state,
        "said": mask(visit.say(one.sentence)),
        "cure": mask(visit.say(one.cure)),
    }


PAGE = Page(
    name="health",
    title=Sentence("Is holdfast itself all right?", ko="holdfast 자체는 괜찮은가?"),
    label=Sentence("Health", ko="상태"),
    words=WORDS,
    look=look,
    key="h",
    acts={"examine": examined},
)
