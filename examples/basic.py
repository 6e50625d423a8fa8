"""Day one of the series: ask, and get an answer with what it has cost.

Without a key the embedded simulator answers; with a key the same file asks the real API:

    HOLDFAST_UPSTREAM=simulator python examples/basic.py
    ANTHROPIC_API_KEY=... python examples/basic.py
"""

from holdfast import BasicAgent


def main() -> None:
    with BasicAgent(system="Answer in two sentences.") as agent:
        reply = agent.chat_sync("Why do retries need jitter?")
        print(reply.text)
        print(f"{reply.outcome} by {reply.model}, {reply.attempts} attempt(s), ${reply.cost:f}")


if __name__ == "__main__":
    main()
