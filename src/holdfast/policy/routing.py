"""Where a call may go: upstreams, and the ordered targets for a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.errors import ConfigError
from holdfast.language import Sentence

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
        models: model ids served there; empty means all.
    """

    url: str
    key_env: str | None = None
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
        if self.key_env is not None and not _VARIABLE.fullmatch(self.key_env):
            # What stands there may be the key itself: it is not repeated.
            raise ConfigError(
                Sentence(
                    f"key_env: this is no name of an environment variable; write a name such as {KEY_ENV}, never the key",
                    ko=f"key_env: 환경 변수 이름이 아닙니다. 키가 아니라 {KEY_ENV} 같은 변수 이름을 적으세요",
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place to send a call: an upstream and the model asked there."""

    upstream: str
    model: str

    @property
    def name(self) -> str:
        """The name of its circuit."""
        return f"{self.upstream}/{self.model}"


def targets(model: str, upstreams: Sequence[tuple[str, UpstreamConfig]]) -> tuple[Target, ...]:
    """The targets that may serve `model`, in the order of the configuration."""
    return tuple(
        Target(upstream=name, model=model)
        for name, config in upstreams
        if not config.models or model in config.models
    )
