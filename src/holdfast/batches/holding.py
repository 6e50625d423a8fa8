"""Money for requests that are answered in hours: held before they are sent, settled by their results."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from math import ceil

from holdfast.agent.exchange import HEADERS
from holdfast.batches.item import Item
from holdfast.batches.work import Work
from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call, Incoming, Outcome, OwnLimits, Response
from holdfast.errors import OutputBlocked
from holdfast.events import BudgetAlerted
from holdfast.pipeline import Pipeline
from holdfast.policy.budget import BudgetConfig, denial, limit_of
from holdfast.policy.holds import Denied, Extend, Limit, Reserve
from holdfast.policy.pricing import resolve
from holdfast.ports import attempt_id
from holdfast.stations import price
from holdfast.upstream.bodies import WholeBody
from holdfast.upstream.output import looked_through
from holdfast.wire.errors import read_envelope
from holdfast.wire.headers import Headers
from holdfast.wire.meter import Meter

FIRST_LEASE = 900.0
"""Seconds that a hold lasts while its batch is being put together."""
LEASE = 25 * 3600.0
"""Seconds that it lasts behind that: the API gives a batch up after 24 hours."""
AT_ONCE = 100
LOOKED_AT_BY = ("stop", "screen", "pins", "fence")
"""The stations that say whether a request may be sent at all; the others count calls that are answered at once."""
JSON: Headers = (("content-type", "application/json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Looks at requests as the pipeline does, and keeps the books of those that were sent in a batch."""

    work: Work
    limits: OwnLimits
    upstream: str

    def call(self, item: Item, key: str, at: datetime) -> Call:
        """The call that a line stands for, the same in every session. Raises `MalformedRequest`."""
        runtime = self.work.runtime
        incoming = Incoming(body=item.body, headers=HEADERS)
        call = runtime.call(incoming, self.work.principal, request_id=f"hfr_{key}{item.number:x}")
        return replace(call, arrived=at, own_limits=self.limits)

    async def body(self, call: Call) -> bytes:
        """The request as it may be sent. Raises what the stations refuse it with."""

        async def returned(call: Call) -> Response:
            return Response(status=200, headers=(), body=WholeBody(call.body), meter=Meter())

        runtime = self.work.runtime
        guards = [one for one in runtime.stations.guards if getattr(one, "name", "") in LOOKED_AT_BY]
        looked_at = Pipeline(guards, returned, runtime.pipeline.observe, runtime.clock)
        return await (await looked_at(call)).read()

    async def answer(self, call: Call, message: bytes) -> tuple[bytes, Meter]:
        """The answer as it may be handed on, and what it has used. Raises `OutputBlocked`."""
        meter = self.metered(message)

        async def came(_: Call) -> Response:
            return Response(status=200, headers=JSON, body=WholeBody(message), meter=meter, attempts=1)

        runtime = self.work.runtime
        response = await looked_through(came, runtime.settings.output, runtime.pipeline.observe)(call)
        assert isinstance(response, Response)
        body = b"".join([chunk async for chunk in response.body])
        if response.status >= 400:
            raise OutputBlocked(read_envelope(body, response.status).message)
        return body, meter

    def metered(self, message: bytes) -> Meter:
        """What an answer has used."""
        meter = Meter()
        meter.observe_body(message)
        return meter

    async def hold(self, call: Call) -> None:
        """Hold what a request may cost at most in a batch. Raises `BudgetExhausted` and `StoreUnavailable`."""
        budgets = self._budgets()
        limits = self._limits(call, budgets)
        if not limits:
            return
        amount = self._most(call)
        verb = Reserve(
            id=attempt_id(call.request_id, 1),
            limits=limits,
            amount=amount,
            presumed=amount,
            lease=FIRST_LEASE,
            owner=f"{socket.gethostname()}:{os.getpid()}:batch",
        )
        record = replace(self._books.held(call, 1, self.upstream), hold_pico=amount)
        found = await self.work.runtime.ledger.reserve(verb, record)
        if isinstance(found, Denied):
            config = budgets[found.limit.budget]
            raise denial(found, config, self.work.runtime.clock.now())

    async def keep(self, calls: Sequence[Call]) -> None:
        """Keep the holds until the batch must have ended."""
        for start in range(0, len(calls), AT_ONCE):
            some = calls[start : start + AT_ONCE]
            verbs = [
                Extend(id=attempt_id(call.request_id, 1), presumed=self._most(call), lease=LEASE)
                for call in some
                if self._limits(call, self._budgets())
            ]
            await self.work.runtime.ledger.extend(verbs)

    async def release(self, calls: Sequence[Call]) -> None:
        """Give the holds of requests back that were certainly not sent."""
        rows = [
            replace(self._books.held(call, 1, self.upstream), state="released", kind="unsent")
            for call in calls
        ]
        for start in range(0, len(rows), AT_ONCE):
            await self.work.runtime.ledger.settle(rows[start : start + AT_ONCE])

    async def settle(self, ended: Sequence[tuple[Call, Outcome]]) -> None:
        """Write down what has come of requests, each once however often this comes. Raises `StoreUnavailable`."""
        runtime = self.work.runtime
        for start in range(0, len(ended), AT_ONCE):
            some = ended[start : start + AT_ONCE]
            rows = [row for call, outcome in some for row in self._books.attempts(call, outcome)]
            for crossing in await runtime.ledger.settle(rows):
                runtime.pipeline.observe(BudgetAlerted.of(crossing))
            # Side by side, so that a store that groups its commits takes them in one.
            await asyncio.gather(*(self._record(call, outcome) for call, outcome in some))

    async def _record(self, call: Call, outcome: Outcome) -> None:
        runtime = self.work.runtime
        took = (runtime.clock.now() - call.arrived).total_seconds()
        await runtime.ledger.record(self._books.call(call, outcome, duration_ms=round(took * 1000, 3)))

    def cost_pico(self, call: Call, outcome: Outcome) -> int | None:
        """What a request has cost, in pico-dollars; `None` without a price."""
        (row,) = self._books.attempts(call, outcome)
        return row.cost_pico

    @property
    def _books(self) -> Bookkeeper:
        prices = self.work.runtime.prices
        return Bookkeeper(price=price(prices), price_version=prices.version)

    def _budgets(self) -> dict[str, BudgetConfig]:
        return {**self.limits.budgets, **self.work.runtime.stations.orders.budgets()}

    def _limits(self, call: Call, budgets: dict[str, BudgetConfig]) -> tuple[Limit, ...]:
        who = call.principal
        payer = {
            "door": who.door,
            "key": who.key,
            "user": who.user,
            "run": who.run,
            "agent": who.agent,
            **{f"tag:{name}": value for name, value in who.tags.items()},
        }
        found = (
            limit_of(name, config, payer=payer, model=call.request.model, at=call.arrived)
            for name, config in budgets.items()
        )
        return tuple(limit for limit in found if limit is not None)

    def _most(self, call: Call) -> int:
        prices, request = self.work.runtime.prices, call.request
        most = prices.ceiling(request.model, request, at=call.arrived).pico
        if request.demand.server_tools:
            return most  # searches cost in a batch what they always do
        model, _ = resolve(prices.table, request.model, call.arrived.date())
        return ceil(most * Fraction(model.scales.batch) / Fraction(model.scales.plain))
