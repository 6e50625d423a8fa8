"""Which tools of MCP servers may be offered: those that say of themselves what they said when they were first seen."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from holdfast.assembly import Runtime
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.events import ToolChanged
from holdfast.language import Sentence
from holdfast.parts.suspicion import Suspicion
from holdfast.policy.mcp import Listed
from holdfast.policy.pins import MOST_PINS, PIN, Found, Pin, ToolRejected, chosen, compare, decoded, encoded
from holdfast.policy.pins import rejected as refusal
from holdfast.ports import Entry
from holdfast.wire.offer import Offered

ACTOR = "first-seen"
SCOPE = "local"
"""Whose tools these are: agents call without a key, and the guard of the pipeline knows them by the same name."""


@dataclass(slots=True, eq=False)
class PinDesk:
    """Judges lists of tools by the pins of the register, and pins what is new and in order.

    One tool that is not as it should be is kept back alone, whether the guard of the pipeline would refuse the
    whole request or only tell; `tools.pins = "off"` keeps nothing back. While the register does not answer, what
    was known of it last goes on to hold.
    """

    runtime: Runtime
    withheld: dict[str, ToolRejected] = field(default_factory=dict[str, ToolRejected])
    _suspicion: Suspicion = field(init=False)
    _judged: tuple[Listed, ...] | None = None
    _revision: int | None = None
    _pins: dict[str, str] = field(default_factory=dict[str, str])
    _told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def __post_init__(self) -> None:
        self._suspicion = Suspicion(config=self.runtime.settings.screen)

    async def judge(self, tools: tuple[Listed, ...], request_id: str) -> tuple[Listed, ...]:
        """Those of the tools that may be offered; why the others may not stands in `withheld`."""
        if self.runtime.settings.tools.pins == "off":
            return tools
        try:
            revision = await self.runtime.ledger.revision()
            if tools is not self._judged or revision != self._revision:
                await self._judge(tools, request_id)
                self._judged, self._revision = tools, await self.runtime.ledger.revision()
        except StoreUnavailable:
            await self._judge_alone(tools, request_id)
        return tuple(tool for tool in tools if tool.name not in self.withheld)

    async def _judge(self, tools: Sequence[Listed], request_id: str) -> None:
        self._pins = _fingerprints(await self.runtime.ledger.entries(PIN))
        new = await self._withhold(tools, request_id)
        for one in new[: max(0, MOST_PINS - len(self._pins))]:
            pin = Pin(scope=SCOPE, tool=one.name, fingerprint=one.fingerprint, at=self.runtime.clock.now())
            await self.runtime.ledger.put(PIN, pin.name, encoded(pin), actor=ACTOR, note=one.name[:100])
            self._pins[pin.name] = pin.fingerprint
        # The guard of the pipeline must know at once what is pinned and approved, or it would judge by what was.
        await self.runtime.stations.watch.refresh()

    async def _judge_alone(self, tools: tuple[Listed, ...], request_id: str) -> None:
        """By the pins that were known last, and by what the descriptions hold; nothing is pinned."""
        if tools is not self._judged:
            await self._withhold(tools, request_id)
            self._judged, self._revision = tools, None

    async def _withhold(self, tools: Sequence[Listed], request_id: str) -> list[Offered]:
        offers = chosen((tool.offered for tool in tools), self.runtime.settings.tools.pinned)
        found, new = compare(offers, self._pins, SCOPE)
        # Reading a thousand descriptions takes a while, and others live in this loop, too.
        suspicious = await asyncio.to_thread(self._suspicious, new)
        troubles = (*found, *(Found(one, "suspicious") for one in suspicious))
        self.withheld = {one.tool.name: _kept_back(one) for one in troubles}
        for one in troubles:
            self._tell(one, request_id)
        return [one for one in new if one.name not in self.withheld]

    def _suspicious(self, new: Iterable[Offered]) -> list[Offered]:
        return [one for one in new if self._suspicion.is_suspicious("\n".join(one.texts))]

    def _tell(self, found: Found, request_id: str) -> None:
        key = (found.tool.fingerprint, found.trouble)
        if key in self._told:
            return
        if len(self._told) >= MOST_PINS:
            self._told.clear()
        self._told.add(key)
        self.runtime.pipeline.observe(
            ToolChanged(
                request_id=request_id,
                scope=SCOPE,
                tool=found.tool.name,
                code=found.trouble,
                fingerprint=found.tool.fingerprint,
                action="refuse",
            )
        )


def _kept_back(found: Found) -> ToolRejected:
    """Why a tool is not run, with the command that an operator approves it by."""
    why = refusal(found, SCOPE)
    command = f"holdfast guard pins approve {found.tool.name} {found.tool.fingerprint}"
    return ToolRejected(
        Sentence(f"{why.sentence.en} (`{command}`)", ko=f"{why.sentence.ko} (`{command}`)"),
        details=why.details,
    )


def _fingerprints(entries: Iterable[Entry]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        try:
            found[entry.name] = decoded(entry.body).fingerprint
        except ConfigError:
            found[entry.name] = ""  # fits nothing until somebody mends or forgets it
    return found
