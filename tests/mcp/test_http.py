"""The way to a server behind a URL: where it may lead, and what may come back."""

from collections.abc import AsyncIterator, Callable, Sequence

import httpx2
import pytest

from holdfast.agent.mcp import Remote
from holdfast.agent.mcp_http import Pinned, client_for
from holdfast.errors import ConfigError
from holdfast.policy.address import AddressRefused, check_url

URL = "https://mcp.shop.example/mcp"
TARGET = check_url(URL)
Answer = Callable[[httpx2.Request], httpx2.Response]


def client(answer: Answer, *addresses: str, largest: int = 100) -> httpx2.AsyncClient:
    inner = httpx2.MockTransport(answer)
    return httpx2.AsyncClient(transport=Pinned(TARGET, addresses or ("192.0.2.7",), largest, inner))


async def test_a_request_goes_to_the_address_that_was_judged_under_the_name_of_the_server() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, text="hi")

    async with client(answer) as http:
        assert (await http.post(URL, content=b"x")).text == "hi"
    (request,) = seen
    assert (request.url.host, request.headers["host"]) == ("192.0.2.7", "mcp.shop.example")
    assert request.extensions["sni_hostname"] == "mcp.shop.example"


async def test_no_other_host_is_reached() -> None:
    async with client(lambda request: httpx2.Response(200)) as http:
        with pytest.raises(httpx2.ConnectError, match="not judged"):
            await http.get("https://elsewhere.example/mcp")


async def test_the_next_address_is_tried_where_nobody_answers() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "192.0.2.9":
            raise httpx2.ConnectError("nobody there", request=request)
        return httpx2.Response(200, text="hi")

    async with client(answer, "192.0.2.7", "192.0.2.8", "192.0.2.9") as http:
        assert (await http.get(URL)).text == "hi"
    async with client(answer, "192.0.2.7", "192.0.2.8") as http:
        with pytest.raises(httpx2.ConnectError):
            await http.get(URL)


async def test_a_plain_answer_has_an_end() -> None:
    async with client(lambda request: httpx2.Response(200, stream=Pieces(b"x" * 60, b"x" * 60))) as http:
        with pytest.raises(httpx2.ReadError, match="larger than allowed"):
            await http.get(URL)


async def test_a_stream_of_events_may_go_on() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Pieces(*[b"data: x\n\n"] * 50))

    async with client(answer) as http:
        assert len((await http.get(URL)).content) == 450


async def test_what_is_compressed_is_not_unfolded() -> None:
    async with client(lambda request: httpx2.Response(200, headers={"content-encoding": "gzip"})) as http:
        with pytest.raises(httpx2.ReadError, match="compressed"):
            await http.get(URL)


async def test_a_name_that_leads_inside_is_not_followed() -> None:
    async def inside(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.1"]

    with pytest.raises(AddressRefused, match="private network"):
        await client_for(Remote(url=URL), largest=100, resolve=inside)


async def test_headers_come_from_the_environment_and_nothing_else_goes_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def outside(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"]

    monkeypatch.setenv("SHOP_KEY", "s3cret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    remote = Remote(url=URL, headers_env={"X-Api-Key": "SHOP_KEY", "Authorization": "SHOP_KEY"})
    async with await client_for(remote, largest=100, resolve=outside) as http:
        assert (http.headers["x-api-key"], http.headers["accept-encoding"]) == ("s3cret", "identity")
        assert http.headers["authorization"] == "Bearer s3cret"
        assert "cookie" not in http.headers
        assert http.trust_env is False
    monkeypatch.delenv("SHOP_KEY")
    with pytest.raises(ConfigError, match="SHOP_KEY"):
        await client_for(remote, largest=100, resolve=outside)


class Pieces(httpx2.AsyncByteStream):
    """A body in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
