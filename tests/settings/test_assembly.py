"""What the settings become: keys, leases and early streams of an open runtime."""

from collections.abc import Callable

import pytest

from holdfast.assembly import Runtime, assemble
from holdfast.call import Incoming, Principal
from holdfast.errors import KeyMissing
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.routing import FailoverConfig, UpstreamConfig
from holdfast.settings import Settings, StoreConfig, TimeoutsConfig
from holdfast.testing import FakeClock
from holdfast.upstream.client import Client
from holdfast.wire.headers import get
from tests.upstream.scripted import Reply, ScriptedClient

TWO_KEYS = UpstreamConfig(url="http://127.0.0.1:9", key_env="KEY_ONE", key_envs=("KEY_TWO",))
BODY = b'{"model":"claude-sonnet-5-5","max_tokens":8,"messages":[{"role":"user","content":"Hi"}]}'


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets these variables and no other key."""

    def keys(**variables: str) -> None:
        for name in ("KEY_ONE", "KEY_TWO"):
            monkeypatch.delenv(name, raising=False)
        for name, key in variables.items():
            monkeypatch.setenv(name, key)

    return keys


def opened(client: Client, settings: Settings) -> Runtime:
    return assemble(settings, clock=FakeClock(), client=lambda config, settings: client)


def with_upstream(config: UpstreamConfig, **options: object) -> Settings:
    return Settings(
        upstreams={"main": config},
        store=StoreConfig(url="memory:"),
        **options,  # type: ignore[arg-type]  # a test passes the fields by name
    )


async def ask(runtime: Runtime) -> tuple[int, str | None]:
    """Status of an answer, and what it lacks."""
    call = runtime.call(Incoming(body=BODY), Principal(door="library"), request_id="hfr_1")
    answer = await runtime.pipeline(call)
    await answer.read()
    return answer.response.status, get(answer.response.headers, "x-holdfast-degraded")


async def test_a_further_key_stands_in_for_one_that_is_rejected(keys: Callable[..., None]) -> None:
    keys(KEY_ONE="sk-one", KEY_TWO="sk-two")
    client = ScriptedClient(Reply.refusal(401, "authentication_error"), Reply())
    runtime = opened(client, with_upstream(TWO_KEYS))
    runtime.require_keys()
    assert await ask(runtime) == (200, None)
    assert [get(request.headers, "x-api-key") for request in client.requests] == ["sk-one", "sk-two"]
    assert [str(place) for place in runtime.gates.closed()] == ["main/KEY_ONE"]
    assert "sk-" not in repr(runtime.upstreams)
    await runtime.aclose()


@pytest.mark.parametrize("there", ["KEY_ONE", "KEY_TWO"])
async def test_every_key_that_is_named_must_be_there(keys: Callable[..., None], there: str) -> None:
    keys(**{there: "sk-1"})
    runtime = opened(ScriptedClient(Reply()), with_upstream(TWO_KEYS))
    with pytest.raises(KeyMissing, match="KEY_TWO" if there == "KEY_ONE" else "KEY_ONE"):
        runtime.require_keys()
    await runtime.aclose()


async def test_substitutes_of_the_settings_stand_in() -> None:
    failover = FailoverConfig(models={"claude-sonnet-5-5": ("claude-haiku-5-5",)})
    client = ScriptedClient(Reply.refusal(404, "not_found_error"), Reply())
    runtime = opened(client, with_upstream(UpstreamConfig(url="http://127.0.0.1:9"), failover=failover))
    assert await ask(runtime) == (200, "model")
    assert client.requests[-1].body == BODY.replace(b"sonnet", b"haiku")
    await runtime.aclose()


@pytest.mark.parametrize(("lease", "deadline", "held"), [(60.0, 600.0, 600.0), (900.0, 600.0, 900.0)])
async def test_no_probe_is_lost_before_the_deadline_of_its_call(
    lease: float, deadline: float, held: float
) -> None:
    settings = with_upstream(
        UpstreamConfig(url="http://127.0.0.1:9"),
        breaker=BreakerConfig(permit_lease=lease),
        timeouts=TimeoutsConfig(deadline=deadline),
    )
    runtime = opened(ScriptedClient(Reply()), settings)
    assert runtime.circuits.of("main/claude-sonnet-5-5").permit_lease == held
    await runtime.aclose()
