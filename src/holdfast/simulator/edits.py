"""Answers edited by a fault before they are sent: events doubled, lost, swapped or swollen, usage and stop reasons bent."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from holdfast.simulator.actions import (
    Action,
    BigEvent,
    Duplicate,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OutOfOrder,
    StopReason,
    WrongIndex,
)
from holdfast.simulator.message import Message
from holdfast.simulator.streaming import Event, render
from holdfast.simulator.values import JsonObject, as_object, is_object

BROKEN_BODY = b'{"type": "message", "content": [{"type": "text", "text": '
BROKEN_EVENT = (
    b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {"ty\n\n'
)
Plan = list[Event]


def edited_message(message: Message, action: Action | None) -> Message:
    """The message with the stop reason that was asked for."""
    if not isinstance(action, StopReason):
        return message
    sequence = (message.stop_sequence or "\n\nHuman:") if action.reason == "stop_sequence" else None
    return replace(message, stop_reason=action.reason, stop_sequence=sequence)


def edited_body(body: JsonObject, action: Action | None) -> JsonObject:
    """A plain answer with the usage that was asked for."""
    if not isinstance(action, OddUsage) or action.usage == "shrinking":
        return body
    return _with_usage(body, action)


def edited(plan: Plan, action: Action | None) -> Plan:
    """The stream as the fault wants it."""
    match action:
        case Duplicate(event=event):
            return _at(plan, event, lambda found: [found, replace(found, wait=0.0)])
        case Missing(event=event):
            return _at(plan, event, lambda found: [])
        case OutOfOrder(event=event):
            return _swapped(plan, event)
        case BigEvent():
            return _swollen(plan, action)
        case Malformed(after_events=after):
            return _inserted(plan, max(0, min(after, len(plan) - 1)), "malformed", BROKEN_EVENT)
        case _:
            return _reworded(plan, action)


def _reworded(plan: Plan, action: Action | None) -> Plan:
    match action:
        case WrongIndex(event=event, index=index):
            return _misnumbered(plan, event, index)
        case ManyDeltas(count=count):
            return _at(plan, "message_delta", lambda found: _rising(found, count))
        case OddUsage():
            return _misreported(plan, action)
        case _:
            return plan


def place_of(plan: Plan, event: int | str) -> int | None:
    """The index of an event that is named by number or by name."""
    if isinstance(event, int):
        return max(0, min(event, len(plan)) - 1)
    return next((at for at, found in enumerate(plan) if found.name == event), None)


def payload(event: Event) -> JsonObject:
    """What an event says."""
    return as_object(msgspec.json.decode(event.data.partition(b"data: ")[2]))


def saying(event: Event, said: JsonObject) -> Event:
    """The event with other words."""
    return replace(event, data=render(event.name, said))


def _at(plan: Plan, event: int | str, change: Callable[[Event], Plan]) -> Plan:
    at = place_of(plan, event)
    return plan if at is None else [*plan[:at], *change(plan[at]), *plan[at + 1 :]]


def _inserted(plan: Plan, at: int, name: str, data: bytes) -> Plan:
    """The stream with one more event, which nobody wrote."""
    event = Event(name=name, data=data, tokens=plan[at - 1].tokens if at else 0)
    return [*plan[:at], event, *plan[at:]]


def _swapped(plan: Plan, event: int | str) -> Plan:
    at = place_of(plan, event)
    if at is None:
        return plan
    at = min(at, len(plan) - 2)
    return [*plan[:at], plan[at + 1], plan[at], *plan[at + 2 :]]


def _misnumbered(plan: Plan, event: int | str, index: int) -> Plan:
    start = place_of(plan, event)
    for at in range(len(plan) if start is None else start, len(plan)):
        said = payload(plan[at])
        if "index" in said:
            return [*plan[:at], saying(plan[at], {**said, "index": index}), *plan[at + 1 :]]
    return plan


def _swollen(plan: Plan, action: BigEvent) -> Plan:
    start = place_of(plan, action.event)
    if start is None:
        return plan
    filler = "x" * action.size
    at, index = next(texts_from(plan, start), (start, None))
    name = "padding" if index is None else "content_block_delta"
    said: JsonObject = {"type": name, "padding": filler}
    if index is not None:
        said = {"type": name, "index": index, "delta": {"type": "text_delta", "text": filler}}
    return _inserted(plan, at, name, render(name, said))


def texts_from(plan: Plan, start: int) -> Iterator[tuple[int, object]]:
    """The places of text deltas from `start` on, each with the index of its block."""
    for at in range(start, len(plan)):
        said = payload(plan[at]) if plan[at].name == "content_block_delta" else {}
        if as_object(said.get("delta")).get("type") == "text_delta":
            yield at, said.get("index")


def _rising(last: Event, count: int) -> Plan:
    """The last `message_delta` in several, whose usage grows up to it."""
    said = payload(last)
    usage = as_object(said.get("usage"))
    delta = {**as_object(said.get("delta")), "stop_reason": None, "stop_sequence": None}
    total = usage.get("output_tokens")
    parts: Plan = []
    for step in range(1, count):
        told = total * step // count if isinstance(total, int) else 0
        parts.append(saying(last, {**said, "delta": delta, "usage": {**usage, "output_tokens": told}}))
    return [*parts, last]


def _misreported(plan: Plan, action: OddUsage) -> Plan:
    if action.usage == "shrinking":
        return _at(plan, "message_delta", _shrinking)
    if action.where != "message_delta":
        plan = _at(plan, "message_start", lambda found: [_without_truth(found, action)])
    if action.where != "message_start":
        plan = _at(plan, "message_delta", lambda found: [saying(found, _with_usage(payload(found), action))])
    return plan


def _without_truth(start: Event, action: OddUsage) -> Event:
    said = payload(start)
    return saying(start, {**said, "message": _with_usage(as_object(said.get("message")), action)})


def _shrinking(last: Event) -> Plan:
    said = payload(last)
    usage = as_object(said.get("usage"))
    total = usage.get("output_tokens")
    less = {**usage, "output_tokens": total // 2 if isinstance(total, int) else 0}
    delta = {**as_object(said.get("delta")), "stop_reason": None, "stop_sequence": None}
    return [saying(last, {**said, "delta": delta}), saying(last, {**said, "usage": less})]


def _with_usage(said: JsonObject, action: OddUsage) -> JsonObject:
    if action.usage == "missing":
        return {name: value for name, value in said.items() if name != "usage"}
    return {**said, "usage": _zero(said.get("usage"))}


def _zero(value: object) -> object:
    """The same value with every number in it gone to 0."""
    if is_object(value):
        return {name: _zero(inner) for name, inner in value.items()}
    return 0 if isinstance(value, int) else value
