"""Answers of a fleet in Redis: named by what only its workers can reckon, and signed, but readable there."""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

import msgspec

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import StoreUnavailable
from holdfast.policy.caching import Stored
from holdfast.stores.quota_redis import PREFIX
from holdfast.stores.redis_link import RedisLink, script

FIND, KEEP = script("answer_find"), script("answer_keep")
LARGEST = 256 * 1024
"""Bytes of one answer: a longer one would hold up the rates that are asked for on the same connections."""
SIGNED = 64
"""Characters of a signature."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Stored).decode


class RedisAnswers:
    """Verbs as `holdfast.ports.AnswerStore`; a Redis that is away, slow or empty has no answers.

    Whoever can read that Redis can read the answers, until their time is over; whoever can write to it cannot put
    words into a model's mouth: what is not signed with the `secret` of the fleet, for this very name, is none.
    """

    def __init__(
        self, link: RedisLink, *, secret: bytes, prefix: str = PREFIX, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._link = link
        self._secret = secret
        self._prefix = f"{prefix}answer:"
        self._clock = clock

    async def find(self, name: str) -> Stored | None:
        try:
            found = cast("Sequence[bytes]", await self._link.run(FIND, [self._prefix + name], []))
        except StoreUnavailable:
            return None
        stored = self._read(name, found[0]) if found else None
        return stored if stored is not None and stored.is_fresh(self._now()) else None

    async def keep(self, name: str, answer: Stored) -> None:
        left = round((answer.seconds - answer.age(self._now())) * 1_000)
        value = _encode(answer).decode()
        if left < 1 or len(value) > LARGEST:
            return
        # What is not kept is asked for again.
        with suppress(StoreUnavailable):
            signed = self._signature(name, value.encode()) + value
            await self._link.run(KEEP, [self._prefix + name], [signed, left])

    def _read(self, name: str, value: bytes) -> Stored | None:
        signature, answer = value[:SIGNED], value[SIGNED:]
        if not hmac.compare_digest(signature, self._signature(name, answer).encode()):
            return None
        try:
            return _decode(answer)
        except msgspec.MsgspecError:  # of a worker of another version
            return None

    def _signature(self, name: str, answer: bytes) -> str:
        return hmac.digest(self._secret, name.encode() + b"\0" + answer, "sha256").hex()

    def _now(self) -> float:
        return self._clock.now().timestamp()
