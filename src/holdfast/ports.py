"""What holdfast asks of the world, each verb with its failure contract."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from holdfast.policy.money import dollars
from holdfast.wire.usage import Usage

End = Literal["answered", "refused", "failed", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call as the ledger keeps it; `cost_pico` is `None` for a call that no price is known for."""

    request_id: str
    at: datetime
    door: str
    key: str
    user: str | None
    run: str | None
    agent: str | None
    model: str
    served_model: str | None
    upstream: str | None
    stream: bool
    end: End
    status: int
    error_code: str | None
    attempts: int
    stop_reason: str | None
    usage: Usage
    estimated: bool
    cost_pico: int | None
    price_version: str | None
    duration_ms: float

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars."""
        return None if self.cost_pico is None else dollars(self.cost_pico)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the whole ledger."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_pico: int
    unpriced: int

    @property
    def cost(self) -> Decimal:
        """Exact dollars of all priced calls."""
        return dollars(self.cost_pico)


class Ledger(Protocol):
    """The book of calls."""

    async def record(self, entry: CallRecord) -> None:
        """Write one call down, once: a second record of the same id changes nothing.

        Durable when it returns. Raises `StoreUnavailable` when the store does not take it in time.
        """
        ...

    async def find(self, request_id: str) -> CallRecord | None:
        """The call of that id, or `None`. Raises `StoreUnavailable`."""
        ...

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        """The newest calls first, at most `limit`. Raises `StoreUnavailable`."""
        ...

    async def totals(self) -> Totals:
        """Sums kept as counters, so the answer costs the same after a million calls. Raises `StoreUnavailable`."""
        ...

    async def check(self) -> None:
        """Return when the store can take a record now; raise `StoreUnavailable` with the reason otherwise."""
        ...

    async def aclose(self) -> None:
        """Write what is queued, then let go; never raises."""
        ...
