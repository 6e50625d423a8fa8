"""A running gateway, as commands ask it: over its Admin API, by the address and the token of the environment."""

import functools
import http.client
import os
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import click
import msgspec

from holdfast.admin.token import VARIABLE, token_file
from holdfast.cli.inert import printable
from holdfast.cli.main import language
from holdfast.credentials import secret
from holdfast.errors import ConfigError, HoldfastError, NotAllowed, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings

URL = "HOLDFAST_URL"
DEFAULT_URL = "http://127.0.0.1:4180"
TOKENS = ("HOLDFAST_TOKEN", VARIABLE)
PATIENCE = 10.0
"""Seconds for an answer of the Admin API."""
PIECE = 64 * 1024
LARGEST = 64 * 1024 * 1024
"""Bytes of one answer."""


class Answered(HoldfastError):
    """A gateway has refused; its own words are passed on."""

    error_code = "holdfast_gateway_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A gateway and what opens its Admin API; `spare` is another token, for the gateway of this machine's simulator."""

    url: str
    token: str | None = field(default=None, repr=False)
    spare: str | None = field(default=None, repr=False)

    def get(self, path: str) -> dict[str, Any]:
        """What a path tells; raises `UpstreamUnavailable` when nobody answers there."""
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer to a request.

        Raises `UpstreamUnavailable` when nobody answers, `NotAllowed` without a good token, `Answered` otherwise.
        """
        content = None if body is None else msgspec.json.encode(body)
        status, answer = self._exchange(method, path, self._headers(self.token, content), content)
        if status in (401, 403) and self.spare is not None:
            status, answer = self._exchange(method, path, self._headers(self.spare, content), content)
        document = _decoded(answer, self.url)
        if status < 400:
            return document
        raise self._refusal(status, document)

    def _headers(self, token: str | None, content: bytes | None) -> dict[str, str]:
        headers = {"accept-language": language(), "accept": "application/json"}
        headers |= {} if token is None else {"x-api-key": token}
        return headers if content is None else {**headers, "content-type": "application/json"}

    @contextmanager
    def stream(self, path: str, *, patience: float = PATIENCE) -> Generator[Iterator[bytes]]:
        """The body of an answer as it comes.

        Raises as `ask` does, and `UpstreamUnavailable` when it breaks off or is silent for `patience` seconds.
        """
        headers = {"accept-language": language()} | ({} if self.token is None else {"x-api-key": self.token})
        place = urlsplit(self.url)
        connection = _connection(place.scheme, place.hostname or "", place.port, patience)
        try:
            connection.request("GET", place.path.rstrip("/") + path, None, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise self._refusal(response.status, _decoded(response.read(LARGEST), self.url))
            yield iter(partial(response.read1, PIECE), b"")
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.url, error) from error
        finally:
            connection.close()

    def _refusal(self, status: int, document: dict[str, Any]) -> HoldfastError:
        error = document.get("error")
        said = str(cast("dict[str, Any]", error).get("message")) if isinstance(error, dict) else f"{status}"
        said = printable(said)  # whoever answers there may be anybody
        sentence = Sentence(f"{self.url}: {said}", ko=f"{self.url}: {said}")
        return NotAllowed(sentence) if status in (401, 403) else Answered(sentence, status=status)

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], content: bytes | None
    ) -> tuple[int, bytes]:
        place = urlsplit(self.url)
        try:
            # No redirects and no proxies: the token goes nowhere else.
            connection = _connection(place.scheme, place.hostname or "", place.port)
            try:
                connection.request(method, place.path.rstrip("/") + path, content, headers)
                response = connection.getresponse()
                return response.status, response.read(LARGEST)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.url, error) from error


def with_server(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `--url`, `--config` and `--json`, and its function a `Server` and `as_json`."""

    @click.option("--url", metavar="URL", help=f"The gateway to ask ({URL}, else {DEFAULT_URL}).")
    @click.option("--config", type=click.Path(), help="Configuration file of a gateway on this machine.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def command(*, url: str | None, config: str | None, as_json: bool, **others: object) -> None:
        function(server(url, config), as_json=as_json, **others)

    return command


def server(url: str | None = None, config: str | None = None) -> Server:
    """The gateway that is meant; raises `ConfigError` for an address that is none."""
    named = url or os.environ.get(URL, "").strip()
    address = (named or DEFAULT_URL).rstrip("/")
    try:
        place = urlsplit(address)
        is_good = place.scheme in ("http", "https") and bool(place.hostname) and (place.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(
            Sentence(
                f"{address!r} is no address of a gateway; write one such as {DEFAULT_URL}",
                ko=f"{address!r}은(는) 게이트웨이 주소가 아닙니다. {DEFAULT_URL}처럼 적으세요",
            )
        )
    token = next((found for name in TOKENS if (found := secret(name)) is not None), None)
    if token is not None or named:
        return Server(url=address, token=token)
    return Server(url=address, token=_own_token(config), spare=_own_token(config, simulate=True))


def unreachable(url: str, error: Exception) -> UpstreamUnavailable:
    """Nobody answers at an address."""
    return UpstreamUnavailable(
        Sentence(
            f"No gateway answers at {url}: {error}. Start one with `holdfast serve`, or name yours with --url or {URL}.",
            ko=f"{url}에서 응답하는 게이트웨이가 없습니다: {error}. `holdfast serve`로 시작하거나 --url 또는 {URL}로 "
            "주소를 지정하세요.",
        )
    )


def _own_token(config: str | None, *, simulate: bool = False) -> str | None:
    """The token that a gateway on this machine keeps in a file for its user, beside the book that it writes."""
    settings = Settings.load(config)
    if simulate:
        settings = replace(settings, upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})
    try:
        text = Path(token_file(settings.store_url)).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text or None


def _connection(
    scheme: str, host: str, port: int | None, patience: float = PATIENCE
) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=patience, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=patience)


def _decoded(answer: bytes, url: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise unreachable(url, error) from error
