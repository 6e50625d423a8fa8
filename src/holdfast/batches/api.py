"""A batch sent by the Message Batches API: at half the price, and answered within a day."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from holdfast.batches.direct import syncing
from holdfast.batches.holding import Teller
from holdfast.batches.item import Item
from holdfast.batches.part import Part, adopted, name_of, number_in, parts_of
from holdfast.batches.remote import MessageBatches, Result, is_certain
from holdfast.batches.results import Ended, ended
from holdfast.batches.row import failed
from holdfast.batches.work import Work
from holdfast.call import NO_LIMITS, Call
from holdfast.errors import BudgetExhausted, ConfigError, HoldfastError, Stopped, UpstreamError
from holdfast.policy.money import dollars

MOST_ITEMS = 10_000
MOST_BYTES = 128 * 1024 * 1024
"""Requests, and bytes, of one batch at the API, which takes 100,000 and 256 MB."""
SETTLED_AT_ONCE = 200
FIRST_LOOK, LONGEST_LOOK = 1.0, 60.0
"""Seconds between two looks at batches under way."""


async def collect(work: Work, *, told: Callable[[], None], is_last: bool = False) -> None:
    """Send what is left to do, and wait for all of it; with `is_last` only for what was sent before.

    Raises `UpstreamError` and `StoreUnavailable`; whatever was sent then goes on, and is found again.
    """
    async with syncing(work.journal):
        await _Desk.of(work, told, is_last=is_last).run()


async def cancel(work: Work) -> None:
    """Have no more done of what was sent. Raises `UpstreamError`."""
    remote = _remote(work)
    for part in parts_of(work.journal):
        if part.batch is not None:
            await remote.cancel(part.batch)


@dataclass(slots=True, kw_only=True)
class _Desk:
    work: Work
    teller: Teller
    remote: MessageBatches
    told: Callable[[], None]
    is_last: bool
    open: list[Part] = field(default_factory=list[Part])
    items: Iterator[Item] = field(init=False)
    _denied: HoldfastError | None = None
    _back: Item | None = None

    @classmethod
    def of(cls, work: Work, told: Callable[[], None], *, is_last: bool) -> "_Desk":
        limits, over = NO_LIMITS, None
        try:
            limits = work.limits
        except BudgetExhausted as error:
            over = error
        teller = Teller(work=work, limits=limits, upstream=work.runtime.upstreams[0].name)
        desk = cls(work=work, teller=teller, remote=_remote(work), told=told, is_last=is_last)
        desk._denied = over
        return desk

    async def run(self) -> None:
        """Until nothing is under way, and nothing more can be sent."""
        await self.work.runtime.begin()
        self.open = [
            await adopted(part, self.remote, self.work.journal) for part in parts_of(self.work.journal)
        ]
        self.open = [part for part in self.open if part.batch is not None]
        sent = {number for part in self.open for number in part.numbers}
        self.items = (item for item in self.work.items() if item.number not in sent)
        wait = FIRST_LOOK
        while await self._send() or self.open:
            if await self._fetch():
                wait = FIRST_LOOK
                self._denied = None if isinstance(self._denied, BudgetExhausted) else self._denied
            elif self.open:
                await self.work.runtime.clock.sleep(wait)
                wait = min(wait * 1.5, LONGEST_LOOK)
        self.work.stop(self._denied)

    async def _send(self) -> bool:
        """Send as much as there is money for; whether anything was sent."""
        before = len(self.open)
        while not self.is_last and self._denied is None and (part := await self._next()) is not None:
            self.open.append(part)
        return len(self.open) > before

    async def _next(self) -> Part | None:
        part = Part.new(self.work.runtime.clock.now())
        requests: list[dict[str, object]] = []
        calls: list[Call] = []
        size = 0
        while len(requests) < MOST_ITEMS and size < MOST_BYTES and (item := self._item()) is not None:
            found = await self._taken(item, part)
            if found is None:
                if self._denied is not None:
                    break
                continue
            call, body = found
            calls.append(call)
            size += len(body)
            requests.append({"custom_id": name_of(part.key, item.number), "params": msgspec.Raw(body)})
        return await self._make(part, requests, calls) if requests else None

    def _item(self) -> Item | None:
        back, self._back = self._back, None
        return next(self.items, None) if back is None else back

    async def _taken(self, item: Item, part: Part) -> tuple[Call, bytes] | None:
        """The call of a line that may be sent, its money held; else what follows from that is done."""
        try:
            call = self.teller.call(item, part.key, part.at)
            body = await self.teller.body(call)
            await self.teller.hold(call)
        except (BudgetExhausted, Stopped) as error:
            self._denied, self._back = error, item
            return None
        except ConfigError:
            raise
        except HoldfastError as error:
            self.work.keep(item.number, failed(item, error))
            self.told()
            return None
        return call, body

    async def _make(
        self, part: Part, requests: Sequence[dict[str, object]], calls: Sequence[Call]
    ) -> Part | None:
        numbers = tuple(number_in(str(request["custom_id"]), part.key) for request in requests)
        newest = await self.remote.newest(1)
        part = part.begun(numbers, newest[0].id if newest else None)
        # On the disk before it is sent: whoever goes on must know what to look for.
        self.work.journal.note(part.begin_note())
        await self.work.journal.sync()
        try:
            standing = await self.remote.create(list(requests))
        except UpstreamError as error:
            if is_certain(error):
                self.work.journal.note(part.end_note())
                await self.teller.release(calls)
            raise
        part = part.made(standing.id)
        self.work.journal.note(part.made_note())
        await self.work.journal.sync()
        await self.teller.keep(calls)
        return part

    async def _fetch(self) -> bool:
        """Fetch what has ended; whether anything has."""
        before = len(self.open)
        for part in tuple(self.open):
            assert part.batch is not None
            if (await self.remote.get(part.batch)).has_ended:
                await self._read(part, part.batch)
                self.open.remove(part)
        return len(self.open) < before

    async def _read(self, part: Part, batch: str) -> None:
        wanted = set(part.numbers)
        items = {
            one.number: one
            for one in self.work.source.lines()
            if isinstance(one, Item) and one.number in wanted
        }
        found: list[tuple[Item, Result]] = []
        async for result in self.remote.results(batch):
            item = items.pop(number_in(result.custom_id, part.key), None)
            if item is not None:
                found.append((item, result))
            if len(found) >= SETTLED_AT_ONCE:
                await self._settle(part.key, part.at, found)
                found = []
        gone = [(item, Result(custom_id="", result={"type": "missing"})) for item in items.values()]
        await self._settle(part.key, part.at, [*found, *gone])
        self.work.journal.note(part.end_note())

    async def _settle(self, key: str, at: datetime, found: Sequence[tuple[Item, Result]]) -> None:
        """In the books first: of what the journal has, nobody asks again."""
        rows: list[tuple[Item, Call, Ended]] = []
        for item, result in found:
            call = self.teller.call(item, key, at)
            rows.append((item, call, await ended(self.teller, item, call, result)))
        await self.teller.settle([(call, one.outcome) for _, call, one in rows])
        for item, call, one in rows:
            cost = self.teller.cost_pico(call, one.outcome)
            self.work.keep(item.number, one.row(item, None if cost is None else dollars(cost)))
            self.told()


def _remote(work: Work) -> MessageBatches:
    return MessageBatches(upstream=work.runtime.upstreams[0], clock=work.runtime.clock)
