import pytest

from holdfast.errors import DeadlineExceeded, NotAllowed, UpstreamUnavailable
from holdfast.policy.routing import UpstreamConfig
from holdfast.upstream import relay as relaying
from holdfast.upstream.relay import Relay
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import Headers, get
from tests.upstream.scripted import (
    CUT,
    JSON,
    UNREACHABLE,
    Answer,
    Reply,
    ScriptedClient,
    Silence,
)

COUNTED = Reply(headers=JSON, pieces=(b'{"input_', b'tokens": 12}'))


def relay(client: ScriptedClient, *, key: str | None = "sk-ours") -> Relay:
    config = UpstreamConfig(url="http://127.0.0.1:9")
    return Relay((Upstream(name="main", config=config, client=client, key=key),))


async def sent(
    path: str = "/v1/models", query: str = "", headers: Headers = (), *, key: str | None = "sk-ours"
) -> tuple[str, Headers]:
    client = ScriptedClient(COUNTED)
    await relay(client, key=key)("GET", path, query, headers, b"")
    (request,) = client.requests
    return request.path, request.headers


async def test_an_answer_is_passed_on_as_it_is() -> None:
    client = ScriptedClient(COUNTED)
    answer = await relay(client)("POST", "/v1/messages/count_tokens", "", (), b"{}")
    assert answer == (200, JSON, b'{"input_tokens": 12}')
    assert (client.requests[0].method, client.requests[0].body) == ("POST", b"{}")
    assert client.left_open == 0


async def test_an_error_of_the_upstream_is_passed_on_and_not_retried() -> None:
    client = ScriptedClient(Reply.refusal(529, "overloaded_error"))
    status, _, body = await relay(client)("GET", "/v1/models", "", (), b"")
    assert (status, client.asked) == (529, 1)
    assert b"overloaded_error" in body


@pytest.mark.parametrize("answer", [UNREACHABLE, Reply(pieces=(b"half", CUT))])
async def test_a_broken_connection_is_a_typed_error_in_both_languages(answer: Answer) -> None:
    client = ScriptedClient(answer)
    with pytest.raises(UpstreamUnavailable) as caught:
        await relay(client)("GET", "/v1/models", "", (), b"")
    assert "/v1/models" in caught.value.say("en")
    assert "업스트림" in caught.value.say("ko")
    assert client.left_open == 0


@pytest.mark.parametrize("answer", [Silence(), Reply(pieces=(b"half", Silence()))])
async def test_an_upstream_that_does_not_answer_ends_in_time(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "TIMEOUT", 0.03)
    client = ScriptedClient(answer)
    with pytest.raises(DeadlineExceeded) as caught:
        await relay(client)("GET", "/v1/models", "", (), b"")
    assert caught.value.status == 504
    assert "응답하지 않았습니다" in caught.value.say("ko")
    assert client.left_open == 0


async def test_an_answer_without_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "LARGEST_ANSWER", 100)
    client = ScriptedClient(Reply(pieces=[b"x" * 60] * 1000))
    with pytest.raises(UpstreamUnavailable) as caught:
        await relay(client)("GET", "/v1/models", "", (), b"")
    assert "passed 100 bytes" in str(caught.value.__cause__)
    assert client.left_open == 0


async def test_a_path_of_any_length_makes_a_sentence_of_some_length() -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        await relay(ScriptedClient(UNREACHABLE))("GET", "/v1/models/" + "x" * 100_000, "", (), b"")
    assert len(caught.value.say("en")) < 400


async def test_our_key_replaces_every_credential_of_the_caller() -> None:
    shown: Headers = (("x-api-key", "theirs"), ("authorization", "Bearer theirs"), ("cookie", "a=b"))
    _, headers = await sent(headers=(*shown, ("anthropic-version", "2023-06-01")))
    assert [value for name, value in headers if name == "x-api-key"] == ["sk-ours"]
    assert "theirs" not in repr(headers)
    assert get(headers, "cookie") is None
    assert get(headers, "anthropic-version") == "2023-06-01"


async def test_without_a_key_of_ours_the_callers_own_credential_is_passed_on() -> None:
    _, headers = await sent(headers=(("authorization", "Bearer theirs"), ("cookie", "a=b")), key=None)
    assert get(headers, "authorization") == "Bearer theirs"
    assert get(headers, "x-api-key") is None
    assert get(headers, "cookie") is None


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/v1/models", "", "/v1/models"),
        ("/v1/models", "limit=5&after_id=a%2Fb", "/v1/models?limit=5&after_id=a%2Fb"),
        ("/v1/models/a b", "", "/v1/models/a%20b"),
        ("/v1/models/100%", "", "/v1/models/100%25"),
        ("/v1/models/x?admin=1", "", "/v1/models/x%3Fadmin=1"),
        ("/v1/models/x#y", "", "/v1/models/x%23y"),
        ("/v1/models/한", "", "/v1/models/%ED%95%9C"),
        ("/v1/models/a\r\nx-evil: 1", "", "/v1/models/a%0D%0Ax-evil:%201"),
        ("/v1/models", "a=\xe9 \r\n#", "/v1/models?a=%E9%20%0D%0A%23"),
        ("/v1/models", "a=한", "/v1/models?a=?"),
        ("/v1/models/a:b@c", "ids[]=1", "/v1/models/a:b@c?ids[]=1"),
    ],
)
async def test_a_path_and_a_query_say_upstream_what_they_said_to_us_and_no_more(
    path: str, query: str, expected: str
) -> None:
    assert (await sent(path, query))[0] == expected


@pytest.mark.parametrize("path", ["/v1/models/../organizations", "/v1/models/..", "/v1/./models", "/../x"])
async def test_a_path_that_climbs_does_not_take_our_key_along(path: str) -> None:
    client = ScriptedClient(COUNTED)
    with pytest.raises(NotAllowed) as caught:
        await relay(client)("GET", path, "", (), b"")
    assert client.asked == 0
    assert "경로" in caught.value.say("ko")


async def test_a_name_with_dots_in_it_climbs_nowhere() -> None:
    assert (await sent("/v1/models/claude-3..5...x"))[0] == "/v1/models/claude-3..5...x"
