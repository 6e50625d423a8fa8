"""Where the gateway listens, what it takes, and how long it waits for those who call."""

import ipaddress
import re
from dataclasses import dataclass
from math import inf

from holdfast.errors import ConfigError
from holdfast.language import Sentence

MEGABYTE = 1024 * 1024
LOCAL_NAME = "localhost"
_PASSED = re.compile(r"/v1/[a-z0-9_]+(/[a-z0-9_]+)*")
SERVED = ("/v1/messages", "/v1/models", "/v1/organizations")
"""What is answered here itself, and so is never handed on unread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """Where the gateway listens and what it takes; times in seconds, sizes in bytes.

    Attributes:
        max_body: of a Messages request or a token count; the API takes 32 MB.
        max_batch: of a batch of requests; the API takes 256 MB.
        max_upload: of a file or a skill; the API takes 500 MB.
        workers: processes that serve one address.
        tls_cert: a PEM file with the certificate and those it hangs on; with it the gateway speaks only TLS.
        tls_key: a PEM file with its private key; `None` when that stands in `tls_cert`.
        trusted_proxies: addresses and networks whose `x-forwarded-for` and `x-forwarded-proto` are believed.
        passthrough: further paths under `/v1/` that go upstream as they are, with all that lies below them.
        max_connections: of one worker; whoever comes when they are all taken is told to come back.
        keep_alive: for which an idle connection stays open: longer than the pools of clients keep theirs.
        head_timeout: for a whole head.
        reader_timeout: for a client that does not read what it asked for.
    """

    host: str = "127.0.0.1"
    port: int = 4180
    max_body: int = 32 * MEGABYTE
    max_batch: int = 256 * MEGABYTE
    max_upload: int = 500 * MEGABYTE
    drain_timeout: float = 30.0
    workers: int = 1
    tls_cert: str | None = None
    tls_key: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    passthrough: tuple[str, ...] = ()
    max_connections: int | None = 10_000
    keep_alive: float = 75.0
    head_timeout: float = 30.0
    reader_timeout: float = 120.0

    def __post_init__(self) -> None:
        _check("host", bool(self.host.strip()), "an address to listen on", "받을 주소여야")
        _check("port", 0 <= self.port <= 65535, "from 0 to 65535; 0 takes any free one", "0~65535 범위여야")
        for key in ("max_body", "max_batch", "max_upload"):
            _check(key, getattr(self, key) >= 1, "1 byte or more", "1바이트 이상이어야")
        _check("drain_timeout", 0 <= self.drain_timeout < inf, "0 seconds or more", "0초 이상이어야")
        _check("workers", 1 <= self.workers <= 256, "from 1 to 256", "1~256 범위여야")
        _check(
            "max_connections",
            self.max_connections is None or self.max_connections >= 1,
            "1 or more",
            "1 이상이어야",
        )
        for key in ("keep_alive", "head_timeout", "reader_timeout"):
            _check(key, 0 < getattr(self, key) < inf, "more than 0 seconds", "0초보다 커야")
        _check(
            "tls_key",
            self.tls_key is None or self.tls_cert is not None,
            "set together with tls_cert, whose key it is",
            "tls_cert와 함께 적어야",
        )
        _check(
            "trusted_proxies",
            all(_is_network(one) for one in self.trusted_proxies),
            'addresses and networks, such as "10.0.0.0/8"',
            '"10.0.0.0/8" 같은 주소나 네트워크여야',
        )
        _check(
            "passthrough",
            all(_PASSED.fullmatch(one) and not one.startswith(SERVED) for one in self.passthrough),
            'paths under /v1/ that are not answered here, such as "/v1/agents"',
            '"/v1/agents"처럼 여기서 직접 처리하지 않는 /v1/ 경로여야',
        )

    @property
    def speaks_tls(self) -> bool:
        """Whether callers are spoken to by TLS."""
        return self.tls_cert is not None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == LOCAL_NAME:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def passed_on(path: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a path is one of those that go upstream as they are, or lies below one."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _check(key: str, is_right: bool, english: str, korean: str) -> None:
    if not is_right:
        raise ConfigError(
            Sentence(
                f"{key}: must be {english}; correct this setting",
                ko=f"{key}: {korean} 합니다. 설정을 고치세요",
            )
        )
