"""Following calls: a screen that shows each once, and the ways to hear of them, a gateway's stream or a database."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from holdfast.cli.desk import talk
from holdfast.cli.inert import json_text
from holdfast.cli.remote import Answered, Server, unreachable
from holdfast.cli.request_rows import live
from holdfast.cli.request_source import PATH, Remote, Source, wrong
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import HoldfastError, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.wire.sse import OversizedEvent, Splitter

SILENCE = 45.0
"""Seconds without a word after which a connection counts as lost; a gateway says something every 15."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
POLL = 1.0
"""Seconds between two looks into a database."""
CATCH_UP = 200
"""Calls that are looked through for those that nobody told of."""
REMEMBERED = 5_000
LARGEST_EVENT = 1024 * 1024
COME_BACK = (429, 503)
Facts = Mapping[str, Any]


class Enough(Exception):
    """As many calls were shown as were asked for."""


@dataclass(kw_only=True)
class Screen:
    """Where calls are shown, each once, at most `limit` of them; those that had ended before are only known."""

    as_lines: bool = False
    limit: int | None = None
    _shown: int = 0
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])

    def know(self, facts: Facts) -> bool:
        """Remember a call; whether it was new."""
        name = str(facts["request_id"])
        is_new = name not in self._known
        self._known[name] = None
        self._known.move_to_end(name)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return is_new

    def show(self, facts: Facts) -> None:
        """Print a call that is new; raises `Enough` after the last."""
        if not self.know(facts):
            return
        click.echo(json_text(facts) if self.as_lines else live(facts))
        self._shown += 1
        if self._shown == self.limit:
            raise Enough

    def begin(self, source: Source, wanted: str) -> None:
        """Know what has ended already."""
        for facts in source.page(wanted, limit=CATCH_UP, after=None)["data"]:
            self.know(facts)

    def catch_up(self, source: Source, wanted: str) -> None:
        """Show what has ended since, oldest first, and say if there was more."""
        page = source.page(wanted, limit=CATCH_UP, after=None)
        rows: list[Facts] = page["data"]
        before = self._shown
        for facts in reversed(rows):
            self.show(facts)
        if page["has_more"] and self._shown - before == len(rows):
            talk(
                Sentence(
                    f"(More than {CATCH_UP} calls ended meanwhile; `holdfast requests` has them all.)",
                    ko=f"(그 사이에 {CATCH_UP}건이 넘는 호출이 끝났습니다. 전체는 `holdfast requests`로 볼 수 있습니다.)",
                )
            )


@dataclass(kw_only=True)
class Tail:
    """Follows one gateway, and finds it again when it was lost."""

    server: Server
    wanted: str
    screen: Screen
    clock: Clock = SYSTEM_CLOCK
    _wait: float = FIRST_WAIT
    _is_told: bool = False

    def begin(self) -> None:
        """Know what has ended already; raises `UpstreamUnavailable` when nobody answers, and as `Server.ask` does."""
        self.screen.begin(Remote(server=self.server), self.wanted)

    def follow(self) -> None:
        """Show calls as they end, for ever; raises `Enough`, and what no waiting mends."""
        while True:
            lost: HoldfastError | None = None
            try:
                self._hear()
            except UpstreamUnavailable as error:
                lost = error
            except Answered as error:
                if error.status not in COME_BACK:
                    raise wrong(error) from error
                lost = error
            self._pause(_ended(self.server.url) if lost is None else lost.sentence)

    def _hear(self) -> None:
        path = f"{PATH}/stream?{urlencode({'filter': self.wanted})}"
        with self.server.stream(path, patience=SILENCE) as chunks:
            for name, facts in events(chunks, self.server.url):
                self._take(name, facts)

    def _take(self, name: str, facts: Facts) -> None:
        match name:
            case "opened":
                self._opened(int(facts.get("workers", 1)))
            case "dropped":
                talk(_dropped(int(facts["count"])))
            case "request":
                self.screen.show(facts)
            case _:  # of a gateway that is newer than this
                return

    def _opened(self, workers: int) -> None:
        if not self._is_told:
            talk(_following(self.server.url, workers))
        self._is_told, self._wait = True, FIRST_WAIT
        # The stream is open by now: nothing can end unseen between this look and the first event.
        self.screen.catch_up(Remote(server=self.server), self.wanted)

    def _pause(self, why: Sentence) -> None:
        wait = self._wait
        again = Sentence(f"Trying again in {wait:g} s.", ko=f"{wait:g}초 뒤에 다시 시도합니다.")
        talk(Sentence(f"({why.en} {again.en})", ko=f"({why.ko} {again.ko})"))
        self.clock.block(wait)
        self._wait = min(LONGEST_WAIT, wait * 2)


def poll(source: Source, wanted: str, screen: Screen, clock: Clock = SYSTEM_CLOCK) -> None:
    """Show calls as they are written down, for ever; raises `Enough`."""
    screen.begin(source, wanted)
    while True:
        clock.block(POLL)
        screen.catch_up(source, wanted)


def events(chunks: Iterable[bytes], url: str) -> Iterator[tuple[str, Facts]]:
    """The events of a stream with what they say; raises `UpstreamUnavailable` for what is no such stream."""
    splitter = Splitter(limit=LARGEST_EVENT)
    try:
        for chunk in chunks:
            for event in splitter.feed(chunk):
                if event.data:
                    yield event.name, msgspec.json.decode(event.data, type=dict[str, Any])
    except (OversizedEvent, msgspec.MsgspecError) as error:
        raise unreachable(url, error) from error


def _ended(url: str) -> Sentence:
    return Sentence(f"{url} has ended the stream.", ko=f"{url}에서 스트림을 끝냈습니다.")


def _dropped(count: int) -> Sentence:
    return Sentence(
        f"({count:,} calls went by too fast to be shown; `holdfast requests` has them.)",
        ko=f"(호출 {count:,}건은 너무 빨리 지나가 표시하지 못했습니다. `holdfast requests`로 볼 수 있습니다.)",
    )


def _following(url: str, workers: int) -> Sentence:
    if workers > 1:
        return Sentence(
            f"Following one of {workers} workers at {url}; calls of the others do not appear here. Ctrl-C ends this.",
            ko=f"{url}의 워커 {workers}개 중 하나를 봅니다. 다른 워커의 호출은 여기에 나타나지 않습니다. Ctrl-C로 끝냅니다.",
        )
    return Sentence(f"Following {url}. Ctrl-C ends this.", ko=f"{url}의 호출을 봅니다. Ctrl-C로 끝냅니다.")
