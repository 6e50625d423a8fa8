"""Places to send something to, however they are written."""

import pytest

from holdfast.policy.destination import Destination, destinations, plain


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("write to Bob@Corp.Example.", "mail", "bob@corp.example"),
        ("see https://www.News.example:8080/a?b=c", "host", "news.example"),
        ("see www.news.example/a", "host", "news.example"),
        ("to //cdn.example/x", "host", "cdn.example"),
        ("pay DE89 3704 0044 0532 0130 00 now", "account", "de89370400440532013000"),
        ("pay de89370400440532013000", "account", "de89370400440532013000"),
        (
            "to 0x52908400098527886E0F7030069857D2E4169EE7",
            "wallet",
            "0x52908400098527886e0f7030069857d2e4169ee7",
        ),
        ("call +82 10-1234-5678", "number", "821012345678"),
        ("account 110-234-567890", "number", "110234567890"),
    ],
)
def test_a_place_is_found_in_one_spelling(text: str, kind: str, name: str) -> None:
    assert [(found.kind, found.name) for found in destinations(text)] == [(kind, name)]


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-22", "2026-11-22 10:00", "version 1.2.3", "AB12 CDEF GHIJ KLMN", "notes.txt", "42 of 100"],
)
def test_dates_versions_and_words_are_no_places(text: str) -> None:
    assert destinations(text) == frozenset()


def test_two_spellings_are_one_place() -> None:
    assert destinations("DE89 3704 0044 0532 0130 00") == destinations("DE89370400440532013000")
    assert (
        destinations("010-1234-5678")
        == destinations("010 1234 5678")
        == {Destination("number", "01012345678")}
    )
    assert plain("DE89 37-04") == "de893704"


def test_time_grows_with_the_text_alone() -> None:
    assert destinations("1 " * 300_000 + "a." * 300_000 + "@" * 1_000) is not None
