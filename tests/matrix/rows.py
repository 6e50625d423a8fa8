"""The rows of the wire fault matrix: what the upstream does, and what a caller may see of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal, get_args

from holdfast.simulator import (
    Action,
    BigEvent,
    Chunks,
    CleanEnd,
    ContentLength,
    ContentType,
    Delay,
    Dialect,
    Duplicate,
    Endless,
    ErrorEvent,
    Gzip,
    HalfBody,
    HangUp,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OtherBody,
    OutOfOrder,
    Refusal,
    Reset,
    SlowHeaders,
    Stall,
    Status,
    StopReason,
    WrongIndex,
)
from holdfast.simulator.actions import StopReasonName
from tests.matrix.asking import Form

Ending = Literal["answered", "raised", "either"]
"""answered: the message is whole. raised: the call is an error. either: passed on as it came, for the client to judge."""

LAST = 10_000
"""An event count past the end: only `message_stop` is missing."""
MIDDLE = 6
"""In the middle of the text, or of the JSON of a tool's input."""
HTML = "<html><body>Bad gateway</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault, and what is expected of a call that meets it.

    Attributes:
        name: what it is called in the report.
        action: what the upstream does.
        form: what is asked for.
        attempts: upstream requests for one client call; several where it depends on how the bytes are cut.
        end: how the call ends for its caller.
        same: whether the answer is byte for byte what the upstream sent.
        times: how many requests are hit; `None` is all of them.
    """

    name: str
    action: Action
    form: Form
    attempts: tuple[int, ...]
    end: Ending
    same: bool = False
    times: int | None = None

    @property
    def told(self) -> Action | None:
        """What the upstream has to do to say directly what its caller should read; nothing where that is all of it."""
        match self.action:
            case Stall() | CleanEnd() | Missing(event="message_stop"):
                return None  # only the farewell is missing, and it is added
            case Gzip() | SlowHeaders():
                return None
            case action:
                return action


def _soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)  # noqa: TID251 - a real gateway reads it, in real time


def _refusals() -> Iterator[tuple[str, Action, int]]:
    """Answers that are no message: name, action, attempts (semantics 2.3)."""
    once = (400, 401, 402, 403, 404, 413, 422, 501)
    for status in once:
        yield f"{status}", Status(status), 1
    for status, attempts in ((408, 2), (409, 2), (429, 3), (500, 3), (503, 3), (504, 2), (529, 3)):
        yield f"{status}", Status(status), attempts
    for status in (502, 503, 504):
        yield f"{status} html", Status(status, body=HTML, content_type="text/html"), 3
    yield "429 retry-after s", Status(429, retry_after=1), 3
    yield "429 retry-after-ms", Status(429, headers={"retry-after-ms": "50"}), 3
    yield "429 retry-after date", Status(429, headers={"retry-after": _soon()}), 3
    yield "429 retry-after 0", Status(429, headers={"retry-after": "0"}), 3
    yield "429 retry-after negative", Status(429, headers={"retry-after": "-5"}), 3
    yield "429 retry-after huge", Status(429, headers={"retry-after": "86400"}), 1
    yield "429 ramp", Refusal("ramp_limit_exceeded", retry_after=1), 3
    yield "429 enforced spend cap", Refusal("enforced_spend_limit_reached"), 1
    yield "429 contract spend cap", Refusal("contract_spend_limit_reached"), 1
    yield "402 linked spend cap", Refusal("linked_organization_spend_limit_reached"), 1
    yield "400 organization on hold", Refusal("organization_on_hold"), 1
    for status in (429, 500, 529):
        yield f"{status} x-should-retry false", Status(status, headers={"x-should-retry": "false"}), 1
    yield "500 x-should-retry true", Status(500, headers={"x-should-retry": "true"}), 3
    yield "400 x-should-retry true", Status(400, headers={"x-should-retry": "true"}), 1


def _bodies() -> Iterator[Row]:
    """Plain answers that are broken: one more try, then a typed error."""
    broken: tuple[tuple[str, Action], ...] = (
        ("empty body", OtherBody("")),
        ("half body", HalfBody()),
        ("body of another shape", OtherBody('{"hello": "world"}')),
        ("body is a list", OtherBody("[]")),
        ("html body", OtherBody(HTML, content_type="text/html")),
        ("malformed body", Malformed()),
        ("clean end in body", CleanEnd()),
        ("content-length too long", ContentLength(off_by=10)),
        ("content-length too short", ContentLength(off_by=-10)),
        ("gzip garbage", Gzip(unasked=True, broken="garbage")),
        ("reset before headers", Reset()),
        ("reset after headers", Reset(after="headers")),
        ("reset in body", Reset(after=1)),
        ("hang-up before headers", HangUp(after="request")),
        ("hang-up after headers", HangUp(after="headers")),
        ("hang-up in body", HangUp(after=1)),
    )
    for name, action in broken:
        yield Row(name=f"plain {name}", action=action, form="plain", attempts=(2,), end="raised")
    silent: tuple[tuple[str, Action], ...] = (
        ("stall in body", Stall()),
        ("endless body", Endless()),
        ("late headers", Delay(30.0)),
        ("late body", Delay(30.0, before="first_event")),
    )
    for name, action in silent:  # nothing tells a long silence from a long answer but the deadline
        yield Row(name=f"plain {name}", action=action, form="plain", attempts=(1,), end="raised")
    whole: tuple[tuple[str, Action], ...] = (
        ("1-byte chunks", Chunks()),
        ("other content-type", ContentType("text/plain")),
        ("gzip", Gzip(unasked=True)),
        ("gzip without its end", Gzip(unasked=True, broken="truncated")),
        ("slow headers", SlowHeaders(every=0.0005)),
    )
    for name, action in whole:
        yield Row(name=f"plain {name}", action=action, form="plain", attempts=(1,), end="answered", same=True)


def _places() -> Iterator[tuple[str, Form, int]]:
    yield "after headers", "stream", 0
    yield "after message_start", "stream", 1
    yield "mid text", "stream", MIDDLE
    yield "mid tool JSON", "tool", MIDDLE
    yield "after message_delta", "stream", LAST


def _breaks() -> Iterator[Row]:
    """Streams that end before their end, at every place: nothing shown is asked again."""
    for kind in (Reset, HangUp):
        name = kind.__struct_config__.tag
        yield Row(
            name=f"{name} before headers", action=kind("request"), form="stream", attempts=(2,), end="raised"
        )
    for place, form, after in _places():
        again = (2,) if after < MIDDLE else (1,)
        # With the stop reason seen, nothing is missing but the farewell.
        end: Ending = "answered" if after == LAST else "raised"
        broken: tuple[tuple[str, Action], ...] = (
            ("clean end", CleanEnd(after_events=after)),
            ("stall", Stall(after_events=after)),
            ("stall with pings", Stall(after_events=after, ping_every=0.1)),
        )
        for name, action in broken:
            is_same = after == LAST and name != "stall with pings"
            yield Row(name=f"{name} {place}", action=action, form=form, attempts=again, end=end, same=is_same)
        # A connection that breaks overtakes what came before it and was not read yet.
        cut: Literal["headers"] | int = "headers" if after == 0 else after
        for name, action in (("reset", Reset(after=cut)), ("hang-up", HangUp(after=cut))):
            yield Row(
                name=f"{name} {place}",
                action=action,
                form=form,
                attempts=(2,) if after < MIDDLE else (1, 2),
                end="either" if after == LAST else "raised",
            )
        yield Row(
            name=f"overloaded event {place}",
            action=ErrorEvent(after_events=after),
            form=form,
            attempts=(3,) if after < MIDDLE else (1,),
            end="raised",
        )


def _spoilt() -> Iterator[Row]:
    """Streams that cannot be understood to their end."""
    yield Row(name="stream half body", action=HalfBody(), form="stream", attempts=(1,), end="raised")
    yield Row(
        name="invalid_request event at once",
        action=ErrorEvent(error_type="invalid_request_error"),
        form="stream",
        attempts=(1,),
        end="raised",
    )
    garbage = Gzip(unasked=True, broken="garbage")
    yield Row(name="stream gzip garbage", action=garbage, form="stream", attempts=(1, 2), end="raised")
    late: tuple[tuple[str, Action], ...] = (
        ("late headers", Delay(30.0)),
        ("late first event", Delay(30.0, before="first_event")),
        ("other content-type", ContentType("text/html")),
    )
    for name, action in late:
        yield Row(name=f"stream {name}", action=action, form="stream", attempts=(2,), end="raised")
    yield Row(name="stream empty", action=OtherBody(""), form="stream", attempts=(2,), end="raised")
    yield Row(
        name="stream is html",
        action=OtherBody(HTML, content_type="text/html"),
        form="stream",
        attempts=(2,),
        end="raised",
    )


def _forms() -> Iterator[Row]:
    """Streams that are whole, however odd: every byte arrives."""
    odd: tuple[tuple[str, Action, Ending], ...] = (
        ("dialect", Dialect(), "answered"),
        ("crlf", Dialect(comments=False, unknown_events=False, write_bytes=0), "answered"),
        ("unknown events", Dialect(crlf=False, comments=False, write_bytes=0), "answered"),
        ("1-byte chunks", Chunks(), "answered"),
        ("10 MB event", BigEvent(), "answered"),
        ("several message_delta", ManyDeltas(), "answered"),
        ("gzip", Gzip(unasked=True), "answered"),
        ("gzip without its end", Gzip(unasked=True, broken="truncated"), "answered"),
        ("usage missing", OddUsage("missing"), "either"),
        ("usage zero", OddUsage("zero"), "answered"),
        ("usage shrinking", OddUsage("shrinking"), "answered"),
        ("duplicate delta", Duplicate(MIDDLE), "answered"),
        ("duplicate content_block_start", Duplicate("content_block_start"), "either"),
        ("duplicate message_delta", Duplicate("message_delta"), "answered"),
        ("missing delta", Missing(MIDDLE), "answered"),
        ("missing content_block_start", Missing("content_block_start"), "either"),
        ("missing content_block_stop", Missing("content_block_stop"), "either"),
        ("missing message_stop", Missing("message_stop"), "answered"),
        ("out of order deltas", OutOfOrder(MIDDLE), "answered"),
        ("out of order content_block_start", OutOfOrder("content_block_start"), "either"),
        ("wrong index", WrongIndex(), "either"),
        ("malformed event", Malformed(after_events=MIDDLE), "either"),
        ("slow headers", SlowHeaders(every=0.0005), "answered"),
    )
    for name, action, end in odd:
        yield Row(name=f"stream {name}", action=action, form="stream", attempts=(1,), end=end, same=True)


def _reasons() -> Iterator[Row]:
    """Every stop reason, and lengths that are stated wrongly."""
    # The connection ends in the wrong place, and may overtake what came before.
    for name, off_by in (("long", 10), ("short", -10)):
        yield Row(
            name=f"stream content-length too {name}",
            action=ContentLength(off_by=off_by),
            form="stream",
            attempts=(1, 2),
            end="either",
        )
    yield Row(
        name="tool stream 3-byte chunks",
        action=Chunks(size=3),
        form="tool",
        attempts=(1,),
        end="answered",
        same=True,
    )
    yield Row(
        name="stream missing message_delta",
        action=Missing("message_delta"),
        form="stream",
        attempts=(1,),
        end="raised",
    )
    for reason in get_args(StopReasonName):
        for form in ("plain", "stream"):
            yield Row(
                name=f"{form} stop reason {reason}",
                action=StopReason(reason),
                form=form,
                attempts=(1,),
                end="answered",
                same=True,
            )
    yield Row(
        name="stream missing message_start",
        action=Missing("message_start"),
        form="stream",
        attempts=(1,),
        end="either",
    )


def _passing() -> Iterator[Row]:
    """Faults that hit once, before anything was shown: the caller never hears of them."""
    once: tuple[tuple[str, Action], ...] = (
        ("408", Status(408)),
        ("409", Status(409)),
        ("429 retry-after-ms", Status(429, headers={"retry-after-ms": "50"})),
        ("500", Status(500)),
        ("502 html", Status(502, body=HTML, content_type="text/html")),
        ("504", Status(504)),
        ("529", Status(529)),
        ("reset before headers", Reset()),
        ("reset after headers", Reset(after="headers")),
    )
    shown: tuple[tuple[str, Action], ...] = (
        ("late headers", Delay(30.0)),
        ("reset after message_start", Reset(after=1)),
        ("clean end after message_start", CleanEnd(after_events=1)),
        ("stall after message_start", Stall(after_events=1, ping_every=0.1)),
        ("overloaded event after message_start", ErrorEvent(after_events=1)),
    )
    whole: tuple[tuple[str, Action], ...] = (("empty body", OtherBody("")), ("half body", HalfBody()))
    forms: tuple[tuple[Form, tuple[tuple[str, Action], ...]], ...] = (
        ("plain", once + whole),
        ("stream", once + shown),
    )
    for form, faults in forms:
        for name, action in faults:
            yield Row(
                name=f"{form} once {name}",
                action=action,
                form=form,
                attempts=(2,),
                end="answered",
                times=1,
            )


def _table() -> Iterator[Row]:
    for name, action, attempts in _refusals():
        for form in ("plain", "stream"):
            yield Row(name=f"{form} {name}", action=action, form=form, attempts=(attempts,), end="raised")
    yield from _bodies()
    yield from _breaks()
    yield from _spoilt()
    yield from _forms()
    yield from _reasons()
    yield from _passing()


ROWS = tuple(_table())
