"""The direct probe: free, seldom, with a key of our own, and never in anybody's way."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.testing import FakeClock
from holdfast.upstream import direct
from holdfast.upstream.client import Connection, TransportFailed, TransportPhase, UpstreamRequest
from holdfast.upstream.direct import EVERY, DirectProbe
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import Headers, get


@dataclass
class Answering:
    """An answer of one status."""

    status: int
    headers: Headers = ()
    closed: bool = False
    left: list[bytes] = field(default_factory=lambda: [b'{"input_tokens":8}'])

    async def read(self) -> bytes:
        return self.left.pop() if self.left else b""

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Client:
    """Answers with a status, breaks in a phase, or never answers."""

    how: int | TransportPhase | None = 200
    seen: list[UpstreamRequest] = field(default_factory=list[UpstreamRequest])
    answers: list[Answering] = field(default_factory=list[Answering])

    async def send(self, request: UpstreamRequest) -> Connection:
        self.seen.append(request)
        if self.how is None:
            await asyncio.Event().wait()
        if isinstance(self.how, str):
            raise TransportFailed(self.how, "x")
        assert self.how is not None
        self.answers.append(Answering(self.how))
        return self.answers[-1]

    async def aclose(self) -> None: ...


def probing(
    client: Client,
    clock: FakeClock | None = None,
    *,
    key: str | None = "k",
    config: UpstreamConfig | None = None,
) -> DirectProbe:
    upstream = Upstream(name="main", config=config or UpstreamConfig(url="http://up"), client=client, key=key)
    return DirectProbe((upstream,), "small", clock or FakeClock())


async def test_it_asks_for_what_costs_nothing_with_our_own_key() -> None:
    client = Client()
    found = await probing(client).ask()
    assert found is not None
    assert (found.upstream, found.ok, found.mark) == ("main", True, "200")
    (request,) = client.seen
    assert (request.method, request.path) == ("POST", "/v1/messages/count_tokens")
    assert get(request.headers, "x-api-key") == "k"
    assert json.loads(request.body)["model"] == "small"
    assert client.answers[0].closed


@pytest.mark.parametrize(
    ("how", "mark"),
    [
        (529, "529"),
        (401, "401"),
        ("connect", "connect_error"),
        ("sent", "reset"),
        (None, "first_byte_timeout"),
    ],
)
async def test_what_fails_says_how(
    how: int | TransportPhase | None, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "TIMEOUT", 0.01)
    found = await probing(Client(how)).ask()
    assert found is not None
    assert (found.ok, found.mark) == (False, mark)


async def test_whoever_asks_it_is_asked_once_in_a_while() -> None:
    client, clock = Client(529), FakeClock()
    probe = probing(client, clock)
    for _ in range(5):
        await probe.ask()
    clock.advance(EVERY - 1)
    found = await probe.ask()
    assert found is not None
    assert (len(client.seen), found.age) == (1, EVERY - 1)
    clock.advance(1)
    await probe.ask()
    assert len(client.seen) == 2


async def test_what_was_found_long_ago_is_not_told_any_more() -> None:
    clock = FakeClock()
    probe = probing(Client(), clock)
    assert probe.last() is None
    await probe.ask()
    clock.advance(2 * EVERY + 1)
    assert probe.last() is None


@pytest.mark.parametrize("status", [400, 404, 405, 501])
async def test_an_upstream_that_counts_no_tokens_is_told_nothing_of(status: int) -> None:
    assert await probing(Client(status)).ask() is None


async def test_without_a_key_of_our_own_nobody_is_asked_but_the_simulator() -> None:
    client = Client()
    assert await probing(client, key=None).ask() is None
    assert client.seen == []
    assert await probing(client, key=None, config=UpstreamConfig(url=SIMULATOR)).ask() is not None


async def test_an_upstream_that_serves_other_models_is_asked_about_one_of_them() -> None:
    client = Client()
    await probing(client, config=UpstreamConfig(url="http://up", models=("theirs",))).ask()
    assert json.loads(client.seen[0].body)["model"] == "theirs"
