"""What must hold after any run, each law on its own and in words of the world outside."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import dropwhile
from typing import Any

from holdfast.events import CallEnded, CircuitChanged, RequestCrashed, SettleFailed
from holdfast.simulator import CapturedRequest
from tests.simulation import money_checkers
from tests.simulation.scenario import EXACT, MODELS
from tests.simulation.world import Heard, World

ATTEMPTS = 3
PRESUMED = 504
"""The status after which nobody knows what was worked on: its input is presumed to be paid."""
EXHAUSTED = b"holdfast_budget_exhausted"
GRACE = 1.0
"""Seconds that an answer may be late."""


def attempts(world: World) -> Iterator[str]:
    """At most three attempts a call, and the ledger knows of every one that was made."""
    for entry in world.book.written:
        if entry.attempts > ATTEMPTS:
            yield f"{entry.attempts} attempts for one call"
    sent, noted = sum(probe.sent for probe in world.probes), sum(e.attempts for e in world.book.written)
    if sent != noted:
        yield f"{sent} requests were sent, the ledger knows of {noted}"
    arrived = sum(tape.arrived for tape in world.tapes)
    if arrived > sent or (arrived < sent and all(heard.left is None for heard in world.heard)):
        yield f"{sent} requests were sent, {arrived} arrived"


def permits(world: World) -> Iterator[str]:
    """No permit outlives the run, and never were more probes out than allowed."""
    allowed = world.scenario.breaker.permitted_calls_in_half_open
    for name, snapshot in world.final.items():
        if snapshot.live:
            yield f"{name} has {snapshot.live} live permits at the end"
    if world.live_most > allowed:
        yield f"{world.live_most} probes were out, {allowed} are allowed"


def probes(world: World) -> Iterator[str]:
    """The same as an upstream sees it: plain requests that arrived in one half-open time and were open together."""
    allowed = world.scenario.breaker.permitted_calls_in_half_open
    for start, end, circuit in _half_open_times(world):
        moments: list[tuple[float, int]] = []
        for request in _requests_of(world, circuit):
            if start <= request.arrived < end and not request.json().get("stream"):
                moments += [(request.arrived, 1), (min(end, request.ended or end), -1)]
        out = 0
        for _, step in sorted(moments):
            out += step
            if out > allowed:
                yield f"{circuit} sent {out} probes at once from {start} on"


def _half_open_times(world: World) -> Iterator[tuple[float, float, str]]:
    since: dict[str, float] = {}
    for at, event in world.events:
        if isinstance(event, CircuitChanged):
            if event.circuit in since:
                yield since.pop(event.circuit), at, event.circuit
            if event.after == "half_open":
                since[event.circuit] = at


def _requests_of(world: World, circuit: str) -> list[CapturedRequest]:
    return [
        request
        for number, tape in enumerate(world.tapes)
        for request in tape.simulator.requests
        if circuit.startswith(f"u{number}/") and str(request.json()["model"]) in circuit
    ]


def circuits(world: World) -> Iterator[str]:
    """Circuits move along the arrows of the state machine only."""
    arrows = {("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed")}
    at: dict[str, str] = {}
    for _, event in world.events:
        if isinstance(event, CircuitChanged):
            if (event.before, event.after) not in arrows or at.get(event.circuit, "closed") != event.before:
                yield f"{event.circuit} went from {event.before} to {event.after}"
            at[event.circuit] = event.after


def settlement(world: World) -> Iterator[str]:
    """Every call is in the ledger once and was announced once; nothing crashed on the way."""
    written = [entry.request_id for entry in world.book.written]
    told = [event.request_id for _, event in world.events if isinstance(event, CallEnded)]
    if sorted(written) != sorted(told) or len(set(written)) != len(written):
        yield f"{len(written)} records, {len(set(written))} calls, {len(told)} announced"
    # An agent may call several times for one chat, which is a conversation of its own here.
    made = {entry.run if entry.door == "library" else entry.request_id for entry in world.book.written}
    if len(made) != len(world.heard):
        yield f"{len(world.heard)} calls were made, {len(made)} are in the ledger"
    for _, event in world.events:
        if isinstance(event, SettleFailed | RequestCrashed):
            yield f"{event}"


def money(world: World) -> Iterator[str]:
    """The ledger's cost is what was billed where anybody can know that, and never less than what is certain."""
    kept, billed = _kept(world), _billed(world)
    if is_exact(world) and kept != billed:
        yield f"the ledger says {kept} dollars, {billed} were billed"
    if kept < (told := _told(world)):
        yield f"the ledger says {kept} dollars, {told} were billed for what was delivered"


def is_exact(world: World) -> bool:
    """Whether every answer came whole to somebody who read it and said what it cost, or was free."""
    return all(
        request.ending != "disconnected" and request.fault in EXACT and request.status != PRESUMED
        for request in _requests(world)
    ) and not any(_is_cut(heard) for heard in world.heard)


def _is_cut(heard: Heard) -> bool:
    """Whether the caller left, or a budget cut the stream off: what its upstream wrote then, nobody has read."""
    return heard.left is not None or (heard.is_stream and EXHAUSTED in heard.body)


def underpaid(world: World) -> Decimal:
    """Dollars that were billed and are not in the ledger: what guesses have missed."""
    return max(Decimal(0), _billed(world) - _kept(world))


def _requests(world: World) -> list[CapturedRequest]:
    return [request for tape in world.tapes for request in tape.simulator.requests]


def _kept(world: World) -> Decimal:
    return sum((entry.cost or Decimal(0) for entry in world.book.written), Decimal(0))


def _billed(world: World) -> Decimal:
    return sum((tape.simulator.billed for tape in world.tapes), Decimal(0))


def _told(world: World) -> Decimal:
    """The bills of all answers, broken or lying, but those that were cut short and those that were never begun.

    A plain answer that its upstream was still writing when the deadline came, nobody has seen a byte of.
    """
    left = [json.dumps(heard.question).encode() for heard in world.heard if _is_cut(heard)]
    unseen = {
        request.request_id
        for request in _requests(world)
        if (request.ending == "disconnected" and not request.json().get("stream"))
        or any(question in request.body for question in left)
    }
    bills = [bill for tape in world.tapes for bill in tape.simulator.ledger]
    return sum((bill.cost for bill in bills if bill.request_id not in unseen), Decimal(0))


def answers(world: World) -> Iterator[str]:
    """Nobody is left without a whole answer or a typed error, but who left himself."""
    for heard in world.heard:
        if heard.left is None and (problem := _unanswered(heard)) is not None:
            yield f"caller {heard.caller} ({heard.form}): {problem}"


def _unanswered(heard: Heard) -> str | None:
    if heard.form.startswith("agent"):
        return (
            None if heard.status or heard.text or heard.error else "the agent said nothing and raised nothing"
        )
    if heard.ended is None or heard.status is None:
        return "the answer never ended"
    if heard.is_stream:
        return None if {"message_stop", "error"} & set(_frames(heard.body)) else "the stream just ended"
    return _no_document(heard)


def _no_document(heard: Heard) -> str | None:
    """What is wrong with a plain answer; errors of other servers pass as they are."""
    try:
        document: Any = json.loads(heard.body)
    except ValueError:
        return "200 without a message" if heard.status == 200 else None
    kind = "message" if heard.status == 200 else "error"
    return None if document["type"] == kind else f"{heard.status} with a {document['type']}"


def _frames(body: bytes | bytearray) -> list[str]:
    """The names of the events, the pings left out."""
    lines = body.replace(b"\r\n", b"\n").decode().split("\n")
    names = [line.removeprefix("event:").strip() for line in lines if line.startswith("event:")]
    return [name for name in names if name in KNOWN]


KNOWN = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    )
)


def streams(world: World) -> Iterator[str]:
    """A stream that came whole is, byte for byte, one that an upstream sent whole."""
    sent = {bytes(body) for tape in world.tapes for body in tape.whole}
    sent |= {_without_pings(body) for body in sent}
    for heard in world.heard:
        if heard.is_stream and heard.left is None and _frames(heard.body)[-1:] == ["message_stop"]:
            body = bytes(heard.body)
            stop = body.rfind(b"event: message_stop")
            if not {body, _without_pings(body), body[:stop]} & sent and not _has_own_end(world, body[:stop]):
                yield f"caller {heard.caller} got a stream that nobody sent"


def _has_own_end(world: World, body: bytes) -> bool:
    """Whether the stream only lacked its last event, which holdfast then adds; a fault broke it there."""
    broken = any(request.fault for tape in world.tapes for request in tape.simulator.requests)
    return broken and b"stop_reason" in body


def _without_pings(body: bytes) -> bytes:
    """The body from its first event on that is no ping."""
    frames = dropwhile(lambda frame: frame.startswith(b"event: ping"), body.split(b"\n\n"))
    return b"\n\n".join(frames)


def deadlines(world: World) -> Iterator[str]:
    """The first content, or a refusal, comes within the caller's deadline; no stream falls silent for long."""
    stall = world.scenario.timeouts.stall
    for heard in world.heard:
        first = heard.first_content or heard.ended or heard.left
        # An agent shows text alone: its first content may be the beginning of a block that is still empty.
        silence = stall if heard.form == "agent stream" else 0.0
        if first is None or first - heard.began > heard.allowed + silence + GRACE:
            yield f"caller {heard.caller} ({heard.form}) waited {first} - {heard.began} of {heard.allowed} s"
        if _silence_before_the_end(heard) > stall + GRACE:
            yield f"caller {heard.caller} sat before a silent stream"


def _silence_before_the_end(heard: Heard) -> float:
    if heard.left is not None or heard.last_content is None or heard.ended is None:
        return 0.0
    return heard.ended - heard.last_content


def leaving(world: World) -> Iterator[str]:
    """Who hangs up is let go at once, and so is the upstream."""
    for heard in world.heard:
        if heard.left is not None and heard.returned is not None and heard.returned - heard.left > GRACE:
            yield f"caller {heard.caller} left at {heard.left} and was held until {heard.returned}"


def memory(world: World) -> Iterator[str]:
    """Nothing is left open, and there are no more circuits than places to call."""
    if len(world.final) > len(MODELS) * len(world.tapes):
        yield f"{len(world.final)} circuits"
    for tape in world.tapes:
        simulator = tape.simulator
        if simulator.capture.open or simulator.service.working or simulator.service.waiting:
            yield f"an upstream still has {simulator.capture.open} requests open"


CHECKERS: tuple[Callable[[World], Iterator[str]], ...] = (
    attempts,
    permits,
    probes,
    circuits,
    settlement,
    money,
    answers,
    streams,
    deadlines,
    leaving,
    memory,
    *money_checkers.CHECKERS,
)


def complaints(world: World) -> list[str]:
    """What every checker has to say against a run."""
    return [f"{checker.__name__}: {problem}" for checker in CHECKERS for problem in checker(world)]
