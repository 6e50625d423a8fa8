"""What arrived at the simulator: raw requests, and how each of them ended."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Literal, TypeAlias

from holdfast.simulator.request import parse
from holdfast.simulator.values import JsonObject

Ending: TypeAlias = Literal["open", "completed", "disconnected", "faulted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedRequest:
    """One request as it arrived.

    Attributes:
        number: 1 for the first request of this simulator.
        request_id: what the `request-id` header of the answer said.
        headers: names in lower case; repeated ones joined by a comma.
        arrived: monotonic seconds of the simulator's clock; `arrived_at` is the same moment in UTC.
        ended: monotonic seconds of the end, for `disconnected` the moment the caller's leaving was seen.
        ending: `completed` also for an error of validation; `faulted` when a fault broke or replaced the answer.
        retry_after: seconds that the answer told its caller to wait.
        fault: the kind of fault that hit it, such as `status` or `reset`.
        events: how many events of a stream were sent.
    """

    number: int
    request_id: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    arrived: float
    arrived_at: datetime
    ended: float | None = None
    ending: Ending = "open"
    status: int | None = None
    retry_after: float | None = None
    events: int = 0
    fault: str | None = None

    def json(self) -> JsonObject:
        """The body as a JSON object; raises `ApiError` where it is none."""
        return parse(self.body)

    @property
    def key(self) -> str:
        """The API key that came with it."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


ROOM = 64 * 1024 * 1024
"""Bytes of bodies that are kept, whatever their number."""


@dataclass(slots=True)
class Capture:
    """The newest `keep` requests, and never more than 64 MB of bodies."""

    keep: int
    room: int = ROOM
    _count: int = 0
    _size: int = 0
    _requests: OrderedDict[int, CapturedRequest] = field(default_factory=OrderedDict[int, CapturedRequest])
    _lock: Lock = field(default_factory=Lock)

    def number(self) -> int:
        """The number of the next request; numbers are never used twice."""
        with self._lock:
            self._count += 1
            return self._count

    def put(self, request: CapturedRequest) -> None:
        """Keep a new request, or what became known of one; the oldest make room."""
        with self._lock:
            if request.number not in self._requests:
                self._size += len(request.body)
            self._requests[request.number] = request
            while len(self._requests) > self.keep or (self._size > self.room and len(self._requests) > 1):
                _, oldest = self._requests.popitem(last=False)
                self._size -= len(oldest.body)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._requests.clear()
            self._size = 0

    def all(self) -> tuple[CapturedRequest, ...]:
        """The requests in the order of arrival."""
        with self._lock:
            return tuple(self._requests.values())

    @property
    def open(self) -> int:
        """How many kept requests have not ended."""
        return sum(1 for request in self.all() if request.ending == "open")
