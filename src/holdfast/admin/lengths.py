"""Lengths of time in the bodies of requests."""

from datetime import timedelta

from holdfast.admin.refusals import unreadable
from holdfast.policy.period import LENGTH, UNITS


def length(name: str, text: str) -> timedelta:
    """The length that `90m`, `24h` or `90d` means; raises `MalformedRequest` for any other text."""
    found = LENGTH.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise unreadable(name, f"{text!r} is no length of time such as 30m, 2h or 90d")
    return int(found[1]) * UNITS[found[2]]
