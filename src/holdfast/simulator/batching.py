"""`/v1/messages/batches`: making batches, looking at them, and fetching what has come of them."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.simulator import listing
from holdfast.simulator.actions import Action, Refusal, Stall, Status
from holdfast.simulator.batch_items import error_of
from holdfast.simulator.batches import A_SECOND, BEGINS_AFTER, Batch, Item
from holdfast.simulator.dice import chance, dice, identifier
from holdfast.simulator.exchange import BATCHES, Exchange
from holdfast.simulator.faults import Target
from holdfast.simulator.problems import MESSAGE_OF_STATUS, ApiError, invalid
from holdfast.simulator.refusals import refusal
from holdfast.simulator.request import Rules, parse
from holdfast.simulator.values import JsonObject, as_object, encode, objects, word

if TYPE_CHECKING:
    from holdfast.simulator.app import Simulator

MOST = 100_000
ITEM = f"{BATCHES}/*"
"""The path by which a fault means single requests of a batch.

A `Status` or a `Refusal` makes one errored; after a `Stall` it is never answered, and expires.
"""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The body of an answer, and what it is."""

    body: bytes
    content_type: str = "application/json"


def answered(simulator: "Simulator", exchange: Exchange, rules: Rules, rest: list[str]) -> Answered:
    """The answer to one request; `rest` is what its path has behind `/v1/messages/batches`."""
    match exchange.method, rest:
        case "POST", []:
            return _shown(exchange, _make(simulator, exchange, rules))
        case "GET", []:
            rows = [batch.wire(_address(exchange)) for batch in simulator.batches.of(exchange.key)]
            return Answered(body=encode(listing.paged(rows, exchange.query, "message batch")))
        case "GET", [name]:
            return _shown(exchange, _find(simulator, exchange, name))
        case "GET", [name, "results"]:
            return _results(_find(simulator, exchange, name))
        case _:
            return _changed(simulator, exchange, rest)


def _changed(simulator: "Simulator", exchange: Exchange, rest: list[str]) -> Answered:
    match exchange.method, rest:
        case "POST", [name, "cancel"]:
            batch = _find(simulator, exchange, name)
            simulator.batches.cancel(batch, simulator.time_scale)
            return _shown(exchange, batch)
        case "DELETE", [name]:
            batch = _find(simulator, exchange, name)
            if batch.ended_at is None:
                invalid(f"Message Batch {name} cannot be deleted before it has ended; cancel it first.")
            simulator.batches.drop(batch)
            return Answered(body=encode({"id": name, "type": "message_batch_deleted"}))
        case _:
            raise ApiError(status=404, message="Not found")


def _make(simulator: "Simulator", exchange: Exchange, rules: Rules) -> Batch:
    limit = simulator.spend_limit
    if limit is not None and simulator.bills.spent(exchange.key) >= limit:
        raise refusal("enforced_spend_limit_reached")
    requests = _requests(parse(exchange.body))
    begun = simulator.clock.monotonic()
    batch = Batch(
        # Two batches may ask for the same, and yet be two: the id of the request tells them apart.
        id=identifier("msgbatch", dice(simulator.seed, exchange.request_id)),
        key=exchange.key,
        request_id=exchange.request_id,
        version=rules.version,
        created_at=simulator.clock.now(),
        begun=begun,
        items=tuple(_item(simulator, exchange, number, one) for number, one in enumerate(requests)),
    )
    simulator.batches.add(batch)
    return batch


def _requests(body: JsonObject) -> list[JsonObject]:
    """The requests, each with an id of its own and params; what params say is looked at later."""
    requests = objects(body.get("requests"))
    if not requests:
        invalid("requests: Field required: a list of at least one request")
    if len(requests) > MOST:
        invalid(f"requests: List should have at most {MOST} items after validation, not {len(requests)}")
    for number, request in enumerate(requests):
        if not _NAME.fullmatch(word(request, "custom_id")):
            invalid(f"requests.{number}.custom_id: String should match pattern '^{_NAME.pattern}$'")
        if not isinstance(request.get("params"), dict):
            invalid(f"requests.{number}.params: Field required")
    names = Counter(word(request, "custom_id") for request in requests)
    twice = next((name for name, times in names.items() if times > 1), None)
    if twice is not None:
        invalid(f"requests: custom_id values must be unique, but {twice!r} is there more than once")
    return requests


def _item(simulator: "Simulator", exchange: Exchange, number: int, request: JsonObject) -> Item:
    params = as_object(request["params"])
    name, seconds = word(request, "custom_id"), BEGINS_AFTER + number / A_SECOND
    target = Target(
        path=ITEM, model=word(params, "model"), stream=False, key=exchange.key, at=simulator.elapsed
    )
    action = simulator.faults.take(target, lambda question: chance(exchange.request_id, name, question))
    return Item(
        custom_id=name,
        params=params,
        ready=math.inf
        if isinstance(action, Stall)
        else simulator.clock.monotonic() + seconds * simulator.time_scale,
        problem=_problem(action, exchange.request_id),
    )


def _problem(action: Action | None, request_id: str) -> JsonObject | None:
    match action:
        case Refusal(reason=reason):
            return error_of(refusal(reason), request_id)
        case Status(status=status):
            said = action.message or MESSAGE_OF_STATUS.get(status, "The simulator was told to fail.")
            problem = ApiError(status=status, message=said, type=action.error_type or "")
            return error_of(problem, request_id)
        case _:
            return None


def _find(simulator: "Simulator", exchange: Exchange, name: str) -> Batch:
    batch = simulator.batches.find(name, exchange.key)
    if batch is None:
        raise ApiError(status=404, message=f"Message Batch {name} not found")
    return batch


def _shown(exchange: Exchange, batch: Batch) -> Answered:
    return Answered(body=encode(batch.wire(_address(exchange))))


def _address(exchange: Exchange) -> str:
    return f"http://{exchange.headers.get('host', 'simulator')}{BATCHES}"


def _results(batch: Batch) -> Answered:
    """One line for each request, in an order of its own: that of the requests is not promised."""
    if batch.ended_at is None:
        raise ApiError(
            status=404, message=f"Message Batch {batch.id} has no available results: it has not ended."
        )
    lines = [encode({"custom_id": item.custom_id, "result": item.result}) for item in batch.items]
    dice(batch.id).shuffle(lines)
    return Answered(body=b"".join(line + b"\n" for line in lines), content_type="application/x-jsonl")
