"""Recordings: switched on for a while, listed and switched off, and the bodies that were kept of calls."""

from dataclasses import replace
from typing import Any

import msgspec

from holdfast.errors import ConfigError
from holdfast.identity import named
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, instant, readable
from holdfast.policy.recording import RECORDING, Recording, decoded, encoded
from holdfast.ports import RecordedCall

Recordings = tuple[Recording, ...]


async def recordings(desk: Desk) -> Recordings:
    """Every recording that is on now, the one that ends first before the others. Raises `StoreUnavailable`."""
    found = [readable(desk, entry, decoded) for entry in await desk.store.entries(RECORDING)]
    held = [one for one in found if one is not None and not one.is_over(desk.now)]
    return tuple(sorted(held, key=lambda one: one.until))


async def put_recording(desk: Desk, recording: Recording) -> Recording:
    """Record the bodies of calls from now on, with a line in the audit; it ends by itself.

    Raises `ConfigError` for a name that is none, `StoreUnavailable`.
    """
    name = named(recording.value)
    if name is None:
        raise ConfigError(
            Sentence("recording: the name is empty", ko="recording: 이름이 비어 있습니다"),
        )
    recording = replace(recording, value=name)
    await _drop_over(desk)
    note = f"until {instant(recording.until)}, {recording.max_bytes} bytes a body"
    await desk.store.put(RECORDING, recording.name, encoded(recording), actor=desk.actor, note=note)
    return recording


async def drop_recording(desk: Desk, name: str) -> Recording | None:
    """End a recording by its name; the one that was on, or `None`. What was recorded stays until it is forgotten."""
    held = next((one for one in await recordings(desk) if one.name == name), None)
    await desk.store.drop(RECORDING, name, actor=desk.actor)
    return held


def recording_facts(one: Recording) -> dict[str, object]:
    """A recording as plain data for JSON."""
    return {
        "name": one.name,
        "scope": one.scope,
        "value": one.value,
        "by": one.by,
        "at": instant(one.at),
        "until": instant(one.until),
        "max_bytes": one.max_bytes,
    }


def body_facts(entry: RecordedCall) -> dict[str, object]:
    """The bodies of a call as plain data for JSON."""
    request: Any = msgspec.json.decode(entry.request)
    answer: Any = msgspec.json.decode(entry.answer)
    return {
        "request_id": entry.request_id,
        "at": instant(entry.at),
        "recording": entry.recording,
        "headers": dict(entry.headers),
        "request": request,
        "answer": answer,
        "is_cut": entry.is_cut,
    }


async def _drop_over(desk: Desk) -> None:
    for entry in await desk.store.entries(RECORDING):
        recording = readable(desk, entry, decoded)
        if recording is not None and recording.is_over(desk.now):
            await desk.store.drop(RECORDING, entry.name, actor=desk.actor, note="over")
