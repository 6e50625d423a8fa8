"""Where a URL leads, and whether holdfast may go there: told from its letters and from what its name resolves to."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal
from urllib.parse import quote

from holdfast.errors import NotAllowed
from holdfast.language import Sentence

Place = Literal["public", "private", "loopback", "shared", "link-local", "metadata", "reserved"]
"""Whose an address is. `shared` is the inside of a provider's NAT, `metadata` what hands out a cloud's credentials."""

LONGEST_URL = 2_048
SCHEMES = ("https", "http")
_PORTS = {"https": 443, "http": 80}
_OWN_NETWORK: frozenset[Place] = frozenset({"private", "loopback", "shared"})

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME = 253
_PATH_SAFE = "/:@!$&'()*+,;=~%-._"

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, Oracle, DigitalOcean
        "169.254.170.2",  # the credentials of an AWS container
        "169.254.170.23",
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host, at a public address
        "192.0.0.192",  # Oracle, older
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",
        "fd20:ce::254",  # Google
    )
)
# The special-purpose registries of IANA (RFC 6890), less what is reachable from everywhere.
_IPV4: dict[Place, tuple[IPv4Network, ...]] = {
    "loopback": (IPv4Network("127.0.0.0/8"),),
    "private": tuple(IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    "shared": (IPv4Network("100.64.0.0/10"),),
    "link-local": (IPv4Network("169.254.0.0/16"),),
    "reserved": tuple(
        IPv4Network(each)
        for each in (
            *("0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        )
    ),
}
_IPV6: dict[Place, tuple[IPv6Network, ...]] = {
    "private": (IPv6Network("fc00::/7"), IPv6Network("fec0::/10")),
    "link-local": (IPv6Network("fe80::/10"),),
    "reserved": tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "3fff::/20")),
    "public": (IPv6Network("2000::/3"),),
}
# Networks whose addresses carry one of IPv4, and how many bits follow it.
_CARRIERS = tuple(
    (IPv6Network(network), shift)
    for network, shift in (
        ("::ffff:0:0/96", 0),  # mapped
        ("::ffff:0:0:0/96", 0),  # translated (RFC 2765)
        ("64:ff9b::/96", 0),  # NAT64
        ("2002::/16", 80),  # 6to4
        ("::/96", 0),  # compatible, long out of use and still understood
    )
)
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


class AddressRefused(NotAllowed):
    """A URL that holdfast does not fetch: it is written in a way that misleads, or leads inside."""

    error_code = "holdfast_address_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL that may be fetched as far as its letters tell; a name still has to be resolved and judged."""

    scheme: str
    host: str
    """In lower case, without brackets and without a dot at its end."""
    port: int
    path: str
    """With the query; percent-encoded."""
    address: str | None = None
    """The host again, where it is an address and no name."""

    @property
    def url(self) -> str:
        """The one spelling of this target."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs share that are at the same place."""
        return self.scheme, self.host, self.port


def check_url(
    url: str,
    *,
    allow_private: bool = False,
    schemes: Sequence[str] = SCHEMES,
    hosts: Iterable[str] = (),
) -> Target:
    """What a URL means, read strictly: where two readers could differ on the host, it is refused.

    `allow_private` lets it lead to this machine and the networks around it, never to metadata or link-local
    addresses. `hosts`, if any, are the only ones allowed: names, or `*.example.com` for all names below one.

    Raises:
        AddressRefused: the URL is malformed or misleading, or it leads where it must not.
    """
    scheme, authority, path, query = _parts(url)
    if scheme not in schemes:
        raise _refused(
            f"the scheme `{scheme}` is not among {', '.join(schemes)}",
            ko=f"스킴 `{scheme}`은(는) 허용되지 않습니다({', '.join(schemes)}만 가능)",
        )
    host, port = _host_and_port(authority, scheme)
    address = _literal(host)
    name = _name(host) if address is None else str(address)
    if hosts and not _listed(name, hosts):
        raise _refused(
            f"`{name}` is not on the list of allowed hosts",
            ko=f"`{name}`은(는) 허용된 호스트 목록에 없습니다",
        )
    if address is not None:
        check_addresses(name, (name,), allow_private=allow_private)
    elif not allow_private and (name == "localhost" or name.endswith(".localhost")):
        raise _leads_inside(name, "loopback")
    target = quote(path or "/", safe=_PATH_SAFE) + (
        f"?{quote(query, safe=_PATH_SAFE + '?')}" if query else ""
    )
    return Target(scheme=scheme, host=name, port=port, path=target, address=None if address is None else name)


def check_addresses(host: str, addresses: Sequence[str], *, allow_private: bool = False) -> tuple[str, ...]:
    """The addresses that a name resolves to, if it may be fetched from every one of them.

    One inside address among public ones is how a name is made to change its meaning between two looks.

    Raises:
        AddressRefused: one of them is not allowed, or there is none.
    """
    if not addresses:
        raise _refused(f"`{host}` has no address", ko=f"`{host}`의 주소를 찾을 수 없습니다")
    for address in addresses:
        found = place(address)
        if found != "public" and not (allow_private and found in _OWN_NETWORK):
            raise _leads_inside(host, found)
    return tuple(addresses)


def check_redirect(target: Target, location: str, *, allow_private: bool = False) -> Target:
    """Where an answer sends us on, if that is at the same place.

    Raises:
        AddressRefused: it is somewhere else, or no URL that may be fetched.
    """
    absolute = location
    if location.startswith("/") and not location.startswith("//"):
        absolute = target.url.removesuffix(target.path) + location
    further = check_url(absolute, allow_private=allow_private, schemes=(target.scheme,))
    if further.origin != target.origin:
        raise _refused(
            f"`{target.host}` redirects to another place, `{further.host}`",
            ko=f"`{target.host}`이(가) 다른 곳(`{further.host}`)으로 리디렉션합니다",
        )
    return further


def place(address: str) -> Place:
    """Whose an address is, as text such as `10.0.0.1` or `fe80::1`; what is none is `reserved`.

    An IPv6 address that carries one of IPv4 is where that one is: a router takes it out again.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "reserved"
    if isinstance(found, IPv4Address):
        return _place_4(found)
    return _place_6(found)


def _place_4(address: IPv4Address) -> Place:
    if address in _METADATA:
        return "metadata"
    for found, networks in _IPV4.items():
        if any(address in network for network in networks):
            return found
    return "public"


def _place_6(address: IPv6Address) -> Place:
    if address.scope_id is not None:
        return "link-local"
    if address in _METADATA:
        return "metadata"
    if int(address) <= 1:
        return "loopback" if int(address) else "reserved"
    inner = _carried(address)
    if inner is not None:
        return _place_4(inner)
    for found, networks in _IPV6.items():
        if any(address in network for network in networks):
            return found
    return "reserved"


def _carried(address: IPv6Address) -> IPv4Address | None:
    number = int(address)
    for network, shift in _CARRIERS:
        if address in network:
            return IPv4Address(number >> shift & 0xFFFFFFFF)
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return None


def _parts(url: str) -> tuple[str, str, str, str]:
    if len(url) > LONGEST_URL:
        raise _refused(
            f"it is longer than {LONGEST_URL:,} characters", ko=f"URL이 {LONGEST_URL:,}자보다 깁니다"
        )
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused(
            "it holds spaces, backslashes, or letters outside ASCII; write the name of a host in its `xn--` form, "
            "anything else percent-encoded",
            ko="공백, 역슬래시 또는 ASCII가 아닌 문자가 있습니다. 호스트는 `xn--` 형식으로, 나머지는 퍼센트 인코딩으로 적으세요",
        )
    match = _URL.fullmatch(url)
    if match is None:
        raise _refused("it is not of the form https://host/path", ko="https://host/path 형식이 아닙니다")
    return match[1].lower(), match[2], match[3], match[4] or ""


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    if "@" in authority:
        raise _refused(
            "it names a user or password before the host", ko="호스트 앞에 사용자나 비밀번호가 있습니다"
        )
    match = _AUTHORITY.fullmatch(authority)
    port = int(match[2] or _PORTS.get(scheme, 0)) if match else 0
    if match is None or not match[1] or not 0 < port < 65_536:
        raise _refused("it has no readable host and port", ko="호스트와 포트를 읽을 수 없습니다")
    return match[1].lower(), port


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is; `None` for a name. Only the usual spelling of each is one."""
    if host.startswith("["):
        try:
            address = IPv6Address(host[1:-1])
        except ValueError:
            address = None
        if address is None or address.scope_id is not None:
            raise _refused("its IPv6 address cannot be read", ko="IPv6 주소를 읽을 수 없습니다")
        return address
    if not _NUMERIC.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        return None
    # Some readers take 0x7f.1, 2130706433 and 0177.0.0.1 for 127.0.0.1, others for names or other numbers.
    try:
        return IPv4Address(host)
    except ValueError:
        raise _refused(
            "its host is a number in an unusual form; write an IPv4 address as four decimal numbers",
            ko="호스트가 특이한 형식의 숫자입니다. IPv4 주소는 10진수 네 개로 적으세요",
        ) from None


def _name(host: str) -> str:
    name = host.removesuffix(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _refused("its host is no valid name", ko="호스트 이름이 올바르지 않습니다")
    return name


def _listed(name: str, hosts: Iterable[str]) -> bool:
    for host in hosts:
        known = host.lower().removesuffix(".")
        if name == known or (known.startswith("*.") and name.endswith(known[1:])):
            return True
    return False


_PLACES: dict[Place, Sentence] = {
    "public": Sentence("a public address", ko="공인 주소"),
    "private": Sentence("an address of a private network", ko="사설망 주소"),
    "loopback": Sentence("this machine", ko="이 컴퓨터 자신"),
    "shared": Sentence("an address inside a provider's network", ko="통신사 내부망 주소"),
    "link-local": Sentence("a link-local address", ko="링크 로컬 주소"),
    "metadata": Sentence("a cloud's metadata service", ko="클라우드 메타데이터 서비스"),
    "reserved": Sentence("an address that is reserved", ko="예약된 주소"),
}


def _leads_inside(host: str, found: Place) -> AddressRefused:
    return _refused(
        f"`{host}` leads to {_PLACES[found].en}", ko=f"`{host}`은(는) {_PLACES[found].ko}(으)로 연결됩니다"
    )


def _refused(why: str, *, ko: str) -> AddressRefused:
    return AddressRefused(
        Sentence(
            f"This URL is not fetched: {why}. Correct it, or allow its host in the settings.",
            ko=f"이 URL은 가져오지 않습니다: {ko}. URL을 고치거나 설정에서 호스트를 허용하세요.",
        )
    )
