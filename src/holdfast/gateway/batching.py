"""Batches made through the gateway: every request looked at and its money held before any is sent."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from math import ceil

import msgspec

from holdfast.assembly import Runtime
from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call, Incoming, OwnWays, Principal, Response
from holdfast.errors import HoldfastError, NotAllowed, StoreUnavailable, UpstreamError
from holdfast.gateway.batch_links import with_own_links
from holdfast.gateway.carrying import Errand, carry
from holdfast.gateway.handing import headers_of, stream, whole
from holdfast.gateway.ownership import KIND, Owners
from holdfast.gateway.responding import Outlet
from holdfast.gateway.standing import dimensions
from holdfast.guards.budget import unavailable
from holdfast.identity import kept
from holdfast.language import Sentence
from holdfast.pipeline import Pipeline, Settling, finish
from holdfast.policy.budget import BudgetConfig, denial, limit_of
from holdfast.policy.holds import Denied, Extend, Limit, Reserve
from holdfast.policy.pricing import resolve
from holdfast.policy.sanitation import sanitize
from holdfast.ports import AttemptRecord, Store, attempt_id
from holdfast.stations import price
from holdfast.upstream.bodies import WholeBody
from holdfast.wire.batch import BatchItem, read_batch, write_batch
from holdfast.wire.meter import Meter

LOOKED_AT_BY = ("stop", "screen", "pins", "fence")
"""The stations that say whether a request may be sent at all; the others count calls that are answered at once."""
FIRST_LEASE = 900.0
"""Seconds that a hold lasts while its batch is being made."""
LEASE = 25 * 3600.0
"""Seconds that it lasts behind that: the API gives a batch up after 24 hours."""
AT_ONCE = 100


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a batch in the register: enough to settle its results, whoever fetches them and when."""

    token: str
    at: datetime
    upstream: str
    key: str | None = None
    payer: str = "local"
    user: str | None = None
    run: str | None = None
    agent: str | None = None
    tags: dict[str, str] = {}
    settled: bool = False

    @property
    def principal(self) -> Principal:
        """Whose batch it is."""
        return Principal(
            door="gateway", key=self.payer, user=self.user, run=self.run, agent=self.agent, tags=self.tags
        )


def request_id(token: str, custom_id: str) -> str:
    """What one request of a batch is called in the books: the same whenever its result comes."""
    return f"hfr_{sha256(f'{token}/{custom_id}'.encode(errors='surrogatepass')).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One request that may be sent: how it stands in the books until its result comes."""

    row: AttemptRecord
    most: int
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Till:
    """Looks at the requests of one batch as the pipeline does, and holds what they may cost at most."""

    errand: Errand
    at: datetime

    async def take(self, items: Sequence[BatchItem]) -> tuple[list[BatchItem], list[Held]]:
        """The requests as they may be sent, and what is held for them: for all, or for none.

        Raises what the first one is refused with: its model, the stations, `BudgetExhausted`.
        """
        sent: list[BatchItem] = []
        held: list[Held] = []
        try:
            for start in range(0, len(items), AT_ONCE):
                some = items[start : start + AT_ONCE]
                looked_at = [await self._looked_at(item) for item in some]
                sent += [item for item, _ in looked_at]
                held += await self._hold(looked_at)
        except BaseException:
            await finish(self.release(held))
            raise
        return sent, held

    async def keep(self, held: Sequence[Held]) -> None:
        """Keep the holds until the batch must have ended. Raises `StoreUnavailable`."""
        verbs = [
            Extend(id=attempt_id(one.row.request_id, 1), presumed=one.most, lease=LEASE)
            for one in held
            if one.is_held
        ]
        for start in range(0, len(verbs), AT_ONCE):
            await self._ledger.extend(verbs[start : start + AT_ONCE])

    async def release(self, held: Sequence[Held]) -> None:
        """Give the holds of requests back that were certainly not sent; a lease gives back what this cannot."""
        rows = [replace(one.row, state="released", kind="unsent") for one in held if one.is_held]
        with contextlib.suppress(StoreUnavailable):
            for start in range(0, len(rows), AT_ONCE):
                await self._ledger.settle(rows[start : start + AT_ONCE])

    @property
    def _ledger(self) -> Store:
        return self.errand.runtime.ledger

    async def _looked_at(self, item: BatchItem) -> tuple[BatchItem, Call]:
        errand, runtime = self.errand, self.errand.runtime
        await asyncio.sleep(0)  # so that other calls get their turn
        try:
            incoming = Incoming(body=item.params, headers=errand.visitor.headers)
            name = request_id(errand.request_id, item.custom_id)
            call = runtime.call(incoming, errand.visitor.principal, request_id=name)
            errand.visitor.check_model(call.request.model)
            call = replace(
                call,
                arrived=self.at,
                own_limits=errand.visitor.limits,
                own_ways=OwnWays(models=errand.visitor.models),
            )
            body = await self._allowed(call)
        except HoldfastError as error:
            _name(item, error)
            raise
        return (item if body == item.params else replace(item, params=body)), call

    async def _allowed(self, call: Call) -> bytes:
        async def returned(call: Call) -> Response:
            return Response(status=200, headers=(), body=WholeBody(call.body), meter=Meter())

        runtime = self.errand.runtime
        guards = [one for one in runtime.stations.guards if getattr(one, "name", "") in LOOKED_AT_BY]
        return await (await Pipeline(guards, returned, runtime.pipeline.observe, runtime.clock)(call)).read()

    async def _hold(self, looked_at: Sequence[tuple[BatchItem, Call]]) -> list[Held]:
        holding = (self._held(item, call) for item, call in looked_at)
        found = await asyncio.gather(*holding, return_exceptions=True)
        held = [one for one in found if isinstance(one, Held)]
        errors = [one for one in found if isinstance(one, BaseException)]
        if errors:
            await finish(self.release(held))
            raise errors[0]
        return held

    async def _held(self, item: BatchItem, call: Call) -> Held:
        try:
            return await self._reserved(call)
        except HoldfastError as error:
            _name(item, error)
            raise

    async def _reserved(self, call: Call) -> Held:
        runtime = self.errand.runtime
        budgets = {**call.own_limits.budgets, **runtime.stations.orders.budgets()}
        limits = _limits(call, budgets)
        most = self._most(call) if limits else 0
        row = books(runtime).held(call, 1, self.errand.upstream.name)
        if not limits:
            return Held(row=row, most=0, is_held=False)
        verb = Reserve(
            id=attempt_id(call.request_id, 1),
            limits=limits,
            amount=most,
            presumed=most,
            lease=FIRST_LEASE,
            owner=f"{socket.gethostname()}:{os.getpid()}:batch",
        )
        try:
            found = await self._ledger.reserve(verb, replace(row, hold_pico=most))
        except StoreUnavailable as error:
            raise unavailable(error) from error
        if isinstance(found, Denied):
            cure = call.own_limits.cure if found.limit.budget in call.own_limits.budgets else None
            raise denial(found, budgets[found.limit.budget], runtime.clock.now(), cure=cure)
        return Held(row=row, most=most, is_held=True)

    def _most(self, call: Call) -> int:
        prices, request = self.errand.runtime.prices, call.request
        most = prices.ceiling(request.model, request, at=call.arrived).pico
        if request.demand.server_tools:
            return most  # searches cost in a batch what they always do
        model, _ = resolve(prices.table, request.model, call.arrived.date())
        return ceil(most * Fraction(model.scales.batch) / Fraction(model.scales.plain))


async def make(errand: Errand, body: bytes, outlet: Outlet) -> None:
    """Make a batch upstream once all of it may be sent and is paid for; raises the typed error where it is not."""
    runtime = errand.runtime
    await runtime.begin()
    if runtime.settings.output.holds_back:
        raise NotAllowed(_UNREAD)
    items = read_batch(body)
    await Owners(runtime.ledger).expect_named(errand.visitor, body)
    till = Till(errand=errand, at=runtime.clock.now())
    sent, held = await till.take(items)
    if any(new is not old for new, old in zip(sent, items, strict=True)):
        body = write_batch(sent)
    del items, sent
    try:
        answer = await carry(replace(errand, body=body))
    except UpstreamError:
        raise  # it may have been made: the holds speak for it until their leases are over
    except HoldfastError:
        await till.release(held)  # a station refused it
        raise
    try:
        await _made(till, held, answer, outlet)
    finally:
        await answer.aclose()


async def _made(till: Till, held: Sequence[Held], answer: Settling, outlet: Outlet) -> None:
    errand, response = till.errand, answer.response
    if response.status >= 400:
        if response.status < 500:
            await finish(till.release(held))
        await stream(errand, outlet, response, answer)
        return
    # To its end, also for a client that leaves now: the batch has been made, and must be known.
    document = await finish(_read(till, held, answer))
    await outlet.reply(
        response.status, headers_of(errand, response), with_own_links(document, errand.address)
    )


async def _read(till: Till, held: Sequence[Held], answer: Settling) -> bytes:
    document = await whole(answer)
    await _noted(till, held, document)
    return document


async def _noted(till: Till, held: Sequence[Held], document: bytes) -> None:
    """Write down whose batch this is, and keep its money; where the store is away, the leases speak for it."""
    errand = till.errand
    try:
        name = msgspec.json.decode(document, type=_Named).id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    visitor = errand.visitor
    who = kept(visitor.principal)
    batch = Batch(
        token=errand.request_id,
        at=till.at,
        upstream=errand.upstream.name,
        key=None if visitor.record is None else visitor.record.name,
        payer=who.key,
        user=who.user,
        run=who.run,
        agent=who.agent,
        tags=dict(who.tags),
    )
    with contextlib.suppress(StoreUnavailable):
        body = msgspec.json.encode(batch)
        await errand.runtime.ledger.put(
            KIND["batches"], name, body, actor=f"key:{who.key}", note=f"{len(held)} requests"
        )
        await till.keep(held)


_UNREAD = Sentence(
    "This gateway takes out of answers what they must not carry ([output] redact or stop), and cannot do so in the "
    "results of a batch. Send the requests one by one, or as a file with `holdfast batch`.",
    ko="이 게이트웨이는 답에서 내보내면 안 되는 내용을 걸러 내는데([output] redact 또는 stop), 배치 결과에서는 그럴 수 없습니다. "
    "요청을 하나씩 보내거나 `holdfast batch`로 파일을 보내세요.",
)


class _Named(msgspec.Struct):
    id: str


def books(runtime: Runtime) -> Bookkeeper:
    """Writes rows at the prices of this runtime."""
    return Bookkeeper(price=price(runtime.prices), price_version=runtime.prices.version)


def _limits(call: Call, budgets: Mapping[str, BudgetConfig]) -> tuple[Limit, ...]:
    payer = dimensions(call.principal)
    found = (
        limit_of(name, config, payer=payer, model=call.request.model, at=call.arrived)
        for name, config in budgets.items()
    )
    return tuple(limit for limit in found if limit is not None)


def _name(item: BatchItem, error: HoldfastError) -> None:
    """Have an error say of which request of the batch it speaks."""
    name = sanitize(item.custom_id, collapse_whitespace=True)[:100]
    said = error.sentence
    error.sentence = Sentence(f"requests, `{name}`: {said.en}", ko=f"requests의 `{name}` 항목: {said.ko}")
    error.args = (error.sentence.en,)
