"""Results of a batch on their way to whoever fetches them: each is settled, once, as it passes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import msgspec

from holdfast.assembly import Runtime
from holdfast.call import Call, Outcome
from holdfast.errors import StoreUnavailable
from holdfast.events import BudgetAlerted
from holdfast.gateway.batching import AT_ONCE, Batch, books, request_id
from holdfast.gateway.carrying import Errand, carry
from holdfast.gateway.handing import stream
from holdfast.gateway.ownership import KIND, Owners
from holdfast.gateway.responding import Outlet
from holdfast.pipeline import finish
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.meter import Meter

LARGEST_LINE = 64 * 1024 * 1024
"""Bytes of one result; a longer one is handed on and not read, and its hold speaks for it."""


class _Line(msgspec.Struct, kw_only=True):
    custom_id: str
    result: dict[str, msgspec.Raw]


async def hand_on_results(errand: Errand, outlet: Outlet) -> None:
    """Send the results of a batch on as they come, and settle what they cost."""
    runtime, name = errand.runtime, errand.resource.name or ""
    await Owners(runtime.ledger).expect(errand.visitor, errand.resource)
    batch = await _batch(runtime, name)
    answer = await carry(errand)
    try:
        if batch is None or batch.settled or answer.response.status >= 400:
            await stream(errand, outlet, answer.response, answer)
            return
        results = Results(runtime=runtime, batch=batch)
        async with aclosing(results.read(answer)) as lines:
            await stream(errand, outlet, answer.response, lines)
        if results.is_complete:
            await finish(_close(runtime, name, batch))
    finally:
        await answer.aclose()


async def _batch(runtime: Runtime, name: str) -> Batch | None:
    """What is known of a batch; `None` of one that was not made here. Raises `StoreUnavailable`."""
    for entry in await runtime.ledger.entries(KIND["batches"]):
        if entry.name == name:
            try:
                return msgspec.json.decode(entry.body, type=Batch)
            except msgspec.MsgspecError:
                return None
    return None


async def _close(runtime: Runtime, name: str, batch: Batch) -> None:
    body = msgspec.json.encode(msgspec.structs.replace(batch, settled=True))
    try:
        await runtime.ledger.put(KIND["batches"], name, body, actor=f"key:{batch.payer}", note="settled")
    except StoreUnavailable:
        return  # whoever fetches them again settles the same once more, which changes nothing


@dataclass(slots=True, kw_only=True)
class Results:
    """Reads results as they pass; `is_complete` once all of them have been settled."""

    runtime: Runtime
    batch: Batch
    is_complete: bool = False
    _rest: bytearray = field(default_factory=bytearray)
    _ended: list[tuple[Call, Outcome]] = field(default_factory=list[tuple[Call, Outcome]])
    _is_missing: bool = False

    async def read(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The same bytes; what has passed is settled whatever becomes of the rest."""
        try:
            async for chunk in chunks:
                await self._take(chunk)
                yield chunk
            self._line(bytes(self._rest))
            self.is_complete = await self._settle() and not self._is_missing
        finally:
            await finish(self._settle())

    async def _take(self, chunk: bytes) -> None:
        self._rest += chunk
        if len(self._rest) > LARGEST_LINE:
            self._is_missing = True
            del self._rest[: self._rest.rfind(b"\n") + 1 or len(self._rest)]
        if b"\n" not in chunk:
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            self._line(line)
            if len(self._ended) >= AT_ONCE:
                await self._settle()
        # Before they are handed on: whoever has a result finds it in the books.
        await self._settle()

    def _line(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            found = msgspec.json.decode(line, type=_Line)
            kind = msgspec.json.decode(found.result["type"], type=str)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            self._is_missing = True
            return
        self._ended.append(self._outcome(found, kind))

    def _outcome(self, line: _Line, kind: str) -> tuple[Call, Outcome]:
        meter = Meter()
        if kind == "succeeded" and "message" in line.result:
            meter.observe_body(bytes(line.result["message"]))
        outcome = Outcome(
            end="answered" if kind == "succeeded" else "failed",
            status=200 if kind == "succeeded" else 400 if kind == "errored" else 504,
            # Whatever the answer says of itself: this is what such a request is billed as.
            usage=replace(meter.usage, service_tier="batch") if kind == "succeeded" else meter.usage,
            is_unbilled=meter.is_unbilled,
            served_model=meter.model,
            stop_reason=meter.stop_reason,
            attempts=1,
            upstream=self.batch.upstream,
            error_code=None if kind == "succeeded" else f"batch_{kind[:40]}",
        )
        return self._call(line.custom_id, meter.model or ""), outcome

    def _call(self, custom_id: str, model: str) -> Call:
        return Call(
            request_id=request_id(self.batch.token, custom_id),
            principal=self.batch.principal,
            request=MessagesRequest(model=model),
            body=b"",
            arrived=self.batch.at,
            started=0.0,
            deadline=0.0,
        )

    async def _settle(self) -> bool:
        """Write down what has come of the requests so far, each once; whether the store took it."""
        ended, self._ended = self._ended, []
        if not ended:
            return not self._is_missing
        runtime, writer = self.runtime, books(self.runtime)
        rows = [row for call, outcome in ended for row in writer.attempts(call, outcome)]
        took = round((runtime.clock.now() - self.batch.at).total_seconds() * 1000, 3)
        try:
            for crossing in await runtime.ledger.settle(rows):
                runtime.pipeline.observe(BudgetAlerted.of(crossing))
            # Side by side, so that a store that groups its commits takes them in one.
            await asyncio.gather(
                *(
                    runtime.ledger.record(writer.call(call, outcome, duration_ms=took))
                    for call, outcome in ended
                )
            )
        except StoreUnavailable:
            self._is_missing = True
        return not self._is_missing
