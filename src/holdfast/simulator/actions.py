"""What a fault can do to an answer, as values that are also JSON.

Where. An event count is in the order of the stream: 1 is `message_start`, 2 `content_block_start`, 3 a `ping`, then the
deltas. `after_bytes`, where it is given, counts bytes of the body instead and may tear an event; no break, however late,
lets `message_stop` or the last byte of a plain body through. An event is named by its number (past the end it is the
last) or by its name, which is the first one of that name; where there is none, nothing happens.

When. Times are seconds of the simulator's clock and are not scaled by `time_scale`.

In process, where there is no connection, each action does what a client of a connection would see: a broken connection
is a `ConnectionResetError`, a refused one a `ConnectionRefusedError`.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from holdfast.simulator.refusals import RefusalKind

StopReasonName: TypeAlias = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


class Status(msgspec.Struct, frozen=True, tag="status", forbid_unknown_fields=True):
    """Answer with an HTTP status instead, free of charge.

    Without `body` the answer is the API's error envelope; with one it is sent as it stands, as `content_type`.
    """

    status: int
    message: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = {}
    body: str | None = None
    content_type: str = "application/json"


class Refusal(msgspec.Struct, frozen=True, tag="refusal", forbid_unknown_fields=True):
    """Refuse as the API does for one of its reasons, with its status, type, code and wording, free of charge."""

    reason: RefusalKind
    retry_after: float | None = None
    """Seconds for the reasons that pass by themselves; those of money and credentials never say when."""


class Refuse(msgspec.Struct, frozen=True, tag="refuse", forbid_unknown_fields=True):
    """Refuse the connection, in process; a real one stands by now and is reset, see `Simulator.refuse`."""


class Delay(msgspec.Struct, frozen=True, tag="delay", forbid_unknown_fields=True):
    """Wait before the headers, or after them and before the first event, then answer as usual."""

    seconds: float
    before: Literal["headers", "first_event"] = "headers"


class SlowHeaders(msgspec.Struct, frozen=True, tag="slow_headers", forbid_unknown_fields=True):
    """Send the head of the answer byte by byte, then the body as usual until the connection closes."""

    every: float = 0.02
    """Seconds between two bytes; a head has about 900 of them."""


class Stall(msgspec.Struct, frozen=True, tag="stall", forbid_unknown_fields=True):
    """Fall silent after some events, for good or for `seconds`; `ping_every` keeps pings coming.

    A plain answer stalls in the middle of its body.
    """

    after_events: int = 4
    seconds: float | None = None
    ping_every: float | None = None
    after_bytes: int | None = None


class Endless(msgspec.Struct, frozen=True, tag="endless", forbid_unknown_fields=True):
    """Never end: text deltas for ever, or pings where the answer has no text; a plain body goes on with spaces.

    What is written is billed, up to the `max_tokens` of the request.
    """

    after_events: int = 4
    every: float = 0.05
    text: str = " and so on"


class ErrorEvent(msgspec.Struct, frozen=True, tag="error_event", forbid_unknown_fields=True):
    """End the stream with an `error` event; a plain answer becomes the error's HTTP status."""

    after_events: int = 0
    error_type: str = "overloaded_error"
    message: str = "Overloaded"


class CleanEnd(msgspec.Struct, frozen=True, tag="clean_end", forbid_unknown_fields=True):
    """End the stream properly but without `message_stop`; a plain answer is half a body."""

    after_events: int = 4
    after_bytes: int | None = None


class Reset(msgspec.Struct, frozen=True, tag="reset", forbid_unknown_fields=True):
    """Reset the connection (TCP RST): before the headers, after them, or after N events or half a plain body."""

    after: Literal["request", "headers"] | int = "request"
    after_bytes: int | None = None


class HangUp(msgspec.Struct, frozen=True, tag="hang_up", forbid_unknown_fields=True):
    """Close the connection in the middle of the answer (TCP FIN), at the same places as `Reset`."""

    after: Literal["request", "headers"] | int = 4
    after_bytes: int | None = None


class HalfBody(msgspec.Struct, frozen=True, tag="half_body", forbid_unknown_fields=True):
    """Send only a part of the bytes and end properly; a stream breaks off inside an event."""

    fraction: float = 0.5


class OtherBody(msgspec.Struct, frozen=True, tag="other_body", forbid_unknown_fields=True):
    """Answer 200 with this body instead of the message, which is billed: an empty one, or JSON of another shape."""

    body: str = ""
    content_type: str | None = None
    """`None` is what the caller expects: JSON, or an event stream."""


class ContentLength(msgspec.Struct, frozen=True, tag="content_length", forbid_unknown_fields=True):
    """State a content-length that is wrong by `off_by` bytes, of a stream too, and close after the body.

    Too short, and bytes follow that belong to nothing; too long, and the body never gets there.
    """

    off_by: int = 10


class ContentType(msgspec.Struct, frozen=True, tag="content_type", forbid_unknown_fields=True):
    """Send the usual answer under another content-type."""

    value: str = "text/html"


class Gzip(msgspec.Struct, frozen=True, tag="gzip", forbid_unknown_fields=True):
    """Compress the answer if the caller accepts that, or `unasked`; the result may be broken.

    `garbage` is no gzip after the fourth event or half of a plain body, `truncated` lacks its end, `checksum` has a
    wrong one.
    """

    unasked: bool = False
    broken: Literal["garbage", "truncated", "checksum"] | None = None


class Chunks(msgspec.Struct, frozen=True, tag="chunks", forbid_unknown_fields=True):
    """Send the body, plain or streamed, in chunks of a few bytes."""

    size: int = 1
    every: float = 0.0


class Dialect(msgspec.Struct, frozen=True, tag="dialect", forbid_unknown_fields=True):
    """A valid stream in an unusual form: all of it must be understood, and unknown events ignored."""

    crlf: bool = True
    comments: bool = True
    unknown_events: bool = True
    write_bytes: int = 7
    """Bytes per write, so that events and characters arrive cut; 0 writes events whole."""


class Malformed(msgspec.Struct, frozen=True, tag="malformed", forbid_unknown_fields=True):
    """Put an event with broken JSON into the stream and go on; a plain body is no JSON."""

    after_events: int = 4


class Duplicate(msgspec.Struct, frozen=True, tag="duplicate", forbid_unknown_fields=True):
    """Send an event of the stream twice."""

    event: int | str = 4


class Missing(msgspec.Struct, frozen=True, tag="missing", forbid_unknown_fields=True):
    """Leave an event of the stream out."""

    event: int | str = 4


class OutOfOrder(msgspec.Struct, frozen=True, tag="out_of_order", forbid_unknown_fields=True):
    """Swap an event of the stream with the next one."""

    event: int | str = 4


class WrongIndex(msgspec.Struct, frozen=True, tag="wrong_index", forbid_unknown_fields=True):
    """Give an event, or the first one after it that has an `index`, another one."""

    event: int | str = 4
    index: int = 7


class BigEvent(msgspec.Struct, frozen=True, tag="big_event", forbid_unknown_fields=True):
    """Put a text delta of `size` bytes into the stream, in front of an event; nobody pays for it.

    Where the rest of the stream has no text, it is an unknown event.
    """

    event: int | str = 4
    size: int = 10 * 1024 * 1024


class ManyDeltas(msgspec.Struct, frozen=True, tag="many_deltas", forbid_unknown_fields=True):
    """End the stream with several `message_delta` events: a valid form, with rising usage and one stop reason."""

    count: int = 3


class OddUsage(msgspec.Struct, frozen=True, tag="odd_usage", forbid_unknown_fields=True):
    """Tell a usage that is not what is billed.

    `missing` has no `usage` at all, `zero` only zeros, `shrinking` a second `message_delta` that tells half of the first.
    """

    usage: Literal["missing", "zero", "shrinking"] = "missing"
    where: Literal["everywhere", "message_start", "message_delta"] = "everywhere"


class StopReason(msgspec.Struct, frozen=True, tag="stop_reason", forbid_unknown_fields=True):
    """Give the usual answer this stop reason; its blocks stay as they are."""

    reason: StopReasonName


Action: TypeAlias = (
    Status
    | Refusal
    | Refuse
    | Delay
    | SlowHeaders
    | Stall
    | Endless
    | ErrorEvent
    | CleanEnd
    | Reset
    | HangUp
    | HalfBody
    | OtherBody
    | ContentLength
    | ContentType
    | Gzip
    | Chunks
    | Dialect
    | Malformed
    | Duplicate
    | Missing
    | OutOfOrder
    | WrongIndex
    | BigEvent
    | ManyDeltas
    | OddUsage
    | StopReason
)


def kind_of(action: Action) -> str:
    """The name of an action's kind, as in its JSON."""
    return str(action.__struct_config__.tag)
