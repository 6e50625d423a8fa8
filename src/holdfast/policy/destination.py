"""Where an action goes to: addresses, hosts, accounts, wallets, numbers, compared however they are written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from holdfast.policy.egress import hosts_in

Kind = Literal["mail", "host", "account", "wallet", "number"]

MOST_LOOKED_AT = 200_000
"""Characters of one text in which destinations are looked for; no argument of a call is that long."""

_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,24}")
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,9}:)?//[^\s<>\"'`]{1,2000}|\bwww\.[^\s<>\"'`]{1,2000}", re.IGNORECASE
)
_ACCOUNT = re.compile(
    r"\b(?:[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?|[a-z]{2}[0-9]{2}[a-z0-9]{11,30})\b"
)
_WALLET = re.compile(
    r"\b(?:0x[0-9a-f]{40}|bc1[0-9a-z]{20,60}|[13][1-9A-HJ-NP-Za-km-z]{25,34})\b", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.,:])\+?[0-9](?:[ ()./-]{0,2}[0-9]){6,29}(?![\w:])")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-./ ]?[01]?[0-9][-./ ]?[0-3]?[0-9](?:[ T].*)?")
_LEAST_DIGITS = 8
_SEPARATORS = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class Destination:
    """One place to send something to, in the form in which two spellings of it are equal."""

    kind: Kind
    name: str


def destinations(text: str) -> frozenset[Destination]:
    """The destinations that a text names. Linear in its length."""
    return frozenset(_found(text[:MOST_LOOKED_AT]))


def _found(text: str) -> Iterator[Destination]:
    yield from (Destination("mail", mail.lower().rstrip(".-")) for mail in _MAIL.findall(text))
    yield from _hosts(text)
    accounts = [plain(account) for account in _ACCOUNT.findall(text)]
    yield from (
        Destination("account", name) for name in accounts if sum(map(str.isdigit, name)) >= _LEAST_DIGITS
    )
    yield from (Destination("wallet", wallet.lower()) for wallet in _WALLET.findall(text))
    numbers = [number for number in _NUMBER.findall(_ACCOUNT.sub("x", text)) if not _DATE.fullmatch(number)]
    yield from (Destination("number", plain(number)) for number in numbers)


def _hosts(text: str) -> Iterator[Destination]:
    for address in _ADDRESS.findall(text):
        for host in hosts_in(address if "//" in address else f"//{address}"):
            yield Destination("host", host.removeprefix("www."))


def plain(text: str) -> str:
    """A name of a place without what it is spelled with: spaces, dashes, capitals."""
    return _SEPARATORS.sub("", text).lower()
