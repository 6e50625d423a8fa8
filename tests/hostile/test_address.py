"""Every way to write an address that leads inside, and the ways that lead outside."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import NotAllowed
from holdfast.policy.address import (
    AddressRefused,
    Place,
    check_addresses,
    check_redirect,
    check_url,
    place,
)

INSIDE: dict[str, Place] = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:7f00:1": "loopback",
    "::127.0.0.1": "loopback",
    "::ffff:0:127.0.0.1": "loopback",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b::127.0.0.1": "loopback",
    "2002:7f00:1::": "loopback",
    "2002:7f00:0001:1234::5": "loopback",
    "2a01:4f8::5efe:127.0.0.1": "loopback",
    "2a01:4f8::200:5efe:7f00:1": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "::ffff:10.0.0.1": "private",
    "64:ff9b::a00:1": "private",
    "2002:c0a8:101::1": "private",
    "fc00::1": "private",
    "fd12:3456:789a::1": "private",
    "fec0::1": "private",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "169.254.1.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "192.0.0.192": "metadata",
    "fd00:ec2::254": "metadata",
    "fd20:ce::254": "metadata",
    "::ffff:169.254.169.254": "metadata",
    "::ffff:a9fe:a9fe": "metadata",
    "64:ff9b::a9fe:a9fe": "metadata",
    "2002:a9fe:a9fe::": "metadata",
    "0.0.0.0": "reserved",
    "0.1.2.3": "reserved",
    "192.0.0.1": "reserved",
    "192.0.2.1": "reserved",
    "192.88.99.1": "reserved",
    "198.18.0.1": "reserved",
    "203.0.113.5": "reserved",
    "224.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "reserved",
    "ff02::1": "reserved",
    "100::1": "reserved",
    "64:ff9b:1::7f00:1": "reserved",
    "2001::1": "reserved",
    "2001:db8::1": "reserved",
    "3fff::1": "reserved",
    "5f00::1": "reserved",
    "4000::1": "reserved",
    "no address": "reserved",
    "": "reserved",
}
OUTSIDE = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "126.255.255.255", "128.0.0.1", "172.32.0.1"),
    *("100.63.255.255", "100.128.0.1", "192.169.0.1", "223.255.255.255", "2606:4700::1111"),
    *("2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8", "2a01::5efe:8.8.8.8"),
)
MISLEADING = (
    # forms of 127.0.0.1 that some readers understand
    *("http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://127.1/", "http://127.0.1/"),
    *("http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.0.0.01/", "http://0x7F.1/", "http://127.0x1/"),
    *("http://127.0.0.1./", "http://00000127.0.0.1/", "http://127.0.0.1.0x/", "http://1.2.3.4.5/"),
    *("http://4294967297/", "http://0/", "http://0x/", "http://256.256.256.256/", "http://١٢٧.0.0.1/"),
    *("http://127。0。0。1/", "http://127．0．0．1/", "http://①②⑦.0.0.1/", "http://１２７.0.0.1/"),
    *("http://%31%32%37.0.0.1/", "http://127.0.0.1%2f@example.com/", "http://localhost%00.example.com/"),
    # another host than the one that is read first
    *("http://example.com@127.0.0.1/", "http://user:pass@example.com/", "http://@example.com/"),
    *("http://example.com\\@127.0.0.1/", "http://example.com\\.evil.test/", "http:\\\\127.0.0.1/"),
    *("http://example.com:80:80/", "http://example.com:/x:y@z", "http://a b/", "http://example.com /"),
    *("http://example.com\t/", "http://exa\nmple.com/", "http://example.com\r\nhost: x/", "http://\x00/"),
    *(
        "http:/example.com",
        "http:example.com",
        "//example.com",
        "example.com",
        "",
        " ",
        "http://",
        "http:///x",
    ),
    *("http://?x", "http://#x", "http://.", "http://..", "http://a..b/", "http://-a.com/", "http://a-.com/"),
    *(
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:9x/",
    ),
    *("http://example.com:999999/", "http://" + "a" * 64 + ".com/", "http://" + "a." * 130 + "com/"),
    *("http://ⓔxample.com/", "http://exаmple.com/", "http://예시.한국/", "http://exam\u200dple.com/"),
    # schemes
    *(
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "data:text/plain,x",
        "javascript:x",
    ),
    *("unix:///run/docker.sock", "dict://example.com/", "http+unix://x/", "HTTPS ://example.com/"),
    # IPv6
    *(
        "http://[::1%25lo]/",
        "http://[fe80::1%25eth0]/",
        "http://[::1",
        "http://::1/",
        "http://[]/",
        "http://[x]/",
    ),
    *(
        "http://[127.0.0.1]/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[::ffff:0x7f.0.0.1]/",
        "http://[v1.x]/",
    ),
    "https://example.com/" + "a" * 2_048,
)


@pytest.mark.parametrize(("address", "where"), INSIDE.items())
def test_an_address_is_where_it_leads_however_it_is_carried(address: str, where: Place) -> None:
    assert place(address) == where


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert place(address) == "public"
    assert check_addresses("example.com", (address,)) == (address,)


@pytest.mark.parametrize("address", [text for text in INSIDE if text and " " not in text and "%" not in text])
def test_a_url_with_an_inside_address_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressRefused):
        check_url(f"https://{host}:8080/path")


@pytest.mark.parametrize("url", MISLEADING)
@pytest.mark.parametrize("allow_private", [False, True])
def test_a_url_that_two_readers_could_take_for_different_places_is_refused(
    url: str, *, allow_private: bool
) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, allow_private=allow_private)


def test_this_machine_by_name_is_refused() -> None:
    for host in ("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost:8080"):
        with pytest.raises(AddressRefused):
            check_url(f"http://{host}/")
    assert check_url("http://localhost:8080/", allow_private=True).host == "localhost"


def test_whoever_allows_private_addresses_gets_their_own_network_and_no_metadata() -> None:
    for address, where in INSIDE.items():
        if where in ("loopback", "private", "shared"):
            assert check_addresses("inside", (address,), allow_private=True) == (address,)
        else:
            with pytest.raises(AddressRefused):
                check_addresses("inside", (address,), allow_private=True)


def test_one_inside_address_among_public_ones_is_enough_to_refuse_a_name() -> None:
    with pytest.raises(AddressRefused, match="private network"):
        check_addresses("example.com", ("93.184.216.34", "10.0.0.1"))


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="no address"):
        check_addresses("example.com", ())


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("HTTPS://example.com.:443/a/../b?x=1#f", "https://example.com/a/../b?x=1"),
        ("http://example.com:8080/한".replace("한", "%ED%95%9C"), "http://example.com:8080/%ED%95%9C"),
        ("https://example.com?q={}&r=[1]", "https://example.com/?q=%7B%7D&r=%5B1%5D"),
        ("https://8.8.8.8:8443/", "https://8.8.8.8:8443/"),
        ("https://[2606:4700:0:0::1111]/x", "https://[2606:4700::1111]/x"),
        ("https://xn--9n2bp8q.xn--3e0b707e/", "https://xn--9n2bp8q.xn--3e0b707e/"),
        ("https://a_b.example.com/?a?b", "https://a_b.example.com/?a?b"),
    ],
)
def test_a_url_has_one_spelling(url: str, spelled: str) -> None:
    target = check_url(url)
    assert target.url == spelled
    assert check_url(spelled) == target


def test_only_listed_hosts_are_allowed_where_there_is_a_list() -> None:
    hosts = ("hooks.example.com", "*.Trusted.test.")
    for url in ("https://hooks.example.com/", "https://a.trusted.test/", "https://a.b.trusted.test./"):
        assert check_url(url, hosts=hosts).port == 443
    for url in (
        *("https://example.com/", "https://trusted.test/", "https://eviltrusted.test/", "https://8.8.8.8/"),
        *("https://hooks.example.com.evil.test/", "https://xhooks.example.com/"),
    ):
        with pytest.raises(AddressRefused, match="not on the list"):
            check_url(url, hosts=hosts)


def test_a_list_of_hosts_does_not_open_the_inside() -> None:
    with pytest.raises(AddressRefused, match="this machine"):
        check_url("http://127.0.0.1/", hosts=("127.0.0.1",))


def test_schemes_can_be_narrowed() -> None:
    with pytest.raises(AddressRefused, match="`http`"):
        check_url("http://example.com/", schemes=("https",))


@pytest.mark.parametrize(
    "location", ["/next?x=1", "https://example.com/next?x=1", "https://EXAMPLE.com:443/next?x=1"]
)
def test_a_redirect_to_the_same_place_is_followed(location: str) -> None:
    further = check_redirect(check_url("https://example.com/a"), location)
    assert further.url == "https://example.com/next?x=1"


@pytest.mark.parametrize(
    "location",
    [
        *("http://example.com/", "https://other.test/", "https://example.com:8443/", "//other.test/"),
        *(
            "https://a.example.com/",
            "http://169.254.169.254/",
            "relative",
            "",
            "\\\\other.test",
            "/\\other.test",
        ),
        *("javascript:x", "https://example.com@other.test/"),
    ],
)
def test_a_redirect_to_another_place_is_refused(location: str) -> None:
    with pytest.raises(AddressRefused):
        check_redirect(check_url("https://example.com/a"), location)


def test_a_refusal_says_what_to_do_in_both_languages() -> None:
    with pytest.raises(NotAllowed) as caught:
        check_url("http://user:secret@example.com/")
    assert caught.value.error_code == "holdfast_address_refused"
    assert "secret" not in caught.value.say("en") + caught.value.say("ko")
    assert "user or password" in caught.value.say("en")
    assert "비밀번호" in caught.value.say("ko")


@given(number=st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_alike_in_every_wrapping(number: int) -> None:
    plain = place(str(IPv4Address(number)))
    assert place(str(IPv6Address((0xFFFF << 32) | number))) == plain
    assert place(str(IPv6Address((0x64FF9B << 96) | number))) == plain
    assert place(str(IPv6Address((0x2002 << 112) | number << 80))) == plain


@given(number=st.integers(0, 2**32 - 1))
def test_what_is_public_here_is_public_to_the_standard_library(number: int) -> None:
    address = IPv4Address(number)
    if place(str(address)) == "public":
        assert address.is_global


@given(number=st.integers(0, 2**128 - 1) | st.integers(2**125, 2**126 - 1))
def test_what_is_public_of_ipv6_is_public_to_the_standard_library(number: int) -> None:
    address = IPv6Address(number)
    if place(str(address)) == "public" and address.ipv4_mapped is None and address.sixtofour is None:
        assert address.is_global


@given(url=st.text(max_size=80) | st.from_regex(r"https?://[0-9a-fx.:@\[\]%/-]{1,40}", fullmatch=True))
def test_whatever_is_let_through_has_a_host_that_cannot_be_misread(url: str) -> None:
    try:
        target = check_url(url)
    except AddressRefused:
        return
    assert check_url(target.url) == target
    if target.address is None:
        with pytest.raises(ValueError, match="does not appear"):
            ip_address(target.host)
        assert not target.host.rpartition(".")[2].isdigit()
    else:
        assert place(target.address) == "public"
