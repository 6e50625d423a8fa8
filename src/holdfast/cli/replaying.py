"""Sends a recorded call again, through a pipeline that is opened for it; apart, since that takes a while to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.agent.exchange import HEADERS
from holdfast.assembly import Runtime, assemble
from holdfast.call import Incoming, Principal
from holdfast.errors import HoldfastError
from holdfast.operations.requests import call_facts
from holdfast.settings import Settings
from holdfast.wire.recorded import answer

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How the call went this time: as the ledger has it, and what was answered."""

    call: Facts
    answer: object


async def sent(settings: Settings, name: str, body: bytes, headers: Mapping[str, str]) -> Replayed:
    """Send the body of call `name` under a new id, marked as its replay; what is refused is an answer, too."""
    runtime = assemble(settings)
    try:
        return await _through(runtime, name, body, headers)
    finally:
        await runtime.aclose()


async def _through(runtime: Runtime, name: str, body: bytes, headers: Mapping[str, str]) -> Replayed:
    new = runtime.new_id()
    principal = Principal(door="library", key="replay", run=f"replay/{name}", tags={"replay": name})
    incoming = Incoming(body=body, headers=tuple({**dict(HEADERS), **headers}.items()))
    call = runtime.call(incoming, principal, request_id=new)
    said: object = None
    try:
        said = answer(await (await runtime.pipeline(call)).read())
    except HoldfastError as error:
        said = {"type": "error", "error": {"type": error.error_type, "message": str(error)}}
    record = await runtime.ledger.find(new)
    return Replayed(call={"request_id": new} if record is None else call_facts(record), answer=said)
