"""Conversations as the cache of prompts knows them: a bounded memory of digests, none of which can be read."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from holdfast.policy.cache_bust import Remembered, Sent, is_next, remembered
from holdfast.wire.prefix import Prefix

ROOM = 8 * 1024 * 1024
"""Bytes of digests of all conversations together; the ones that nobody has gone on with for the longest make room."""
OVERHEAD = 256
"""Bytes that a conversation takes besides, about."""
SIDE_BY_SIDE = 8
"""Conversations of one caller that are told apart: an agent asks side questions, too."""

Caller = tuple[str, str | None, str | None, str | None]
"""Key, user, run and agent."""


@dataclass(slots=True)
class Conversations:
    """The newest request of every conversation, for any thread; `key` is secret and of this process."""

    key: bytes = field(repr=False)
    room: int = ROOM
    _known: "OrderedDict[Caller, list[Remembered]]" = field(
        default_factory=OrderedDict[Caller, list[Remembered]], init=False, repr=False
    )
    _taken: int = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def follow(self, caller: Caller, sent: Sent) -> tuple[Remembered | None, Remembered]:
        """The conversation that a request goes on with, if it does, and as it is kept from now on."""
        with self._lock:
            line = self._known.pop(caller, [])
            before = next((one for one in reversed(line) if is_next(one, sent.prefix)), None)
            after = remembered(before, sent, self._name(caller, sent.prefix))
            kept = [*(one for one in line if one is not before), after][-SIDE_BY_SIDE:]
            self._taken += _size(kept) - _size(line)
            self._known[caller] = kept
            self._make_room()
        return before, after

    @property
    def taken(self) -> int:
        """Bytes that are taken, about."""
        return self._taken

    def _make_room(self) -> None:
        while self._taken > self.room and self._known:
            _, oldest = self._known.popitem(last=False)
            self._taken -= _size(oldest)

    def _name(self, caller: Caller, prefix: Prefix) -> str:
        text = "\0".join(f"{part}" for part in caller).encode(errors="surrogatepass")
        return blake2b(text + prefix.digests, digest_size=6, key=self.key).hexdigest()


def _size(line: list[Remembered]) -> int:
    return sum(len(one.digests) + OVERHEAD for one in line)
