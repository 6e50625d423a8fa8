import pytest

from holdfast.call import Principal
from holdfast.errors import MalformedRequest
from holdfast.identity import LONGEST, identified, kept, named

NOBODY = Principal(door="gateway")


def test_a_request_names_its_user_run_agent_and_the_agent_that_called_it() -> None:
    headers = (
        ("x-holdfast-user", "alice"),
        ("x-holdfast-run", "r"),
        ("x-claude-code-agent-id", "a"),
        ("x-claude-code-parent-agent-id", "p"),
        ("x-holdfast-tags", "team=search, feature=chat ,"),
    )
    caller = identified(NOBODY, headers)
    assert (caller.user, caller.run, caller.agent, caller.parent) == ("alice", "r", "a", "p")
    assert caller.tags == {"team": "search", "feature": "chat"}


def test_the_session_of_claude_code_is_the_run_unless_somebody_names_one() -> None:
    session = ("x-claude-code-session-id", "s")
    assert identified(NOBODY, (session,)).run == "s"
    assert identified(NOBODY, (("x-holdfast-run", "r"), session)).run == "r"


def test_what_the_door_knows_stays_where_the_request_says_nothing() -> None:
    known = Principal(door="sdk", user="bob", run="r", agent="a", parent="p", tags={"team": "x"})
    assert identified(known, ()) == known


def test_a_tag_of_the_door_cannot_be_talked_away() -> None:
    known = Principal(door="gateway", tags={"team": "x"})
    assert identified(known, (("x-holdfast-tags", "team=y"),)).tags == {"team": "x"}


def test_korean_names_are_read_as_they_were_meant_and_long_ones_are_cut() -> None:
    wire = "앨리스".encode().decode("latin-1")
    assert identified(NOBODY, (("x-holdfast-user", wire),)).user == "앨리스"
    assert identified(NOBODY, (("x-holdfast-user", "\u0153" * 300),)).user == "\u0153" * LONGEST


@pytest.mark.parametrize("tags", ["team", "=x", "team=", "a=1,a=2", ",".join(f"t{n}=1" for n in range(11))])
def test_tags_that_cannot_be_read_are_refused(tags: str) -> None:
    with pytest.raises(MalformedRequest, match="x-holdfast-tags"):
        identified(NOBODY, (("x-holdfast-tags", tags),))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (" alice\t", "alice"),
        ("ali\x00ce", "alice"),
        ("alice\u200b", "alice"),
        ("a  b\nc", "a b c"),
        ("Jose\u0301", "Jos\u00e9"),
        (" \u200b ", None),
        ("", None),
        (None, None),
        ("x" * 199 + " yz", "x" * 199),
        ("\ud800", "\ufffd"),
    ],
)
def test_a_name_is_kept_as_any_reader_and_any_database_has_it(said: str | None, meant: str | None) -> None:
    assert named(said) == meant


def test_names_that_come_another_way_than_by_headers_are_kept_alike() -> None:
    caller = Principal(door="library", user="\x00", run="r\x00", agent=" a", parent="p\n")
    known = kept(caller, "bo\x00b")
    assert (known.user, known.run, known.agent, known.parent) == ("bob", "r", "a", "p")
    assert kept(Principal(door="library", user="alice"), "bob").user == "alice"
