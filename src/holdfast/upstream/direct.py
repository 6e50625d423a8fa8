"""Asks an upstream directly for something free, so that a verdict can tell what fails: the upstream, or the way to it."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from holdfast.clock import Clock
from holdfast.policy.evidence import Probed
from holdfast.policy.routing import SIMULATOR, serves
from holdfast.upstream.client import TransportFailed, UpstreamRequest, read_whole
from holdfast.upstream.request import Upstream

EVERY = 15.0
"""Seconds between two probes at least, whoever asks for them."""
TIMEOUT = 2.0
"""Seconds that a probe may take."""
PATH = "/v1/messages/count_tokens"
LARGEST = 64 * 1024
HEADERS = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
SAYS_NOTHING = (400, 404, 405, 501)
"""Statuses of an upstream that does not know this question: it may answer others."""


class DirectProbe:
    """Probes the first upstream with its own key, past every guard, circuit and gate; safe from any thread and loop.

    An upstream that only gets its callers' keys, and one that does not count tokens, is told nothing of.
    """

    def __init__(self, upstreams: Sequence[Upstream], model: str, clock: Clock) -> None:
        self._upstream = upstreams[0]
        self._model = model
        self._clock = clock
        self._lock = threading.Lock()
        self._due = 0.0
        self._at = 0.0
        self._last: Probed | None = None

    def last(self) -> Probed | None:
        """What was found last, if that was of late."""
        with self._lock:
            found, age = self._last, self._clock.monotonic() - self._at
        return None if found is None or age > 2 * EVERY else replace(found, age=age)

    async def ask(self) -> Probed | None:
        """Probe now, unless that was done of late; what is known then. Never raises."""
        request = self._request()
        now = self._clock.monotonic()
        with self._lock:
            is_due, self._due = now >= self._due, now + EVERY if now >= self._due else self._due
        if is_due and request is not None:
            mark = await self._mark(request)
            over = self._clock.monotonic()
            with self._lock:
                self._at, self._last = over, self._read(mark, (over - now) * 1000)
        return self.last()

    def _read(self, mark: str, ms: float) -> Probed | None:
        if mark in map(str, SAYS_NOTHING):
            return None
        return Probed(upstream=self._upstream.name, ok=mark == "200", mark=mark, ms=round(ms, 1))

    async def _mark(self, request: UpstreamRequest) -> str:
        """The status of the answer, or how it failed."""
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = await self._upstream.client.send(request)
                try:
                    await read_whole(connection, LARGEST)
                finally:
                    await connection.aclose()
        except TransportFailed as error:
            return "connect_error" if error.phase == "connect" else "reset"
        except TimeoutError:
            return "first_byte_timeout"
        return str(connection.status)

    def _request(self) -> UpstreamRequest | None:
        upstream, models = self._upstream, self._upstream.config.models
        if upstream.key is None and upstream.config.url != SIMULATOR:
            return None
        model = self._model if serves(upstream.config, self._model) else next(iter(models), self._model)
        body = msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": "ping"}]})
        return upstream.forwarded("POST", PATH, "", HEADERS, body)
