"""A review of code by four reviewers, for at most a dollar: prints Markdown, and ends with 1 for anything serious.

Run it without a key, against the embedded simulator, whose findings are made up:

    HOLDFAST_UPSTREAM=simulator python examples/review.py examples
"""

import asyncio
import sys
from pathlib import Path

from holdfast import CodeReviewSystem, Holdfast
from holdfast.teams.review import Progress


def show(progress: Progress) -> None:
    print(
        f"{progress.done}/{progress.total} {progress.reviewer}: {', '.join(progress.files)}", file=sys.stderr
    )


async def main(path: Path) -> int:
    async with Holdfast() as hold:
        review = await CodeReviewSystem(hold=hold, max_usd=1).run(path, progress=show)
    print(review.markdown())
    return 1 if review.at_least("high") else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent))))
