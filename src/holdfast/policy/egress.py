"""Links that carry data away: in Markdown, HTML and CSS, to hosts that nobody trustworthy has named.

A picture is fetched without a click, so an answer that holds one can tell a stranger what the model has read.
What counts is what the model adds: an address that stands in the conversation word for word carries nothing new.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Literal
from urllib.parse import unquote_plus

from holdfast.policy.lookalikes import LATIN_TWINS

Code = Literal[
    "image_data",
    "link_data",
    "untrusted_image",
    "untrusted_link",
    "script_link",
    "data_link",
    "ip_host",
    "lookalike_host",
    "disguised_host",
]
"""Why: data for a host that nobody trusted has named, anything new for one that only a tool has, or a disguise."""

LONGEST_LINK = 8_192
MOST_LINK_DATA = 24
"""Characters of data from which a link that somebody must click on is one."""
MOST_IMAGE_DATA = 8
"""The same of what is fetched without a click, and of any link to a host that only a tool has named."""

_RESERVED = ("example.com", "example.org", "example.net", "example", "test", "invalid", "localhost")
"""Nobody can own these (RFC 2606, RFC 6761)."""
_HINTS = ("//", "script:", "data:")
_END = r"\s<>\"'`\\\])}("
_LINK = re.compile(
    r"(?P<before>!?\[[^\[\]\n]{0,300}\]\([ \t]*<?|\[[^\[\]\n]{1,100}\]:[ \t]*<?|(?:url\(|"
    r"(?<![\w-])(?:src|srcset|background|poster|data|href|action|cite)[ \t]{0,4}=)[ \t]{0,4}\\?[\"']?|)"
    rf"(?P<url>(?:https?:|wss?:|ftp:|)//(?:\[[0-9a-f:.]{{2,45}}\])?[^{_END}]{{1,{LONGEST_LINK}}}+(?:\([^{_END}]{{0,200}}\)[^{_END}]{{0,2000}}+)?"
    rf"|(?:javascript|vbscript|data):[^{_END}]{{1,{LONGEST_LINK}}}+)",
    re.IGNORECASE,
)
_CLOSING = re.compile(r">?\)")
_FETCHED = re.compile(r"!\[|(?:src|srcset|background|poster|data)[ \t]*=|url\(", re.IGNORECASE)
_HARMLESS_DATA = re.compile(r"data:(?:image/(?!svg)|audio/|video/|font/)", re.IGNORECASE)
_URL = re.compile(r"(?:[a-z]+:)?//(?P<who>[^/?#]*)(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
_HOST = re.compile(
    r"//(?:[^\s/@?#\"'<>]{1,200}@)?([^\s/?#:\"'<>()\[\]{},;|\\`]{1,255})"
    r"|(?<![\w@./-])((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})(?![\w-])",
    re.IGNORECASE,
)
_PARTS = re.compile(r"[/&;?#=]")
_ODD_ADDRESS = re.compile(
    r"0x[0-9a-f]{1,8}|[0-9]{5,10}|(?:0x[0-9a-f]{1,2}|[0-9]{1,4})(?:\.(?:0x[0-9a-f]{1,8}|[0-9]{1,10})){1,3}"
)
_KINDS = str.maketrans(
    dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "A")
    | dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "a")
    | dict.fromkeys("0123456789", "0")
)
_SHORTEST_ENCODED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Who has named which host.

    Attributes:
        trusted: hosts in the system prompt, the user's own words and the settings; their subdomains are, too.
        untrusted: hosts that only tools, documents and search results have named.
        said: everything that stands in the request; an address that is in it word for word is no new one.
    """

    trusted: frozenset[str] = frozenset()
    untrusted: frozenset[str] = frozenset()
    said: tuple[str, ...] = ()

    def is_trusted(self, host: str) -> bool:
        """Whether the host, or one that it is a part of, is trusted."""
        labels = host.split(".")
        if host.endswith(_RESERVED):
            return any(".".join(labels[at:]) in _RESERVED for at in range(len(labels)))
        return any(".".join(labels[at:]) in self.trusted for at in range(len(labels)))

    def has_said(self, url: str) -> bool:
        """Whether the address stands in the conversation already."""
        return any(url in text for text in self.said)


@dataclass(frozen=True, slots=True)
class Egress:
    """Characters `start` up to `end` of the answer are such a link."""

    code: Code
    start: int
    end: int


def find_egress(text: str, trust: Callable[[], Trust]) -> list[Egress]:
    """The links in `text` that may carry data away, in order; `trust` is only asked when there are links.

    Linear in the length of the text.
    """
    if not any(hint in text for hint in _HINTS) and "script:" not in text.lower():
        return []
    return [*_found(text, trust)]


def hosts_in(text: str) -> frozenset[str]:
    """The hosts that a text names, in addresses or by themselves."""
    found = _HOST.findall(text)
    return frozenset(_plain_host(address or name) for address, name in found)


def trust_in(trusted: Collection[str], untrusted: Collection[str], allowed: Collection[str]) -> Trust:
    """What is known of hosts from the texts that may be trusted, those that may not, and the settings."""
    good = frozenset[str]().union(*map(hosts_in, trusted), map(_plain_host, allowed))
    bad = frozenset[str]().union(*map(hosts_in, untrusted))
    return Trust(trusted=good, untrusted=bad - good, said=(*trusted, *untrusted))


def _found(text: str, trust: Callable[[], Trust]) -> Iterator[Egress]:
    for found in _LINK.finditer(text):
        before, url = found["before"], found["url"].rstrip(".,;:!?*_~|")
        if before or not url.startswith("//"):
            code = _judge(url, trust(), is_fetched=_FETCHED.match(before) is not None)
            if code is not None:
                closing = _CLOSING.match(text, found.end()) if "](" in before else None
                yield Egress(code, found.start(), (closing or found).end())


def _judge(url: str, trust: Trust, *, is_fetched: bool) -> Code | None:
    scheme = url[:11].lower()
    if scheme.startswith(("javascript:", "vbscript:")):
        return "script_link"
    if scheme.startswith("data:"):
        return "data_link" if "," in url and not _HARMLESS_DATA.match(url) else None
    parts = _URL.match(url)
    if parts is None or not parts["who"]:
        return None
    user, _, place = parts["who"].rpartition("@")
    host = _plain_host(place)
    if trust.is_trusted(host) or trust.has_said(url):
        return None
    if user:
        return "disguised_host"
    return _of_stranger(host, parts["rest"], trust, is_fetched=is_fetched)


def _of_stranger(host: str, rest: str, trust: Trust, *, is_fetched: bool) -> Code | None:
    """Why a link to a host that nobody trustworthy has named is not to be trusted either."""
    if _is_lookalike(host):
        return "lookalike_host"
    data = _data(host, rest, trust, is_fetched=is_fetched)
    address = _address(host)
    if address is not None:
        return (
            "ip_host" if host != str(address) or (not address.is_private and (is_fetched or data)) else None
        )
    if host in trust.untrusted:
        if is_fetched:
            return "untrusted_image"
        return "untrusted_link" if data >= MOST_IMAGE_DATA else None
    if is_fetched:
        return "image_data" if data >= MOST_IMAGE_DATA else None
    return "link_data" if data >= MOST_LINK_DATA else None


def _plain_host(host: str) -> str:
    """A host as it is compared: small, without port, brackets and final dot."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removeprefix("*.").strip(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is; one in a form that only machines read is spelled unlike any."""
    try:
        return ip_address(host)
    except ValueError:
        return IPv4Address(0) if _ODD_ADDRESS.fullmatch(host) else None


def _data(host: str, rest: str, trust: Trust, *, is_fetched: bool) -> int:
    """Characters in a link that may be somebody's data."""
    path, _, query = rest.partition("?")
    labels = host.split(".")[:-2]
    count = sum(len(label) for label in labels if _is_encoded(label) or _is_one_long_word(label))
    count += sum(_carried(part, trust, is_query=False) for part in _PARTS.split(path))
    return count + sum(_carried(part, trust, is_query=is_fetched) for part in _PARTS.split(query))


def _carried(part: str, trust: Trust, *, is_query: bool) -> int:
    """How many characters of data a part of an address is; words of its own are none."""
    plain = unquote_plus(part)
    if _is_encoded(plain):
        return len(plain)
    has_words = any(char in " @\n," or not char.isascii() for char in plain)
    if is_query and (has_words or len(plain) >= _SHORTEST_ENCODED):
        return len(plain)
    return len(plain) if len(plain) >= MOST_IMAGE_DATA and has_words and trust.has_said(plain) else 0


def _is_encoded(part: str) -> bool:
    """Whether it reads like base64, base32 or hex: its letters and digits change kind all the time."""
    letters = "".join(char for char in part if char.isascii() and char.isalnum())
    if len(letters) < _SHORTEST_ENCODED:
        return False
    kinds = letters.translate(_KINDS)
    changes = sum(one != other for one, other in pairwise(kinds))
    return 5 * changes >= 2 * len(kinds) or (4 * changes >= len(kinds) and {"a", "A", "0"} <= set(kinds))


def _is_one_long_word(label: str) -> bool:
    """No name of a machine is written like this; DNS knows no capitals, so that codes look like words there."""
    return len(label) >= MOST_LINK_DATA and "-" not in label


def _is_lookalike(host: str) -> bool:
    """Whether a label reads like Latin letters and is none."""
    try:
        labels = [_decoded(label) for label in host.split(".")]
    except UnicodeError:
        return True
    return any(not label.isascii() and label.translate(LATIN_TWINS).isascii() for label in labels)


def _decoded(label: str) -> str:
    return label[4:].encode().decode("punycode") if label.startswith("xn--") else label
