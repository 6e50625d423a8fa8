"""A door for callers in this very process, who need no key."""

from holdfast.assembly import Runtime
from holdfast.gateway.identity import Doorkeeper, Visitor
from holdfast.gateway.local import Pass
from holdfast.wire.headers import Headers


class GuestDoor(Doorkeeper):
    """Lets every caller in as who the pass says: only this process has the way to it."""

    def __init__(self, granted: Pass) -> None:
        self._granted = granted

    async def admit(self, runtime: Runtime, headers: Headers) -> Visitor:
        """The visitor; raises `StoreUnavailable` while limits are unknown."""
        await runtime.begin()
        runtime.stations.orders.require_known()
        return self._granted.visitor(headers)
