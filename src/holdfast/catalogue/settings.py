"""What every setting means, by its path as `holdfast config` writes it."""

import re
from collections.abc import Mapping

from holdfast.catalogue.guarding import GUARDING
from holdfast.catalogue.serving import SERVING
from holdfast.catalogue.spending import SPENDING
from holdfast.language import Sentence

MEANINGS: Mapping[str, Sentence] = {**SERVING, **GUARDING, **SPENDING}
_NAMED = re.compile(
    r"^(upstreams|budgets|quotas|pricing\.overrides|alerts\.channels|alerts\.rules)\.[^.]+(?=\.)"
)
_COUNTED = re.compile(r"\.\d+\.")


def general(path: str) -> str:
    """The path with the words that its owner chose taken out: `budgets.team.usd` is `budgets.NAME.usd`."""
    return _COUNTED.sub(".1.", _NAMED.sub(r"\1.NAME", path))


def meaning(path: str) -> Sentence | None:
    """What a setting means; the paths of real files and those of the reference both lead there."""
    return MEANINGS.get(general(path))
