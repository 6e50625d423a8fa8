"""News of a fleet in Redis: one script, a hash of the latest word on every circuit and gate, one counter."""

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from typing import cast, get_args

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.gossip import Kind, News
from holdfast.stores.quota_redis import PREFIX
from holdfast.stores.redis_link import RedisLink, script

EXCHANGE = script("gossip")
KEPT = 512
"""News kept at once, the oldest are forgotten first; as many are told at a time."""
KEEP = 3_600.0
"""Seconds for which a worker that starts later still hears of something that has no end by itself."""
GO_KEEP = 60.0
"""Seconds for which peers can hear that calls may go again; whoever comes later asks by himself."""
SECOND = 1_000_000
SUBJECT_MAX = 600
"""Bytes; nobody needs to hear of a model with a longer name."""
KINDS = get_args(Kind)


class RedisGossip:
    """The latest word on every circuit and gate; verbs as `holdfast.gossip.Gossip`.

    News are numbered by the clock of Redis, so that one which lost everything, and begins anew, is heard again.
    """

    def __init__(self, link: RedisLink, *, prefix: str = PREFIX, clock: Clock = SYSTEM_CLOCK) -> None:
        self._link = link
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._keys = [f"{prefix}{{gossip}}:{name}" for name in ("news", "latest")]
        self._since = 0

    async def exchange(self, news: Sequence[News]) -> Sequence[News]:
        # The process is part of the name, for one that forked is a worker of its own.
        worker = f"{self._name}:{os.getpid()}"
        args: list[str | int] = [worker, self._since, KEPT, round(KEEP * 1_000)]
        now = self._clock.monotonic()
        for told in news[:KEPT]:
            args += _told(told, now)
        answer = await self._link.run(EXCHANGE, self._keys, args)
        self._since = answer[0]
        return list(_heard(answer[1:], self._clock.monotonic()))


def _told(news: News, now: float) -> list[str | int]:
    """One item of news as the script takes it; what is too long to be of use to anybody is nothing."""
    subject = json.dumps([news.kind, *news.place], separators=(",", ":"))
    if len(subject) > SUBJECT_MAX:
        return []
    rest = GO_KEEP if news.word == "go" else None if news.until is None else max(0.0, news.until - now)
    return [
        subject,
        news.word,
        round(max(0.0, now - news.at) * SECOND),
        -1 if rest is None else round(rest * SECOND),
        news.openings,
    ]


def _heard(values: Sequence[object], now: float) -> Iterator[News]:
    for start in range(0, len(values), 5):
        subject, word, age, rest, openings = cast(
            "tuple[bytes, bytes, int, int, int]", tuple(values[start : start + 5])
        )
        if (about := _subject(subject)) is None or word not in (b"stop", b"go"):
            continue
        yield News(
            kind=about[0],
            place=about[1],
            word="stop" if word == b"stop" else "go",
            at=now - age / SECOND,
            until=None if rest < 0 else now + rest / SECOND,
            openings=openings,
        )


def _subject(text: bytes) -> tuple[Kind, tuple[str, ...]] | None:
    """What news are about; `None` for what a worker of another version may have meant by it."""
    try:
        parts: object = json.loads(text)
    except ValueError:
        return None
    words = cast("list[object]", parts) if isinstance(parts, list) else []
    if len(words) < 2 or not all(isinstance(word, str) for word in words) or words[0] not in KINDS:
        return None
    return cast("Kind", words[0]), tuple(cast("list[str]", words[1:]))
