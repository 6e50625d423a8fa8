"""Inputs worth starting from, and those that once broke something."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "corpus"


@cache
def stored() -> Sequence[bytes]:
    """What is kept, always in the same order."""
    return tuple(path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.is_file())


def keep(target: str, data: bytes) -> Path:
    """Put an input among those that every run of the suite tries."""
    path = FOLDER / f"found-{target}-{sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path
