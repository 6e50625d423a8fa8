"""The demo as a program: opens the gateway, plays the story, and keeps some traffic going until it is told to stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from holdfast.clock import SYSTEM_CLOCK
from holdfast.console.ways import login_path
from holdfast.demo.asking import Line
from holdfast.demo.breaking import Break, apply
from holdfast.demo.callers import Troupe
from holdfast.demo.lines import Told
from holdfast.demo.proof import Card, card, prove
from holdfast.demo.sheet import Row, sheet
from holdfast.demo.stage import DRAIN, Stage
from holdfast.demo.tale import Tale
from holdfast.demo.tempo import Tempo
from holdfast.gateway.server import GatewayServer

LOOK = 0.1
"""Seconds between two looks whether somebody wants it to stop."""


@dataclass(kw_only=True)
class Show:
    """A demo that runs.

    Attributes:
        say: hears each line of the story.
        ready: is called once the gateway answers.
        over: hears the figures when the story is over.
    """

    stage: Stage
    listener: socket.socket
    url: str
    say: Callable[[Told], None]
    ready: Callable[["Show"], None] = lambda show: None
    over: Callable[[Card], None] = lambda figures: None
    tempo: Tempo | None = None
    _again: asyncio.Event = field(default_factory=asyncio.Event)
    _server: GatewayServer | None = None
    _take: int = 0

    def login(self, role: str = "operator") -> str:
        """A link that opens the console, once."""
        ticket = self.stage.tickets.issue("operator" if role == "operator" else "viewer", "demo")
        return f"{self.url}{login_path(ticket)}"

    def replay(self) -> None:
        """Tell the story once more when this telling is over."""
        self._again.set()

    def pause(self) -> bool:
        """Pause the story, or go on; whether it stands still now."""
        if self.tempo is None:
            return False
        self.tempo.toggle()
        return self.tempo.is_paused

    def break_it(self, what: Break) -> None:
        """Break the upstream by hand, for some seconds."""
        apply(what, self.stage.simulator)

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.should_exit = True

    async def run(self) -> None:
        """Play until somebody stops it."""
        await self._with_gateway(self._play)

    async def check(self) -> tuple[Row, ...]:
        """Play once, and tell what was to be seen."""
        rows: list[Row] = []

        async def once(line: Line) -> None:
            tale = self._tale(line)
            async with tale.troupe.at_work():
                await tale.play()
                tale.troupe.is_done = True
            rows.extend(sheet(tale, await prove(tale)))
            self.stop()

        await self._with_gateway(once)
        return tuple(rows)

    async def _play(self, line: Line) -> None:
        while True:
            tale = self._tale(line)
            self._again.clear()
            async with tale.troupe.at_work():
                await tale.play()
                self.over(card(tale, await prove(tale)))
                tale.troupe.is_idle = True
                await self._again.wait()

    def _tale(self, line: Line) -> Tale:
        self._take += 1
        self.tempo = Tempo(self.stage.clock)
        name = "" if self._take == 1 else f"take-{self._take}-"
        troupe = Troupe(stage=self.stage, line=line, tempo=self.tempo, name=name)
        return Tale(stage=self.stage, troupe=troupe, say=self.say)

    async def _with_gateway(self, act: Callable[[Line], Awaitable[None]]) -> None:
        """Act while the gateway runs; whichever of the two ends first ends the other."""
        began = asyncio.Event()
        config = self.stage.hold.settings.gateway
        self._server = GatewayServer(
            self.stage.gateway(), drain_timeout=DRAIN, ready=began.set, config=config
        )
        line = Line(self.url, self.stage.clock)
        serving = asyncio.ensure_future(self._server.serve(sockets=[self.listener]))
        try:
            await asyncio.wait(
                [serving, waiting := asyncio.ensure_future(began.wait())], return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
            self.ready(self)
            acting = asyncio.ensure_future(act(line))
            stopping = asyncio.ensure_future(_asked_to_stop(self._server))
            await asyncio.wait([serving, acting, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            acting.cancel()
            (came,) = await asyncio.gather(acting, return_exceptions=True)
        finally:
            await line.aclose()
            self.stop()
            await serving
        if isinstance(came, Exception):
            raise came


async def _asked_to_stop(server: GatewayServer) -> None:
    """Come back when the server was asked to stop: its callers leave before it waits for them."""
    while not server.should_exit:
        await SYSTEM_CLOCK.sleep(LOOK)
