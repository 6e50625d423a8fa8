"""The address that a server of ours listens on: loopback only, and taken before anything else is done."""

import errno
import ipaddress
import socket

from holdfast.errors import ConfigError
from holdfast.language import Sentence

LAST_PORT = 65_535
BACKLOG = 2_048


def url(host: str, port: int) -> str:
    """The address as clients write it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def refuse_open_bind(host: str) -> None:
    """Raise `ConfigError` for an address that other machines can reach."""
    if host == "localhost" or _is_loopback(host):
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
