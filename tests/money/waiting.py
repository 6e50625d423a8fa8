"""Clients that wait for an answer that will not come by itself, and when and how it ended all the same."""

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from holdfast.clock import SYSTEM_CLOCK
from tests.doors.running import PATIENCE
from tests.doors.talking import QUESTION, connected, request


@dataclass
class Waiting:
    """One call on a connection of its own, in a thread of its own."""

    url: str
    is_stream: bool
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    began: threading.Event = field(default_factory=threading.Event)
    ended: float = 0.0
    heard: bytes = b""

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        body = {**QUESTION, "stream": self.is_stream}
        with connected(self.url) as connection:
            connection.send(request(body, headers={**self.headers, "connection": "close"}))
            self.heard = connection.reader.readline()
            self.began.set()
            while chunk := connection.reader.readline():
                self.heard += chunk
                if b"holdfast_stopped" in chunk:
                    self.ended = SYSTEM_CLOCK.monotonic()
        self.ended = self.ended or SYSTEM_CLOCK.monotonic()

    def join(self) -> None:
        """Wait until the answer has ended."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def is_stopped(self) -> bool:
        """Whether it heard, typed, that somebody stopped it."""
        if self.is_stream:
            says = (b"event: error", b'"permission_error"', b'"holdfast_stopped"')
            return self.heard.startswith(b"HTTP/1.1 200") and all(word in self.heard for word in says)
        return self.heard.startswith(b"HTTP/1.1 403") and b'"holdfast_stopped"' in self.heard


@contextmanager
def waiting(urls: Sequence[str], kinds: Sequence[bool], **headers: str) -> Generator[list[Waiting]]:
    """A call of each kind, stream or not, at each address; the streams have begun."""
    named = {f"x-holdfast-{name}": value for name, value in headers.items()}
    calls = [Waiting(url, is_stream, named) for url in urls for is_stream in kinds]
    for call in calls:
        if call.is_stream:
            assert call.began.wait(PATIENCE)
    yield calls
    for call in calls:
        call.join()
