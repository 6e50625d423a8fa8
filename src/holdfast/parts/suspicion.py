"""How much texts of tools read like attacks, remembered for a while, since clients send them with every turn."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b

from holdfast.parts.validator import InputValidator
from holdfast.policy.screening import Action, ScreenConfig, judge

MOST_KEPT = 8_192
"""Verdicts that are remembered, the newest; a megabyte of memory."""


@dataclass(slots=True)
class Suspicion:
    """Says how much a text reads like an attack, always the same of the same text. For any thread.

    What it keeps of a text is a digest. It suspects nothing where the settings do not screen what tools say.
    """

    config: ScreenConfig
    validator: InputValidator = field(default_factory=InputValidator)
    _known: OrderedDict[bytes, Action] = field(
        default_factory=OrderedDict[bytes, Action], init=False, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def is_suspicious(self, text: str) -> bool:
        """Whether the screen finds more in it than it lets pass without a word: enough to put up a fence."""
        return self._verdict(text) != "allow"

    def is_attack(self, text: str) -> bool:
        """Whether the screen is so sure that it would refuse it: enough to do nothing more without asking."""
        return self._verdict(text) == "block"

    def knows(self, text: str) -> bool:
        """Whether it can be said at once."""
        with self._lock:
            return _digest(text) in self._known

    def _verdict(self, text: str) -> Action:
        if not self.config.enabled or "tool" not in self.config.channels:
            return "allow"
        digest = _digest(text)
        known = self._recalled(digest)
        if known is None:
            score = self.validator.scan(text, channel="tool").verdict.score
            known = judge((), self.config, detected=score).action
            self._keep(digest, known)
        return known

    def _recalled(self, digest: bytes) -> Action | None:
        with self._lock:
            known = self._known.get(digest)
            if known is not None:
                self._known.move_to_end(digest)
            return known

    def _keep(self, digest: bytes, verdict: Action) -> None:
        with self._lock:
            self._known[digest] = verdict
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
