"""What an operator does with the pins of tools: look at them, approve another description, refuse or forget one."""

from datetime import datetime

from holdfast.operations.desk import Desk, instant, readable
from holdfast.policy.pins import PIN, REFUSED, Pin, approved, decoded, encoded, pin_name, refused
from holdfast.ports import Register


async def pins(register: Register) -> tuple[Pin, ...]:
    """All pins. Raises `ConfigError` for one that makes no sense, `StoreUnavailable` when nobody can tell."""
    return tuple(decoded(entry.body) for entry in await register.entries(PIN))


async def readable_pins(desk: Desk) -> tuple[Pin, ...]:
    """All pins by scope and tool; one that makes no sense is reported and left out. Raises `StoreUnavailable`."""
    found = [readable(desk, entry, decoded) for entry in await desk.store.entries(PIN)]
    return tuple(sorted((pin for pin in found if pin is not None), key=lambda pin: (pin.scope, pin.tool)))


async def approve(
    register: Register, scope: str, tool: str, fingerprint: str, *, at: datetime, actor: str
) -> Pin:
    """Let a tool of a scope say what this is the fingerprint of.

    Raises `ConfigError` for what is no fingerprint or no name, `StoreUnavailable`.
    """
    return await _put(register, approved(scope, tool, fingerprint, at), actor=actor, verb="approve")


async def refuse(register: Register, scope: str, tool: str, *, at: datetime, actor: str) -> Pin:
    """Refuse every request of a scope that offers the tool, whatever it says. Raises as `approve`."""
    return await _put(register, refused(scope, tool, at), actor=actor, verb="refuse")


async def forget(register: Register, scope: str, tool: str, *, actor: str) -> bool:
    """Pin the tool anew when it is next seen; whether it was pinned. Raises `StoreUnavailable`."""
    return await register.drop(PIN, pin_name(scope, tool), actor=actor, note=tool[:100])


def pin_facts(pin: Pin) -> dict[str, object]:
    """A pin as JSON shows it."""
    is_refused = pin.fingerprint == REFUSED
    return {
        "id": pin.name,
        "scope": pin.scope,
        "tool": pin.tool,
        "state": "refused" if is_refused else "pinned",
        "fingerprint": None if is_refused else pin.fingerprint,
        "at": instant(pin.at),
    }


async def _put(register: Register, pin: Pin, *, actor: str, verb: str) -> Pin:
    await register.put(PIN, pin.name, encoded(pin), actor=actor, note=f"{verb} {pin.tool[:100]}")
    return pin
