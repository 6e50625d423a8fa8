"""Which site this is: the names that browsers may call it by, and that nobody else's pages send its forms."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from holdfast.admin.access import OWN_SITES
from holdfast.admin.refusals import foreign
from holdfast.errors import Refused
from holdfast.language import Sentence
from holdfast.wire.headers import Headers, get

USUAL_PORTS = {"https": 443, "http": 80}
WILD = ("0.0.0.0", "::")


class WrongHost(Refused):
    """The browser calls us by a name that is not ours: perhaps somebody has pointed his at us (DNS rebinding)."""

    error_code = "holdfast_host_rejected"
    default_status = 421
    error_type = "invalid_request_error"


def expect_host(headers: Headers, hosts: Collection[str], listening: str) -> None:
    """Raise `WrongHost` for a `Host` that is neither this machine's own nor configured."""
    host = (get(headers, "host") or "").lower()
    name = _name(host)
    if name == "localhost" or _is_loopback(name) or (name == listening.lower() and name not in WILD):
        return
    if host in _lower(hosts) or name in _lower(hosts):
        return
    raise WrongHost(
        Sentence(
            f"The console is not called {host[:200]!r}. If it is meant to be, add the name to `hosts` in [console].",
            ko=f"이 콘솔의 주소는 {host[:200]!r}이(가) 아닙니다. 맞는 주소라면 [console]의 `hosts`에 추가하세요.",
        )
    )


def expect_own_page(headers: Headers, hosts: Collection[str]) -> None:
    """Raise `NotAllowed` for a form of another site's page (CSRF): browsers say whose it is."""
    origin = get(headers, "origin")
    if origin is not None:
        place = origin.partition("://")[2].lower()
        if place != (get(headers, "host") or "").lower() and place not in _lower(hosts):
            raise foreign(origin)
    if (get(headers, "sec-fetch-site") or "none") not in OWN_SITES:
        raise foreign(get(headers, "sec-fetch-site") or "")


def is_encrypted(scheme: str, headers: Headers) -> bool:
    """Whether the browser speaks TLS, with us or with a proxy before us; that can only make cookies stricter."""
    forwarded = (get(headers, "x-forwarded-proto") or "").partition(",")[0].strip().lower()
    origin = get(headers, "origin") or ""
    return "https" in (scheme, forwarded) or origin.startswith("https://")


def port_of(headers: Headers, *, encrypted: bool) -> int:
    """The port that the browser knows: cookies do not tell one from another, so their names have to."""
    try:
        port = urlsplit(f"//{get(headers, 'host') or ''}").port
    except ValueError:
        port = None
    return port or USUAL_PORTS["https" if encrypted else "http"]


def _lower(hosts: Collection[str]) -> set[str]:
    return {host.lower() for host in hosts}


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
