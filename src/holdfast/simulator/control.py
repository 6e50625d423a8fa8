"""The simulator's own endpoints under `/__sim`, for callers on this machine only."""

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from holdfast.simulator.capacity import Capacity
from holdfast.simulator.capture import CapturedRequest
from holdfast.simulator.exchange import Exchange
from holdfast.simulator.faults import Fault
from holdfast.simulator.limits import RateLimits
from holdfast.simulator.problems import ApiError
from holdfast.simulator.profile import Stretch
from holdfast.simulator.refusals import RefusalKind
from holdfast.simulator.replies import Turn
from holdfast.simulator.values import JsonObject, encode

if TYPE_CHECKING:
    from holdfast.simulator.app import Simulator

Handler = Callable[["Simulator", bytes], object]


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /__sim/faults`."""

    faults: list[Fault]


class Connections(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /__sim/connections`: for how many seconds none is accepted."""

    refuse: Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The settings that may change while the simulator runs; what is left out stays."""

    seed: int | msgspec.UnsetType = msgspec.UNSET
    time_scale: float | msgspec.UnsetType = msgspec.UNSET
    lenient: bool | msgspec.UnsetType = msgspec.UNSET
    threads: bool | msgspec.UnsetType = msgspec.UNSET
    mode: Literal["canned", "echo", "template"] | msgspec.UnsetType = msgspec.UNSET
    chunking: Literal["random", "word", "token"] | msgspec.UnsetType = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET
    accounts: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    obedient: bool | msgspec.UnsetType = msgspec.UNSET
    limits: RateLimits | msgspec.UnsetType | None = msgspec.UNSET
    capacity: Capacity | msgspec.UnsetType | None = msgspec.UNSET
    spend_limit: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    keys: dict[str, RefusalKind] | msgspec.UnsetType = msgspec.UNSET
    profile: tuple[Stretch, ...] | msgspec.UnsetType = msgspec.UNSET


class Changes(Settings, forbid_unknown_fields=True):
    """The body of `POST /__sim/config`: settings, and answers to append to the script."""

    script: list[str | Turn] = []


async def control(simulator: "Simulator", exchange: Exchange) -> None:
    """Answer one request to `/__sim/...`."""
    try:
        _guard(exchange)
        handler = _HANDLERS.get((exchange.method, exchange.path))
        if handler is None:
            raise ApiError(status=404, message="Not found")
        status, body = 200, encode(handler(simulator, exchange.body))
    except ApiError as problem:
        status, body = problem.status, problem.envelope("")
    except msgspec.DecodeError as error:
        status, body = 400, ApiError(status=400, message=str(error)).envelope("")
    await exchange.respond(status, {"content-type": "application/json"}, body, ending="completed")


def _guard(exchange: Exchange) -> None:
    """Refuse other machines, and browsers, which send an `Origin` or a foreign `Host`."""
    host = exchange.headers.get("host", "").rsplit(":", 1)[0].strip("[]")
    local = exchange.in_process or (_is_loopback(exchange.peer) and _is_loopback(host))
    if not local or "origin" in exchange.headers:
        raise ApiError(status=403, message="/__sim answers programs on this machine only")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _faults(simulator: "Simulator", _: bytes) -> JsonObject:
    return {
        "faults": [
            {**msgspec.to_builtins(fault), "seen": seen, "fired": fired}
            for fault, seen, fired in simulator.faults.standing()
        ]
    }


def _add_faults(simulator: "Simulator", body: bytes) -> JsonObject:
    simulator.faults.add(msgspec.json.decode(body, type=Faults).faults)
    return _faults(simulator, body)


def _clear_faults(simulator: "Simulator", body: bytes) -> JsonObject:
    simulator.faults.clear()
    return _faults(simulator, body)


def _requests(simulator: "Simulator", _: bytes) -> JsonObject:
    return {"requests": [_request(request) for request in simulator.requests]}


def _request(request: CapturedRequest) -> JsonObject:
    return {
        "number": request.number,
        "request_id": request.request_id,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": dict(request.headers),
        "body_base64": base64.b64encode(request.body).decode(),
        "arrived": request.arrived,
        "arrived_at": request.arrived_at.isoformat(),
        "ended": request.ended,
        "ending": request.ending,
        "status": request.status,
        "events": request.events,
        "fault": request.fault,
    }


def _ledger(simulator: "Simulator", _: bytes) -> JsonObject:
    return {
        "entries": [entry.wire() for entry in simulator.ledger],
        "total": format(simulator.billed, "f"),
    }


def _reset(simulator: "Simulator", _: bytes) -> JsonObject:
    simulator.reset()
    return {}


def _config(simulator: "Simulator", _: bytes) -> JsonObject:
    return {name: msgspec.to_builtins(getattr(simulator, name)) for name in Settings.__struct_fields__}


def _configure(simulator: "Simulator", body: bytes) -> JsonObject:
    wanted = msgspec.json.decode(body, type=Changes)
    for name in Settings.__struct_fields__:
        value = getattr(wanted, name)
        if value is not msgspec.UNSET:
            setattr(simulator, name, value)
    simulator.say(*wanted.script)
    return _config(simulator, body)


def _load(simulator: "Simulator", _: bytes) -> JsonObject:
    return {
        "elapsed": simulator.elapsed,
        "working": simulator.service.working,
        "waiting": simulator.service.waiting,
        "refusing": round(simulator.door.left, 3),
    }


def _refuse_connections(simulator: "Simulator", body: bytes) -> JsonObject:
    simulator.refuse(msgspec.json.decode(body, type=Connections).refuse)
    return _load(simulator, body)


_HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("GET", "/__sim/faults"): _faults,
    ("POST", "/__sim/faults"): _add_faults,
    ("DELETE", "/__sim/faults"): _clear_faults,
    ("GET", "/__sim/requests"): _requests,
    ("GET", "/__sim/ledger"): _ledger,
    ("POST", "/__sim/reset"): _reset,
    ("GET", "/__sim/config"): _config,
    ("POST", "/__sim/config"): _configure,
    ("GET", "/__sim/load"): _load,
    ("POST", "/__sim/connections"): _refuse_connections,
}
