"""Turns of conversations, each with an id to go on from."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

Message = Mapping[str, str]

CONVERSATIONS = 1_000
"""Conversations kept; the one unused longest goes first."""

MESSAGES = 200
"""Messages kept of one conversation; the oldest pair of question and answer goes first."""


CHARACTERS = 50_000_000
"""Characters kept of all conversations together; again the one unused longest goes first."""


class Conversations:
    """A bounded memory of conversations in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: OrderedDict[str, tuple[Message, ...]] = OrderedDict()
        self._characters = 0

    def history(self, conversation: str) -> Sequence[Message]:
        """What was said so far; nothing for an id not seen before."""
        with self._lock:
            return self._turns.get(conversation, ())

    def add(self, conversation: str, question: str, answer: str) -> None:
        """Add one exchange at the end; concurrent exchanges line up one after the other."""
        pair = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
        with self._lock:
            before = self._turns.pop(conversation, ())
            after = (*before, *pair)[-MESSAGES:]
            self._turns[conversation] = after
            self._characters += _length(after) - _length(before)
            while len(self._turns) > 1 and self._is_full():
                _, dropped = self._turns.popitem(last=False)
                self._characters -= _length(dropped)

    def _is_full(self) -> bool:
        return len(self._turns) > CONVERSATIONS or self._characters > CHARACTERS


def _length(turns: Sequence[Message]) -> int:
    return sum(len(turn["content"]) for turn in turns)
