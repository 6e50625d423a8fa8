"""The station that knows the tools of its callers, and notices when one is no longer what it was."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from holdfast.call import Call
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.events import Observer, OrderUnreadable, ToolChanged, unobserved
from holdfast.pipeline import Proceed
from holdfast.policy.pins import MOST_PINS, PIN, Found, Pin, chosen, compare, decoded, encoded, rejected
from holdfast.policy.taint import TaintConfig
from holdfast.ports import Entry, Register
from holdfast.wire.offer import Offered, read_offer

ACTOR = "first-seen"
"""Who pins a tool that nobody has looked at; an approval has the name of a person."""
HEARD_OF_AFTER = timedelta(minutes=1)
"""By then a worker has heard from the register of what it has pinned itself, or that it is pinned no more."""
MOST_TOLD = 4_096
"""Troubles that are remembered, so that each is announced once by a worker."""


def _untold() -> None:
    """The revision where a worker hears of the register all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinGuard:
    """Pins what a tool says of itself when it is first seen, and judges every offer by that.

    The scope of a pin is the key of its caller: what one customer calls a tool is nobody else's. A register that
    does not answer pins nothing and refuses nobody: what is known goes on to hold. `entries` are the pins of the
    register as last heard of; `flags` says which descriptions read like attacks. A worker that is
    alone is not told of its own pins: it knows them until `revision` says that the register was heard of anew.
    """

    name: ClassVar[str] = "pins"
    config: TaintConfig
    register: Register
    entries: Callable[[], Sequence[Entry]]
    flags: Callable[[str], bool]
    revision: Callable[[], int | None] = _untold
    observe: Observer = unobserved
    _seen: "_Seen" = field(default_factory=lambda: _Seen(), init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed:
        if self.config.pins == "off" or not call.request.tool_names:
            return Proceed(call)
        offer = chosen(read_offer(call.body), self.config.pinned)
        if offer:
            await self._judge(call, offer)
        return Proceed(call)

    async def _judge(self, call: Call, offer: Sequence[Offered]) -> None:
        scope = call.principal.key
        pins = self._seen.pins(self.entries(), call.arrived, self.observe, self.revision())
        found, new = compare(offer, pins, scope)
        suspicious = [tool for tool in new if self.flags("\n".join(tool.texts))]
        troubles = (*found, *(Found(tool, "suspicious") for tool in suspicious))
        for trouble in troubles:
            self._tell(call, trouble, scope)
        # What a person has refused is refused even where the rest is only told of.
        bad = [one for one in troubles if one.trouble == "refused" or self.config.pins == "refuse"]
        if bad:
            raise rejected(bad[0], scope)
        await self._pin(call, [tool for tool in new if tool not in suspicious], scope, len(pins))

    async def _pin(self, call: Call, new: Sequence[Offered], scope: str, known: int) -> None:
        for tool in new[: max(0, MOST_PINS - known)]:
            pin = Pin(scope=scope, tool=tool.name, fingerprint=tool.fingerprint, at=call.arrived)
            try:
                await self.register.put(PIN, pin.name, encoded(pin), actor=ACTOR, note=tool.name[:100])
            except StoreUnavailable:
                return  # it is pinned when it is next seen
            self._seen.pin(pin)

    def _tell(self, call: Call, found: Found, scope: str) -> None:
        if not self._seen.is_first(scope, found):
            return
        self.observe(
            ToolChanged(
                request_id=call.request_id,
                scope=scope,
                tool=found.tool.name,
                code=found.trouble,
                fingerprint=found.tool.fingerprint,
                action="refuse" if found.trouble == "refused" else self.config.pins,
            )
        )


class _Seen:
    """What one worker knows of pins: those of the register, parsed once, and those that it has just made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: Sequence[Entry] = ()
        self._pins: dict[str, str] = {}
        self._own: dict[str, Pin] = {}
        self._revision: int | None = None
        self._told: dict[tuple[str, str, str], None] = {}

    def pins(
        self, entries: Sequence[Entry], now: datetime, observe: Observer, revision: int | None
    ) -> dict[str, str]:
        """Fingerprints by the names of their pins; of its own ones those that it cannot have heard of yet."""
        with self._lock:
            if entries is not self._entries:
                known = self._pins
                self._pins = {entry.name: _fingerprint(entry, known, observe) for entry in entries}
                self._entries = entries
            if revision is None:
                self._own = {name: pin for name, pin in self._own.items() if now - pin.at < HEARD_OF_AFTER}
            elif revision != self._revision:
                self._own, self._revision = {}, revision
            return {name: pin.fingerprint for name, pin in self._own.items()} | self._pins

    def pin(self, pin: Pin) -> None:
        """Remember a pin until the register is heard of again."""
        with self._lock:
            self._own[pin.name] = pin

    def is_first(self, scope: str, found: Found) -> bool:
        """Whether nobody was told of this yet."""
        key = (scope, found.tool.fingerprint, found.trouble)
        with self._lock:
            if key in self._told:
                return False
            self._told[key] = None
            if len(self._told) > MOST_TOLD:
                del self._told[next(iter(self._told))]
            return True


def _fingerprint(entry: Entry, known: dict[str, str], observe: Observer) -> str:
    """What a pin says; one that cannot be read stays what it was, and fits nothing if it never made sense."""
    try:
        return decoded(entry.body).fingerprint
    except ConfigError as error:
        observe(OrderUnreadable(kind=entry.kind, name=entry.name, error=str(error)))
        return known.get(entry.name, "")
