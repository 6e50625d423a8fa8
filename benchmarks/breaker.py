"""What a circuit breaker costs per call: holdfast beside pybreaker and purgatory.

Run it in an environment with the extra packages: pip install pybreaker purgatory.
"""

import asyncio

import pybreaker  # type: ignore[import-untyped]
from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory

from benchmarks.measure import Figure, measure, measure_async, table
from holdfast import CircuitBreaker
from holdfast.policy.breaker import BreakerConfig, Circuit, Outcome, Permitted


def nothing() -> None:
    """The guarded call."""


async def nothing_async() -> None:
    """The guarded call."""


def blocking() -> list[Figure]:
    """Sync callers."""
    ours = CircuitBreaker("ours")
    circuit = Circuit(BreakerConfig())
    theirs = pybreaker.CircuitBreaker(fail_max=5)
    other = SyncCircuitBreakerFactory(default_threshold=5)

    def acquire_and_report() -> None:
        ours.report(ours.acquire(), Outcome.OK)

    def pure() -> None:
        permitted = circuit.acquire(now=1.0, roll=0.5)
        assert isinstance(permitted, Permitted)
        circuit.report(permitted.permit, Outcome.OK, now=1.0, roll=0.5)

    def with_block() -> None:
        with ours:
            nothing()

    def their_call() -> None:
        theirs.call(nothing)

    def other_block() -> None:
        with other.get_breaker("other"):
            nothing()

    return [
        measure("holdfast CircuitBreaker: acquire + report", acquire_and_report),
        measure("holdfast Circuit, the pure machine", pure),
        measure("holdfast CircuitBreaker: with", with_block),
        measure("pybreaker: call", their_call),
        measure("purgatory: with", other_block),
    ]


async def asynchronous() -> list[Figure]:
    """Async callers."""
    ours = CircuitBreaker("ours")
    other = AsyncCircuitBreakerFactory(default_threshold=5)

    async def our_block() -> None:
        async with ours:
            await nothing_async()

    async def other_block() -> None:
        async with await other.get_breaker("other"):
            await nothing_async()

    return [
        await measure_async("holdfast CircuitBreaker: async with", our_block),
        await measure_async("purgatory: async with", other_block),
    ]


def main() -> None:
    """Print both tables."""
    print(table("breaker, blocking", blocking()))
    print()
    print(table("breaker, asynchronous", asyncio.run(asynchronous())))


if __name__ == "__main__":
    main()
