"""Whether this process can serve."""

import asyncio
from collections.abc import Callable

import msgspec

from holdfast.assembly import Runtime
from holdfast.errors import HoldfastError

STORE_TIMEOUT = 2.0
"""Seconds the store may take to answer before it counts as down."""


async def readiness(open_runtime: Callable[[], Runtime], *, draining: bool) -> tuple[int, bytes]:
    """200 when calls can be served, 503 with the reasons otherwise."""
    reasons: list[str] = []
    circuits: dict[str, str] = {}
    if draining:
        reasons.append("draining: this process is stopping")
    else:
        try:
            runtime = open_runtime()
            circuits = runtime.circuits.states()
            await asyncio.wait_for(runtime.ledger.check(), STORE_TIMEOUT)
        except HoldfastError as error:
            reasons.append(f"{error.error_code}: {error}")
        except TimeoutError:
            reasons.append(f"store: no answer within {STORE_TIMEOUT:g} s")
    status = "not ready" if reasons else "ready"
    body = msgspec.json.encode({"status": status, "reasons": reasons, "circuits": circuits})
    return (503 if reasons else 200), body
