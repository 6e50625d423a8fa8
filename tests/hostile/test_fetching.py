"""Requests to configured addresses against a real server: pinned names, refused redirects, bounded answers."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from holdfast.parts.fetching import Bounds, NotFetched, get_url, pinned, post_json, system_addresses
from holdfast.policy.address import AddressRefused, check_url
from holdfast.wire.headers import get

HERE = Bounds(timeout=5.0, largest=100_000, allow_private=True)


@dataclass
class Site:
    """A real server on this machine, and what it was asked."""

    port: int = 0
    asked: list[web.Request] = field(default_factory=list[web.Request])
    bodies: list[bytes] = field(default_factory=list[bytes])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        if request.path == "/never":
            await asyncio.sleep(60)
        redirects = {
            "/again": (307, "/here"),
            "/here": (307, "/end"),
            "/loop": (307, "/loop"),
            "/found": (302, "/end"),
            "/away": (307, request.query.get("to", "")),
        }
        if request.path in redirects:
            status, location = redirects[request.path]
            return web.Response(status=status, headers={"location": location})
        if request.path == "/bomb":
            bomb = gzip.compress(b"\0" * 10_000_000)
            return web.Response(body=bomb, headers={"content-encoding": "gzip"})
        if request.path == "/long":
            return web.Response(body=b"x" * 100_001)
        return web.json_response({"ok": True}, headers={"set-cookie": "a=b"})


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    made.port = listener.getsockname()[1]
    await web.SockSite(runner, listener).start()
    yield made
    await runner.cleanup()


@dataclass
class Rebinding:
    """A name server that changes its mind: each question gets the next answer."""

    answers: list[Sequence[str]]
    questions: int = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.questions += 1
        return self.answers.pop(0)


async def test_json_goes_out_and_the_answer_comes_back(site: Site) -> None:
    answer = await post_json(
        site.url("/hook?a=1"), {"text": "안녕"}, bounds=HERE, headers={"x-signature": "s"}
    )
    assert (answer.status, answer.body) == (200, b'{"ok": true}')
    (request,) = site.asked
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-signature"] == "s"
    assert request.path_qs == "/hook?a=1"
    assert site.bodies == ['{"text":"안녕"}'.encode()]


async def test_bytes_go_out_as_they_are(site: Site) -> None:
    await post_json(site.url("/hook"), b"{ }", bounds=HERE)
    assert site.bodies == [b"{ }"]


async def test_nothing_of_this_machine_goes_along(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for _ in range(2):
        await get_url(site.url("/"), bounds=HERE)
    for request in site.asked:
        assert {name.lower() for name in request.headers} == {"host", "accept", "connection"}


async def test_without_leave_this_machine_is_not_asked(site: Site) -> None:
    for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"):
        with pytest.raises(AddressRefused):
            await get_url(site.url("/", host))
    assert site.asked == []


async def test_a_name_that_resolves_to_the_inside_is_not_asked(site: Site) -> None:
    for addresses in (("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::ffff:127.0.0.1",), ("169.254.169.254",)):
        with pytest.raises(AddressRefused):
            await get_url(site.url("/", "rebind.test"), resolve=Rebinding([addresses]))
    assert site.asked == []


async def test_the_name_is_resolved_once_and_the_connection_goes_where_that_said(site: Site) -> None:
    names = Rebinding([["127.0.0.1"], ["169.254.169.254"]])
    answer = await get_url(site.url("/", "rebind.test"), bounds=HERE, resolve=names)
    assert answer.status == 200
    assert names.questions == 1
    assert site.asked[0].headers["host"] == f"rebind.test:{site.port}"


async def test_a_name_that_changes_its_mind_between_two_requests_is_judged_again(site: Site) -> None:
    names = Rebinding([["127.0.0.1"], ["169.254.169.254"]])
    await get_url(site.url("/", "rebind.test"), bounds=HERE, resolve=names)
    with pytest.raises(AddressRefused, match="metadata"):
        await get_url(site.url("/", "rebind.test"), bounds=HERE, resolve=names)
    assert len(site.asked) == 1


async def test_a_redirect_at_the_same_place_is_followed_and_keeps_the_body(site: Site) -> None:
    answer = await post_json(site.url("/again"), {"a": 1}, bounds=HERE)
    assert answer.status == 200
    assert [request.path for request in site.asked] == ["/again", "/here", "/end"]
    assert site.bodies == [b'{"a":1}'] * 3


async def test_a_redirected_name_is_judged_at_every_step(site: Site) -> None:
    names = Rebinding([["127.0.0.1"], ["169.254.169.254"]])
    with pytest.raises(AddressRefused, match="metadata"):
        await get_url(site.url("/here", "rebind.test"), bounds=HERE, resolve=names)
    assert [request.path for request in site.asked] == ["/here"]


@pytest.mark.parametrize(
    "location",
    [
        *("http://169.254.169.254/latest/meta-data/", "http://example.com/", "https://127.0.0.1/"),
        *(
            "http://localhost:{port}/",
            "//127.0.0.2:{port}/",
            "http://u:p@127.0.0.1:{port}/",
            "file:///etc/passwd",
        ),
    ],
)
async def test_a_redirect_to_another_place_is_not_followed(site: Site, location: str) -> None:
    with pytest.raises(AddressRefused):
        await post_json(
            site.url("/away?to=" + location.format(port=site.port)),
            {},
            bounds=HERE,
            headers={"authorization": "Bearer x"},
        )
    assert len(site.asked) == 1


async def test_a_redirect_that_would_lose_the_body_is_the_answer(site: Site) -> None:
    assert (await post_json(site.url("/found"), {}, bounds=HERE)).status == 302
    assert (await get_url(site.url("/found"), bounds=HERE)).status == 200


async def test_redirects_in_a_circle_end(site: Site) -> None:
    with pytest.raises(NotFetched, match="redirects"):
        await get_url(site.url("/loop"), bounds=HERE)
    assert len(site.asked) == 4


async def test_an_answer_that_is_too_long_is_cut_off(site: Site) -> None:
    with pytest.raises(NotFetched, match="100,000 bytes"):
        await get_url(site.url("/long"), bounds=HERE)


async def test_a_compressed_answer_does_not_unfold(site: Site) -> None:
    answer = await get_url(site.url("/bomb"), bounds=HERE)
    assert len(answer.body) < 20_000
    assert get(answer.headers, "content-encoding") == "gzip"


async def test_an_answer_that_does_not_come_is_given_up(site: Site) -> None:
    with pytest.raises(NotFetched, match=r"within 0.05 s"):
        await get_url(site.url("/never"), bounds=Bounds(timeout=0.05, allow_private=True))


async def test_a_place_where_nobody_is_is_told_without_the_path() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotFetched) as caught:
        await get_url(f"http://127.0.0.1:{port}/secret-path", bounds=HERE)
    assert "127.0.0.1" in caught.value.say("ko")
    assert "secret" not in caught.value.say("en") + caught.value.say("ko")


async def test_headers_that_would_start_another_header_are_not_sent(site: Site) -> None:
    with pytest.raises(NotFetched):
        await get_url(site.url("/"), bounds=HERE, headers={"x-a": "b\r\nx-c: d"})
    assert site.asked == []


async def test_an_answer_that_is_no_http_is_told() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(NotFetched):
            await get_url(f"http://127.0.0.1:{port}/", bounds=HERE)


async def test_this_machine_resolves_its_own_name() -> None:
    found = await system_addresses("localhost", 80)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found


async def test_a_pinned_name_answers_for_itself_alone() -> None:
    target = check_url("https://mcp.example.com/")
    pin = await pinned(target, resolve=Rebinding([["1.1.1.1", "2606:4700::1111"]]))
    assert [(found["host"], found["port"]) for found in await pin.resolve("MCP.example.com.", 443)] == [
        ("1.1.1.1", 443),
        ("2606:4700::1111", 443),
    ]
    (only,) = await pin.resolve("mcp.example.com", 443, socket.AF_INET6)
    assert only["host"] == "2606:4700::1111"
    with pytest.raises(OSError, match="not judged"):
        await pin.resolve("other.example.com", 443)
    await pin.close()
