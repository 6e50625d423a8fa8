"""A gateway for programs that this process starts: on a free port of this machine, open to whom it gave a token."""

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from holdfast.assembly import Runtime
from holdfast.call import NO_LIMITS, OwnLimits, OwnTools, Principal
from holdfast.errors import StoreUnavailable, Unauthenticated
from holdfast.gateway.app import Gateway
from holdfast.gateway.identity import Doorkeeper, Visitor
from holdfast.gateway.server import GatewayServer
from holdfast.identity import identified
from holdfast.language import Sentence
from holdfast.upstream.request import CREDENTIALS
from holdfast.wire.headers import Headers, get, without

HOST = "127.0.0.1"
PREFIX = "hf_local_"
PATIENCE = 10.0
"""Seconds for the server to begin."""
LISTENERS = 128
NO_KEY = "held-by-holdfast"
"""What an upstream is shown that has no key of its own, in place of the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What the holder of a token is let in as: its run is its own, whatever the requests say.

    Attributes:
        principal: whose calls they are; what it leaves open, the requests may say.
        limits: what they may cost besides the limits of the settings.
        tools: who runs the tools, and hears of calls in doubt.
    """

    principal: Principal
    limits: OwnLimits = NO_LIMITS
    tools: OwnTools | None = None

    def visitor(self, headers: Headers) -> Visitor:
        """A request of the holder; the token goes no further."""
        known = self.principal
        said = identified(known, headers)
        is_inner = said.agent != known.agent and said.parent == known.parent
        who = replace(
            said,
            run=known.run or said.run,
            user=known.user or said.user,
            # An agent that names no parent is one of whoever holds the token.
            parent=known.agent if is_inner else said.parent,
        )
        return Visitor(
            principal=who,
            headers=(*without(headers, *CREDENTIALS), ("x-api-key", NO_KEY)),
            own_limits=self.limits,
            own_tools=self.tools,
        )


class Doorman(Doorkeeper):
    """Lets in whoever carries one of the tokens that it has given out, and nobody else."""

    def __init__(self) -> None:
        self._passes: dict[bytes, Pass] = {}

    def give(self, granted: Pass) -> str:
        """A new token; good until it is taken back."""
        token = PREFIX + secrets.token_urlsafe(32)
        self._passes[_digest(token)] = granted
        return token

    def take_back(self, token: str) -> None:
        """From now on nobody comes in with this token."""
        self._passes.pop(_digest(token), None)

    async def admit(self, runtime: Runtime, headers: Headers) -> Visitor:
        """The visitor; raises `Unauthenticated` without a token, `StoreUnavailable` while limits are unknown."""
        await runtime.begin()
        runtime.stations.orders.require_known()
        found = [self._passes.get(_digest(shown)) for shown in _shown(headers)]
        granted = next((one for one in found if one is not None), None)
        if granted is None:
            raise Unauthenticated(_NO_TOKEN)
        return granted.visitor(headers)


class LocalGateway:
    """Serves a pipeline from a thread of its own, from when it is first needed until it is closed.

    Safe from any thread. What is under way when it is closed ends with a typed error, and is settled.
    """

    def __init__(self, gateway: Callable[[Doorkeeper], Gateway]) -> None:
        self._make = gateway
        self._doorman = Doorman()
        self._turn = threading.Lock()
        self._serving: _Serving | None = None

    def open(self) -> str:
        """The address, once connections are accepted; raises `StoreUnavailable` if it does not come up."""
        with self._turn:
            if self._serving is None or not self._serving.thread.is_alive():
                self._serving = _serve(self._make(self._doorman))
            return self._serving.url

    def give(self, granted: Pass) -> str:
        """A token for one program."""
        return self._doorman.give(granted)

    def take_back(self, token: str) -> None:
        """End what a token is good for."""
        self._doorman.take_back(token)

    def close(self) -> None:
        """Stop, and wait until it has; may be called twice."""
        with self._turn:
            serving, self._serving = self._serving, None
        if serving is not None:
            serving.server.should_exit = True
            serving.thread.join()


@dataclass(frozen=True, slots=True)
class _Serving:
    url: str
    server: GatewayServer
    thread: threading.Thread


def _serve(gateway: Gateway) -> _Serving:
    listener = _listener()
    ready = threading.Event()
    server = GatewayServer(gateway, drain_timeout=0.0, ready=ready.set)
    thread = threading.Thread(
        target=_run, args=(server, listener, ready), name="holdfast-gateway", daemon=True
    )
    thread.start()
    if not ready.wait(PATIENCE) or not server.started:
        server.should_exit = True
        raise StoreUnavailable(_NOT_UP)
    return _Serving(f"http://{HOST}:{listener.getsockname()[1]}", server, thread)


def _run(server: GatewayServer, listener: socket.socket, ready: threading.Event) -> None:
    try:
        with suppress(SystemExit):  # how uvicorn says that it could not begin
            asyncio.run(server.serve(sockets=[listener]))
    finally:
        listener.close()
        ready.set()


def _listener() -> socket.socket:
    # Named TCP, or asyncio leaves Nagle's algorithm on: 40 ms more for every answer on a kept connection.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((HOST, 0))
    listener.listen(LISTENERS)
    return listener


def _shown(headers: Headers) -> tuple[str, ...]:
    """Whatever may be a token: clients send it in one header, in the other, or in both."""
    bearer = (get(headers, "authorization") or "").partition(" ")[2]
    return tuple(text.strip() for text in (get(headers, "x-api-key") or "", bearer) if text.strip())


def _digest(token: str) -> bytes:
    """What is looked up in place of a token: how long that takes says nothing of the token itself."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


_NO_TOKEN = Sentence(
    "This gateway belongs to one program of holdfast and takes the token that it was started with alone. Start "
    "yours with `holdfast run -- CMD`, or point it at `holdfast serve`.",
    ko="이 게이트웨이는 holdfast가 시작한 프로그램 전용이라 그때 받은 토큰만 받습니다. `holdfast run -- 명령`으로 "
    "시작하거나 `holdfast serve`에 연결하세요.",
)
_NOT_UP = Sentence(
    "The gateway in this process did not begin in time; look at the log for what keeps it, then try again.",
    ko="이 프로세스의 게이트웨이가 제때 시작되지 않았습니다. 로그에서 원인을 확인한 뒤 다시 시도하세요.",
)
