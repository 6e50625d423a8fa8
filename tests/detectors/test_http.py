import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from holdfast.detectors.http import LARGEST, MOST_ITEMS, HttpDetector
from holdfast.errors import ConfigError
from holdfast.parts.detection import GuardInput

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def endpoint(handler: Handler, *, patience: float = 5.0) -> AsyncGenerator[HttpDetector, None]:
    """A detector that asks a real server for `/judge?v=1`."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    detector = HttpDetector.at(f"http://{host}:{port}/judge?v=1", key="token-1", timeout=patience)
    try:
        yield detector
    finally:
        await detector.aclose()
        await runner.cleanup()


def answering(body: object, status: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return handler


def texts(*said: str) -> Sequence[GuardInput]:
    return [GuardInput(text=one, channel="tool") for one in said]


async def test_the_texts_are_posted_and_the_scores_come_back_in_order() -> None:
    seen: list[tuple[str, str, str | None, object]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        seen.append((request.method, request.path_qs, request.headers.get("authorization"), body))
        return web.json_response({"scores": [{"score": 0.5}, {"score": 0.9, "fpr": 0.02}]})

    async with endpoint(handler) as detector:
        one, two = await detector.score(texts("a", "half \ud83d"))
    assert seen == [
        (
            "POST",
            "/judge?v=1",
            "Bearer token-1",
            {"items": [{"text": "a", "channel": "tool"}, {"text": "half \ufffd", "channel": "tool"}]},
        )
    ]
    assert (one.score, round(one.fpr, 6), one.examined) == (0.5, 0.01, True)
    assert (two.score, two.fpr) == (0.9, 0.02)
    assert "token-1" not in repr(detector)


async def test_many_texts_go_in_several_requests() -> None:
    sizes: list[int] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        sizes.append(len((await request.json())["items"]))
        return web.json_response({"scores": [{"score": 0.1}] * sizes[-1]})

    async with endpoint(handler) as detector:
        found = await detector.score(texts(*map(str, range(MOST_ITEMS + 1))))
    assert (sizes, len(found)) == ([MOST_ITEMS, 1], MOST_ITEMS + 1)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"scores": [{"score": 0.5}]}, 503, "status_503"),
        ({"scores": []}, 200, "garbage"),
        ({"scores": [{"score": 1.5}]}, 200, "garbage"),
        ({"scores": [{"score": 0.5, "fpr": -1}]}, 200, "garbage"),
        ({"scores": [{"score": "high"}]}, 200, "garbage"),
        ("words", 200, "garbage"),
    ],
)
async def test_an_answer_that_makes_no_sense_leaves_the_text_unexamined(
    body: object, status: int, reason: str
) -> None:
    async with endpoint(answering(body, status)) as detector:
        (found,) = await detector.score(texts("a"))
    assert (found.examined, found.reason) == (False, reason)


async def test_a_redirect_is_not_followed() -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with endpoint(handler) as detector:
        (found,) = await detector.score(texts("a"))
    assert (found.reason, paths) == ("status_307", ["/judge"])


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        filler = " " * (LARGEST + 1)
        return web.Response(text=json.dumps({"scores": [{"score": 0.5}], "more": filler}))

    async with endpoint(handler) as detector:
        (found,) = await detector.score(texts("a"))
    assert found.reason == "transport_body"


async def test_an_endpoint_that_takes_too_long_is_not_waited_for() -> None:
    gone = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await gone.wait()
        return web.Response()

    async with endpoint(handler, patience=0.05) as detector:
        (found,) = await detector.score(texts("a"))
        gone.set()
    assert found.reason == "timeout"


async def test_an_endpoint_that_is_down_leaves_the_text_unexamined() -> None:
    async with endpoint(answering({})) as detector:
        pass
    (found,) = await detector.score(texts("a"))
    await detector.aclose()
    assert found.reason == "transport_connect"


@pytest.mark.parametrize("url", ["ftp://host/x", "//host", "judge", "http://user:pw@host/", "http://"])
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpDetector.at(url)
    assert "screen.second_opinion.url" in caught.value.say("en")
    assert "pw@" not in caught.value.say("ko")


async def test_an_address_without_a_path_is_asked_at_its_root() -> None:
    detector = HttpDetector.at("https://guard.example")
    assert (detector.path, detector.version) == ("/", None)
    await detector.aclose()
