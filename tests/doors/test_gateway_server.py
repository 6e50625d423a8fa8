"""The server around the gateway: TLS, a cap on connections, proxies that are trusted and others that are not."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError
from holdfast.gateway.responding import Outlet
from holdfast.gateway.server import Patience, check_tls
from holdfast.policy.gateway import GatewayConfig
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, ask, connected, request


def served(simulator: RunningSimulator, **gateway: Any) -> Any:
    config = GatewayConfig(drain_timeout=2.0, **gateway)
    return serving(simulator, replace(quick_settings(simulator), gateway=config))


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of this machine by its own hand, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = SYSTEM_CLOCK.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert), str(secret)


@pytest.mark.requirement("gateway:tls")
def test_a_gateway_with_a_certificate_speaks_tls_and_streams(
    simulator: RunningSimulator, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    with served(simulator, tls_cert=cert, tls_key=key) as gateway:
        url = gateway.url.replace("http:", "https:")
        trust = ssl.create_default_context(cafile=cert)
        body = json.dumps({**QUESTION, "stream": True}).encode()
        headers = {
            "x-api-key": "local",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
        }
        asked = urllib.request.Request(f"{url}/v1/messages", body, headers)
        with urllib.request.urlopen(asked, context=trust, timeout=20) as answer:
            assert answer.status == 200
            assert b"message_stop" in answer.read()


def test_a_certificate_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    check_tls(GatewayConfig())
    check_tls(GatewayConfig(tls_cert=cert, tls_key=key))
    (tmp_path / "none.pem").write_text("nothing")
    none = str(tmp_path / "none.pem")
    for wrong, its_key in ((str(tmp_path / "away.pem"), None), (none, None), (cert, None), (cert, none)):
        with pytest.raises(ConfigError, match=r"gateway\.tls_cert"):
            check_tls(GatewayConfig(tls_cert=wrong, tls_key=its_key))


@pytest.fixture
def crowded(simulator: RunningSimulator) -> Iterator[RunningGateway]:
    with served(simulator, max_connections=3) as gateway:
        yield gateway


@pytest.mark.requirement("gateway:crowded")
def test_one_connection_too_many_is_told_to_come_back_and_the_others_go_on(crowded: RunningGateway) -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(connected(crowded.url)) for _ in range(3)]
        for connection in kept:
            connection.send(request(QUESTION))
            assert connection.hear().status == 200
        with connected(crowded.url) as late:
            late.send(request(QUESTION))
            answer = late.hear()
            assert late.is_closed()
        assert (answer.status, answer.error_type) == (503, "overloaded_error")
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["x-should-retry"] == "true"
        kept[0].send(request(QUESTION))
        assert kept[0].hear().status == 200
    eventually(lambda: ask(crowded.url, QUESTION).status == 200)


def test_one_connection_too_many_that_says_nothing_is_closed(
    simulator: RunningSimulator,
) -> None:
    settings = replace(quick_settings(simulator), gateway=GatewayConfig(drain_timeout=2.0, max_connections=1))
    with (
        serving(simulator, settings, patience=Patience(crowded=0.05)) as gateway,
        connected(gateway.url) as first,
    ):
        first.send(request(QUESTION))
        assert first.hear().status == 200
        with connected(gateway.url) as late:
            assert late.is_closed()


def test_the_patience_of_the_settings_is_that_of_the_server() -> None:
    patience = Patience.of(GatewayConfig(head_timeout=3.0, reader_timeout=7.0))
    assert (patience.head, patience.reader) == (3.0, 7.0)


@pytest.mark.requirement("gateway:proxies")
@pytest.mark.parametrize(
    ("trusted", "seen"), [((), "http"), (("10.0.0.0/8",), "http"), (("127.0.0.0/8",), "https")]
)
def test_only_a_proxy_that_is_trusted_says_how_a_caller_came(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, trusted: tuple[str, ...], seen: str
) -> None:
    found: list[tuple[str, str]] = []
    with served(simulator, trusted_proxies=trusted) as gateway:
        assert gateway.app is not None
        answer = gateway.app._answer

        async def noted(scope: Any, receive: Any, outlet: Outlet, task: Any) -> None:
            found.append((scope["scheme"], scope["client"][0]))
            await answer(scope, receive, outlet, task)

        monkeypatch.setattr(gateway.app, "_answer", noted)
        ask(gateway.url, QUESTION, headers={"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"})
    assert found == [(seen, "203.0.113.9" if seen == "https" else "127.0.0.1")]
    (sent,) = simulator.simulator.requests
    assert not [name for name in dict(sent.headers) if name.startswith("x-forwarded")]


def test_a_connection_that_is_idle_is_kept_as_long_as_the_settings_say(simulator: RunningSimulator) -> None:
    with served(simulator, keep_alive=1.0) as gateway, connected(gateway.url) as connection:
        connection.send(request(QUESTION))
        assert connection.hear().status == 200
        with closing(connection.socket):
            assert connection.is_closed()
