"""All settings: composed from the parts' own configurations, each value with its origin."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, cast

import platformdirs

from holdfast.configuration import PREFIX, Key, Origin, Problem, Reader, Source, describe
from holdfast.errors import ConfigError
from holdfast.language import Language, Sentence, preferred
from holdfast.policy.alert_rules import AlertsConfig
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.caching import CacheConfig
from holdfast.policy.console import ConsoleConfig
from holdfast.policy.fairness import FairnessConfig
from holdfast.policy.fallback import FallbackConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.gateway import GatewayConfig as GatewayConfig
from holdfast.policy.money import pico
from holdfast.policy.output import OutputConfig
from holdfast.policy.pricing import PricingConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.policy.recording import RecorderConfig
from holdfast.policy.redaction import RedactionConfig
from holdfast.policy.retry import RetryConfig, check_time
from holdfast.policy.route import RouteConfig
from holdfast.policy.routing import (
    KEY_ENV,
    SIMULATOR,
    FailoverConfig,
    ModelsConfig,
    UpstreamConfig,
    check_upstream_name,
)
from holdfast.policy.runs import RunsConfig
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.taint import TaintConfig
from holdfast.policy.telemetry import TelemetryConfig
from holdfast.wire.toml import Place

UPSTREAM = "HOLDFAST_UPSTREAM"
SHORTHANDS = {
    "HOLDFAST_DATABASE_URL": ("store", "url"),
    UPSTREAM: ("upstreams", "default", "url"),
}
FILE_NAME = "holdfast.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """Where calls are written down; an empty `url` means a file in the data folder of this user.

    `emergency_usd`: dollars that one worker may let calls cost while the store is away, where only soft budgets
    count them; hard budgets never do. `keep_days`: calls and attempts older than that are forgotten, their sums
    are not, and conversations that nobody has spoken in since; `None` keeps everything.
    """

    url: str = field(default="", repr=False)
    emergency_usd: Decimal = Decimal(0)
    keep_days: int | None = 400

    def __post_init__(self) -> None:
        pico(self.emergency_usd, name="emergency_usd")
        _check("keep_days", self.keep_days is None or self.keep_days >= 1, "1 day or more", "1일 이상이어야")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetConfig:
    """The workers that share limits, and the Redis that they share them over; without one each has its own.

    Attributes:
        redis_url: `redis://` or `rediss://`; better named in a variable if it holds a password.
        redis_url_env: the environment variable that holds it instead.
        workers: how many there are: while Redis is away each grants its share of every limit.
    """

    redis_url: str = field(default="", repr=False)
    redis_url_env: str | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        _check("workers", 1 <= self.workers <= 10_000, "from 1 to 10,000", "1~10,000 범위여야")
        both = bool(self.redis_url) and self.redis_url_env is not None
        _check("redis_url_env", not both, "left out where redis_url is set", "redis_url과 함께 쓰지 말아야")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutsConfig:
    """How long a call may take, in seconds.

    `commit_after`: a stream without content for so long is begun with pings, so that the client stays, and then
    pinged every `ping_every`.
    """

    deadline: float = 600.0
    connect: float = 10.0
    stall: float = 90.0
    commit_after: float = 10.0
    ping_every: float = 10.0

    def __post_init__(self) -> None:
        for key in ("deadline", "connect", "stall", "commit_after", "ping_every"):
            check_time(key, getattr(self, key))
        # Claude Code gives a stream up after 300 seconds without a byte.
        _check("ping_every", self.ping_every <= 240, "240 seconds at most", "240초 이하여야")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """The embedded Messages API: same seed, same answers; `time_scale` 0 answers at once."""

    seed: int = 0
    time_scale: float = 1.0

    def __post_init__(self) -> None:
        _check("time_scale", 0 <= self.time_scale < inf, "0 or more", "0 이상의 수여야")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of holdfast, ready to use; `origins` tells who set what."""

    language: Language = "en"
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    upstreams: Mapping[str, UpstreamConfig] = field(default_factory=dict[str, UpstreamConfig])
    models: ModelsConfig = field(default_factory=ModelsConfig)
    failover: FailoverConfig = field(default_factory=FailoverConfig)
    fallback: FallbackConfig = field(default_factory=FallbackConfig)
    timeouts: TimeoutsConfig = field(default_factory=TimeoutsConfig)
    breaker: BreakerConfig = field(default_factory=BreakerConfig)
    gates: GateConfig = field(default_factory=GateConfig)
    retry: RetryConfig = field(default_factory=RetryConfig)
    screen: ScreenConfig = field(default_factory=ScreenConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    tools: TaintConfig = field(default_factory=TaintConfig)
    redaction: RedactionConfig = field(default_factory=RedactionConfig)
    pricing: PricingConfig = field(default_factory=PricingConfig)
    budgets: Mapping[str, BudgetConfig] = field(default_factory=dict[str, BudgetConfig])
    runs: RunsConfig = field(default_factory=RunsConfig)
    quotas: Mapping[str, QuotaConfig] = field(default_factory=dict[str, QuotaConfig])
    fairness: FairnessConfig = field(default_factory=FairnessConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    fleet: FleetConfig = field(default_factory=FleetConfig)
    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    recorder: RecorderConfig = field(default_factory=RecorderConfig)
    route: RouteConfig = field(default_factory=RouteConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    console: ConsoleConfig = field(default_factory=ConsoleConfig)
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin], compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in self.upstreams:
            check_upstream_name(name)

    @classmethod
    def load(cls, path: str | Path | None = None, *, environment: Mapping[str, str] | None = None) -> Self:
        """Read a TOML file, then the environment over it (`HOLDFAST__SECTION__KEY`).

        Without `path`, the first of `HOLDFAST_CONFIG`, `./holdfast.toml`, the user's and the machine's
        configuration folder; with none of them, the defaults. Raises `ConfigError` with every problem
        found: file, line and what was probably meant.
        """
        surroundings = os.environ if environment is None else environment
        reader = Reader(_source(_find(path, surroundings), surroundings))
        values = reader.read(cls, leave_out=("origins",))
        if reader.problems:
            raise _invalid(reader.problems)
        return cls(**_upstreams_from(values, surroundings), origins=MappingProxyType(reader.origins))

    @property
    def simulated(self) -> bool:
        """Whether every upstream is the embedded simulator."""
        return bool(self.upstreams) and all(config.url == SIMULATOR for config in self.upstreams.values())

    @property
    def store_url(self) -> str:
        """The address of the store, with the default filled in: simulated money has a book of its own."""
        if self.store.url:
            return self.store.url
        home = os.environ.get("HOLDFAST_HOME") or platformdirs.user_data_dir("holdfast", appauthor=False)
        return f"sqlite:///{Path(home) / ('simulator.db' if self.simulated else 'holdfast.db')}"


def _find(path: str | Path | None, environment: Mapping[str, str]) -> Path | None:
    chosen = path or environment.get("HOLDFAST_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    folders = (
        Path(),
        Path(platformdirs.user_config_dir("holdfast", appauthor=False)),
        Path("/etc/holdfast"),
    )
    # Not `Path.is_file`, which raises for a folder that others may not enter.
    return next((folder / FILE_NAME for folder in folders if os.path.isfile(folder / FILE_NAME)), None)


def _source(path: Path | None, environment: Mapping[str, str]) -> Source:
    text = "" if path is None else _text(path)
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise _invalid([_not_toml(path, error)]) from error
    return Source(file=path, text=text, table=table, environment=_nested(environment, table))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(
            Sentence(
                f"{path}: the configuration cannot be read: {error}. Check the path and its permissions.",
                ko=f"{path}: 설정 파일을 읽을 수 없습니다: {error}. 경로와 권한을 확인하세요.",
            )
        ) from error


def _not_toml(path: Path | None, error: Exception) -> Problem:
    why = "nested too deep" if isinstance(error, RecursionError) else str(error)
    found = re.search(r" \(at line (\d+), column (\d+)\)", why)
    return Problem(
        code="HF110",
        what=Sentence(f"this is not TOML: {why}", ko=f"TOML 형식이 아닙니다: {why}"),
        file=path,
        place=Place(line=int(found[1]), column=int(found[2]), length=1) if found else None,
        help=Sentence("mend the place named here", ko="여기 적힌 곳을 고치세요"),
    )


def _nested(environment: Mapping[str, str], table: Mapping[str, Any]) -> dict[Key, tuple[str, str]]:
    """Path of the setting -> (name of the variable, its text)."""
    found: dict[Key, tuple[str, str]] = {}
    if language := environment.get("HOLDFAST_LANG"):
        found["language",] = ("HOLDFAST_LANG", preferred({"LANG": language}))
    for name, key in SHORTHANDS.items():
        if text := _given(name, environment):
            found[key] = (name, text)
    for name, text in environment.items():
        if name.startswith(PREFIX):
            found[_as_written(name.removeprefix(PREFIX).lower().split("__"), table)] = (name, text)
    return found


def _given(name: str, environment: Mapping[str, str]) -> str:
    """What a variable holds, or the file that it names with `_FILE`."""
    path = environment.get(f"{name}_FILE", "").strip()
    return environment.get(name, "").strip() or (_text(Path(path).expanduser()).strip() if path else "")


def _as_written(path: list[str], table: Mapping[str, Any]) -> Key:
    """The path as the file spells it: variables know neither small letters nor dashes."""
    key: Key = ()
    for part in path:
        key = (*key, next((name for name in table if name.lower().replace("-", "_") == part), part))
        inner: object = table.get(key[-1])
        table = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else {}
    return key


def _upstreams_from(values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The values with the one upstream that `HOLDFAST_UPSTREAM` chooses in place of those in the file."""
    if not environment.get(UPSTREAM, "").strip():
        return values
    chosen: UpstreamConfig = values["upstreams"]["default"]
    if chosen.key_env is None:
        has_key = any(environment.get(name) for name in (KEY_ENV, f"{KEY_ENV}_FILE"))
        chosen = replace(chosen, key_env=UpstreamConfig.at(chosen.url, has_key=has_key).key_env)
    return {**values, "upstreams": {"default": chosen}}


def _check(key: str, is_right: bool, english: str, korean: str) -> None:
    if not is_right:
        raise ConfigError(
            Sentence(
                f"{key}: must be {english}; correct this setting",
                ko=f"{key}: {korean} 합니다. 설정을 고치세요",
            )
        )


def _invalid(problems: list[Problem]) -> ConfigError:
    return ConfigError(
        Sentence(
            "\n\n".join(describe(problem, "en") for problem in problems),
            ko="\n\n".join(describe(problem, "ko") for problem in problems),
        )
    )
