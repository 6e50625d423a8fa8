"""What a program finds in its environment: the way to its gateway, and nothing that leads past it."""

from holdfast.integrations.claude_agent_sdk_environment import ELSEWHERE, QUIET, Way, environment, headers

WAY = Way(url="http://127.0.0.1:9", token="t", run="nightly", user="alice", hidden=("MY_KEY",))


def test_claude_code_is_told_where_to_go_and_what_to_show() -> None:
    found = environment(WAY, {})

    assert (found["ANTHROPIC_BASE_URL"], found["ANTHROPIC_AUTH_TOKEN"]) == ("http://127.0.0.1:9", "t")
    assert found["ANTHROPIC_CUSTOM_HEADERS"] == "x-holdfast-run: nightly\nx-holdfast-user: alice"
    assert found["ANTHROPIC_API_KEY"] == ""


def test_nothing_leads_to_another_provider_or_another_account() -> None:
    found = environment(WAY, {"CLAUDE_CODE_USE_BEDROCK": "1", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01"})

    assert {found[name] for name in ELSEWHERE} == {""}


def test_keys_that_the_program_does_not_need_are_hidden() -> None:
    known = {"MY_KEY": "k", "MY_KEY_FILE": "/k", "HOLDFAST_ADMIN_TOKEN": "a", "OTHER": "o"}
    found = environment(WAY, known)

    assert [found[name] for name in ("MY_KEY", "MY_KEY_FILE", "HOLDFAST_ADMIN_TOKEN")] == ["", "", ""]
    assert "OTHER" not in found
    assert "HOLDFAST_TOKEN" not in found


def test_telemetry_is_off_unless_somebody_wants_it() -> None:
    assert {environment(WAY, {})[name] for name in QUIET} == {"1"}
    assert "DISABLE_TELEMETRY" not in environment(WAY, {"DISABLE_TELEMETRY": "0"})


def test_the_own_headers_of_a_program_stay_but_for_credentials_and_for_what_is_ours() -> None:
    theirs = "X-Team: search\nAuthorization: Bearer mine\nx-holdfast-run: other"

    assert headers(WAY, theirs) == "X-Team: search\nx-holdfast-run: nightly\nx-holdfast-user: alice"


def test_a_user_that_nobody_names_anew_stays() -> None:
    way = Way(url="http://127.0.0.1:9", token="t", run="r")

    assert headers(way, "x-holdfast-user: bob") == "x-holdfast-user: bob\nx-holdfast-run: r"


def test_where_the_program_has_a_key_for_the_gateway_it_is_left_alone() -> None:
    way = Way(url="https://gateway.example", run="r")
    found = environment(way, {"ANTHROPIC_CUSTOM_HEADERS": "x-api-key: mine"})

    assert "ANTHROPIC_AUTH_TOKEN" not in found
    assert "ANTHROPIC_API_KEY" not in found
    assert found["ANTHROPIC_CUSTOM_HEADERS"] == "x-api-key: mine\nx-holdfast-run: r"


def test_no_proxy_stands_between_the_program_and_this_machine() -> None:
    assert (
        environment(WAY, {"no_proxy": "corp.example, 10.0.0.1"})["NO_PROXY"]
        == "corp.example,10.0.0.1,127.0.0.1"
    )
    assert "NO_PROXY" not in environment(Way(url="https://gateway.example", run="r"), {})


def test_a_name_cannot_add_a_header_and_is_written_in_utf_8() -> None:
    way = Way(url="http://127.0.0.1:9", run="a\r\nx-api-key: b", user="앨리스")
    run, user = headers(way, "").splitlines()

    assert run == "x-holdfast-run: a x-api-key: b"
    assert user.encode("latin-1").decode() == "x-holdfast-user: 앨리스"
