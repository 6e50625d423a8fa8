"""The way to Redis: a bounded pool for every event loop, and a circuit that makes its absence cheap."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from math import inf
from typing import Any, Protocol, cast

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import ConnectKwargs, parse_url
from redis.exceptions import NoScriptError, RedisError

from holdfast.clock import SYSTEM_CLOCK, Clock, Dice
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.events import CircuitChanged, Observer, unobserved
from holdfast.language import Sentence
from holdfast.parts.breaker import CircuitBreaker
from holdfast.policy.breaker import Transition
from holdfast.policy.permit import Outcome, Permit, Permitted

PATIENCE = 0.05
"""Seconds that Redis may be silent while it is asked; an answer that took it longer is none."""
LONGEST = 0.25
"""Seconds that a caller waits at most: Redis answers the others, but this worker has more to ask than it can."""
LAG = 0.01
"""Seconds for reading what has come in, after this worker itself was late."""
CONNECT_PATIENCE = 1.0
"""Seconds that one who tries it in the background has for connecting; nobody waits for that."""
CONNECTIONS = 8
"""Of one event loop."""
RECOVERY, RECOVERY_MAX = 0.25, 5.0
"""Seconds after which Redis is tried again, doubled up to the second."""
NAME = "redis"

_AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A Lua script and the name that Redis knows it by."""

    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of that name in the folder of scripts."""
    text = files("holdfast.stores").joinpath("lua", f"{name}.lua").read_text("utf-8")
    return Script(text=text, sha=sha1(text.encode(), usedforsecurity=False).hexdigest())


PROBE = Script(text="return {}", sha=sha1(b"return {}", usedforsecurity=False).hexdigest())


class _Wire(Protocol):
    """What is used of a connection; one that is left in the middle of an answer closes itself."""

    async def send_command(self, *args: str | int) -> None: ...

    async def read_response(self) -> object: ...


class _Pool(Protocol):
    """What is used of a pool."""

    async def get_connection(self) -> _Wire: ...

    async def release(self, connection: _Wire) -> None: ...

    async def disconnect(self) -> None: ...


class _Client:
    """The connections of one event loop; a loop that ends closes `guard`, and with it them."""

    def __init__(self, pool: _Pool, guard: AsyncGenerator[None, None]) -> None:
        self.guard = guard
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._heard_at = -inf

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> list[int]:
        """What a script returns; raises `TimeoutError` when Redis is silent, `Busy` when it is not."""
        # A task of its own: what ends the wait must not depend on how well the client takes being cancelled.
        asking = self._loop.create_task(self._ask(script, keys, args))
        watch = _Watch(self._loop, self._silence)
        try:
            await asyncio.wait((asking, watch.over), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
        finally:
            watch.end()
            if not asking.done():
                asking.cancel()
                asking.add_done_callback(_heed)
        raise TimeoutError if watch.heard_nothing else Busy

    async def try_out(self) -> None:
        """Return when it has answered."""
        await self._ask(PROBE, (), ())

    async def _ask(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> list[int]:
        connection = await self._pool.get_connection()
        try:
            began = self._loop.time()
            reply = await _evaluate(connection, script, keys, args)
            if (now := self._loop.time()) - began < PATIENCE:
                self._heard_at = now
            return reply
        finally:
            await self._pool.release(connection)

    def _silence(self) -> float:
        return self._loop.time() - self._heard_at


class Busy(Exception):
    """Redis is well, and this worker asks more of it than fits into the time."""


class _Watch:
    """Says when a wait is over: nothing has been heard for too long, or too much is heard before its turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, silence: Callable[[], float]) -> None:
        self.over: asyncio.Future[None] = loop.create_future()
        self.heard_nothing = False
        self._loop = loop
        self._silence = silence
        self._was_late = False
        self._last = loop.time() + LONGEST
        self._timer = self._look_in(PATIENCE)

    def end(self) -> None:
        self._timer.cancel()
        self.over.cancel()

    def _look_in(self, seconds: float) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, self._look, self._loop.time() + seconds)

    def _look(self, due: float) -> None:
        now = self._loop.time()
        if now - due > LAG and not self._was_late:
            self._was_late = True
            self._timer = self._look_in(LAG)
        elif (silence := self._silence()) < PATIENCE and now < self._last:
            self._timer = self._look_in(min(PATIENCE - silence, self._last - now))
        else:
            self.heard_nothing = silence >= PATIENCE
            self.over.set_result(None)


def _heed(asking: asyncio.Task[list[int]]) -> None:
    """Nobody waits any more for how it ended."""
    if not asking.cancelled():
        asking.exception()


class RedisLink:
    """Runs scripts; safe from any thread and event loop.

    One answer that fails or comes too late opens the circuit: from then on every verb fails at once, and a
    task in the background finds out when Redis is back. Raises `ConfigError` for an address that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock = SYSTEM_CLOCK,
        dice: Dice | None = None,
        observe: Observer = unobserved,
    ) -> None:
        self._address = _parsed(url)
        self._clock = clock
        self._observe = observe
        self._clients: dict[asyncio.AbstractEventLoop, _Client] = {}
        self._recovering: asyncio.Task[None] | None = None
        self._circuit = CircuitBreaker(
            NAME,
            failure_threshold=1,
            success_threshold=1,
            permitted_calls_in_half_open=1,
            recovery_timeout=RECOVERY,
            recovery_timeout_max=RECOVERY_MAX,
            clock=clock,
            dice=dice,
            on_transition=self._announce,
        )

    @property
    def is_away(self) -> bool:
        """Whether Redis is left alone for now."""
        return self._circuit.state != "closed"

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> list[int]:
        """What a script returns; raises `StoreUnavailable` within `PATIENCE`, at once while Redis is away.

        One that was cut off may have run all the same.
        """
        if self.is_away:
            self._recover()
            raise _away()
        try:
            return await (await self._client()).run(script, keys, args)
        except Busy as error:
            raise _away() from error
        except _AWAY as error:
            self._circuit.record_failure()
            self._recover()
            raise _away() from error

    async def aclose(self) -> None:
        """Close the connections of every loop; never raises."""
        await self._stop_recovering()
        for loop, client in list(self._clients.items()):
            if loop is asyncio.get_running_loop():
                await client.guard.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(client.guard.aclose(), loop)
                await asyncio.wait([asyncio.wrap_future(closing)], timeout=CONNECT_PATIENCE)
            self._clients.pop(loop, None)

    async def _client(self) -> _Client:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            for closed in [known for known in self._clients if known.is_closed()]:
                self._clients.pop(closed, None)
            pool = _open(self._address)
            client = self._clients[loop] = _Client(pool, self._closing(loop, pool))
            await anext(client.guard)
        return client

    async def _closing(self, loop: asyncio.AbstractEventLoop, pool: _Pool) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._clients.pop(loop, None)
            await pool.disconnect()

    def _recover(self) -> None:
        """Let somebody look after Redis, unless somebody does."""
        task = self._recovering
        if task is None or task.done() or task.get_loop().is_closed():
            self._recovering = asyncio.get_running_loop().create_task(self._until_back())

    async def _stop_recovering(self) -> None:
        task = self._recovering
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])

    async def _until_back(self) -> None:
        while self.is_away:
            await self._clock.sleep(self._circuit.retry_after or RECOVERY)
            answer = self._circuit.try_acquire()
            if isinstance(answer, Permitted):
                await self._probe(answer.permit)

    async def _probe(self, permit: Permit) -> None:
        outcome = Outcome.NEUTRAL
        try:
            outcome = Outcome.OK if await self._answers() else Outcome.FAIL
        finally:
            self._circuit.report(permit, outcome)

    async def _answers(self) -> bool:
        """Whether Redis is there, and quick enough to be asked on a caller's time."""
        try:
            client = await self._client()
            for patience in (CONNECT_PATIENCE, PATIENCE):
                async with asyncio.timeout(patience):
                    await client.try_out()
        except _AWAY:
            return False
        return True

    def _announce(self, change: Transition) -> None:
        self._observe(
            CircuitChanged(
                circuit=NAME,
                before=change.before,
                after=change.after,
                reason=change.reason,
                retry_after=change.retry_after,
            )
        )


async def _evaluate(wire: _Wire, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> list[int]:
    try:
        await wire.send_command("EVALSHA", script.sha, len(keys), *keys, *args)
        return cast("list[int]", await wire.read_response())
    except NoScriptError:  # a Redis that was restarted knows none
        await wire.send_command("EVAL", script.text, len(keys), *keys, *args)
        return cast("list[int]", await wire.read_response())


def _open(address: ConnectKwargs) -> _Pool:
    plain = cast("dict[str, Any]", {"protocol": 2, **address})
    pool: object = BlockingConnectionPool(
        max_connections=CONNECTIONS,
        # Longer than anybody waits: whose fault it is that time is up must not be left to the pool.
        timeout=CONNECT_PATIENCE,
        socket_timeout=CONNECT_PATIENCE,
        socket_connect_timeout=CONNECT_PATIENCE,
        retry=None,
        driver_info=None,  # with protocol 2 a connection is ready without a word said
        **plain,
    )
    return cast("_Pool", pool)


def _parsed(url: str) -> ConnectKwargs:
    try:
        return parse_url(url)
    except ValueError as error:
        # The address may hold a password: it is not repeated.
        raise ConfigError(
            Sentence(
                "redis_url: this is no address of a Redis; write redis://host:6379/0, or rediss:// for TLS",
                ko="redis_url: Redis 주소가 아닙니다. redis://host:6379/0 또는 TLS라면 rediss://로 적으세요",
            )
        ) from error


def _away() -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            "Redis does not answer in time; this worker goes on with limits of its own. Check that it runs.",
            ko="Redis가 제때 응답하지 않아 이 워커는 자체 한도로 계속합니다. Redis가 실행 중인지 확인하세요.",
        )
    )
