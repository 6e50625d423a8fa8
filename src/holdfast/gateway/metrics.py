"""`GET /metrics`: who may read it, and what it says."""

import asyncio

from holdfast.assembly import Runtime
from holdfast.errors import StoreUnavailable
from holdfast.gateway.office import Office
from holdfast.gateway.peers import Peers, together
from holdfast.gateway.refusals import nothing_here
from holdfast.gateway.responding import Outlet
from holdfast.orders import KEY
from holdfast.policy.holds import nano
from holdfast.telemetry.metrics import CONTENT_TYPE
from holdfast.wire.headers import Headers

METRICS = "/metrics"
STORE_TIMEOUT = 1.0
"""Seconds the store may take to say what is held; Prometheus waits ten for everything."""
HEADERS = (("content-type", CONTENT_TYPE), ("cache-control", "no-store"))


async def answer_metrics(
    runtime: Runtime, office: Office | None, headers: Headers, outlet: Outlet, peers: Peers | None = None
) -> None:
    """Answer a scrape, for all workers of this machine.

    Raises the refusal for who may not read it, and `PathUnknown` where it is switched off.
    """
    await runtime.begin()
    mode = runtime.settings.telemetry.metrics or _usual(runtime)
    if mode == "off" or (mode == "admin" and office is None):
        raise nothing_here("GET", METRICS)
    if mode == "admin" and office is not None:
        office.admit(headers)
    own = runtime.reporting.metrics.render(await _reserved(runtime))
    if peers is not None:
        own = together(dict(sorted({**await peers.others(), peers.number: own}.items())), peers.number)
    await outlet.reply(200, HEADERS, own)


def _usual(runtime: Runtime) -> str:
    """Open until there are keys: from then on nobody is anonymous here."""
    runtime.stations.orders.require_known()
    return "admin" if runtime.stations.watch.entries(KEY) else "open"


async def _reserved(runtime: Runtime) -> int | None:
    """Nano-dollars that are held for attempts under way; `None` while the store does not tell."""
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            return sum(nano(hold.amount) for hold in await runtime.ledger.held())
    except (StoreUnavailable, TimeoutError):
        return None
