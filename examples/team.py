"""A team: two agents look at a question side by side, a third makes one answer of what they say.

Run it without a key, against the embedded simulator:

    HOLDFAST_UPSTREAM=simulator python examples/team.py
"""

import asyncio
import sys

from holdfast import Holdfast
from holdfast.teams import Parallel, Pipeline, Step, StepEnded, TeamEnded

QUESTION = "Should a payment service retry a request that timed out?"


async def main() -> int:
    async with Holdfast() as hold:
        engineer = hold.agent(name="engineer", system="Answer as an engineer who is on call.")
        accountant = hold.agent(name="accountant", system="Answer as an accountant who closes the books.")
        writer = hold.agent(name="writer", system="Write one short answer that both would sign.")
        team = Pipeline(
            [
                Parallel({"engineer": engineer, "accountant": accountant}, name="views", fail="continue"),
                Step(writer, template="The question: {original}\n\nWhat they say: {input}"),
            ],
            name="payments",
            max_usd=1,
            deadline=120,
        )
        async for event in team.stream(QUESTION, user="alice"):
            if isinstance(event, StepEnded):
                step = event.step
                print(
                    f"{'/'.join(step.path)}: {'failed' if step.error else 'done'}, ${step.cost}",
                    file=sys.stderr,
                )
            elif isinstance(event, TeamEnded):
                print(event.result.checked())
                print(f"run {event.result.run}, ${event.result.cost}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
