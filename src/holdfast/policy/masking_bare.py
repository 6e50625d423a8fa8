"""Values without quotes, which end where their carrier says so: in headers, shells, queries, YAML and prose."""

import re
from collections.abc import Iterator

from holdfast.policy.masking_findings import MARK
from holdfast.policy.masking_names import is_code, is_placeholder, looks_secret
from holdfast.policy.masking_site import NUMBER, PARAMETERS, SCHEME, WORD, Site, Step, content, fits

_REST = re.compile(r"[^\r\n\"'`\\<>]++")
_NEXT_PAIR = re.compile(r"[&;,]\s?[\w.\-]+=")
_LINE_WORD = re.compile(r"(?:[^\s\\\"'`]|\\(?!\\{0,31}[nrt\"']))++")
_CREDENTIAL = re.compile(r"[^\s,;\"'`<>&\\]++")
_GOES_ON = re.compile(r" [a-z가-힣]+(?![=:\w\-])")


def bare(site: Site) -> Iterator[Step]:
    """A value without quotes: it ends where its carrier says so."""
    if site.sign == ":" and not site.quote and site.last in {"authorization", "cookie", "cookies"}:
        if rest := _REST.match(site.text, site.at):
            end = site.at + len(rest.group().rstrip())
            is_cookie = site.last != "authorization" and "=" in rest.group()
            yield from content(site, site.at, end) if is_cookie else _authorization(site, end)
            yield rest.end()
        return
    end = _bare_end(site)
    value = site.text[site.at : end]
    if _is_no_value(site, value, end):
        return
    number = NUMBER.fullmatch(value) is not None
    if fits(site, value):
        yield site.found(site.at, end, site.quote if number and site.sign == ":" else "")


def _authorization(site: Site, end: int) -> Iterator[Step]:
    """The credential of a header's line, which in a log may go on with something else."""
    text, start = site.text, site.at
    if parameters := PARAMETERS.match(text, start, end):
        newline = text.find("\n", start)
        yield site.found(parameters.end(), len(text) if newline < 0 else newline)
        return
    scheme = SCHEME.match(text, start, end)
    word = _CREDENTIAL.match(text, scheme.end() if scheme else start, end)
    if word is None or is_placeholder(word.group()):
        return
    if not scheme and word.end() < end and not looks_secret(word.group()):
        after = _CREDENTIAL.match(text, word.end() + 1, end)
        word = after if after and looks_secret(after.group()) else None
    if word and fits(site, word.group()):
        yield site.found(*word.span())


def _bare_end(site: Site) -> int:
    found = (_LINE_WORD if site.line else WORD).match(site.text, site.at)
    if not found:
        return site.at
    value = found.group()
    value = _cut(site, value)
    while value and value[-1] in ")]}" and not MARK.fullmatch(value):
        opener = {")": "(", "]": "[", "}": "{"}[value[-1]]
        if value.count(opener) >= value.count(value[-1]):
            break
        value = value[:-1]
    return site.at + len(value)


def _cut(site: Site, value: str) -> str:
    """What of a word belongs to the value."""
    if not value.isascii():
        value = value[: next(place for place, letter in enumerate(value) if letter > "~")]
    if another := _NEXT_PAIR.search(value):
        value = value[: another.start()]
    if site.before == "/" and site.sign == ":":
        value = value.partition("@")[0]  # the user of an address may have the name of a secret
    return value.rstrip(",;")


def _is_no_value(site: Site, value: str, end: int) -> bool:
    if is_placeholder(value) or is_code(value):
        return True
    if site.sign != ":" or site.quote:
        return False
    if site.strength == "always" and len(value) >= 6 and value.isdigit():
        return False
    if value.isalpha() and site.text.startswith(" | ", end):
        return True  # a union of types
    goes_on = _GOES_ON.match(site.text, end) is not None
    return (goes_on and not looks_secret(value)) or value.startswith("//")
