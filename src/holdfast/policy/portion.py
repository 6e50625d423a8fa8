"""How much of texts is read that are too long to be read whole: the short ones whole, of the long ones both ends."""

from collections.abc import Sequence

SEAM = "\n\n"
"""Stands where the middle of a text was left out, so that its two ends are never read as one sentence."""


def shares(lengths: Sequence[int], most: int) -> tuple[int, ...]:
    """Characters to read of each text, `most` in all: what short texts leave over falls to the long ones."""
    left, given = most, [0] * len(lengths)
    for rank, place in enumerate(sorted(range(len(lengths)), key=lengths.__getitem__)):
        given[place] = min(lengths[place], left // (len(lengths) - rank))
        left -= given[place]
    return tuple(given)


def in_reach(lengths: Sequence[int], most: int) -> tuple[bool, ...]:
    """Which of texts are read, in their order, until `most` characters have been; never one longer than that.

    What is said of a text hangs on those before it alone: it stays the same when others come behind it.
    """
    read, said = 0, list[bool]()
    for length in lengths:
        read += length if length <= most else 0
        said.append(length <= most and read <= most)
    return tuple(said)


def ends(text: str, share: int) -> str:
    """The first and the last of a text, `share` characters of it in all; a text of no more is left as it is."""
    if len(text) <= share:
        return text
    first = share // 2
    return text[:first] + SEAM + text[len(text) - (share - first) :]
