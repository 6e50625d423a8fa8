"""What screening costs, beside the five expressions of the article: `python -m benchmarks.screening`.

Texts are ordinary English prose, never seen before, so that no verdict is remembered.
"""

import re
from functools import partial

from benchmarks.measure import measure
from holdfast.parts.validator import InputValidator

ARTICLE = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"ignore\s+(previous|all)\s+instructions",
        r"you\s+are\s+(now\s+)?",
        r"system\s*:",
        r"<\|.*\|>",
        r"\[INST\]",
    )
]
"""Of the kind that the article checks: five, searched one after another."""

PROSE = (
    "The river rises in the hills north of the town and turns east before the old bridge. In spring the "
    "meadows on both banks are flooded for a week or two, which the farmers welcome, for the silt is rich. "
    "Visitors are told to follow the upper path then, and to ask at the mill whether the ferry runs. "
)


def searched(text: str) -> bool:
    """Whether one of the article's expressions is in the text."""
    return any(pattern.search(text) for pattern in ARTICLE)


def main() -> None:
    """Print the table."""
    rules, both = InputValidator(detector="rules"), InputValidator()
    for size, calls in ((1_000, 100), (10_000, 10)):
        text = (PROSE * (size // len(PROSE) + 1))[:size]
        base = measure(f"{size:,} characters: five expressions", partial(searched, text), calls)
        print(base.line(base))
        for name, validator in (("rules", rules), ("rules and trained detector", both)):
            print(measure(f"{size:,} characters: {name}", partial(validator.scan, text), calls).line(base))


if __name__ == "__main__":
    main()
