"""The address a server listens on."""

import errno
import socket

import pytest

from holdfast.cli import listening
from holdfast.cli.listening import listen, refuse_open_bind, url
from holdfast.errors import ConfigError


def test_a_listener_is_listening_when_it_is_handed_out() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            pass
        with pytest.raises(ConfigError, match="is taken"):
            listen("127.0.0.1", port)


def test_answers_on_a_kept_connection_do_not_wait_for_nagle() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # what asyncio looks at before it sets TCP_NODELAY


def test_the_next_port_is_taken_when_it_may_be() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port, tries=50) as second:
            assert port < second.getsockname()[1] < port + 50


def test_ports_that_do_not_exist_are_told() -> None:
    for port in (-1, 65_536, 70_000):
        with pytest.raises(ConfigError, match="ports go from 0 to 65535"):
            listen("127.0.0.1", port)


def test_an_address_that_is_not_of_this_machine_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(host: str, port: int) -> socket.socket:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    monkeypatch.setattr(listening, "_listening", refuse)
    with pytest.raises(ConfigError, match="Cannot assign requested address"):
        listen("127.0.0.1", 4180, tries=10)


def test_only_loopback_is_safe_without_keys() -> None:
    for host in ("127.0.0.1", "127.8.8.8", "localhost", "::1"):
        refuse_open_bind(host)
    for host in (
        "0.0.0.0",
        "::",
        "",
        "10.0.0.1",
        "example.com",
        "localhost.example.com",
        "fe80::1",
        "169.254.0.1",
    ):
        with pytest.raises(ConfigError) as refused:
            refuse_open_bind(host)
        assert "127.0.0.1" in refused.value.say("en")
        assert "127.0.0.1" in refused.value.say("ko")


def test_an_address_of_ip_6_is_written_in_brackets() -> None:
    assert url("::1", 4180) == "http://[::1]:4180"
    assert url("127.0.0.1", 4180) == "http://127.0.0.1:4180"
    # What stands for every address can be listened on, not asked.
    assert url("0.0.0.0", 4180) == "http://127.0.0.1:4180"
    assert url("::", 4180, tls=True) == "https://[::1]:4180"
