"""One key ring for all doors to a store: one pepper, one memory of keys, compares that take no hint from a key."""

import hmac
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.admin.access import Access
from holdfast.assembly import Runtime, assemble
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError, Unauthenticated
from holdfast.gateway.identity import Doorkeeper
from holdfast.operations import key_ring
from holdfast.operations.desk import Desk
from holdfast.operations.keys import NewKey, create, revoke, rotate
from holdfast.operations.pepper import pepper_file
from holdfast.policy import keys as policy
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.stores.watch import EVERY
from holdfast.wire.headers import Headers


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("HOLDFAST_PEPPER", "HOLDFAST_PEPPER_FILE"):
        monkeypatch.delenv(name, raising=False)
    return Settings(
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'book.db'}"),
        upstreams={"main": UpstreamConfig(url="http://127.0.0.1:9")},
    )


def desk(runtime: Runtime) -> Desk:
    return Desk(store=runtime.ledger, settings=runtime.settings)


def carrying(key: str) -> Headers:
    return (("x-api-key", key),)


async def heard(runtime: Runtime, key: str) -> bool:
    """Whether a worker refuses a key within twice the time between two looks at the register."""
    begun = SYSTEM_CLOCK.monotonic()
    while SYSTEM_CLOCK.monotonic() - begun < 2 * EVERY + 0.5:
        try:
            await Doorkeeper().admit(runtime, carrying(key))
        except Unauthenticated:
            return True
        await SYSTEM_CLOCK.sleep(0.02)
    return False


async def test_both_doors_ask_one_ring_and_the_pepper_is_read_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(url: str) -> bytes:
        read.append(url)
        return b"a pepper of a test"

    def told(_url: str, _report: object) -> bytes:
        return b"a pepper of a test"

    monkeypatch.setattr(key_ring, "pepper", counted)
    monkeypatch.setattr("holdfast.operations.keys.pepper", told)
    runtime = assemble(settings)
    await runtime.begin()
    made = await create(desk(runtime), NewKey(name="web", scopes=("messages", "admin:read")))
    await runtime.stations.watch.refresh()
    visitor = await Doorkeeper().admit(runtime, carrying(made.secret))
    actor = Access(runtime, None).actor(carrying(made.secret), "admin:read")
    await runtime.aclose()

    assert (visitor.principal.key, actor) == ("web", "key:web")
    assert runtime.keys() is runtime.keys()
    assert read == [settings.store_url]


async def test_where_nobody_has_a_key_no_pepper_is_made(settings: Settings) -> None:
    runtime = assemble(settings)
    visitor = await Doorkeeper().admit(runtime, carrying("anything"))
    await runtime.aclose()

    assert visitor.principal.key == "local"
    assert not pepper_file(settings.store_url).exists()


async def test_a_pepper_that_could_not_be_read_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = assemble(settings)
    monkeypatch.setenv("HOLDFAST_PEPPER", "short")
    with pytest.raises(ConfigError, match="could be guessed"):
        runtime.keys()
    monkeypatch.setenv("HOLDFAST_PEPPER", "long-enough-to-be-one")
    assert runtime.keys() is runtime.keys()
    await runtime.aclose()


async def test_a_key_that_is_revoked_at_one_worker_opens_nothing_at_another(settings: Settings) -> None:
    one, other = assemble(settings), assemble(settings)
    await one.begin()
    made = await create(desk(one), NewKey(name="web"))
    await other.begin()
    await other.stations.watch.refresh()
    served = await Doorkeeper().admit(other, carrying(made.secret))
    await revoke(desk(one), "web")
    refused = await heard(other, made.secret)
    await one.aclose()
    await other.aclose()

    assert (served.principal.key, refused) == ("web", True)


@pytest.mark.parametrize(
    "key", ["\u00e9" * 57, "hf_live_\ud83d\ude00", "hf_live_" + "\udcff" * 49, "키", "\0"]
)
async def test_a_key_of_strange_letters_is_refused_like_any_other(settings: Settings, key: str) -> None:
    runtime = assemble(settings)
    await runtime.begin()
    await create(desk(runtime), NewKey(name="web"))
    await runtime.stations.watch.refresh()
    for headers in (carrying(key), (("authorization", f"Bearer {key}"),)):
        with pytest.raises(Unauthenticated):
            await Doorkeeper().admit(runtime, headers)
        with pytest.raises(Unauthenticated):
            Access(runtime, "a token of an admin").actor(headers, "admin:read")
    await runtime.aclose()


async def test_keys_and_tokens_are_compared_as_bytes_and_all_of_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[Any, Any]] = []

    def digests(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    for module in ("holdfast.policy.keys", "holdfast.operations.key_ring", "holdfast.admin.access"):
        monkeypatch.setattr(f"{module}.compare_digest", digests)
    runtime = assemble(settings)
    await runtime.begin()
    made = [await create(desk(runtime), NewKey(name=f"k{number}")) for number in range(3)]
    await runtime.stations.watch.refresh()
    runtime.keys().authenticate(carrying(made[0].secret))
    looked_up = len(compared)
    with pytest.raises(Unauthenticated):
        runtime.keys().authenticate(carrying(policy.minted(bytes(32))))
    assert Access(runtime, "token").actor(carrying("token"), "admin:write") == "admin-token"
    await runtime.aclose()

    assert (looked_up, len(compared)) == (3, 7)
    assert {(type(one), len(one), len(other)) for one, other in compared} == {
        (bytes, 64, 64),
        (bytes, 32, 32),
    }


async def test_when_an_old_key_ended_is_told_without_comparing_texts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = assemble(settings)
    await runtime.begin()
    old = await create(desk(runtime), NewKey(name="web"))
    await rotate(desk(runtime), "web", overlap=timedelta(0))
    await runtime.stations.watch.refresh()
    with pytest.raises(Unauthenticated, match="It ended at"):
        runtime.keys().authenticate(carrying(old.secret))
    await runtime.aclose()


async def test_nothing_that_stands_about_shows_a_secret_when_it_is_printed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_PEPPER", "correct-horse-battery")
    monkeypatch.setenv("KEY_ONE", "sk-one-of-the-house")
    monkeypatch.setenv("KEY_TWO", "sk-two-of-the-house")
    upstream = UpstreamConfig(url="http://127.0.0.1:9", key_env="KEY_ONE", key_envs=("KEY_TWO",))
    runtime = assemble(Settings(store=settings.store, upstreams={"main": upstream}))
    await runtime.begin()
    made = await create(desk(runtime), NewKey(name="web"))
    await runtime.stations.watch.refresh()
    runtime.keys().authenticate(carrying(made.secret))
    access = Access(runtime, "token-of-the-admin")
    shown = "".join(
        f"{one!r}{one}"
        for one in (runtime, runtime.settings, runtime.keys(), access, made, *runtime.upstreams)
    )
    await runtime.aclose()

    for secret in ("correct-horse", "sk-one", "sk-two", "token-of-the-admin", made.secret[8:]):
        assert secret not in shown
