"""Secrets in HTML and XML whose element, or the one before it, has the name."""

import re
from collections.abc import Iterator

from holdfast.policy.masking_names import Strength, is_code, is_placeholder, judge, looks_secret
from holdfast.policy.masking_site import NUMBER, UNIT, Site, Step, fits, is_plain

_TEXT = re.compile(r"[^<]{0,8192}+")
_CONTENT = re.compile(r"[^\s<>|\"'`\\]{6,}+")
_ALONE = re.compile(r"\s*([^\s<>|\"'`\\]{4,512})\s*(?=<\\?/)")
_DIGIT = re.compile(r"[0-9]")
_STATES = frozenset(
    (
        "active", "changed", "configured", "disabled", "enabled", "encrypted", "expired", "expires", "generated",
        "hashed", "hidden", "locked", "nullable", "optional", "password", "plaintext", "protected", "required",
        "reset", "secret", "sensitive", "stored", "token", "unchanged", "unused", "not-set", "not-changed",
        "never-expires",
    )
)  # fmt: skip
"""What forms and tables say of a secret instead of the secret."""


def marked_up(site: Site) -> Iterator[Step]:
    """The content of an element that has the name."""
    found = _TEXT.match(site.text, site.at)
    if not found or not site.text.startswith(("</", "<\\/"), found.end()):
        return
    value = found.group().removesuffix("]]>")
    if value.strip() and not is_placeholder(value) and fits(site, value.strip()):
        yield site.found(site.at, site.at + len(value))


def cell(site: Site) -> Iterator[Step]:
    """A table's content behind the name: only what looks like a secret."""
    found = _CONTENT.match(site.text, site.at)
    value = found.group() if found else ""
    if _DIGIT.search(value) and looks_secret(value) and not is_plain(value):
        yield site.found(site.at, site.at + len(value))


def element(site: Site) -> Iterator[Step]:
    """The whole content of an element behind the name."""
    found = _ALONE.match(site.text, site.at)
    if found is None:
        yield from cell(site)
    elif is_told(found[1], site.strength):
        yield site.found(*found.span(1))


def is_told(value: str, strength: Strength) -> bool:
    """Whether the only word in a cell is the secret that the cell's name promises, and not what it is like."""
    if is_placeholder(value) or is_code(value) or judge(value) is not None or value.lower() in _STATES:
        return False
    if strength == "maybe" or UNIT.fullmatch(value):
        return _is_number_told(value, strength) or (_DIGIT.search(value) is not None and _is_random(value))
    return looks_secret(value) or (len(value) >= 6 and value.isascii() and not _is_title(value))


def _is_number_told(value: str, strength: Strength) -> bool:
    return strength == "always" and NUMBER.fullmatch(value) is not None and len(value) >= 4


def _is_random(value: str) -> bool:
    return looks_secret(value) and not is_plain(value)


def _is_title(value: str) -> bool:
    """A word as it begins a sentence: `Required`, `Optional,`."""
    return value[:1].isupper() and value[1:].strip(".,:;").islower()
