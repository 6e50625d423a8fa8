"""The live feed: every call of this process that is over, to each who follows, and never a wait for a slow one."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

from holdfast.errors import RateLimited
from holdfast.events import CallEnded, Event
from holdfast.language import Sentence
from holdfast.ports import CallRecord

ROOM = 256
"""Calls that wait for one follower; of more, the oldest are dropped and counted."""
MOST = 32
"""Followers at a time."""
COME_BACK = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a follower has not heard yet: calls, oldest first, and how many before them it was too slow for."""

    calls: tuple[CallRecord, ...]
    missed: int = 0


class Following:
    """One follower's place in the feed, of the event loop that it was made in; `close` gives the place back."""

    def __init__(self, feed: "Feed", room: int) -> None:
        self._feed = feed
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._lock = threading.Lock()
        self._calls: deque[CallRecord] = deque()
        self._missed = 0
        self._is_awake = self._is_over = False

    async def hear(self) -> News | None:
        """Wait for the next calls; `None` when the feed ends. Cancelled, it loses nothing."""
        while True:
            with self._lock:
                self._changed.clear()
                self._is_awake = False
                news = News(calls=tuple(self._calls), missed=self._missed)
                self._calls.clear()
                self._missed = 0
            if news.calls:
                return news
            if self._is_over:
                return None
            await self._changed.wait()

    def close(self) -> None:
        """Follow no longer; may be called twice."""
        self._feed.leave(self)

    def tell(self, call: CallRecord) -> None:
        """Put a call into the queue, from any thread."""
        with self._lock:
            if len(self._calls) == self._room:
                self._calls.popleft()
                self._missed += 1
            self._calls.append(call)
        self._wake()

    def end(self) -> None:
        """Let the follower hear what waits, and then that it is over."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._is_awake:
            return
        self._is_awake = True
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:  # its loop has ended without a word
            self.close()


class Feed:
    """Hands finished calls to those who follow; with nobody there it costs nothing. It knows this process only.

    At most `most` follow at a time; for each of them, `room` calls wait.
    """

    def __init__(self, *, room: int = ROOM, most: int = MOST) -> None:
        self.room = room
        self.most = most
        self._lock = threading.Lock()
        self._followers: tuple[Following, ...] = ()

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    def follow(self) -> Following:
        """Hear of every call from now on; raises `RateLimited` when all places are taken."""
        following = Following(self, self.room)
        with self._lock:
            if len(self._followers) >= self.most:
                raise _full(self.most)
            self._followers = (*self._followers, following)
        return following

    def leave(self, following: Following) -> None:
        """Forget a follower."""
        with self._lock:
            self._followers = tuple(one for one in self._followers if one is not following)

    def end(self) -> None:
        """Tell all who follow now that it is over; others may come."""
        for following in self._followers:
            following.end()

    def __call__(self, event: Event) -> None:
        """The observer: passes the calls among all events on."""
        if self._followers and isinstance(event, CallEnded) and isinstance(event.record, CallRecord):
            for following in self._followers:
                following.tell(event.record)


def _full(most: int) -> RateLimited:
    return RateLimited(
        Sentence(
            f"{most} already follow the live requests, which is the most. Close one, or come back later.",
            ko=f"이미 {most}곳에서 실시간 요청을 보고 있어 더 받을 수 없습니다. 하나를 닫거나 나중에 다시 시도하세요.",
        ),
        retry_after=COME_BACK,
    )
