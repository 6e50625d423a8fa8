"""The file of a batch: read line by line, as often as it is needed, and never whole."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.batches.item import LONGEST, Defaults, Item, Unreadable, read_line
from holdfast.errors import ConfigError
from holdfast.language import Sentence

SHOWN = 5
"""Ids that are named when several stand there twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a file holds: its hash, and how many lines that can and cannot be asked."""

    digest: str
    items: int
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The lines of one file."""

    path: Path
    defaults: Defaults

    def survey(self) -> Survey:
        """Read it all once. Raises `ConfigError` for a file that cannot be read, and for ids that are there twice."""
        seen: dict[bytes, int] = {}
        twice: list[str] = []
        unreadable: list[Unreadable] = []
        for one in self.lines():
            if isinstance(one, Unreadable):
                unreadable.append(one)
            if one.id is None:
                continue
            # A digest, so that the ids of a million lines fit into memory however long they are.
            key = hashlib.blake2b(msgspec.json.encode(one.id), digest_size=12).digest()
            first = seen.setdefault(key, one.line)
            if first != one.line:
                twice.append(f"{one.id!r} ({first}, {one.line})")
        if twice:
            raise _twice(self.path, twice)
        items = len(seen) - sum(one.id is not None for one in unreadable)
        return Survey(digest=self._digest(), items=items, unreadable=tuple(unreadable))

    def lines(self) -> Iterator[Item | Unreadable]:
        """Every line that is not empty. Raises `ConfigError` for a file that cannot be read."""
        number = line = 0
        try:
            with self.path.open("rb") as file:
                while raw := file.readline(LONGEST + 2):
                    line += 1
                    rest = raw
                    while len(raw) > LONGEST and rest and not rest.endswith(b"\n"):
                        rest = file.readline(LONGEST)
                    if raw.strip():
                        yield read_line(number, line, raw.strip(b"\r\n"), self.defaults)
                        number += 1
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _digest(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _twice(path: Path, found: list[str]) -> ConfigError:
    more = "" if len(found) <= SHOWN else ", ..."
    shown = ", ".join(found[:SHOWN]) + more
    return ConfigError(
        Sentence(
            f"{path.name}: ids must be unique, and these are there twice (lines): {shown}. Nothing was asked.",
            ko=f"{path.name}: id가 겹칩니다(줄 번호): {shown}. id는 서로 달라야 하며, 아무것도 요청하지 않았습니다.",
        )
    )


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{path.name} cannot be read: {error.strerror}. Check its name and its permissions.",
            ko=f"{path.name}을(를) 읽을 수 없습니다: {error.strerror}. 파일 이름과 권한을 확인하세요.",
        )
    )
