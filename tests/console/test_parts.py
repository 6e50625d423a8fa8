"""What the console is made of, each part alone: tickets, sessions, sites, preferences, figures."""

from decimal import Decimal

import pytest

from holdfast.console.notes import Note, Undo, opened, sealed
from holdfast.console.preferences import chosen, preferences
from holdfast.console.request import bars
from holdfast.console.run import curve
from holdfast.console.seal import Seal
from holdfast.console.sessions import Sessions
from holdfast.console.showing import duration, number, usd, visible
from holdfast.console.site import expect_host, is_encrypted, port_of
from holdfast.console.tickets import LASTS, Tickets
from holdfast.errors import ConfigError, Refused
from holdfast.language import Sentence
from holdfast.policy.console import ConsoleConfig
from holdfast.testing import FakeClock

CONFIG = ConsoleConfig(idle=600, longest=3_600)


def test_a_ticket_is_good_for_ten_minutes_and_for_one() -> None:
    clock = FakeClock()
    tickets = Tickets(clock)
    early, late = tickets.issue("viewer", "kim"), tickets.issue("operator", "kim")
    clock.advance(LASTS - 1)
    found = tickets.take(early)
    assert found is not None
    assert (found.role, found.actor) == ("viewer", "kim")
    assert tickets.take(early) is None
    clock.advance(1)
    assert tickets.take(late) is None
    assert tickets.take("never issued") is None
    assert tickets.take("\ud800") is None


def test_a_ticket_that_another_process_has_made_opens_nothing() -> None:
    clock = FakeClock()
    token = Tickets(clock).issue("operator", "kim")
    assert Tickets(clock).take(token) is None


def test_nobody_can_make_a_seal_or_change_what_is_under_it() -> None:
    seal = Seal()
    text = seal.sealed("ticket", b'{"role":"viewer"}')
    assert seal.opened("ticket", text) == b'{"role":"viewer"}'
    content, _, mark = text.partition(".")
    other = seal.sealed("ticket", b'{"role":"operator"}').partition(".")[0]
    for forged in (
        f"{other}.{mark}",
        f"{content}.",
        f".{mark}",
        content,
        f"{content}.{mark}.{mark}",
        f"{content}.{mark[:-2]}xx",
        "한글.한글",
        "a.a",
        "\ud800.x",
        "a" * 5_000,
    ):
        assert seal.opened("ticket", forged) is None, forged
    assert seal.opened("session", text) is None, "a ticket is no session"
    assert Seal().opened("ticket", text) is None


def walked(sessions: Sessions, token: str) -> str | None:
    """The token of somebody after a click; `None` when he is out."""
    session = sessions.find(token)
    return None if session is None else sessions.renewed(session) or token


def test_a_login_that_nobody_uses_ends() -> None:
    clock = FakeClock()
    sessions = Sessions(CONFIG, clock, Seal())
    token: str | None = sessions.open("operator", "kim")[0]
    for _ in range(3):
        clock.advance(500)
        assert token is not None
        token = walked(sessions, token)
    assert token is not None
    clock.advance(600)
    assert sessions.find(token) is None


def test_what_a_page_asks_for_by_itself_keeps_no_login_awake() -> None:
    clock = FakeClock()
    sessions = Sessions(CONFIG, clock, Seal())
    token, _ = sessions.open("operator", "kim")
    for _ in range(5):
        clock.advance(119)
        assert sessions.find(token)
    clock.advance(10)
    assert sessions.find(token) is None


def test_a_login_ends_however_busy_it_is() -> None:
    clock = FakeClock()
    sessions = Sessions(CONFIG, clock, Seal())
    token: str | None = sessions.open("operator", "kim")[0]
    for _ in range(7):
        clock.advance(500)
        assert token is not None
        token = walked(sessions, token)
    assert token is not None
    clock.advance(100)
    assert sessions.find(token) is None


def test_the_marks_of_forms_are_those_of_one_login_through_all_of_its_cookies() -> None:
    clock = FakeClock()
    sessions = Sessions(CONFIG, clock, Seal())
    token, session = sessions.open("operator", "kim")
    other = sessions.open("operator", "kim")[1]
    clock.advance(100)
    later = walked(sessions, token)
    assert later is not None
    assert later != token
    found = sessions.find(later)
    assert found is not None
    assert found.csrf == session.csrf != other.csrf
    assert (found.role, found.actor, found.began) == ("operator", "kim", session.began)


def test_a_logout_ends_every_cookie_of_a_login() -> None:
    clock = FakeClock()
    sessions = Sessions(CONFIG, clock, Seal())
    token, session = sessions.open("viewer", "kim")
    clock.advance(100)
    later = walked(sessions, token)
    assert later is not None
    sessions.close(session)
    assert sessions.find(token) is None
    assert sessions.find(later) is None


def test_a_note_is_read_back_as_it_was_and_by_nobody_elses_seal() -> None:
    note = Note(
        said=Sentence("Done.", ko="완료."), undo=Undo(label=Sentence("Undo", ko="되돌리기"), path="/x")
    )
    seal = Seal()
    assert opened(seal, sealed(seal, note)) == note
    assert opened(Seal(), sealed(seal, note)) is None


def test_no_mark_of_a_session_is_in_its_repr_or_its_cookie() -> None:
    token, session = Sessions(CONFIG, FakeClock(), Seal()).open("operator", "kim")
    assert session.csrf not in repr(session)
    assert session.csrf not in token


@pytest.mark.parametrize("host", ["", "[", "a b", "0.0.0.0", "[::]", "169.254.1.1", "10.0.0.1:4180", "évil"])
def test_a_host_that_is_not_this_machine_is_refused(host: str) -> None:
    with pytest.raises(Refused):
        expect_host((("host", host),), (), "0.0.0.0")


@pytest.mark.parametrize(
    ("host", "hosts", "listening"),
    [
        ("10.0.0.1:4180", (), "10.0.0.1"),
        ("Agents.Example.com", ("agents.example.com",), "127.0.0.1"),
        ("agents.example.com:8443", ("agents.example.com",), "127.0.0.1"),
        ("agents.example.com:8443", ("agents.example.com:8443",), "127.0.0.1"),
        ("localhost.", (), "127.0.0.1"),
    ],
)
def test_a_host_that_somebody_has_named_is_let_in(host: str, hosts: tuple[str, ...], listening: str) -> None:
    expect_host((("host", host),), hosts, listening)


def test_the_port_is_the_one_that_the_browser_knows() -> None:
    assert port_of((("host", "a:8443"),), encrypted=True) == 8443
    assert port_of((("host", "a"),), encrypted=True) == 443
    assert port_of((("host", "a:x"),), encrypted=False) == 80
    assert port_of((), encrypted=False) == 80


def test_tls_is_seen_wherever_it_ends() -> None:
    assert is_encrypted("https", ())
    assert is_encrypted("http", (("x-forwarded-proto", "HTTPS, http"),))
    assert is_encrypted("http", (("origin", "https://a"),))
    assert not is_encrypted("http", (("x-forwarded-proto", "http"), ("origin", "http://a")))


def test_a_preference_is_one_of_those_on_offer() -> None:
    korean = (("accept-language", "ko"),)
    assert preferences({}, korean, "en").language == "ko"
    assert preferences({"holdfast_language": "en"}, korean, "en").language == "en"
    assert preferences({"holdfast_language": "fr", "holdfast_theme": "pink"}, (), "ko").language == "ko"
    assert preferences({"holdfast_theme": "dark"}, (), "en").theme == "dark"
    assert chosen({"language": "ko", "theme": "pink", "x": "y"}) == {"holdfast_language": "ko"}


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "–"),
        ("0", "$0"),
        ("1234.567", "$1,234.57"),
        ("0.012300", "$0.0123"),
        (Decimal("0.0000001"), "< $0.000001"),
        ("-2", "$-2.00"),
        ("0.5", "$0.5"),
    ],
)
def test_money_is_shown_as_small_as_it_is(amount: object, shown: str) -> None:
    assert usd(amount) == shown


def test_lengths_and_counts_are_shown_as_people_say_them() -> None:
    assert [duration(one) for one in (None, 0.24, 52.4, 1_234, 90_000)] == [
        "–",
        "0.2 ms",
        "52 ms",
        "1.23 s",
        "1.5 min",
    ]
    assert [number(one) for one in (None, 0, 1234567)] == ["–", "0", "1,234,567"]


def test_letters_that_hide_or_turn_round_are_marked() -> None:
    assert visible("a\u202eb\u200bc\x1b[0m") == "a�b�c�[0m"
    assert visible("한국어 ok") == "한국어 ok"
    assert visible("x" * 1_000_000, 10) == "x" * 10 + "…"
    assert visible("\ud800") == "�"


def test_bars_stay_inside_whatever_the_times_say() -> None:
    def view(*attempts: tuple[float, float | None, float | None]) -> dict[str, object]:
        steps = [{"began_ms": one, "first_ms": two, "ended_ms": three} for one, two, three in attempts]
        return {"story": {"attempts": steps}, "call": {"duration_ms": 100.0}}

    assert bars({"story": None, "call": None}) == []
    assert bars(view((0, 50, 100))) == [{"start": 0.0, "middle": 500.0, "end": 1000.0}]
    for bar in bars(view((0, None, None), (100, 100, 100), (50, 400, 300), (99.99, None, 100))):
        assert 0 <= bar["start"] <= bar["middle"] <= bar["end"] <= 1000
        assert bar["end"] > bar["start"]


def test_a_curve_goes_from_left_to_right_as_high_as_its_top() -> None:
    assert curve([0, 5, 10]) == "0.0,100.0 500.0,50.0 1000.0,0.0"
    assert curve([0, 0]) == "0.0,100.0 1000.0,100.0"


@pytest.mark.parametrize(
    "wrong",
    [
        {"idle": 0.0},
        {"idle": 100.0, "longest": 99.0},
        {"longest": float("inf")},
        {"hosts": ("https://a",)},
        {"hosts": ("",)},
        {"hosts": (" a",)},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ConsoleConfig(**wrong)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
