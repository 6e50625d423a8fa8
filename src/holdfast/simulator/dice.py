"""Everything that looks like chance, drawn from the seed and the request alone."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from random import Random

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def dice(*parts: object) -> Random:
    """A generator that rolls the same numbers whenever it is given the same parts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return Random(digest.digest())


def chance(*parts: object) -> float:
    """A number from 0 up to 1, the same one whenever it is given the same parts."""
    return dice(*parts).random()


def identifier(prefix: str, roll: Random) -> str:
    """An id in the manner of the API: a prefix, `_01` and 22 letters."""
    return f"{prefix}_01{''.join(roll.choices(_ALPHABET, k=22))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolls:
    """The dice of one request.

    `words` decide what is said and depend on the request alone; `roll` decides ids and timing and also depends on
    how often the same key has sent the same request before. `luck` is what the dice are made of that decide about
    faults: they are others, so that a fault added to the script moves no id and no pause.
    """

    words: Random
    roll: Random
    luck: tuple[object, ...]

    def draw(self, question: object) -> float:
        """A number from 0 up to 1 that answers a question about this request."""
        return chance(*self.luck, question)


class Sequences:
    """How often each request was sent, of the newest `keep` different ones."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def next(self, identity: bytes) -> int:
        """1 for the first time, then 2, and so on."""
        count = self._counts.pop(identity, 0) + 1
        self._counts[identity] = count
        if len(self._counts) > self._keep:
            self._counts.popitem(last=False)
        return count

    def clear(self) -> None:
        """Start anew."""
        self._counts.clear()
