"""Where a call may go: upstreams, and which target may follow a failed one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.failure import Failover, Ruling
from holdfast.policy.permit import Outcome

SIMULATOR = "simulator"
"""The upstream address that means the embedded Messages API, which needs no key."""

ANTHROPIC_URL = "https://api.anthropic.com"
KEY_ENV = "ANTHROPIC_API_KEY"
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    """Default models by size, so that a retirement is an edit of one line."""

    small: str = "claude-haiku-5-5"
    standard: str = "claude-sonnet-5-5"
    large: str = "claude-opus-5-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamConfig:
    """One Messages API: any address that speaks it, or `simulator`.

    Attributes:
        url: base address without `/v1`, or `simulator`.
        key_env: the environment variable that holds the key; with `_FILE` appended, a file that holds it.
        key_envs: further variables of that kind; their keys stand in, in order, when the first may not be used.
        organisation: whom its keys belong to; keys of one organisation share its spend limit.
        models: model ids served there; empty means all.
    """

    url: str
    key_env: str | None = None
    key_envs: tuple[str, ...] = ()
    organisation: str | None = None
    models: tuple[str, ...] = ()

    @classmethod
    def at(cls, url: str, *, has_key: bool = False) -> "UpstreamConfig":
        """The upstream at an address alone; the usual key goes there if there is one or one is needed."""
        needs_key = url.rstrip("/") == ANTHROPIC_URL
        return cls(url=url, key_env=KEY_ENV if needs_key or (has_key and url != SIMULATOR) else None)

    def __post_init__(self) -> None:
        if self.url != SIMULATOR and not self.url.startswith(("http://", "https://")):
            raise ConfigError(
                Sentence(
                    f"url: `{self.url}` is no address; write http://..., https://... or `{SIMULATOR}`",
                    ko=f"url: `{self.url}`은(는) 주소가 아닙니다. http://..., https://... 또는 `{SIMULATOR}`로 적으세요",
                )
            )
        if self.url.rstrip("/").endswith("/v1"):
            raise ConfigError(
                Sentence(
                    "url: write the address without /v1 at its end; holdfast adds the whole path",
                    ko="url: 끝의 /v1을 빼고 적으세요. 전체 경로는 holdfast가 붙입니다",
                )
            )
        for key, names in (("key_env", [self.key_env or KEY_ENV]), ("key_envs", self.key_envs)):
            if not all(_VARIABLE.fullmatch(name) for name in names):
                # What stands there may be the key itself: it is not repeated.
                raise ConfigError(
                    Sentence(
                        f"{key}: this is no name of an environment variable; write a name such as {KEY_ENV}, never the key",
                        ko=f"{key}: 환경 변수 이름이 아닙니다. 키가 아니라 {KEY_ENV} 같은 변수 이름을 적으세요",
                    )
                )
        if self.key_envs and self.key_env is None:
            raise ConfigError(
                Sentence(
                    "key_envs: these keys stand in for another; name the first one as key_env",
                    ko="key_envs: 예비 키만 있습니다. 첫 번째 키를 key_env에 적으세요",
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverConfig:
    """What may stand in for what.

    Attributes:
        models: model id -> models that may answer in its place, in order, when it is overloaded or unknown.
    """

    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose credential a call carries: its name or fingerprint, never the key, and the organisation it is of."""

    credential: str
    organisation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place to send a call: an upstream, the model asked there, and on whose account."""

    upstream: str
    model: str
    account: Account

    @property
    def name(self) -> str:
        """The name of its circuit: health is a matter of upstream and model, whoever pays."""
        return circuit_name(self.upstream, self.model)

    @property
    def payer(self) -> tuple[str, str]:
        """Upstream and organisation; a credential that names none stands for one of its own."""
        return self.upstream, self.account.organisation or self.account.credential


def circuit_name(upstream: str, model: str) -> str:
    """What the circuit of a model at an upstream is called."""
    return f"{upstream}/{model}"


def check_upstream_name(name: str) -> None:
    """Raise `ConfigError` for a name that would make the name of a circuit read in two ways."""
    if "/" in name:
        raise ConfigError(
            Sentence(
                f"upstreams.{name}: the name of an upstream may not hold `/`, as circuits are called "
                "upstream/model; write it with `-` instead",
                ko=f"upstreams.{name}: 서킷 이름이 `업스트림/모델` 형식이므로 업스트림 이름에는 `/`을(를) "
                "쓸 수 없습니다. 대신 `-`을(를) 쓰세요",
            )
        )


def serves(config: UpstreamConfig, model: str) -> bool:
    """Whether an upstream may be asked for a model."""
    return not config.models or model in config.models


def may_follow(target: Target, failed: Target, ruling: Ruling, *, asked: str) -> bool:
    """Whether a call that failed at one target, with that ruling, may go on to another.

    `asked` is the model that the caller wants: what a substitute could not do may always be tried there.
    What is sick is sick whoever pays: after a failure of health, the same model at the same upstream is no
    other place.
    """
    if ruling.outcome is Outcome.FAIL and target.name == failed.name:
        return False
    here = (failed.upstream, failed.account.credential)
    same_model = target.model in (failed.model, asked)
    allowed: dict[Failover, bool] = {
        "no": False,
        "yes": same_model,
        "model": True,
        "alias": target.model != failed.model,
        "credential": same_model and (target.upstream, target.account.credential) != here,
        "organisation": same_model and target.payer != failed.payer,
    }
    return allowed[ruling.failover]
