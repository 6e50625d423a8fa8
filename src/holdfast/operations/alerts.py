"""What an operator does about alerts: sees the incidents, silences a rule for a while, and ends that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.operations.desk import Desk, instant, readable
from holdfast.orders import SILENCE
from holdfast.policy.incidents import Silence, decoded, encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be silenced, and until when."""

    rule: str
    label: str
    until: datetime
    reason: str = ""


async def silence(desk: Desk, wish: Wish) -> Silence:
    """Tell nobody of a rule until a moment; raises `ConfigError` and `StoreUnavailable`."""
    word = Silence(rule=wish.rule, label=wish.label, until=wish.until, by=desk.actor, reason=wish.reason)
    for over in await silences(desk, over=True):
        await desk.store.drop(SILENCE, over.name, actor=desk.actor, note="over")
    await desk.store.put(SILENCE, word.name, encoded(word), actor=desk.actor, note=word.reason)
    return word


async def resume(desk: Desk, rule: str, label: str) -> bool:
    """End a silence; whether there was one."""
    return await desk.store.drop(SILENCE, f"{rule}|{label}", actor=desk.actor)


async def silences(desk: Desk, *, over: bool = False) -> tuple[Silence, ...]:
    """The silences that hold, by name, or those that are over."""
    found = [readable(desk, entry, decoded) for entry in await desk.store.entries(SILENCE)]
    return tuple(one for one in found if one is not None and (one.until <= desk.now) == over)


def silence_facts(word: Silence) -> Mapping[str, object]:
    """A silence as JSON shows it."""
    return {
        "rule": word.rule,
        "label": word.label,
        "until": instant(word.until),
        "by": word.by,
        "reason": word.reason,
    }
