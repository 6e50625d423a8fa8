"""Recordings of the Admin API as types: whose bodies are kept for how long, and what was kept of one call."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from holdfast.admin.shapes import Body, Length, Query, Text, Time
from holdfast.policy.recording import LEAST_BYTES, MOST_BYTES, USUAL_BYTES, RecordingScope


class RecordingBody(Body, frozen=True, kw_only=True):
    """Whose bodies are kept, and `for` how long, at most 24h."""

    scope: RecordingScope
    value: Text
    length: Length = field(name="for")
    max_bytes: Annotated[int, Meta(ge=LEAST_BYTES, le=MOST_BYTES)] = USUAL_BYTES


class WhoseQuery(Query, frozen=True, kw_only=True):
    """Whose recorded bodies are meant; at least one must be said, and all that is said must be so."""

    request_id: Text | None = None
    key: Text | None = None
    user: Text | None = None
    run: Text | None = None


class RecordingView(Struct, kw_only=True):
    """A recording that is on."""

    name: str
    scope: RecordingScope
    value: str
    by: str
    at: Time
    until: Time
    max_bytes: int


class RecordingEnded(Struct, kw_only=True):
    """The recording that was switched off."""

    ended: RecordingView


class Forgotten(Struct, kw_only=True):
    """How many calls' bodies were deleted."""

    forgotten: int


class RecordedBodies(Struct, kw_only=True):
    """The bodies of one call, masked; `is_cut` when more is missing than what is masked."""

    request_id: str
    at: Time
    recording: str
    headers: dict[str, str]
    request: Any
    answer: Any
    is_cut: bool
