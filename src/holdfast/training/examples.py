"""Labelled texts to learn from, as JSON lines: read, checked, and dealt into folds that share no source."""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence

Channel = Literal["user", "tool"]

SOURCE = "written"
"""How the sources of texts begin that we wrote ourselves."""

FOLDS = 6
LONGEST = 4_000
"""Characters of a text that are learned from."""

_LOOK_ALIKE = 2.0
"""Chosen on sources kept out: fewer false alarms among hard texts for next to no recall."""


class _Row(msgspec.Struct, frozen=True):
    text: str
    label: Literal[0, 1]
    channel: Channel
    source: str
    lang: str = "en"
    kind: str = ""
    tier: str = ""


class _Amended(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled text.

    Attributes:
        text: what it says.
        attack: whether it is one.
        channel: who said it.
        source: where it was collected; `written` for our own.
        language: two letters.
        kind: what sort of text it is.
        fold: in which fold it is kept out; -1 for none.
    """

    text: str
    attack: bool
    channel: Channel
    source: str
    language: str
    kind: str
    fold: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """All examples of some files.

    Attributes:
        examples: in the order of the files.
        digests: SHA-256 of each file, by its name.
    """

    examples: tuple[Example, ...]
    digests: Mapping[str, str]


def read_data(folder: Path) -> Data:
    """The examples of every `*.jsonl` file in a folder; rows of tier `context`, and amended ones, are left out.

    Raises:
        ConfigError: there is no such file, or a line is no example.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise ConfigError(
            Sentence(
                f"There is nothing to train on in {folder}: put files *.jsonl there, one example a line.",
                ko=f"{folder}에 학습할 자료가 없습니다. 한 줄에 예시 하나씩 담은 *.jsonl 파일을 넣어 주세요.",
            )
        )
    rows = [row for file in files for row in _rows(file)]
    folds = _dealt(rows)
    amended = amendments()
    examples = tuple(
        Example(
            text=row.text[:LONGEST],
            attack=row.label == 1,
            channel=row.channel,
            source=row.source,
            language=row.lang,
            kind=row.kind,
            fold=folds[family(row.source)],
        )
        for row in rows
        if row.tier != "context" and row.text.strip() and named(row.text) not in amended
    )
    return Data(
        examples=examples, digests={file.name: sha256(file.read_bytes()).hexdigest() for file in files}
    )


@cache
def amendments() -> Mapping[str, str]:
    """Rows of public data that are labelled against our own measure, by their names, and why each is left out."""
    text = resources.files("holdfast.training").joinpath("amended.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), type=_Amended).left_out


def named(text: str) -> str:
    """The name of a row: the beginning of the SHA-256 of its text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _rows(file: Path) -> Iterator[_Row]:
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line, type=_Row)
        except msgspec.MsgspecError as error:
            raise ConfigError(
                Sentence(
                    f"{file.name}, line {number} is no example ({error}): it needs text, label, channel and source.",
                    ko=f"{file.name} {number}번째 줄은 예시가 아닙니다({error}). text, label, channel, source가 필요합니다.",
                )
            ) from error


def family(source: str) -> str:
    """What sources from one hand have in common: the word before a slash or a blank."""
    return source.replace(" ", "/").split("/")[0]


def _dealt(rows: Sequence[_Row]) -> dict[str, int]:
    """A fold for each family of sources: those with most attacks first, each to the fold that has fewest.

    A family without attacks goes where its language is rarest, so that keeping a source out keeps no
    language out.
    """
    attacks = Counter(family(row.source) for row in rows if row.label)
    sizes = Counter(family(row.source) for row in rows)
    languages = {name: spoken.most_common(1)[0][0] for name, spoken in _spoken(rows).items()}
    full, rows_of, heard = Counter[int](), Counter[int](), Counter[tuple[int, str]]()
    folds: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: (-attacks[name], -sizes[name], name)):
        language = languages[name]
        least = min(
            range(FOLDS),
            key=lambda fold: (full[fold] if attacks[name] else heard[fold, language], rows_of[fold], fold),
        )
        folds[name] = least
        full[least] += attacks[name]
        rows_of[least] += sizes[name]
        heard[least, language] += sizes[name]
    return folds


def _spoken(rows: Iterable[_Row]) -> dict[str, Counter[str]]:
    """How often each language is in each family of sources."""
    spoken: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        spoken[family(row.source)][row.lang] += 1
    return spoken


def importances(examples: Iterable[Example]) -> list[float]:
    """How much each example counts: a source by the root of its size, and both labels the same.

    Harmless texts of our own count more: they are there to look like attacks.
    """
    kept = list(examples)
    sizes = Counter((example.source, example.attack) for example in kept)
    raw = [sizes[example.source, example.attack] ** -0.5 * _worth(example) for example in kept]
    totals = {True: 0.0, False: 0.0}
    for example, share in zip(kept, raw, strict=True):
        totals[example.attack] += share
    return [share / totals[example.attack] for example, share in zip(kept, raw, strict=True)]


def _worth(example: Example) -> float:
    return 1.0 if example.attack or not example.source.startswith(SOURCE) else _LOOK_ALIKE
