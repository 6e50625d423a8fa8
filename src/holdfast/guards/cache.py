"""The station that gives answers again, and lets only one of several calls go that ask the same at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from holdfast.call import Call, Outcome, OwnCache, Response
from holdfast.clock import Clock
from holdfast.events import AnswerReused, Observer, unobserved
from holdfast.parts.flights import Flight, Flights
from holdfast.parts.recording import Recording
from holdfast.parts.replay import replayed
from holdfast.pipeline import Answer, Proceed
from holdfast.policy.caching import (
    CALLING,
    Asker,
    Stored,
    fingerprint,
    is_personal,
    may_be_asked,
    may_be_kept,
    question,
)
from holdfast.policy.money import dollars, plain
from holdfast.ports import AnswerStore, Vector
from holdfast.wire.headers import credential, get
from holdfast.wire.provenance import read_provenance
from holdfast.wire.usage import Usage

Price = Callable[[str, Usage, datetime], int | None]
"""Model, usage and moment -> pico-dollars, or `None` when no price is known."""
SIMILAR = "similar"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A question that may be answered from the cache, and where; `meaning` is there where it was looked for."""

    call: Call
    cache: OwnCache
    name: str
    bucket: str = ""
    meaning: Vector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheGuard:
    """Answers a call that has been answered before, at no cost; others wait for the one that goes.

    It stands behind the quotas, so that a hit counts as a request (its tokens are given back), and before the
    budgets, so that a hit neither needs nor holds money. A call that a guard has put a note to the model on is
    always sent, and so is one with the header `cache-control: no-cache`; their answers are not kept. Whatever a
    store fails with is a miss.

    Attributes:
        cache: that of the settings; a call may bring its own instead.
        fleet: the answers that all workers share, if they do.
        secret: makes names that nobody else can.
        rules: names what else shapes answers, so that those of other settings are not given again.
    """

    name: ClassVar[str] = "cache"
    cache: OwnCache | None
    fleet: AnswerStore | None
    secret: bytes = field(repr=False)
    price: Price
    clock: Clock
    rules: str = ""
    observe: Observer = unobserved
    _flights: Flights[Stored] = field(default_factory=lambda: Flights[Stored](), init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed | Answer:
        cache = call.own_ways.cache or self.cache
        asked = None if cache is None or not cache.config.enabled else self._asked(call, cache)
        if asked is None:
            return Proceed(call)
        # Of one cache alone: others may have other rules for what is kept.
        flight, leads = self._flights.join(f"{id(asked.cache.store):x} {asked.name}")
        if not leads:
            return await self._follow(asked, flight)
        try:
            asked, found = await self._found(asked)
        except BaseException:
            flight.end(None)
            raise
        if found is not None:
            flight.end(found[0])
            return self._answer(asked, *found)
        asked.cache.told(None)
        return self._send(asked, flight)

    def _asked(self, call: Call, cache: OwnCache) -> _Asked | None:
        """The question, under the name of its answer; `None` where none is kept."""
        document: dict[str, Any] = msgspec.json.decode(call.body, type=dict[str, Any])
        asker = _asker(call)
        config = cache.config
        if (
            call.notices
            or _wants_fresh(call)
            or is_personal(config, asker)
            or not may_be_asked(config, call.request, document)
        ):
            return None
        if not config.tainted and read_provenance(call.body).told:
            return None
        name = fingerprint(self.secret, config, asker, document, self.rules)
        return _Asked(call=call, cache=cache, name=name)

    async def _found(self, asked: _Asked) -> tuple[_Asked, tuple[Stored, str] | None]:
        """The answer that is there, and how it was found; else the question with its meaning."""
        cache = asked.cache
        stored = await self._find(cache, asked.name)
        if stored is not None:
            return asked, (stored, "exact")
        asked = await self._understood(asked)
        if cache.similar is None or asked.meaning is None:
            return asked, None
        name = cache.similar.nearest(asked.bucket, asked.meaning)
        stored = None if name is None else await cache.store.find(name)
        return asked, None if stored is None else (stored, SIMILAR)

    async def _find(self, cache: OwnCache, name: str) -> Stored | None:
        stored = await cache.store.find(name)
        if stored is not None or self.fleet is None or not cache.config.shared:
            return stored
        stored = await self.fleet.find(name)
        if stored is not None:
            await cache.store.keep(name, stored)
        return stored

    async def _understood(self, asked: _Asked) -> _Asked:
        """The question with its meaning, and the bucket of those that differ from it in nothing else."""
        similar = asked.cache.similar
        if similar is None:
            return asked
        document: Mapping[str, Any] = msgspec.json.decode(asked.call.body, type=dict[str, Any])
        said = question(document)
        if said is None:
            return asked
        text, rest = said
        bucket = fingerprint(
            self.secret, asked.cache.config, _asker(asked.call), rest, f"{SIMILAR} {self.rules}"
        )
        return replace(asked, bucket=bucket, meaning=await similar.meaning(text))

    async def _follow(self, asked: _Asked, flight: Flight[Stored]) -> Proceed | Answer:
        """Wait for the call that asks the same; without an answer of that one each goes by itself."""
        call = asked.call
        left = call.deadline - self.clock.monotonic()
        stored = await flight.wait(max(0.0, min(asked.cache.config.wait, left)))
        if stored is not None:
            return self._answer(asked, stored, "waited")
        asked.cache.told(None)
        return self._send(asked, None)

    def _send(self, asked: _Asked, flight: Flight[Stored] | None) -> Proceed:
        recordings: list[Recording] = []

        def through(sent: Call, response: Response) -> Response:
            if sent.body is not asked.call.body:
                return response  # a budget made it another question
            recording = Recording(response, asked.cache.config.max_answer)
            recordings.append(recording)
            return replace(response, body=recording)

        async def settle(outcome: Outcome) -> None:
            stored = None
            try:
                stored = self._kept(asked, outcome, recordings[-1]) if recordings else None
            finally:
                if flight is not None:
                    flight.end(stored)
            if stored is not None:
                await self._keep(asked, stored)

        return Proceed(asked.call, settle, through)

    def _kept(self, asked: _Asked, outcome: Outcome, recording: Recording) -> Stored | None:
        """The answer as it may be given again, if it may."""
        call = asked.call
        is_asked = outcome.asked_model in (None, call.request.model)
        if not is_asked or not may_be_kept(asked.cache.config, outcome.stop_reason):
            return None
        if outcome.stop_reason == CALLING and _is_judged(call):
            return None
        message = recording.message(outcome)
        if message is None:
            return None
        return Stored(message=message, at=self._now(), seconds=asked.cache.config.ttl)

    async def _keep(self, asked: _Asked, stored: Stored) -> None:
        cache = asked.cache
        await cache.store.keep(asked.name, stored)
        if cache.similar is not None and asked.meaning is not None:
            cache.similar.remember(asked.bucket, asked.meaning, asked.name)
        if self.fleet is not None and cache.config.shared:
            await self.fleet.keep(asked.name, stored)

    def _answer(self, asked: _Asked, stored: Stored, how: str) -> Answer:
        call, now = asked.call, self._now()
        response = replayed(call, stored, now=now)
        meter = response.meter
        saved = self.price(meter.model or call.request.model, meter.usage, call.arrived)
        reused = AnswerReused(
            request_id=call.request_id,
            model=call.request.model,
            how=how,
            age=round(stored.age(now), 3),
            saved=None if saved is None else plain(dollars(saved)),
        )
        asked.cache.told(reused)
        self.observe(reused)
        return Answer(response)

    def _now(self) -> float:
        return self.clock.now().timestamp()


def _wants_fresh(call: Call) -> bool:
    """Whether the caller asks for an answer that nobody was given before, in the words of HTTP."""
    said = (get(call.headers, "cache-control") or "").lower()
    return "no-cache" in said or "no-store" in said


def _is_judged(call: Call) -> bool:
    """Whether what a tool is called for depends on more than the answer: it has to be judged anew each time."""
    return call.own_tools is not None or bool(read_provenance(call.body).told)


def _asker(call: Call) -> Asker:
    who = call.principal
    return Asker(
        key=who.key,
        user=who.user,
        run=who.run,
        credential=credential(call.headers),
        query=call.query,
        headers=call.headers,
    )
