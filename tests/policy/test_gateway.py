"""The settings of the gateway: what makes sense, what does not, and which paths go up as they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.gateway import GatewayConfig, is_loopback, passed_on


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": " "},
        {"port": -1},
        {"port": 65536},
        {"max_body": 0},
        {"max_batch": 0},
        {"max_upload": 0},
        {"drain_timeout": -1.0},
        {"workers": 0},
        {"workers": 257},
        {"max_connections": 0},
        {"keep_alive": 0.0},
        {"head_timeout": float("inf")},
        {"reader_timeout": -1.0},
        {"tls_key": "key.pem"},
        {"trusted_proxies": ("10.0.0.0/8", "everybody")},
        {"trusted_proxies": ("10.0.0.0/33",)},
        {"passthrough": ("/v2/agents",)},
        {"passthrough": ("/v1/messages",)},
        {"passthrough": ("/v1/messages/batches",)},
        {"passthrough": ("/v1/models/x",)},
        {"passthrough": ("/v1/agents/../x",)},
        {"passthrough": ("/v1/Agents",)},
        {"passthrough": ("/v1/agents/",)},
    ],
)
def test_what_makes_no_sense_is_told_by_its_name_in_both_languages(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        GatewayConfig(**wrong)
    (name,) = wrong
    assert error.value.say("en").startswith(f"{name}: ")
    assert error.value.say("ko").startswith(f"{name}: ")


def test_what_makes_sense_is_taken() -> None:
    config = GatewayConfig(
        tls_cert="cert.pem",
        trusted_proxies=("10.0.0.0/8", "fd00::/8", "192.168.1.7", "10.1.2.3/8"),
        passthrough=("/v1/agents", "/v1/memory_stores"),
        max_connections=None,
    )
    assert config.speaks_tls
    assert config.is_local
    assert not GatewayConfig().speaks_tls


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_some_addresses_are_of_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com"])
def test_all_others_can_be_reached(host: str) -> None:
    assert not is_loopback(host)
    assert not GatewayConfig(host=host or "::").is_local


@given(rest=st.text(max_size=10))
def test_a_path_goes_up_only_below_one_that_is_named(rest: str) -> None:
    path = f"/v1/agents{rest}"
    assert passed_on(path, ("/v1/agents",)) == (rest == "" or rest.startswith("/"))
    assert not passed_on(path, ())
