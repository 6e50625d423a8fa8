"""What a tool does by its name, and the part that each of its arguments plays."""

import pytest

from holdfast.policy.arguments import MOST_ARGUMENTS, arguments
from holdfast.policy.intention import acts, is_asked_for, makes, words_of

ACTING = (
    "send_mail deleteFile mcp__gh__create_issue Bash TodoWrite search_and_delete transfer weather run_query"
)
READING = "get_order read_mail list_posts WebFetch Read Grep mcp__mail__list_messages search_web view_record find_or_show"


@pytest.mark.parametrize("tool", ACTING.split())
def test_a_name_of_something_done_or_of_nothing_known_acts(tool: str) -> None:
    assert acts(tool)


@pytest.mark.parametrize("tool", READING.split())
def test_a_name_of_something_looked_at_does_not_act(tool: str) -> None:
    assert not acts(tool)


def test_a_name_is_read_in_words_and_without_its_server() -> None:
    assert words_of("mcp__send__readHTTPPage2") == ("read", "http", "page", "2")


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("send_mail", "please reply to her"),
        ("send_mail", "답장해 줘"),
        ("delete_file", "get rid of it"),
        ("delete_file", "поскорее удали это"),
        ("save_file", "요약해서 저장해 줘"),
        ("transfer_money", "überweise ihr 20 euro"),
        ("Write", "put that into a file"),
        ("set_alarm", "change the alarm"),
        ("lights", "the lights please"),
        ("zap", "zap it"),
    ],
)
def test_a_wish_is_understood(tool: str, said: str) -> None:
    assert is_asked_for(tool, said)


@pytest.mark.parametrize("tool", ["send_mail", "delete_file", "transfer_money", "create_event", "zap"])
def test_a_wish_that_was_not_made_is_none(tool: str) -> None:
    assert not is_asked_for(tool, "summarise what is new for me, please.")


def test_some_tools_make_things_that_have_no_name_yet() -> None:
    assert [makes(tool) for tool in ("save_file", "book_room", "delete_file", "send_mail")] == [
        True,
        True,
        False,
        False,
    ]


def test_each_argument_plays_its_part() -> None:
    given = {
        "to": "a",
        "body": "b",
        "amount": 3.0,
        "old_string": "c",
        "sql": "d",
        "color": "e",
        "rest": "f" * 201,
    }
    found = {one.name: (one.role, one.text) for one in arguments("send", given)}
    assert {name: role for name, (role, _) in found.items()} == {
        "to": "target",
        "body": "content",
        "amount": "amount",
        "old_string": "quoted",
        "sql": "command",
        "color": "plain",
        "rest": "content",
    }
    assert found["amount"][1] == "3"


def test_what_a_tool_that_runs_things_is_given_is_a_command() -> None:
    roles = {
        one.name: one.role for one in arguments("run_shell", {"line": "ls", "path": "/tmp", "text": "x"})
    }
    assert roles == {"line": "command", "path": "target", "text": "content"}


def test_values_are_found_at_any_depth_and_none_is_lost() -> None:
    found = arguments("send", {"who": [{"email": "a@b.co"}, 1.5, True, None], "many": ["x"] * 300})
    assert (found[0].name, found[0].role, found[0].text) == ("email", "target", "a@b.co")
    assert len(found) == MOST_ARGUMENTS + 1
    assert found[-1].text.count("x") == 300 + 2 - MOST_ARGUMENTS
    assert [one.text for one in arguments("send", "bare text")] == ["bare text"]
