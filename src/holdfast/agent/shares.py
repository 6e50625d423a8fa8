"""How much of each conversation's prompts the API has read from its own cache."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from holdfast.policy.breakpoints import hit_share
from holdfast.wire.meter import Meter

KEPT = 1_000
"""Conversations counted; the one unused longest goes first."""


class CacheShares:
    """Tokens read from the prompt cache, and of prompts altogether, by conversation; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def add(self, conversation: str, meters: Iterable[Meter]) -> float | None:
        """Count these answers, and say the share of their conversation so far; `None` before any was sent."""
        sent = [meter.usage for meter in meters if not meter.is_replayed]
        with self._lock:
            read, prompt = self._counts.pop(conversation, (0, 0))
            read += sum(usage.cache_read_input_tokens for usage in sent)
            prompt += sum(usage.prompt_tokens for usage in sent)
            self._counts[conversation] = (read, prompt)
            if len(self._counts) > KEPT:
                self._counts.popitem(last=False)
        return hit_share(read, prompt)
