"""Day two: a conversation that is kept, gone on with by its id, branched, and forgotten.

Run it twice: the second time it goes on where the first one ended.

    HOLDFAST_UPSTREAM=simulator python examples/conversation.py
"""

import asyncio

from holdfast import ConversationalAgent


async def main() -> None:
    async with ConversationalAgent(name="travel", system="You plan trips.") as agent:
        talk = agent.conversation("spring-trip", user="minji")
        print(f"{len(await talk.history())} messages so far")
        print(await talk.say("I want to see the cherry blossoms in Gyeongju."))
        async with talk.stream("How many days do I need?") as answer:
            async for text in answer:
                print(text, end="", flush=True)
        print()
        other = await talk.branch()
        print(await other.say("And if it rains all week?"))
        print(f"the branch has {len(await other.history())} messages, the trip {len(await talk.history())}")
        await other.forget()


if __name__ == "__main__":
    asyncio.run(main())
