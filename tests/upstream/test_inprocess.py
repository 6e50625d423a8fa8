import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from holdfast.upstream.client import TransportFailed, UpstreamRequest
from holdfast.upstream.inprocess import CHUNKS_AHEAD, AsgiApp, InProcessClient, InProcessConnection
from tests.upstream.scripted import tasks

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ASKED = UpstreamRequest(
    method="POST",
    path="/v1/models/a%20b?q=%C3%A9",
    headers=(("x-api-key", "k"), ("x-note", "caf\u00e9")),
    body=b"body",
)


def head(status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(b"X-One", b"1")]}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


@asynccontextmanager
async def connected(app: AsgiApp) -> AsyncGenerator[InProcessConnection]:
    before = tasks()
    connection = await InProcessClient(app).send(ASKED)
    async with aclosing(connection):
        yield connection
    assert tasks() == before


async def rest(connection: InProcessConnection) -> bytes:
    chunks: list[bytes] = []
    while chunk := await connection.read():
        chunks.append(chunk)
    return b"".join(chunks)


async def test_an_application_is_asked_as_a_server_would_ask_it() -> None:
    seen: list[Message] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        seen.extend((scope, await receive()))
        await send(head(201))
        await send(part(b"one "))
        await send(part(b""))
        await send(part(b"two", more=False))

    async with connected(app) as connection:
        assert (connection.status, connection.headers) == (201, (("x-one", "1"),))
        assert await rest(connection) == b"one two"
        assert await connection.read() == b""
    scope, body = seen
    assert (scope["method"], scope["path"]) == ("POST", "/v1/models/a b")
    assert (scope["raw_path"], scope["query_string"]) == (b"/v1/models/a%20b", b"q=%C3%A9")
    assert (b"x-note", b"caf\xe9") in scope["headers"]
    assert body == {"type": "http.request", "body": b"body", "more_body": False}


async def test_the_end_of_the_body_is_the_end_though_the_application_goes_on() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(head())
        await send(part(b"all", more=False))
        await asyncio.Event().wait()

    async with connected(app) as connection:
        assert await asyncio.wait_for(rest(connection), 1) == b"all"


@pytest.mark.parametrize(
    "failure", [ConnectionResetError("reset"), TimeoutError(), KeyError("a bug"), EOFError()]
)
async def test_an_application_that_raises_before_its_answer_looks_like_a_broken_connection(
    failure: Exception,
) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        raise failure

    before = tasks()
    with pytest.raises(TransportFailed) as caught:
        await InProcessClient(app).send(ASKED)
    assert caught.value.phase == "sent"
    assert caught.value.__cause__ is failure
    assert type(failure).__name__ in caught.value.reason
    assert tasks() == before


async def test_a_refused_connection_is_known_to_have_seen_nothing() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        raise ConnectionRefusedError

    with pytest.raises(TransportFailed) as caught:
        await InProcessClient(app).send(ASKED)
    assert caught.value.phase == "connect"


async def test_an_application_that_says_nothing_looks_like_a_broken_connection() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        return None

    with pytest.raises(TransportFailed, match="ended in mid-answer"):
        await InProcessClient(app).send(ASKED)


@pytest.mark.parametrize("failure", [ConnectionResetError("reset"), None])
async def test_an_answer_that_is_not_finished_is_broken_however_often_it_is_read(
    failure: Exception | None,
) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(head())
        await send(part(b"half"))
        if failure is not None:
            raise failure

    async with connected(app) as connection:
        assert await connection.read() == b"half"
        for _ in range(2):
            with pytest.raises(TransportFailed) as caught:
                await connection.read()
            assert caught.value.phase == "body"


async def endless(scope: Message, receive: Receive, send: Send) -> None:
    await send(head())
    while True:
        await send(part(b"more"))


async def test_an_application_is_only_so_far_ahead_of_its_reader() -> None:
    sent: list[int] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(head())
        while True:
            await send(part(b"more"))
            sent.append(1)

    async with connected(app):
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(sent) <= CHUNKS_AHEAD


@pytest.mark.parametrize("reads", [0, 1, 40])
async def test_closing_early_ends_the_application_at_once(reads: int) -> None:
    async with connected(endless) as connection:
        for _ in range(reads):
            await connection.read()
        await asyncio.wait_for(connection.aclose(), 1)


async def test_closing_does_not_wait_for_what_the_application_still_wants_to_say() -> None:
    said: list[str] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await endless(scope, receive, send)
        finally:
            for _ in range(2 * CHUNKS_AHEAD):
                await send(part(b"farewell"))
            said.append((await receive())["type"])
            said.append((await receive())["type"])

    async with connected(app) as connection:
        for _ in range(100):
            await asyncio.sleep(0)
        await asyncio.wait_for(connection.aclose(), 1)
    assert said == ["http.request", "http.disconnect"]


async def test_an_application_that_listens_hears_that_its_caller_left() -> None:
    heard: list[str] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send(head())
        waiting = asyncio.ensure_future(receive())
        try:
            heard.append((await asyncio.shield(waiting))["type"])
        except asyncio.CancelledError:
            heard.append((await waiting)["type"])

    async with connected(app) as connection:
        await connection.aclose()
    assert heard == ["http.disconnect"]


async def test_a_failure_after_the_hang_up_is_nobodys_business() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await endless(scope, receive, send)
        finally:
            raise ZeroDivisionError

    async with connected(app) as connection:
        await connection.aclose()
        with pytest.raises(TransportFailed):
            await connection.read()


async def test_a_reader_whose_connection_another_task_closes_is_told() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(head())
        await asyncio.Event().wait()

    async with connected(app) as connection:
        reader = asyncio.create_task(connection.read())
        await asyncio.sleep(0)
        await connection.aclose()
        with pytest.raises(TransportFailed, match="closed"):
            await asyncio.wait_for(reader, 1)


async def test_a_cancelled_request_ends_the_application() -> None:
    ended = asyncio.Event()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    before = tasks()
    sending = asyncio.create_task(InProcessClient(app).send(ASKED))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert ended.is_set()
    assert tasks() == before


async def test_a_hang_up_that_is_itself_cancelled_still_tells_the_reader() -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(head())
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)

    connection = await InProcessClient(app).send(ASKED)
    reader = asyncio.create_task(connection.read())
    await asyncio.sleep(0)
    closing = asyncio.create_task(connection.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(TransportFailed):
        await asyncio.wait_for(reader, 1)
    await connection.aclose()


async def test_closing_the_client_closes_nothing_because_nothing_is_open() -> None:
    await InProcessClient(endless).aclose()
