"""One request of a batch: what it is answered with, and what that costs."""

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.simulator import thoughts
from holdfast.simulator.batches import Batch, Item
from holdfast.simulator.dice import Rolls, dice
from holdfast.simulator.ledger import LedgerEntry, cost
from holdfast.simulator.message import Message
from holdfast.simulator.messages import composed, secret_of
from holdfast.simulator.problems import ApiError, invalid, too_deep
from holdfast.simulator.request import MessageRequest, Rules, message_request, parse
from holdfast.simulator.values import JsonObject, canonical

if TYPE_CHECKING:
    from holdfast.simulator.app import Simulator


def worked_off(simulator: "Simulator", batch: Batch, item: Item) -> JsonObject:
    """The result of a request whose time has come; a request that makes no sense is found out only now."""
    if item.problem is not None:
        return {"type": "errored", "error": item.problem}
    try:
        return {"type": "succeeded", "message": _message(simulator, batch, item).wire()}
    except ApiError as problem:
        return {"type": "errored", "error": error_of(problem, batch.request_id)}
    except RecursionError:
        return {"type": "errored", "error": error_of(too_deep(), batch.request_id)}


def rolls_of(simulator: "Simulator", key: str, params: JsonObject) -> Rolls:
    """The dice of a request; what is said is what the same request is told outside of a batch."""
    content = canonical({name: value for name, value in params.items() if name != "stream"})
    identity = dice(key, "batch", content).randbytes(16)
    parts = (simulator.seed, identity, simulator.sequences.next(identity))
    return Rolls(words=dice(simulator.seed, content), roll=dice(*parts), luck=parts)


def error_of(problem: ApiError, request_id: str) -> JsonObject:
    """The error envelope as a value."""
    return parse(problem.envelope(request_id))


def _message(simulator: "Simulator", batch: Batch, item: Item) -> Message:
    now, moment = simulator.clock.now(), simulator.clock.monotonic()
    if item.params.get("stream") is True:
        invalid("stream: streaming is not supported in batches")
    rules = Rules(version=batch.version, day=now.date(), lenient=simulator.lenient)
    request = message_request(simulator.files.filled(item.params, batch.key), rules)
    secret = secret_of(simulator, request, batch.key)
    thoughts.check(request, secret)
    cache = simulator.cache.look_up(request.prompt, request.model, batch.key, moment)
    found = composed(simulator, request, rolls_of(simulator, batch.key, item.params), cache, secret)
    message = replace(found, usage=replace(found.usage, service_tier="batch"))
    simulator.cache.remember(cache, batch.key, moment)
    _bill(simulator, batch, request, message)
    return message


def _bill(simulator: "Simulator", batch: Batch, request: MessageRequest, message: Message) -> None:
    """Bill at the price of a batch; a refusal without a word is free."""
    if message.stop_reason == "refusal" and not message.written:
        return
    now = simulator.clock.now()
    simulator.bills.add(
        LedgerEntry(
            request_id=batch.request_id,
            message_id=message.id,
            model=request.model.id,
            key=batch.key,
            at=now,
            usage=message.usage.wire(),
            cost=cost(message.usage, request.model, now.date()),
            ending="completed",
        )
    )
