"""Message threads: conversations that the API remembers, so that a request carries only what is new."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import NoReturn

from holdfast.simulator.message import Message
from holdfast.simulator.problems import ApiError, invalid
from holdfast.simulator.values import JsonObject, as_list, as_object, word

LIFETIME = 300.0
"""Seconds for which an answer can be continued."""
KEEP = 10_000
FIXED = ("model", "system", "tools")
"""What a thread is bound to: a continuation leaves these out, or says the same."""


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A conversation up to and with an answer."""

    body: JsonObject
    key: str
    until: float
    is_continued: bool = False
    is_continuing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A threaded request under way: its whole body, whose it is, and the answer that it continues."""

    body: JsonObject
    key: str
    parent: str | None = None


@dataclass(slots=True)
class Threads:
    """The newest answers that may be continued: each by its own key, once, and within five minutes."""

    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict[str, _Kept])
    _lock: Lock = field(default_factory=Lock)

    def enter(self, body: JsonObject, key: str, now: float) -> Ticket:
        """The whole request; from now on nobody else may continue the same answer, until `leave`.

        Raises:
            ApiError: with one of the codes `thread_not_found`, `thread_already_continued`,
                `thread_continue_in_flight` and `thread_fingerprint_mismatch`.
        """
        thread = as_object(body.get("thread"))
        rest = {name: value for name, value in body.items() if name != "thread"}
        match thread.get("type"):
            case "create":
                return Ticket(body=rest, key=key)
            case "continue":
                return self._continued(rest, word(thread, "previous_message_id"), key, now)
            case _:
                invalid("thread.type: Input should be 'create' or 'continue'")

    def whole(self, body: JsonObject, key: str, now: float) -> JsonObject:
        """The whole body of a request that only counts tokens; it continues nothing."""
        ticket = self.enter(body, key, now)
        self.leave(ticket, None, now)
        return ticket.body

    def leave(self, ticket: Ticket, message: Message | None, now: float) -> None:
        """The request is over; `message` is its answer, if that was given whole."""
        with self._lock:
            parent = self._kept.get(ticket.parent or "")
            if parent is not None:
                parent.is_continuing = False
                parent.is_continued = parent.is_continued or message is not None
            if message is None:
                return
            said: JsonObject = {"role": "assistant", "content": message.wire()["content"]}
            body = {**ticket.body, "messages": [*as_list(ticket.body.get("messages")), said]}
            self._kept[message.id] = _Kept(body=body, key=ticket.key, until=now + LIFETIME)
            while len(self._kept) > KEEP:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all conversations."""
        with self._lock:
            self._kept.clear()

    def _continued(self, rest: JsonObject, name: str, key: str, now: float) -> Ticket:
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.key != key or kept.until <= now:
                _refuse(
                    404,
                    "thread_not_found",
                    f"No usable Thread state was found for `previous_message_id` {name}. Replay the full "
                    'conversation with `thread: {"type": "create"}`.',
                )
            if kept.is_continued:
                _refuse(400, "thread_already_continued", f"The response {name} has already been continued.")
            if kept.is_continuing:
                _refuse(400, "thread_continue_in_flight", f"Another request is still continuing from {name}.")
            if any(part in rest and rest[part] != kept.body.get(part) for part in FIXED):
                _refuse(
                    400,
                    "thread_fingerprint_mismatch",
                    f"The request does not match the Thread of {name}: {', '.join(FIXED)} cannot change.",
                )
            kept.is_continuing = True
            messages = [*as_list(kept.body.get("messages")), *as_list(rest.get("messages"))]
            carried = {part: kept.body[part] for part in FIXED if part in kept.body}
            return Ticket(body={**carried, **rest, "messages": messages}, key=key, parent=name)


def _refuse(status: int, code: str, message: str) -> NoReturn:
    raise ApiError(status=status, message=f"thread: {message}", details={"error_code": code})
