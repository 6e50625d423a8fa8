"""Where answers are kept that may be given again, each verb with its failure contract."""

from collections.abc import Sequence
from typing import Protocol

from holdfast.policy.caching import Stored

Vector = Sequence[float]
"""The meaning of a text, as a model of meanings puts it into numbers."""


class AnswerStore(Protocol):
    """Answers by name; it may lose all of them at any time, and neither verb ever raises for that."""

    async def find(self, name: str) -> Stored | None:
        """The answer of that name, if it is there and not too old."""
        ...

    async def keep(self, name: str, answer: Stored) -> None:
        """Keep an answer, in the place of an older one of that name, as long as it may be given again."""
        ...


class Similar(Protocol):
    """Answers by the meaning of the question, within a bucket of requests that are the same but for that."""

    async def meaning(self, text: str) -> Vector | None:
        """What a text means; `None` where nobody says so in time."""
        ...

    def nearest(self, bucket: str, vector: Vector) -> str | None:
        """The name of the answer to the question that means the same, if there is one that is near enough."""
        ...

    def remember(self, bucket: str, vector: Vector, name: str) -> None:
        """A question of that meaning has been answered under that name."""
        ...
