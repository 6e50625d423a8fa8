"""Questions that mean the same as one before, found by what a model of meanings says of them."""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Protocol

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.caching import cosine
from holdfast.ports.answers import Vector

PATIENCE = 2.0
"""Seconds that somebody has for saying what a text means; then the question counts as a new one."""
IN_BUCKET = 200
"""Questions remembered of requests that are the same but for the question: each look-up reads all of them."""


class Embedder(Protocol):
    """A model of meanings: whatever it is, it is yours, and nothing is sent to anybody else."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """A vector for each text, all of one length."""
        ...


class SimilarAnswers:
    """Names of answers by meaning and bucket, bounded; verbs as `holdfast.ports.Similar`, safe from any thread.

    Whatever the embedder fails with, the question counts as a new one. Raises `ConfigError` for a threshold
    that is none.
    """

    def __init__(self, embedder: Embedder, threshold: float, *, most: int) -> None:
        if not 0 < threshold <= 1:
            raise ConfigError(_threshold(threshold))
        self._embedder = embedder
        self._threshold = threshold
        self._most = most
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, deque[tuple[Vector, str]]] = OrderedDict()

    async def meaning(self, text: str) -> Vector | None:
        asking = asyncio.ensure_future(self._embedder.embed([text]))
        try:
            await asyncio.wait({asking}, timeout=PATIENCE)
        finally:
            if not asking.done():
                asking.cancel()
                asking.add_done_callback(_heed)
        if not asking.done() or asking.cancelled() or asking.exception() is not None:
            return None
        vectors = asking.result()
        return tuple(vectors[0]) if len(vectors) == 1 else None

    def nearest(self, bucket: str, vector: Vector) -> str | None:
        with self._lock:
            known = tuple(self._buckets.get(bucket, ()))
        likely = [(cosine(vector, other), name) for other, name in known if len(other) == len(vector)]
        best, name = max(likely, default=(0.0, ""))
        return name if best >= self._threshold else None

    def remember(self, bucket: str, vector: Vector, name: str) -> None:
        with self._lock:
            known = self._buckets.setdefault(bucket, deque(maxlen=IN_BUCKET))
            known.append((vector, name))
            self._buckets.move_to_end(bucket)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)


def _heed(asking: "asyncio.Future[Sequence[Vector]]") -> None:
    """Nobody waits any more for how it ended."""
    if not asking.cancelled():
        asking.exception()


def _threshold(value: float) -> Sentence:
    return Sentence(
        f"threshold: {value:g} must be more than 0 and at most 1; 0.95 is a careful choice",
        ko=f"threshold: {value:g}은(는) 0보다 크고 1 이하여야 합니다. 0.95가 신중한 값입니다",
    )
