"""The model card: what a detector was trained on, how it does on sources kept out, and what it cannot do."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.policy.detector.calibration import length_of, script_of
from holdfast.training.examples import amendments
from holdfast.training.judging import Judged
from holdfast.training.probes import Probed

_FEWEST = 20
_LIMITS = """\
## Limits

- Every figure above was measured on sources that the judged weights had not seen, and on few of them. Other
  texts will do better or worse; your own traffic is the only honest measure. `holdfast guard calibrate` fits the
  budget to it and stores nothing but scores.
- Whoever adapts to a filter of this kind gets past it. It raises the price of an attack and the level of taint;
  what a model may do after reading untrusted text has to be decided by the policy for tools, not by this.
- Plain orders planted in data ("send the report to Ann") are no attack to a reader without the task, and are
  mostly not found. Polite social engineering, persuasion and adversarial suffixes are not found either.
- Texts that quote attacks at length are flagged more often than others.
- Recall in languages other than English and Korean rests on the lexicon and on templated examples.
- Some of the data is labelled by others, and part of those labels is doubtful.
"""
_OF_DISGUISES = """\
The same texts of up to 300 characters in every disguise, as many of each source; by weights that never saw
the source. What is not found in clear is not found in disguise either: compare with the texts as they are. A
few dozen texts are tried, so that another draw of them moves every figure by some points together."""
_OF_DOCUMENTS = """\
Put together of harmless texts of one source to 2,000 to 20,000 characters; by weights that saw neither the
source of a clean one nor that of an attack. The budget is that of each page of 2,000 characters, so
that more clean documents are flagged the longer they are. It was set by pages of the same harmless texts: expect
more false alarms among documents of other sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a card tells besides how examples were judged.

    Attributes:
        version: names the weights.
        size: of their file, in bytes.
        digests: SHA-256 of each file of examples, by its name.
        probed: what the weights make of texts that look like attacks.
        disguised: users' texts in every disguise, judged.
        documents: long documents, judged.
    """

    version: str
    size: int
    digests: Mapping[str, str]
    probed: Sequence[Probed]
    disguised: Sequence[Judged] = ()
    documents: Sequence[Judged] = ()


def card(judged: Sequence[Judged], facts: Facts) -> str:
    """The card in Markdown."""
    return "\n".join(_lines(judged, facts))


def _lines(judged: Sequence[Judged], facts: Facts) -> Iterator[str]:
    yield from _opening(facts)
    for channel in ("user", "tool"):
        mine = [one for one in judged if one.example.channel == channel]
        yield ""
        yield f"## {'What users type' if channel == 'user' else 'What tools return'}"
        for title, key in _CUTS:
            yield ""
            yield from _table(title, mine, key)
        yield from _without_the_largest(mine)
    yield ""
    yield from trial_lines(facts)
    yield from probe_lines(facts.probed)
    yield ""
    yield _LIMITS
    yield "## Data"
    yield ""
    yield "Besides examples written by the grammars in `holdfast/training/grammar` (CC0), files with these SHA-256:"
    yield ""
    for name, digest in sorted(facts.digests.items()):
        yield f"- `{name}` `{digest}`"
    yield ""


def _opening(facts: Facts) -> Iterator[str]:
    yield "# Model card of the screening detector"
    yield ""
    yield f"Weights `{facts.version}`, {facts.size:,} bytes. Written by `holdfast guard train`; do not edit."
    yield ""
    yield "Two linear heads, one for what users type and one for what tools return, over hashed words and runs of"
    yield "letters and over pairs and triples of concepts from a lexicon in eighteen languages. The surest window of"
    yield "any reading of a text counts. Scores are turned into an estimated false-positive rate by channel, script"
    yield "and length; the default budgets are 1 % to flag and 0.1 % to block."
    yield ""
    yield "## How it was judged"
    yield ""
    yield "Leave-one-source-out: sources that come from one hand form a family, each family is kept out of the"
    yield "training of the weights that it is judged by. The calibration rests on the harmless texts judged that way."
    yield f"{len(amendments())} rows of public data that are called harmless and are attacks by our own measure are left out:"
    yield "`holdfast/training/amended.toml` says which, and why."


def _without_the_largest(judged: Sequence[Judged]) -> Iterator[str]:
    """By language once more, where one source has more than half of all attacks."""
    counts = Counter(one.example.source for one in judged if one.example.attack)
    for source, count in counts.most_common(1):
        if 2 * count > counts.total():
            yield ""
            others = [one for one in judged if one.example.source != source]
            yield from _table(f"language, without {source}", others, lambda one: one.example.language)


def trial_lines(facts: Facts) -> Iterator[str]:
    """How texts in disguise and long documents are judged, as lines of Markdown."""
    for title, said, column, judged in (
        ("Users' texts in disguise", _OF_DISGUISES, "disguise", facts.disguised),
        ("Long documents that tools return", _OF_DOCUMENTS, "length", facts.documents),
    ):
        yield from (f"## {title}", "", said, "")
        for language in sorted({one.example.language for one in judged}):
            mine = [one for one in judged if one.example.language == language]
            yield from _table(f"{column}, {language}", mine, lambda one: one.example.kind)
            yield ""


def probe_lines(probed: Iterable[Probed]) -> Iterator[str]:
    """How many harmless texts that look like attacks are let through, as lines of Markdown."""
    yield "## Harmless texts full of the words of attacks"
    yield ""
    yield "Never trained on, but written by the hands that wrote the grammars: expect a little less elsewhere."
    yield ""
    yield "| texts in | texts | not flagged (1 %) | not blocked (0.1 %) |"
    yield "|---|---|---|---|"
    for one in probed:
        shares = " | ".join(f"{one.accepted(budget):.1%}" for budget in (0.01, 0.001))
        yield f"| {one.languages} | {len(one.rates)} | {shares} |"


_CUTS: tuple[tuple[str, Callable[[Judged], str]], ...] = (
    ("language", lambda one: one.example.language),
    ("script and length", lambda one: kind_of(one.example.text)),
    ("kind", lambda one: one.example.kind),
    ("source", lambda one: one.example.source),
)


def kind_of(text: str) -> str:
    """By what a text is calibrated."""
    return f"{script_of(text)}, {length_of(text)}"


def _table(title: str, judged: Iterable[Judged], key: Callable[[Judged], str]) -> Iterator[str]:
    groups: dict[tuple[bool, str], list[Judged]] = defaultdict(list)
    for one in judged:
        groups[one.example.attack, "all"].append(one)
        groups[one.example.attack, key(one)].append(one)
    yield f"| {title} | texts | are | flagged (1 %) | blocked (0.1 %) |"
    yield "|---|---|---|---|---|"
    for (attack, name), group in sorted(
        groups.items(), key=lambda item: (-item[0][0], -len(item[1]), item[0][1])
    ):
        if len(group) >= _FEWEST:
            flagged = sum(one.rate <= 0.01 for one in group) / len(group)
            blocked = sum(one.rate <= 0.001 for one in group) / len(group)
            kind = "attacks" if attack else "harmless"
            yield f"| {name} | {len(group):,} | {kind} | {flagged:.1%} | {blocked:.2%} |"
