"""What an operator does with the pins of tools: look at them, approve another description, forget one."""

from datetime import datetime

from holdfast.policy.pins import PIN, Pin, decoded, encoded, pin_name
from holdfast.ports import Register


async def pins(register: Register) -> tuple[Pin, ...]:
    """All pins. Raises `ConfigError` for one that makes no sense, `StoreUnavailable` when nobody can tell."""
    return tuple(decoded(entry.body) for entry in await register.entries(PIN))


async def approve(
    register: Register, scope: str, tool: str, fingerprint: str, *, at: datetime, actor: str
) -> Pin:
    """Let a tool of a scope say what this is the fingerprint of. Raises `StoreUnavailable`."""
    pin = Pin(scope=scope, tool=tool, fingerprint=fingerprint, at=at)
    await register.put(PIN, pin.name, encoded(pin), actor=actor, note=tool[:100])
    return pin


async def forget(register: Register, scope: str, tool: str, *, actor: str) -> bool:
    """Pin the tool anew when it is next seen; whether it was pinned. Raises `StoreUnavailable`."""
    return await register.drop(PIN, pin_name(scope, tool), actor=actor, note=tool[:100])
