"""Harder texts than those that were collected: the same in disguise, and long documents that hold them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from random import Random

from holdfast.policy.detector.calibration import length_of
from holdfast.policy.detector.model import Model
from holdfast.policy.normalization import views
from holdfast.training.disguise import DISGUISES, KOREAN_DISGUISES, Disguise
from holdfast.training.examples import SOURCE, Example
from holdfast.training.judging import Judged
from holdfast.training.synthesis import pick, planted

CLEAR = "as it is"
_EACH = 48
"""Texts of each label, in each disguise."""
_SHORTEST, _LONGEST = 30, 300
"""Characters of a text that is disguised."""
_DOCUMENTS = 400
"""Documents of each label in each language."""
_LOW, _HIGH = 2_000, 20_000
"""Characters of a document."""
_PLANTED = 600
_HOSTS = 40
"""Texts of a source from which documents are made."""
_BY_LANGUAGE: Mapping[str, Mapping[str, Disguise]] = {"en": DISGUISES, "ko": KOREAN_DISGUISES}


def disguised(examples: Sequence[Example], dice: Random, *, share: float = 1.0) -> Iterator[Example]:
    """Users' texts as they are and in every disguise, as many of each source; the kind names the disguise.

    `share` of the usual amount is tried.
    """
    for language, disguises in _BY_LANGUAGE.items():
        mine = [one for one in _of(examples, "user", language) if _SHORTEST <= len(one.text) <= _LONGEST]
        for attack in (True, False):
            kept = list(
                islice(_dealt([one for one in mine if one.attack is attack], dice), _count(_EACH, share))
            )
            yield from (replace(one, kind=CLEAR) for one in kept)
            for name, hide in disguises.items():
                yield from (replace(one, text=hide(one.text, dice), kind=name) for one in kept)


def documents(examples: Sequence[Example], dice: Random, *, share: float = 1.0) -> Iterator[Example]:
    """Long documents of harmless texts that tools returned, each of one source, half of them with an attack.

    Where a clean one comes from is new to the head that judges it; of the others only the attack is.
    `share` of the usual amount is made.
    """
    for language in _BY_LANGUAGE:
        mine = _of(examples, "tool", language)
        sources = [
            texts for texts in _by_source([one for one in mine if not one.attack]) if len(texts) >= _HOSTS
        ]
        if not sources:
            continue
        for number in range(_count(_DOCUMENTS, share)):
            yield _document(sources[number % len(sources)], dice)
        short = [one for one in mine if one.attack and len(one.text) <= _PLANTED]
        for attack in islice(_dealt(short, dice), _count(_DOCUMENTS, share)):
            host = _document(pick(sources, dice), dice)
            yield replace(attack, text=planted(attack.text, host.text, dice), kind=host.kind)


def _count(usual: int, share: float) -> int:
    return max(int(usual * share), 1)


def _document(texts: Sequence[Example], dice: Random) -> Example:
    wanted, parts = _LOW * (_HIGH / _LOW) ** dice.random(), [pick(texts, dice)]
    while sum(len(part.text) + 1 for part in parts) < wanted:
        parts.append(pick(texts, dice))
    text = "\n".join(part.text for part in parts)
    return replace(parts[0], text=text[:_HIGH], kind=length_of(text))


def _of(examples: Sequence[Example], channel: str, language: str) -> list[Example]:
    return [
        one
        for one in examples
        if one.channel == channel and one.language == language and not one.source.startswith(SOURCE)
    ]


def _by_source(examples: Sequence[Example]) -> list[list[Example]]:
    sources: dict[str, list[Example]] = defaultdict(list)
    for one in examples:
        sources[one.source].append(one)
    return [sources[name] for name in sorted(sources)]


def _dealt(examples: Sequence[Example], dice: Random) -> Iterator[Example]:
    """One text of each source in turn, for ever."""
    for texts in cycle(_by_source(examples)):
        yield pick(texts, dice)


def tried(examples: Iterable[Example], models: Mapping[int, Model]) -> Iterator[Judged]:
    """Each example as the detector judges it, with the model that was trained without its fold."""
    for one in examples:
        found = models[one.fold].examine(views(one.text), channel=one.channel, explained=0.0)
        yield Judged(example=one, score=found.score, rate=found.rate)
