"""The console's settings: who may reach it by which name, and how long a login lasts."""

from dataclasses import dataclass
from math import inf

from holdfast.errors import ConfigError
from holdfast.language import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig:
    """The console at `/console`.

    Attributes:
        enabled: whether there is one.
        hosts: names by which browsers reach it besides this machine's own, such as that of a reverse proxy; with
            their port, where it is not the usual one.
        idle: seconds without a click after which a login ends.
        longest: seconds after which it ends in any case.

    Raises:
        ConfigError: a time that is none, or an idle one that is longer than the longest.
    """

    enabled: bool = True
    hosts: tuple[str, ...] = ()
    idle: float = 3_600.0
    longest: float = 43_200.0

    def __post_init__(self) -> None:
        if not 0 < self.idle <= self.longest < inf:
            raise ConfigError(
                Sentence(
                    "idle and longest must be seconds above 0, and idle at most longest; correct these settings",
                    ko="idle과 longest는 0보다 큰 초여야 하고 idle은 longest보다 길 수 없습니다. 설정을 고치세요",
                )
            )
        if any(not host or "/" in host or host != host.strip() for host in self.hosts):
            raise ConfigError(
                Sentence(
                    "hosts: write names such as `holdfast.example.com`, without a scheme or a path",
                    ko="hosts: `holdfast.example.com`처럼 스킴과 경로 없이 이름만 적으세요",
                )
            )
