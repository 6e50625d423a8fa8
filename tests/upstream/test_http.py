"""The HTTP client against servers that say exactly what a test wrote down, byte for byte."""

import asyncio
import contextlib
import gc
import gzip
import threading
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.call import Response
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError
from holdfast.pipeline import Settling
from holdfast.upstream import http
from holdfast.upstream.client import TransportFailed, UpstreamRequest
from holdfast.upstream.http import HttpClient
from holdfast.wire.headers import get
from tests.upstream.scripted import JSON, MESSAGE, a_call, ring, tasks


@dataclass
class Wire:
    """A server on a real socket: reads a request, answers it with bytes, and counts what comes and goes."""

    answer: bytes = b""
    then: str = "close"
    url: str = ""
    requests: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await self._request(reader))
                self.asked.set()
                writer.write(self.answer)
                await writer.drain()
                if self.then != "keep":
                    break
            if self.then == "hold":
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + await reader.readexactly(length)


def whole(body: bytes = MESSAGE, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (
        b"HTTP/1.1 " + status,
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        *headers,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def wire(answer: bytes = b"", then: str = "close") -> AsyncGenerator[Wire]:
    served = Wire(answer or whole(), then)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def client_for(url: str, connect_timeout: float = 5.0) -> AsyncGenerator[HttpClient]:
    client = HttpClient(url, connect_timeout=connect_timeout)
    try:
        yield client
    finally:
        await client.aclose()


def post(body: bytes = b"{}", path: str = "/v1/messages", **headers: str) -> UpstreamRequest:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return UpstreamRequest(method="POST", path=path, headers=pairs, body=body)


async def read_all(client: HttpClient, request: UpstreamRequest) -> tuple[int, bytes]:
    connection = await client.send(request)
    try:
        chunks: list[bytes] = []
        while chunk := await connection.read():
            chunks.append(chunk)
        assert await connection.read() == b""
        return connection.status, b"".join(chunks)
    finally:
        await connection.aclose()


async def failure_of(client: HttpClient, request: UpstreamRequest | None = None) -> TransportFailed:
    with pytest.raises(TransportFailed) as caught:
        await read_all(client, request or post())
    return caught.value


@contextlib.contextmanager
def nothing_is_warned_of() -> Generator[None]:
    """Also not by the garbage collector, which pytest hears too late."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        for _ in range(3):
            gc.collect()
    assert [str(warning.message) for warning in caught] == []


# ---- requests


async def test_a_request_goes_out_as_it_was_given_and_nothing_is_added() -> None:
    async with wire() as served, client_for(served.url) as client:
        await read_all(
            client, post(b'{"a": 1}', "/v1/messages?beta=true", x_api_key="k", anthropic_beta="a,b")
        )
    (request,) = served.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/messages?beta=true HTTP/1.1"
    names = sorted(line.partition(b":")[0].lower() for line in lines[1:])
    assert names == [b"anthropic-beta", b"content-length", b"host", b"x-api-key"]
    assert body == b'{"a": 1}'


async def test_a_header_that_is_no_ascii_goes_out_in_its_own_bytes() -> None:
    raw = "안녕"
    async with wire() as served, client_for(served.url) as client:
        await read_all(client, post(x_note=raw.encode().decode("latin-1"), x_old="caf\u00e9"))
    assert b"x-note: " + raw.encode() in served.requests[0]
    assert b"x-old: caf" in served.requests[0]


async def test_no_header_can_begin_another() -> None:
    async with wire() as served, client_for(served.url) as client:
        await read_all(client, post(x_note="a\r\nx-evil: 1"))
    assert b"\r\nx-evil" not in served.requests[0]


@pytest.mark.filterwarnings("error")
async def test_a_large_body_is_sent_whole_and_without_a_warning() -> None:
    body = b'"' + b"x" * (3 * 1024 * 1024) + b'"'
    async with wire() as served, client_for(served.url) as client:
        assert (await read_all(client, post(body)))[0] == 200
    assert served.requests[0].endswith(body)


async def test_a_request_without_a_body_has_none() -> None:
    async with wire() as served, client_for(served.url) as client:
        await read_all(client, UpstreamRequest(method="GET", path="/v1/models", headers=()))
    assert served.requests[0].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert b"content-length" not in served.requests[0].lower()


async def test_an_address_may_have_a_path_of_its_own() -> None:
    async with wire() as served, client_for(served.url + "/proxy/anthropic/") as client:
        await read_all(client, post())
    assert served.requests[0].startswith(b"POST /proxy/anthropic/v1/messages ")


async def test_a_redirect_is_not_followed_with_our_key() -> None:
    moved = whole(b"", b"location: http://127.0.0.1:1/", status=b"307 Moved")
    async with wire(moved) as served, client_for(served.url) as client:
        assert (await read_all(client, post()))[0] == 307
    assert served.connections == 1


async def test_cookies_are_not_kept() -> None:
    async with (
        wire(whole(MESSAGE, b"set-cookie: who=alice"), "keep") as served,
        client_for(served.url) as client,
    ):
        await read_all(client, post())
        await read_all(client, post())
    assert b"cookie" not in served.requests[1].lower()


@pytest.mark.parametrize(
    "url", ["http://", "https://", "http://[::1", "http://host:99999", "ftp://host", "host", "http:///v1"]
)
def test_an_address_that_is_none_is_refused_when_it_is_configured(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address") as caught:
        HttpClient(url)
    assert "주소" in caught.value.say("ko")


# ---- the environment


async def test_a_netrc_file_neither_adds_a_credential_nor_breaks_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    async with wire(then="keep") as served, client_for(served.url) as client:
        await read_all(client, post())
        await read_all(client, post(authorization="Bearer caller"))
    assert b"authorization" not in served.requests[0].lower()
    assert b"authorization: Bearer caller" in served.requests[1]


async def test_a_proxy_of_the_environment_is_used_unless_the_host_is_exempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with wire(then="keep") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://user:word@"))
        monkeypatch.delenv("no_proxy", raising=False)
        async with client_for("http://upstream.invalid:8080") as client:
            assert (await read_all(client, post()))[1] == MESSAGE
        assert proxy.requests[0].startswith(b"POST http://upstream.invalid:8080/v1/messages HTTP/1.1")
        assert b"Proxy-Authorization: Basic " in proxy.requests[0]
        async with wire() as served:
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            async with client_for(served.url) as client:
                await read_all(client, post())
            assert len(served.requests) == 1
    assert len(proxy.requests) == 1


def test_a_proxy_that_cannot_be_used_is_refused_when_it_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        HttpClient("https://api.anthropic.com")
    assert "프록시" in caught.value.say("ko")


async def test_a_proxy_that_refuses_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    async with wire(refusal) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        async with client_for("https://upstream.invalid") as client:
            assert (await failure_of(client)).phase == "connect"


# ---- answers


async def test_the_bytes_and_headers_of_an_answer_come_as_they_are() -> None:
    answer = whole(MESSAGE, b"Request-Id: req_1", b"x-two: a", b"X-Two: b")
    async with wire(answer) as served, client_for(served.url) as client:
        connection = await client.send(post())
        assert get(connection.headers, "request-id") == "req_1"
        assert [value for name, value in connection.headers if name == "x-two"] == ["a", "b"]
        await connection.aclose()


async def test_compression_that_nobody_asked_for_is_undone() -> None:
    packed = gzip.compress(MESSAGE)
    async with wire(whole(packed, b"content-encoding: gzip")) as served, client_for(served.url) as client:
        assert await read_all(client, post()) == (200, MESSAGE)


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
BROKEN = {
    "a shorter body than announced": b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf",
    "no last chunk": CHUNKED + b"4\r\nhalf\r\n",
    "half a chunk": CHUNKED + b"20\r\nhalf",
    "compression that is none": whole(b"this is not gzip", b"content-encoding: gzip"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
async def test_an_answer_that_is_broken_on_its_way_is_never_a_clean_end(answer: bytes) -> None:
    async with wire(answer) as served, client_for(served.url) as client:
        assert (await failure_of(client)).phase == "body"


GARBAGE = {
    "nothing": b" ",
    "another protocol": b"220 mail.example.com ESMTP\r\n",
    "a chunk size that is none": CHUNKED + b"zzz\r\nhalf\r\n",
    "half a status line": b"HTTP/1.1 20",
    "half the headers": b"HTTP/1.1 200 OK\r\ncontent-le",
    "headers that are none": b"HTTP/1.1 200 OK\r\n\x00\x01: \r\n\r\n",
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 1_000_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
async def test_what_is_no_answer_is_a_connection_that_broke(answer: bytes) -> None:
    async with wire(answer) as served, client_for(served.url) as client:
        failure = await failure_of(client)
        assert (failure.phase, bool(failure.reason)) == ("sent", True)


async def test_what_came_before_a_break_is_read_though_nobody_was_waiting_for_it() -> None:
    sent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head + b"5\r\nfirst\r\n")
        await sent.wait()
        writer.write(b"6\r\nsecond\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, client_for(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        connection = await client.send(post())
        assert await connection.read() == b"first"
        sent.set()
        await asyncio.sleep(0.1)
        assert await connection.read() == b"second"
        for _ in range(2):
            with pytest.raises(TransportFailed) as caught:
                await connection.read()
            assert caught.value.phase == "body"
            assert caught.value.reason
        await connection.aclose()


async def test_an_answer_without_a_length_ends_where_the_connection_does() -> None:
    async with wire(b"HTTP/1.1 200 OK\r\n\r\n" + MESSAGE) as served, client_for(served.url) as client:
        assert await read_all(client, post()) == (200, MESSAGE)


# ---- connecting


async def test_a_closed_port_is_known_to_have_seen_nothing() -> None:
    async with wire() as served:
        pass
    async with client_for(served.url) as client:
        assert (await failure_of(client)).phase == "connect"


async def test_a_name_that_nobody_knows_is_known_to_have_seen_nothing() -> None:
    async with client_for("http://nowhere.invalid") as client:
        assert (await failure_of(client)).phase == "connect"


@contextlib.asynccontextmanager
async def listener(greeting: bytes) -> AsyncGenerator[int]:
    """A port that greets whoever comes and then waits until he has gone."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(greeting)
            await reader.read()
            writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_tls_that_is_none_is_known_to_have_seen_nothing() -> None:
    async with (
        listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port,
        client_for(f"https://127.0.0.1:{port}") as client,
    ):
        assert (await failure_of(client)).phase == "connect"


async def test_a_handshake_that_never_ends_ends_in_time() -> None:
    async with listener(b"") as port, client_for(f"https://127.0.0.1:{port}", connect_timeout=0.2) as client:
        assert (await asyncio.wait_for(failure_of(client), 3)).phase == "connect"


# ---- hanging up


async def test_a_connection_closed_half_way_is_gone_at_once() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf"
    async with wire(answer, "hold") as served, client_for(served.url) as client:
        connection = await client.send(post())
        assert await connection.read() == b"half"
        await connection.aclose()
        await connection.aclose()
        await asyncio.wait_for(served.gone.wait(), 1)


async def test_a_cancelled_request_is_gone_at_once() -> None:
    async with wire(b"HTTP/1.1 100 Continue\r\n\r\n", "hold") as served, client_for(served.url) as client:
        waiting = asyncio.create_task(client.send(post()))
        await served.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(served.gone.wait(), 1)


async def test_a_reader_whose_connection_another_task_closes_is_told() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf"
    async with wire(answer, "hold") as served, client_for(served.url) as client:
        connection = await client.send(post())
        await connection.read()
        reader = asyncio.create_task(connection.read())
        await asyncio.sleep(0.01)
        await connection.aclose()
        with pytest.raises(TransportFailed):
            await asyncio.wait_for(reader, 1)


async def test_an_answer_read_to_its_end_gives_its_connection_back() -> None:
    async with wire(then="keep") as served, client_for(served.url) as client:
        for _ in range(5):
            await read_all(client, post())
        assert (served.connections, len(served.requests)) == (1, 5)


async def test_nothing_is_left_of_many_calls_half_of_them_broken() -> None:
    before = tasks()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf"
    async with wire(answer, "hold") as served, client_for(served.url) as client:

        async def use(number: int) -> None:
            connection = await client.send(post())
            if number % 2:
                await connection.read()
            await connection.aclose()

        await asyncio.gather(*(use(number) for number in range(30)))
        pool = next(iter(client._pools.values()))  # pyright: ignore[reportPrivateUsage]
        connector = pool.session.connector
        assert connector is not None
        assert not connector._acquired  # pyright: ignore[reportPrivateUsage]
    for _ in range(10):
        await asyncio.sleep(0)
    assert tasks() == before


# ---- event loops


def in_a_loop(work: Callable[[], Awaitable[object]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


@contextlib.contextmanager
def wire_in_a_thread() -> Generator[str]:
    """A server that outlives the loops of its clients."""
    started, stopping = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    urls: list[str] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with wire(then="keep") as served:
            urls.append(served.url)
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(5)
    try:
        yield urls[0]
    finally:
        loops[0].call_soon_threadsafe(stopping.set)
        thread.join(5)


def test_one_event_loop_after_another_is_served_without_a_warning() -> None:
    with wire_in_a_thread() as url, nothing_is_warned_of():
        client = HttpClient(url)
        for _ in range(3):
            in_a_loop(lambda: read_all(client, post()))
            assert client._pools == {}  # pyright: ignore[reportPrivateUsage]
        in_a_loop(client.aclose)


def test_a_client_that_is_forgotten_is_closed_with_its_loop() -> None:
    with wire_in_a_thread() as url, nothing_is_warned_of():
        in_a_loop(lambda: read_all(HttpClient(url), post()))


def test_closing_leaves_nothing_open() -> None:
    async def use(url: str) -> None:
        async with client_for(url) as client:
            await read_all(client, post())
            connection = await client.send(post())
        await connection.aclose()
        await client.aclose()

    with wire_in_a_thread() as url, nothing_is_warned_of():
        in_a_loop(lambda: use(url))


def test_a_closed_client_opens_again_when_it_is_used() -> None:
    async def use(url: str) -> None:
        async with client_for(url) as client:
            await client.aclose()
            assert (await read_all(client, post()))[0] == 200

    with wire_in_a_thread() as url:
        in_a_loop(lambda: use(url))


def test_a_loop_closed_by_hand_is_forgotten() -> None:
    with wire_in_a_thread() as url:
        client = HttpClient(url)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(read_all(client, post()))
        session = next(iter(client._pools.values())).session  # pyright: ignore[reportPrivateUsage]
        loop.run_until_complete(session.close())
        loop.close()
        in_a_loop(lambda: read_all(client, post()))
        assert client._pools == {}  # pyright: ignore[reportPrivateUsage]


def test_closing_from_another_loop_closes_the_pool_of_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with wire_in_a_thread() as url, nothing_is_warned_of():
        client = HttpClient(url)
        used, done = threading.Event(), threading.Event()

        async def use_and_wait() -> None:
            await read_all(client, post())
            used.set()
            await asyncio.to_thread(done.wait, 5)

        thread = threading.Thread(target=lambda: asyncio.run(use_and_wait()))
        thread.start()
        used.wait(5)
        session = next(iter(client._pools.values())).session  # pyright: ignore[reportPrivateUsage]
        in_a_loop(client.aclose)
        assert session.closed
        done.set()
        thread.join(5)


def test_closing_does_not_wait_for_a_loop_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CLOSE_TIMEOUT", 0.1)
    with wire_in_a_thread() as url:
        client = HttpClient(url)
        used, done = threading.Event(), threading.Event()

        async def use_and_block() -> None:
            await read_all(client, post())
            used.set()
            done.wait(5)

        thread = threading.Thread(target=lambda: asyncio.run(use_and_block()))
        thread.start()
        used.wait(5)
        in_a_loop(client.aclose)
        done.set()
        thread.join(5)


def test_a_loop_at_rest_closes_its_pool_when_it_goes_on() -> None:
    with wire_in_a_thread() as url, nothing_is_warned_of():
        client = HttpClient(url)
        with asyncio.Runner() as runner:
            runner.run(read_all(client, post()))
            in_a_loop(client.aclose)
            gc.collect()
            runner.run(asyncio.sleep(0))


# ---- through the ring


async def test_the_ring_reads_a_message_over_a_real_socket() -> None:
    async with wire() as served, client_for(served.url) as client:
        found = await ring(client, clock=SYSTEM_CLOCK).attempts(a_call())
        assert isinstance(found, Response)
        assert await Settling(found, ()).read() == MESSAGE
        assert get(found.headers, "content-type") == get(JSON, "content-type")
    assert served.requests[0].lower().count(b"accept-encoding: identity") == 1
