"""The language that a reader asks for over HTTP."""

import re

from holdfast.language import Language

_CHOICE = re.compile(r"\s*([A-Za-z*]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*")


def wanted(accept: str | None, otherwise: Language) -> Language:
    """The one of our languages that `Accept-Language` likes best (RFC 9110 section 12.5.4), else `otherwise`."""
    best: Language = otherwise
    most = 0.0
    for choice in (accept or "").split(","):
        found = _CHOICE.fullmatch(choice)
        if found is None:
            continue
        weight = float(found[2] or 1)
        if weight <= most:
            continue
        match found[1].lower():
            case "ko":
                best, most = "ko", weight
            case "en":
                best, most = "en", weight
            case _:
                pass
    return best
