"""What counting one message costs: `CostTracker`, its price book, and the article's list of floats."""

from benchmarks.measure import Figure, measure, table
from holdfast import CostTracker, PriceBook

MODEL = "claude-sonnet-5-5"
USAGE = {
    "input_tokens": 1_200,
    "output_tokens": 300,
    "cache_read_input_tokens": 8_000,
    "cache_creation_input_tokens": 500,
}


class Article:
    """The article's tracker: floats, one entry per message, the total summed anew each time."""

    def __init__(self) -> None:
        self.entries: list[float] = []

    def track(self) -> float:
        self.entries.append(1_200 / 1e6 * 2.0 + 300 / 1e6 * 10.0)
        return sum(self.entries)


def figures(tracker: CostTracker) -> list[Figure]:
    """The parts of a count, and the whole of it."""
    book = PriceBook.default()
    article = Article()
    return [
        measure("holdfast CostTracker: track_usage", lambda: tracker.track_usage(MODEL, 1_200, 300)),
        measure("holdfast CostTracker: track, caches", lambda: tracker.track(MODEL, USAGE)),
        measure("holdfast PriceBook: cost", lambda: book.cost(MODEL, USAGE)),
        measure("the article: append and sum", article.track, calls=200),
    ]


def main() -> None:
    """Print both tables."""
    fresh = CostTracker(budget_limit="1000000")
    print(table("a message, from the first on", figures(fresh)))
    late = CostTracker(budget_limit="1000000")
    for _ in range(1_000_000):
        late.track_usage(MODEL, 10, 5)
    print(table("a message, after a million", figures(late)))


if __name__ == "__main__":
    main()
