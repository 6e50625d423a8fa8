"""Day five: an agent that remembers its users beyond a conversation, each of them apart.

Only what a message asks for is recalled, in Korean too:

    HOLDFAST_UPSTREAM=simulator python examples/memory.py
"""

import asyncio

from holdfast import MemoryAgent


async def main() -> None:
    async with MemoryAgent(name="assistant") as agent:
        memory = agent.memory
        assert memory is not None
        await memory.remember("Minji is allergic to peanuts.", user="minji")
        await memory.remember("민지의 결제 서버는 서울 리전에 있습니다.", user="minji")

        print(await agent.chat("Which cake may I eat with my peanut allergy?", user="minji"))
        for question, user in (
            ("peanuts", "minji"),
            ("결제 서버는 어디에 있나요?", "minji"),
            ("peanuts", "jisu"),
        ):
            facts = await memory.recall(question, user=user)
            print(f"{user} asks for {question!r}: {[fact.text for fact in facts]}")

        print(await memory.export(user="minji"), end="")
        print(f"forgotten: {await memory.forget(user='minji')}")


if __name__ == "__main__":
    asyncio.run(main())
