"""Where a call goes when its first target cannot answer: substitutes, and the home of a conversation."""

import json
from dataclasses import replace

import pytest

from holdfast.call import Call, Principal, Response
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import CallNotPermitted, Stopped
from holdfast.policy.failure import Failover, Ruling
from holdfast.policy.permit import Outcome
from holdfast.policy.retry import RetryConfig
from holdfast.policy.routing import Account, Target, may_follow
from holdfast.upstream import destinations
from holdfast.upstream.destinations import Homes
from holdfast.wire.headers import get
from holdfast.wire.messages import read_request
from tests.upstream.scripted import JSON, MESSAGE, MODEL, Reply, Ring, ScriptedClient, a_call, ring

GOOD = Reply()
OVERLOADED = Reply.refusal(529, "overloaded_error", "Overloaded")
MISSING = Reply.refusal(404, "not_found_error")
HAIKU = "claude-haiku-5-5"
SUBSTITUTES = {MODEL: (HAIKU,)}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


async def ask(upstream: Ring, call: Call) -> Response:
    found = await upstream.attempts(call)
    assert isinstance(found, Response)
    return found


def with_substitutes(client: ScriptedClient, **options: object) -> Ring:
    return ring(client, substitutes=SUBSTITUTES, **options)


def turn(number: int, *, thinking: bool = True, first: str = "Hello", run: str | None = None) -> Call:
    """The n-th request of one conversation."""
    content = [THOUGHT, {"type": "text", "text": "Hi"}] if thinking else "Hi"
    past = [{"role": "assistant", "content": content}, {"role": "user", "content": "And?"}] * (number - 1)
    messages = [{"role": "user", "content": first}, *past]
    body = json.dumps({"model": MODEL, "max_tokens": 64, "messages": messages}).encode()
    principal = Principal(door="library", run=run)
    return replace(a_call(clock=SYSTEM_CLOCK), body=body, request=read_request(body), principal=principal)


def models(client: ScriptedClient) -> list[str]:
    return [json.loads(request.body)["model"] for request in client.requests]


async def test_an_overloaded_model_is_stood_in_for_and_the_answer_says_so() -> None:
    client = ScriptedClient(OVERLOADED, OVERLOADED, GOOD)
    call = a_call('model: "claude"')
    response = await ask(with_substitutes(client), call)
    assert models(client) == [MODEL, MODEL, HAIKU]
    assert client.requests[-1].body == call.body.replace(MODEL.encode(), HAIKU.encode())
    assert (response.status, get(response.headers, "x-holdfast-degraded")) == (200, "model")


async def test_a_stopped_model_stands_in_for_no_other() -> None:
    client = ScriptedClient(OVERLOADED, OVERLOADED, GOOD)

    def barrier(model: str) -> Stopped | None:
        return Stopped("stopped") if model == HAIKU else None

    call = replace(a_call(), barrier=barrier)
    response = await ask(with_substitutes(client), call)
    assert response.status == 529
    assert set(models(client)) == {MODEL}
    assert call.tally.attempts == len(client.requests)


async def test_an_unknown_model_is_stood_in_for() -> None:
    client = ScriptedClient(MISSING, GOOD)
    response = await ask(with_substitutes(client), a_call())
    assert (models(client), response.status) == ([MODEL, HAIKU], 200)


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_other_failures_keep_the_model(status: int) -> None:
    client = ScriptedClient(Reply.refusal(status, "error"))
    response = await ask(with_substitutes(client), a_call())
    assert response.status == status
    assert set(models(client)) == {MODEL}


async def test_an_open_circuit_is_stood_in_for() -> None:
    client = ScriptedClient(GOOD)
    upstream = with_substitutes(client)
    upstream.circuits.of(f"main/{MODEL}").force_open()
    response = await ask(upstream, a_call())
    assert (models(client), get(response.headers, "x-holdfast-degraded")) == ([HAIKU], "model")


async def test_without_substitutes_an_open_circuit_refuses() -> None:
    upstream = ring(ScriptedClient(GOOD))
    upstream.circuits.of(f"main/{MODEL}").force_open()
    with pytest.raises(CallNotPermitted):
        await upstream.attempts(a_call())


async def test_an_answer_as_it_was_asked_for_carries_no_mark_not_even_the_upstreams_own() -> None:
    client = ScriptedClient(Reply(headers=(*JSON, ("x-holdfast-degraded", "model")), pieces=(MESSAGE,)))
    response = await ask(ring(client), a_call())
    assert get(response.headers, "x-holdfast-degraded") is None


async def test_a_substitute_loses_the_thinking_of_the_conversation() -> None:
    client = ScriptedClient(OVERLOADED, GOOD)
    response = await ask(with_substitutes(client, retry=RetryConfig(attempts=2)), turn(2))
    assert get(response.headers, "x-holdfast-degraded") == "model, thinking-dropped"


@pytest.mark.parametrize("run", [None, "run-1"])
async def test_a_conversation_with_thinking_stays_where_it_was_served(run: str | None) -> None:
    first, second = ScriptedClient(Reply.refusal(500, "api_error"), GOOD), ScriptedClient(GOOD)
    upstream = Ring(clients={"main": first, "spare": second}, retry=RetryConfig(attempts=2))
    assert (await ask(upstream, turn(1, run=run))).upstream == "spare"
    response = await ask(upstream, turn(2, run=run))
    assert (response.upstream, get(response.headers, "x-holdfast-degraded")) == ("spare", None)
    assert (await ask(upstream, turn(1, first="Another"))).upstream == "main"
    assert (await ask(upstream, turn(2, thinking=False, run=run))).upstream == "main"


async def test_a_conversation_that_must_leave_its_home_is_told_so() -> None:
    first, second = ScriptedClient(GOOD, Reply.refusal(500, "api_error")), ScriptedClient(GOOD)
    upstream = Ring(clients={"main": first, "spare": second}, retry=RetryConfig(attempts=2))
    await ask(upstream, turn(1))
    response = await ask(upstream, turn(2))
    assert (response.upstream, get(response.headers, "x-holdfast-degraded")) == ("spare", "thinking-dropped")
    response = await ask(upstream, turn(3))
    assert (response.upstream, get(response.headers, "x-holdfast-degraded")) == ("spare", None)


async def test_a_conversation_at_home_with_a_substitute_may_go_back_to_its_model() -> None:
    client = ScriptedClient(MISSING, GOOD, OVERLOADED, GOOD)
    upstream = with_substitutes(client, retry=RetryConfig(attempts=2))
    await ask(upstream, turn(1))
    response = await ask(upstream, turn(2))
    assert models(client) == [MODEL, HAIKU, HAIKU, MODEL]
    assert get(response.headers, "x-holdfast-degraded") == "thinking-dropped"


async def test_a_conversation_without_any_text_has_no_home() -> None:
    first, second = ScriptedClient(GOOD), ScriptedClient(GOOD)
    upstream = Ring(clients={"main": first, "spare": second})
    assert (await ask(upstream, turn(2, first=""))).upstream == "main"


def test_no_more_conversations_are_remembered_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destinations, "KEPT", 2)
    homes = Homes()
    home = Target(upstream="main", model=MODEL, account=Account(credential="key"))
    for run in ("a", "b", "a", "c"):
        homes.remember(turn(1, run=run), home)
    assert [homes.of(turn(2, run=run)) for run in "abc"] == [home, None, home]


def target(upstream: str = "main", model: str = MODEL, key: str = "one", of: str | None = None) -> Target:
    return Target(upstream=upstream, model=model, account=Account(credential=key, organisation=of))


@pytest.mark.parametrize(
    ("failover", "other", "follows"),
    [
        ("no", target("spare"), False),
        ("yes", target("spare"), True),
        ("yes", target(key="two"), True),
        ("yes", target(model=HAIKU), False),
        ("model", target(model=HAIKU), True),
        ("alias", target(model=HAIKU), True),
        ("alias", target("spare"), False),
        ("credential", target(key="two"), True),
        ("credential", target("spare"), True),
        ("credential", target(), False),
        ("organisation", target(key="two"), True),
        ("organisation", target(model=HAIKU, key="two"), False),
    ],
)
def test_a_ruling_says_which_target_may_follow(failover: Failover, other: Target, follows: bool) -> None:
    ruling = Ruling(outcome=Outcome.NEUTRAL, failover=failover, blame="claude")
    assert may_follow(other, target(), ruling, asked=MODEL) is follows


def test_keys_of_one_organisation_do_not_follow_each_other_when_it_is_spent() -> None:
    ruling = Ruling(outcome=Outcome.NEUTRAL, failover="organisation", blame="account")
    assert not may_follow(target(key="two", of="acme"), target(of="acme"), ruling, asked=MODEL)


def test_a_sick_target_is_not_asked_again_with_another_key() -> None:
    ruling = Ruling(outcome=Outcome.FAIL, failover="yes", blame="claude")
    assert not may_follow(target(key="two"), target(), ruling, asked=MODEL)
