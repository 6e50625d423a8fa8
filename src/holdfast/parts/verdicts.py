"""What was found in texts, remembered by keyed digests, so that a text that comes again is not read again."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_bytes
from typing import Generic, TypeVar

V = TypeVar("V")

MOST_KEPT = 8_192
"""Texts whose verdicts are remembered, the newest: some megabytes of memory."""


@dataclass(slots=True)
class Verdicts(Generic[V]):
    """Verdicts by digest; the key is drawn with the memory and never leaves it. For any thread.

    No text can be read from a digest, nor guessed by whoever sees one. A verdict that is a pure function of the
    text may be shared by everybody: what another caller could learn is that this very text, which he has to
    have, was read before, from a few milliseconds. A verdict that takes seconds or costs money is to have the
    caller in its digest.
    """

    most: int = MOST_KEPT
    _key: bytes = field(default_factory=lambda: token_bytes(32), init=False, repr=False)
    _kept: OrderedDict[bytes, V] = field(default_factory=OrderedDict[bytes, V], init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def digest(self, *said: str) -> bytes:
        """Names a text together with all that its verdict depends on."""
        made = blake2b(digest_size=16, key=self._key)
        for part in said:
            data = part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "big"))
            made.update(data)
        return made.digest()

    def holds(self, digest: bytes) -> bool:
        """Whether it would be recalled; asking does not make it any newer."""
        with self._lock:
            return digest in self._kept

    def recall(self, digest: bytes) -> V | None:
        """What was kept; the next to be forgotten is always the one that was not asked for the longest."""
        with self._lock:
            if digest not in self._kept:
                return None
            self._kept.move_to_end(digest)
            return self._kept[digest]

    def keep(self, digest: bytes, verdict: V) -> None:
        """Remember it for as long as there is room."""
        with self._lock:
            self._kept[digest] = verdict
            self._kept.move_to_end(digest)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)
