"""The address that a server of ours listens on: whether it may be reached, and taken before anything else is done."""

import contextlib
import errno
import ipaddress
import socket
from urllib.parse import urlsplit

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.gateway import is_loopback
from holdfast.policy.routing import SIMULATOR
from holdfast.settings import Settings

LAST_PORT = 65_535
BACKLOG = 2_048
WILDCARDS = ("0.0.0.0", "::", "0")


def url(host: str, port: int, *, tls: bool = False) -> str:
    """The address as clients on this machine write it; one that stands for all of them is no address to ask."""
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def is_wildcard(host: str) -> bool:
    """Whether it stands for every address of this machine."""
    return host in WILDCARDS


def refuse_strangers(host: str, *, has_keys: bool, has_token: bool) -> None:
    """Raise `ConfigError` for an address that other machines can reach while nobody is asked who he is."""
    if is_loopback(host):
        return
    if not has_keys:
        raise ConfigError(
            Sentence(
                f"{host} can be reached from other machines, and no keys are configured: make one with "
                "`holdfast keys create NAME`, or listen on 127.0.0.1 (leave --host out).",
                ko=f"{host}은(는) 다른 컴퓨터에서 접근할 수 있는데 설정된 키가 없습니다. `holdfast keys create 이름`으로 "
                "키를 만들거나, --host를 빼서 127.0.0.1에서 받으세요.",
            )
        )
    if not has_token:
        raise ConfigError(
            Sentence(
                f"{host} can be reached from other machines, and no admin token is set: run "
                "`export HOLDFAST_ADMIN_TOKEN=$(openssl rand -hex 32)`, or listen on 127.0.0.1 (leave --host out).",
                ko=f"{host}은(는) 다른 컴퓨터에서 접근할 수 있는데 관리자 토큰이 없습니다. "
                "`export HOLDFAST_ADMIN_TOKEN=$(openssl rand -hex 32)`을 실행하거나, --host를 빼서 127.0.0.1에서 받으세요.",
            )
        )


def refuse_loop(settings: Settings, port: int) -> None:
    """Raise `ConfigError` for an upstream that is this gateway itself: every call would go round for ever."""
    for name, config in settings.upstreams.items():
        if config.url == SIMULATOR:
            continue
        address = urlsplit(config.url)
        asked = address.port or (443 if address.scheme == "https" else 80)
        if asked == port and _is_here(address.hostname or "", settings.gateway.host):
            origin = settings.origins.get(f"upstreams.{name}.url")
            place = "--upstream" if origin is None or origin.kind == "default" else str(origin)
            raise ConfigError(
                Sentence(
                    f"error[HF105]: the upstream `{name}` is {config.url}, which is this gateway itself: every call "
                    f"would go round in a circle. {place} says so; name the Messages API there.",
                    ko=f"error[HF105]: 업스트림 `{name}`의 주소 {config.url}은(는) 이 게이트웨이 자신이라 호출이 끝없이 "
                    f"돕니다. {place}에 적힌 값이니, 거기에 Messages API의 주소를 적으세요.",
                )
            )


def refuse_open_bind(host: str) -> None:
    """Raise `ConfigError` for an address that other machines can reach."""
    if is_loopback(host):
        return
    raise ConfigError(
        Sentence(
            f"{host} can be reached from other machines and no keys are configured: listen on 127.0.0.1 "
            "(leave --host out) and put a reverse proxy that checks callers in front.",
            ko=f"{host}은(는) 다른 컴퓨터에서 접근할 수 있는데 설정된 키가 없습니다. --host를 빼서 127.0.0.1에서 "
            "받고, 호출자를 확인하는 리버스 프록시를 앞에 두세요.",
        )
    )


def listen(host: str, port: int, tries: int = 1) -> socket.socket:
    """A socket that listens on `port`, or on the first free one of the `tries` from there on.

    Raises `ConfigError` with what to do. It listens at once: two processes can bind one port, listen only one.
    """
    reason: OSError | None = None
    for candidate in range(port, min(port + tries, LAST_PORT + 1)) if port >= 0 else ():
        try:
            return _listening(host, candidate)
        except OSError as error:
            reason = error
            if error.errno != errno.EADDRINUSE:
                break
    raise _cannot_listen(host, port, reason)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on: 40 ms more for every answer on a kept connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(host: str, port: int, reason: OSError | None) -> ConfigError:
    if reason is not None and reason.errno == errno.EADDRINUSE:
        return ConfigError(
            Sentence(
                f"Port {port} on {host} is taken; choose another with --port, or any free one with --port 0.",
                ko=f"{host}의 {port} 포트는 이미 쓰이고 있습니다. --port로 다른 포트를 고르거나 "
                "--port 0으로 빈 포트를 쓰세요.",
            )
        )
    why = f"ports go from 0 to {LAST_PORT}" if reason is None else reason.strerror
    return ConfigError(
        Sentence(
            f"Nothing can listen on {host}, port {port}: {why}. Choose another --host or --port.",
            ko=f"{host}의 {port} 포트에서 받을 수 없습니다: {why}. --host나 --port를 바꾸세요.",
        )
    )


def _is_here(host: str, own: str) -> bool:
    """Whether a name leads to a socket that listens at our own address."""
    is_any = own == "" or is_wildcard(own)
    found = _addresses(host)
    if own == host or any(one in _addresses(own) for one in found):
        return True
    return is_any and any(_is_of_this_machine(one) for one in found)


def _addresses(host: str) -> frozenset[str]:
    try:
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(host, None))
    except OSError:
        return frozenset()


def _is_of_this_machine(address: str) -> bool:
    """Only an address of its own can a machine listen on."""
    with contextlib.suppress(OSError, ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return True
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
            return True
    return False
