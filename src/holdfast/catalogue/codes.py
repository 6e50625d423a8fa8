"""Every code that a person can meet, found by how it is written."""

import difflib
from collections.abc import Mapping

from holdfast.catalogue.asked import ASKED
from holdfast.catalogue.entry import Explanation
from holdfast.catalogue.failed import FAILED
from holdfast.catalogue.refused import REFUSED
from holdfast.catalogue.visited import VISITED
from holdfast.catalogue.warned import WARNED

EXPLANATIONS: Mapping[str, Explanation] = {
    entry.code: entry for entry in (*REFUSED, *FAILED, *ASKED, *VISITED, *WARNED)
}
_PREFIX = "holdfast_"


def explained(code: str) -> Explanation | None:
    """What a code means; `circuit_open` and `hf112` are understood as well as their full forms."""
    word = code.strip().strip("[]")
    for written in (word, word.lower(), word.upper(), _PREFIX + word.lower().replace("-", "_")):
        if written in EXPLANATIONS:
            return EXPLANATIONS[written]
    return None


def resembling(code: str) -> list[str]:
    """Codes that may have been meant."""
    word = code.lower().replace("-", "_")
    short = {known.removeprefix(_PREFIX).lower(): known for known in EXPLANATIONS}
    near = difflib.get_close_matches(word.removeprefix(_PREFIX), short, n=3)
    return [short[name] for name in near]
