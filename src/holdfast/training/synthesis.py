"""Examples of our own: attacks and harmless look-alikes by grammar, planted in documents and disguised."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from holdfast.training.disguise import DISGUISES, KOREAN_DISGUISES
from holdfast.training.examples import SOURCE, Channel, Example
from holdfast.training.grammar import Grammar

_Thing = TypeVar("_Thing")
_BREAKS = frozenset(".\n>。")
_DOCUMENT = 2_500
_GAPS = ("\n", "\n\n", " ", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How many texts of each sort are written in one language."""

    attacks: int = 180
    harmless: int = 90
    planted: int = 45
    notices: int = 6
    disguised: int = 0


AMOUNTS: Mapping[str, Amounts] = {
    "en": Amounts(attacks=1100, harmless=1200, planted=700, notices=400, disguised=220),
    "ko": Amounts(attacks=1100, harmless=700, planted=450, notices=120, disguised=330),
}


def written(
    grammars: Sequence[Grammar], examples: Sequence[Example], *, seed: int, share: float = 1.0
) -> Iterator[Example]:
    """Examples in every language of `grammars`, some planted in harmless texts of `examples`.

    What is planted stays with the fold of the text around it, so that no fold learns from a text it is
    judged by. `share` of the usual amounts is written.
    """
    dice = Random(seed)
    for grammar in grammars:
        amounts = AMOUNTS.get(grammar.language, Amounts())
        yield from _Writer(grammar, tuple(examples), dice, amounts, share).all()


@dataclass(frozen=True, slots=True)
class _Writer:
    grammar: Grammar
    examples: tuple[Example, ...]
    dice: Random
    amounts: Amounts
    share: float

    def all(self) -> Iterator[Example]:
        yield from self._plain("attack", "user", self._count(self.amounts.attacks))
        yield from self._plain("benign", "user", self._count(self.amounts.harmless))
        yield from self._plain("tool_benign", "tool", self._count(self.amounts.notices))
        yield from self._planted("tool_attack", "tool", self._count(self.amounts.planted), bare=0.25)
        yield from self._planted("tool_benign", "tool", self._count(self.amounts.notices), bare=0.0)
        yield from self._planted("attack", "user", self._count(self.amounts.attacks // 8), bare=0.0)
        yield from self._planted("benign", "user", self._count(self.amounts.harmless // 8), bare=0.0)
        yield from self._disguised(self._count(self.amounts.disguised))

    def _count(self, usual: int) -> int:
        return int(usual * self.share)

    def _example(self, text: str, *, attack: bool, channel: Channel, kind: str, fold: int = -1) -> Example:
        return Example(
            text=text,
            attack=attack,
            channel=channel,
            source=f"{SOURCE} {self.grammar.language}",
            language=self.grammar.language,
            kind=kind,
            fold=fold,
        )

    def _plain(self, name: str, channel: Channel, count: int) -> Iterator[Example]:
        for text in self.grammar.several(name, count, self.dice):
            yield self._example(text, attack="attack" in name, channel=channel, kind="written")

    def _planted(self, name: str, channel: Channel, count: int, *, bare: float) -> Iterator[Example]:
        around = self._around(channel)
        for text in self.grammar.several(name, count, self.dice):
            attack = "attack" in name
            if self.dice.random() < bare or not around:
                yield self._example(text, attack=attack, channel=channel, kind="written")
                continue
            host = pick(around, self.dice)
            whole = planted(text, host.text[:_DOCUMENT], self.dice)
            yield self._example(whole, attack=attack, channel=channel, kind="planted", fold=host.fold)

    def _around(self, channel: Channel) -> list[Example]:
        harmless = [one for one in self.examples if one.channel == channel and not one.attack]
        same = [one for one in harmless if one.language == self.grammar.language]
        return same if len(same) > 20 else harmless

    def _disguised(self, count: int) -> Iterator[Example]:
        disguises = KOREAN_DISGUISES if self.grammar.language == "ko" else DISGUISES
        names = sorted(disguises)
        around = self._around("user")
        for number in range(count if around else 0):
            hide = disguises[names[number % len(names)]]
            attack = hide(self.grammar.written("attack", self.dice), self.dice)
            yield self._example(attack, attack=True, channel="user", kind="disguised")
            for _ in range(2):
                host = pick(around, self.dice)
                text = hide(host.text[:300], self.dice)
                yield self._example(text, attack=False, channel="user", kind="disguised", fold=host.fold)


def planted(text: str, host: str, dice: Random) -> str:
    """`host` with `text` between two of its sentences."""
    places = [0, *(at + 1 for at, char in enumerate(host) if char in _BREAKS), len(host)]
    place, gap = pick(places, dice), pick(_GAPS, dice)
    return f"{host[:place]}{gap}{text}{gap}{host[place:]}".strip()


def pick(things: Sequence[_Thing], dice: Random) -> _Thing:
    """One of `things`."""
    return things[int(dice.random() * len(things))]
