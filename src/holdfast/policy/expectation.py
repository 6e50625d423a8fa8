"""How long the answers of a model are as a rule: what a budget holds that does not insist on the worst case."""

from collections import OrderedDict, deque

REMEMBERED = 200
"""Answers per model that an expectation rests on."""
ENOUGH = 20
"""Answers before there is any expectation."""
MODELS = 256
"""Models remembered at once."""


class Expectation:
    """The 95th percentile of the newest answers' output tokens, by model; its owner serialises the calls."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, deque[int]] = OrderedDict()

    def learn(self, model: str, output_tokens: int) -> None:
        """Take note of one answer that came to its end."""
        seen = self._seen.setdefault(model, deque(maxlen=REMEMBERED))
        self._seen.move_to_end(model)
        if len(self._seen) > MODELS:
            self._seen.popitem(last=False)
        seen.append(output_tokens)

    def output_tokens(self, model: str) -> int | None:
        """What 95 of 100 answers stay within; `None` while too few have been seen."""
        seen = self._seen.get(model)
        if seen is None or len(seen) < ENOUGH:
            return None
        return sorted(seen)[-(-len(seen) * 95 // 100) - 1]
