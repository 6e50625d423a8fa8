"""Code in pieces that one question can hold: whole files where they fit, together where they are small."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.teams.sources import Source

OVERLAP = 5
"""Lines that a piece of a file repeats of the piece before."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one reviewer is shown at once."""

    sources: tuple[Source, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The files in it."""
        return tuple(source.path for source in self.sources)


def tokens_in(text: str) -> int:
    """At most about so many tokens: code has three or four letters in each, Korean one syllable."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 3)


def size_of(source: Source) -> int:
    """Tokens of a whole source."""
    return sum(tokens_in(line) + 1 for line in source.lines.values())


def chunked(sources: Iterable[Source], *, tokens: int) -> tuple[Chunk, ...]:
    """Chunks of at most so many tokens, in the order of the sources; only a longer line alone makes a longer one."""
    chunks: list[list[Source]] = []
    room = 0
    for source in sources:
        for piece in _pieces(source, tokens):
            size = size_of(piece)
            if not chunks or size > room:
                chunks.append([])
                room = tokens
            chunks[-1].append(piece)
            room -= size
    return tuple(Chunk(tuple(chunk)) for chunk in chunks)


def _pieces(source: Source, tokens: int) -> Iterator[Source]:
    """A file in pieces that fit, each beginning a little before the last one ended."""
    numbers = list(source.lines)
    start = 0
    while start < len(numbers):
        end, left = start, tokens
        while end < len(numbers) and (end == start or tokens_in(source.lines[numbers[end]]) < left):
            left -= tokens_in(source.lines[numbers[end]]) + 1
            end += 1
        yield Source(path=source.path, lines={number: source.lines[number] for number in numbers[start:end]})
        start = end if end == len(numbers) else max(start + 1, end - OVERLAP)
