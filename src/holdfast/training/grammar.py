"""Examples written by rule: what the training data lacks, in fifteen languages, free of anyone's rights."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

import msgspec

_NAMED = re.compile(r"(?<!\{)\{([a-z_A-Z0-9]+)\}")
_DEPTH = 12


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    language: str
    lists: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """Ways to say things in one language.

    Attributes:
        language: which.
        lists: by name what may stand there; `{name}` in an entry stands for an entry of another list.
    """

    language: str
    lists: Mapping[str, tuple[str, ...]]

    def written(self, name: str, dice: Random) -> str:
        """One entry of a list with every name in it replaced."""
        text = f"{{{name}}}"
        for _ in range(_DEPTH):
            replaced = _NAMED.sub(lambda match: _pick(self.lists[match[1]], dice), text)
            if replaced == text:
                break
            text = replaced
        return " ".join(text.replace("{{", "{").replace("}}", "}").split(" ")).replace("  ", " ").strip()

    def several(self, name: str, count: int, dice: Random) -> Iterator[str]:
        """Up to `count` different texts."""
        seen: set[str] = set()
        for _ in range(3 * count):
            if len(seen) == count:
                return
            text = self.written(name, dice)
            if text not in seen:
                seen.add(text)
                yield text


def parse_grammar(toml: str) -> Grammar:
    """The grammar of one file."""
    book = msgspec.convert(tomllib.loads(toml), type=_File)
    return Grammar(language=book.language, lists=book.lists)


def _pick(entries: tuple[str, ...], dice: Random) -> str:
    return entries[int(dice.random() * len(entries))]
