"""What the inner ring tells metrics about itself."""

from collections import Counter

from holdfast.policy.vitals import Vitals
from holdfast.upstream.attempts import Attempts


def vitals(ring: Attempts) -> Vitals:
    """How its circuits, gates and retry budgets stand now."""
    circuits: dict[tuple[str, str], tuple[str, int]] = {}
    for name, seen in ring.circuits.snapshots().items():
        upstream, _, model = name.partition("/")
        circuits[upstream, model] = (seen.state, seen.stale_outcomes_total)
    places: list[tuple[str, str]] = [(place.upstream, place.gate) for place in ring.gates.closed()]
    tokens = {upstream: budget.tokens for upstream, budget in ring.budgets.items()}
    return Vitals(circuits=circuits, gates=Counter(places), tokens=tokens)
