"""What redaction costs for 1,000 characters, and whether the worst of texts take time in proportion to their length."""

import time
from random import Random

from benchmarks.measure import measure, table
from holdfast.policy.masking import mask
from tests.policy.hostile import UNITS
from tests.policy.masking_samples import CARRIERS, FORMS, KEYS

SHORT, LONG = 16_000, 1_000_000
SLACK = 2.0
"""How much dearer a letter of a long text may be: caches and collections cost something too."""
MIXED = 60


def texts() -> list[str]:
    """Ordinary lines, with and without secrets, of about 1,000 characters."""
    forms = [form.format(n="api_key", v="hunter2!x") for form in FORMS.values()]
    carried = [carrier.format("".join(key)) for carrier in CARRIERS.values() for key in KEYS.values()]
    prose = "The gateway answered in 12 ms and used 1,234 tokens of 4,096; nothing was retried. " * 12
    lines = '{"level": "info", "event": "request", "status": 200, "total_tokens": 1234}\n' * 14
    return ["\n".join(forms)[:1_000], "\n".join(carried)[:1_000], prose[:1_000], lines[:1_000]]


def units() -> list[str]:
    """Every hostile unit alone, and some of them mixed."""
    dice = Random(7)
    return [*UNITS, *("".join(dice.choices(UNITS, k=dice.randint(2, 4))) for _ in range(MIXED))]


def growth(unit: str) -> tuple[float, float]:
    """(how much dearer a letter is in the long text than in the short, milliseconds per 1,000 of the long)."""
    costs: list[float] = []
    for length in (SHORT, LONG):
        text = (unit * length)[:length]
        started = time.process_time()
        mask(text)
        costs.append((time.process_time() - started) / length)
    return costs[1] / max(costs[0], 1e-9), costs[1] * 1e6


def main() -> None:
    """Print both tables."""
    names = ("names and values", "keys of providers", "prose", "JSON lines")
    figures = [
        measure(name, lambda text=text: mask(text), 50) for name, text in zip(names, texts(), strict=True)
    ]
    print(table("1,000 characters", figures))
    grown = sorted(((*growth(unit), unit) for unit in units()), reverse=True)
    print(f"\n{len(grown)} hostile texts, {SHORT:,} and {LONG:,} characters; the five that grow most:")
    for ratio, cost, unit in grown[:5]:
        print(f"{ratio:6.2f} x a letter {cost:8.3f} ms per 1,000  {unit[:60]!r}")
    steep = [unit for ratio, _, unit in grown if ratio > SLACK]
    print(
        f"dearer by more than {SLACK:g} x: {len(steep)}; slowest {max(cost for _, cost, _ in grown):.3f} ms per 1,000"
    )


if __name__ == "__main__":
    main()
