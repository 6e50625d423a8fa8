"""A name that promises a secret, where its value begins, and what may stand there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.policy.masking_findings import Finding
from holdfast.policy.masking_names import Strength, is_code, is_placeholder, is_slug, looks_secret, words

NUMBER = re.compile(r"[-+]?[0-9][0-9._,]*")
SCHEME = re.compile(
    r"(?i:bearer|basic|token|api-?key|negotiate|ntlm|kakaoak|sso-key|geniekey|bot|key|jwt|splunk)[ ]+(?=\S)"
)
PARAMETERS = re.compile(r"(?i:digest|oauth|hawk|signature|[a-z0-9]{1,16}-hmac-[a-z0-9\-]{1,24})[ ]+(?=\S)")
_COOKIE = re.compile(r"([^\s=;,\"']{1,80}+)=([^;\s\"'\\]*+)")
_ATTRIBUTES = ("path", "domain", "expires", "max-age", "samesite", "secure", "httponly", "partitioned", "priority",
               "version")  # fmt: skip
UNIT = re.compile(r"[0-9]+[\-a-zA-Z]*|[\d\-:.T/+Z]+|v?[0-9]+(?:\.[0-9]+)+\S*")
WORD = re.compile(r"(?:[^\s\"'`<>&,;\\|]|\\(?!\\{0,31}[nrt\"']))++")

Step = Finding | int
"""What was found, or how far the text has been read: nothing is read twice, whatever it looks like."""


@dataclass(frozen=True, slots=True)
class Site:
    """A name that promises a secret, and where its value begins."""

    text: str
    name: str
    strength: Strength
    at: int
    quote: str = ""
    line: bool = False
    sign: str = "="
    before: str = ""

    def is_quoted_by(self, quote: str) -> bool:
        """Whether this quote began before the name, as in `'password: '`, and ends with it."""
        return not self.quote and self.before == quote[-1]

    @property
    def last(self) -> str:
        """The word of the name that says what it is."""
        return words(self.name)[-1]

    def found(self, start: int, end: int, quote: str = "") -> Finding:
        """What stands there is the secret."""
        return Finding("secret", start, end, quote, f"name {self.name}")


def fits(site: Site, value: str) -> bool:
    """Whether a value as strong as this may stand behind a name as strong as that."""
    if NUMBER.fullmatch(value):
        code = site.last in {"code", "pin"} and 3 <= len(value) <= 8
        return (
            code
            or (site.strength == "always" and len(value) >= 3)
            or (site.strength == "text" and len(value) >= 6 and site.quote != "")
        )
    return site.strength != "maybe" or looks_secret(value) or SCHEME.match(value) is not None


def is_plain(value: str) -> bool:
    """Whether a value is none that anybody would keep secret: a placeholder, code, words with dashes, a measure."""
    return is_placeholder(value) or is_code(value) or is_slug(value) or UNIT.fullmatch(value) is not None


def content(site: Site, start: int, end: int) -> Iterator[Step]:
    """The secret part of a quoted value or of a header's line."""
    last = site.last
    if last in {"cookie", "cookies"} and "=" in site.text[start:end]:
        yield from cookies(site, start, end)
        return
    if last == "authorization" and (scheme := scheme_of(site.text, start, end)):
        start = scheme.end()
    value = site.text[start:end]
    if is_placeholder(value) or not fits(site, value):
        return
    yield site.found(start, end)


def scheme_of(text: str, start: int, end: int) -> re.Match[str] | None:
    """The scheme before the credential of an `Authorization` header."""
    return SCHEME.match(text, start, end) or PARAMETERS.match(text, start, end)


def cookies(site: Site, start: int, end: int) -> Iterator[Step]:
    """The values of the cookies of a header."""
    for found in _COOKIE.finditer(site.text, start, end):
        if found.group(1).lower() in _ATTRIBUTES or is_placeholder(found.group(2)):
            continue
        yield Finding("cookie", *found.span(2), rule=f"cookie {found[1]}")
