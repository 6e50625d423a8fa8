"""How things stand at one moment: what metrics show of circuits, gates and retry budgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How things stand.

    Attributes:
        circuits: state and stale outcomes of every circuit, by upstream and model.
        gates: how many gates are closed, by upstream and sort.
        tokens: what is left of the retry budget of every upstream.
    """

    circuits: Mapping[tuple[str, str], tuple[str, int]] = field(
        default_factory=dict[tuple[str, str], tuple[str, int]]
    )
    gates: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    tokens: Mapping[str, int] = field(default_factory=dict[str, int])
