"""What a caller may choose of the official SDK's client, and what the settings choose instead."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, cast

import httpx2
from anthropic import MiddlewareInput, OpenTelemetryClientOption

from holdfast.errors import ConfigError
from holdfast.language import Language, Sentence

KEPT = ("timeout", "default_headers", "default_query", "middleware", "open_telemetry")
OURS = ("api_key", "auth_token", "base_url", "config", "credentials", "profile")
"""Options that say where calls go and who pays for them."""


class Kept(TypedDict, total=False):
    """Options that go on to the SDK as they are."""

    timeout: float | httpx2.Timeout | None
    default_headers: Mapping[str, str]
    default_query: Mapping[str, object]
    middleware: list[MiddlewareInput]
    open_telemetry: OpenTelemetryClientOption


class Options(Kept, total=False):
    """Options of either client; `max_retries` is taken, and has no effect: holdfast is who tries again."""

    max_retries: int


class AsyncOptions(Options, total=False):
    """Options of the asynchronous client; of `http_client` all is kept but its way to the network."""

    http_client: httpx2.AsyncClient


class SyncOptions(Options, total=False):
    """Options of the blocking client; of `http_client` all is kept but its way to the network."""

    http_client: httpx2.Client


class Carried(TypedDict, total=False):
    """What an HTTP client keeps when it is given another way to the network."""

    auth: httpx2.Auth | None
    params: httpx2.QueryParams
    headers: httpx2.Headers
    cookies: httpx2.Cookies
    timeout: httpx2.Timeout | None
    event_hooks: dict[str, list[Callable[..., Any]]]


def kept(options: Options, *, attempts: int, language: Language) -> Kept:
    """The options that the SDK is given; warns of retries that it will not make.

    Raises `ConfigError` for an option that the settings decide, and for one that the SDK does not have.
    """
    for name in options:
        if name not in (*KEPT, "max_retries"):
            raise _not_here(name)
    if options.get("max_retries"):
        said = Sentence(
            f"max_retries has no effect here: holdfast itself tries up to {attempts} times, and two who retry "
            "would multiply the calls; set `attempts` under [retry] instead",
            ko=f"여기서는 max_retries가 적용되지 않습니다. holdfast가 직접 최대 {attempts}번 시도하며, 양쪽에서 재시도하면 "
            "호출이 몇 배로 늘어납니다. 대신 [retry]의 `attempts`를 설정하세요",
        )
        warnings.warn(said.say(language), stacklevel=4)
    return cast("Kept", {name: value for name, value in options.items() if name in KEPT})


def carried(given: httpx2.Client | httpx2.AsyncClient | None) -> Carried:
    """What is kept of a caller's HTTP client; raises `ConfigError` for one with a transport of its own."""
    if given is None:
        return Carried(timeout=None)
    transport = vars(given).get("_transport")
    is_usual = isinstance(transport, httpx2.HTTPTransport | httpx2.AsyncHTTPTransport)
    if not is_usual and "aiohttp" not in type(transport).__module__:
        raise ConfigError(
            Sentence(
                f"http_client has a transport of its own ({type(transport).__name__}), which would never be asked: "
                "calls go through the pipeline. Name the address that it leads to under [upstreams].",
                ko=f"http_client에 자체 transport({type(transport).__name__})가 있지만, 호출은 파이프라인을 거치므로 쓰이지 "
                "않습니다. 연결할 주소는 [upstreams]에 적으세요.",
            )
        )
    return Carried(
        auth=given.auth,
        params=given.params,
        headers=given.headers,
        cookies=given.cookies,
        timeout=given.timeout,
        event_hooks=given.event_hooks,
    )


def _not_here(name: str) -> ConfigError:
    if name in OURS:
        return ConfigError(
            Sentence(
                f"{name} is not chosen here: addresses and keys stand in the settings, under [upstreams].",
                ko=f"{name}은(는) 여기서 정하지 않습니다. 주소와 키는 설정의 [upstreams]에 적으세요.",
            )
        )
    return ConfigError(
        Sentence(
            f"The client of the official SDK takes no option {name} here; it takes http_client, max_retries, "
            f"{', '.join(KEPT)}.",
            ko=f"여기서 공식 SDK 클라이언트에 {name} 옵션은 쓸 수 없습니다. 쓸 수 있는 옵션: http_client, max_retries, "
            f"{', '.join(KEPT)}.",
        )
    )
