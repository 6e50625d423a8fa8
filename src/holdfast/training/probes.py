"""Harmless texts full of the words of attacks: to judge a detector by, never to learn from."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import msgspec

from holdfast.policy.detector.model import Model
from holdfast.policy.normalization import views


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    languages: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a detector makes of the texts of one file.

    Attributes:
        languages: in which they are.
        rates: the false-positive rate of each text.
    """

    languages: str
    rates: tuple[float, ...]

    def accepted(self, budget: float) -> float:
        """The share of the texts that are let through at a false-positive budget."""
        return sum(rate > budget for rate in self.rates) / len(self.rates)


def probed(model: Model) -> Iterator[Probed]:
    """What `model` makes of the texts that ship with holdfast, as users' texts."""
    files = resources.files("holdfast.training").joinpath("probes").iterdir()
    for _, text in sorted((file.name, file.read_text("utf-8")) for file in files):
        book = msgspec.convert(tomllib.loads(text), type=_File)
        rates = (model.examine(views(one), channel="user").rate for one in book.texts)
        yield Probed(languages=book.languages, rates=tuple(rates))
