"""What a quota costs per call: in hand, in memory, in Redis, and in Redis that is away.

Needs `redis-server` on the PATH. Run it with `limits` installed to see that library beside it:
pip install limits.
"""

import asyncio
import contextlib
from itertools import count

from benchmarks.measure import Figure, measure, measure_async, table
from holdfast import Quota
from holdfast.policy.counters import Granted
from holdfast.policy.quota import Need, QuotaConfig, corrections, wanted
from holdfast.ports import QuotaStore
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.stores.quota_redis import RedisQuotas
from holdfast.stores.redis_link import RedisLink
from tests.servers.redis import RedisServer

MANY = 10**9
ONE = QuotaConfig(requests=MANY)
ALL = QuotaConfig(requests=MANY, input_tokens=MANY, output_tokens=MANY, concurrency=1_000)
IDS = count()


def in_hand() -> list[Figure]:
    """The part alone, and `limits` with its moving window in memory."""
    ours = Quota(MANY)
    full = Quota(MANY, input_tokens=MANY, output_tokens=MANY, concurrency=10)

    def with_place() -> None:
        with full.acquire("alice", input_tokens=100, output_tokens=50):
            pass

    figures = [
        measure("holdfast Quota: try_acquire", lambda: ours.try_acquire("alice")),
        measure("holdfast Quota: requests, tokens and a place", with_place),
    ]
    with contextlib.suppress(ModuleNotFoundError):
        figures += _limits()
    return figures


def _limits() -> list[Figure]:
    from limits import RateLimitItemPerMinute  # type: ignore[import-not-found]
    from limits.storage import MemoryStorage  # type: ignore[import-not-found]
    from limits.strategies import (  # type: ignore[import-not-found]
        FixedWindowRateLimiter,
        SlidingWindowCounterRateLimiter,
    )

    item = RateLimitItemPerMinute(MANY)
    fixed, sliding = FixedWindowRateLimiter(MemoryStorage()), SlidingWindowCounterRateLimiter(MemoryStorage())
    return [
        measure("limits: fixed window in memory", lambda: fixed.hit(item, "alice")),
        measure("limits: sliding window counter in memory", lambda: sliding.hit(item, "alice")),
    ]


async def in_a_store(name: str, store: QuotaStore, calls: int) -> list[Figure]:
    """One limit, then all four dimensions with settlement."""

    async def one() -> None:
        ask = wanted([("q", ONE, "user=alice")], Need(), id=f"{next(IDS)}", lease=60.0)
        await store.acquire(ask)

    async def whole() -> None:
        need = Need(input_tokens=100, output_tokens=50)
        ask = wanted([("q", ALL, "user=alice")], need, id=f"{next(IDS)}", lease=60.0)
        granted = await store.acquire(ask)
        assert isinstance(granted, Granted)
        await store.settle(granted, corrections(ask, input_tokens=90, output_tokens=20))

    return [
        await measure_async(f"{name}: one limit", one, calls),
        await measure_async(f"{name}: four dimensions, settled", whole, calls),
    ]


async def stores() -> list[Figure]:
    """Memory, Redis, and Redis frozen."""
    figures = await in_a_store("memory", MemoryQuotas(), 2_000)
    with RedisServer() as server:
        store = RedisQuotas(RedisLink(server.url))
        figures += await in_a_store("Redis", store, 300)
        server.freeze()
        figures += await in_a_store("Redis frozen, known to be", store, 300)
        server.thaw()
        await store.aclose()
    return figures


def main() -> None:
    """Print both tables."""
    print(table("quota, in hand", in_hand()))
    print()
    print(table("quota, in a store (CPU of this process)", asyncio.run(stores())))


if __name__ == "__main__":
    main()
