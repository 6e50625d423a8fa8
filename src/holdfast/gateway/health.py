"""Whether this process can serve."""

import asyncio
from collections.abc import Callable

import msgspec

from holdfast.assembly import Runtime
from holdfast.errors import HoldfastError
from holdfast.policy.masking import mask

STORE_TIMEOUT = 2.0
"""Seconds the store may take to answer before it counts as down."""


async def readiness(open_runtime: Callable[[], Runtime], *, draining: bool) -> tuple[int, bytes]:
    """200 when calls can be served, if less well than usual (`degraded`), 503 with the reasons otherwise."""
    reasons: list[str] = []
    degraded: list[str] = []
    circuits: dict[str, str] = {}
    if draining:
        reasons.append("draining: this process is stopping")
    else:
        try:
            runtime = open_runtime()
            # A circuit is named by the model that a caller asked for, whatever that was.
            circuits = {mask(name): state for name, state in runtime.circuits.states().items()}
            if runtime.stations.quotas.degraded:
                degraded.append(
                    "quotas: the shared store is away, each worker keeps to its part of the limits"
                )
            await asyncio.wait_for(runtime.ledger.check(), STORE_TIMEOUT)
        except HoldfastError as error:
            reasons.append(f"{error.error_code}: {mask(str(error))}")
        except TimeoutError:
            reasons.append(f"store: no answer within {STORE_TIMEOUT:g} s")
    status = "not ready" if reasons else "ready"
    report = {"status": status, "reasons": reasons, "degraded": degraded, "circuits": circuits}
    body = msgspec.json.encode(report)
    return (503 if reasons else 200), body
