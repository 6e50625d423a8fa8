"""Bodies as one reads them again: a request as an object, an answer as the message it came to, streamed or not."""

from contextlib import suppress

import msgspec

from holdfast.wire.assembling import Assembling, MalformedAnswer
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Event, OversizedEvent, Splitter

_BLOCK_STOP = Event(name="content_block_stop", data=b"{}", raw=b"")
"""What a block that broke off never got."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def document(body: bytes) -> object:
    """What a body says: JSON where it is JSON, else its text."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        return body.decode("utf-8", "replace")


def answer(body: bytes) -> object:
    """What an answer says; a stream is put together, so that what was said in pieces can be read whole.

    It may have been cut off anywhere. Members: `type`, `id`, `model`, `content`, `stop_reason`, `usage`, and
    `error` if it ended with one.
    """
    if not body.lstrip().startswith((b"event:", b"data:", b":", b"id:", b"retry:")):
        return document(body)
    meter, parts, events = Meter(), Assembling(), Splitter()
    with suppress(OversizedEvent, MalformedAnswer):
        for event in events.feed(body):
            _take(event, meter, parts)
        parts.feed(_BLOCK_STOP)
    said: dict[str, object] = {
        "type": "message",
        "id": meter.message_id,
        "model": meter.model,
        "content": parts.content,
        "stop_reason": parts.stop_reason,
        "usage": meter.usage.as_mapping(),
    }
    if meter.error is not None:
        said["error"] = {"type": meter.error.type, "message": meter.error.message}
    return said


def _take(event: Event, meter: Meter, parts: Assembling) -> None:
    meter.observe(event)
    parts.feed(event)
