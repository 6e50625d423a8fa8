"""The key ring: who a request comes from, and a sentence for everybody who has no good key."""

from datetime import timedelta
from typing import Any

import pytest

from holdfast.errors import NotAllowed, Unauthenticated
from holdfast.operations import key_ring
from holdfast.operations.key_ring import KeyRing
from holdfast.operations.keys import Issued, NewKey, create, revoke, rotate
from holdfast.operations.pepper import pepper
from holdfast.policy import keys as policy
from holdfast.policy.keys import KeyRecord
from holdfast.stores.watch import Watch
from holdfast.wire.headers import Headers
from tests.operations.conftest import Office


@pytest.fixture
def watch(office: Office) -> Watch:
    return Watch(office.store, ["key"], clock=office.clock, is_alone=True)


@pytest.fixture
def ring(office: Office, watch: Watch) -> KeyRing:
    return KeyRing(
        lambda: watch.entries("key"),
        pepper=pepper(office.desk.settings.store_url),
        clock=office.clock,
        report=office.desk.report,
    )


def api_key(key: str) -> Headers:
    return (("content-type", "application/json"), ("x-api-key", key))


async def issued(office: Office, watch: Watch, **wanted: Any) -> Issued:
    made = await create(office.desk, NewKey(name="web", **wanted))
    await watch.refresh()
    return made


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_good_key_is_known_in_either_header(
    office: Office, watch: Watch, ring: KeyRing, scheme: str
) -> None:
    made = await issued(office, watch)

    assert ring.authenticate(api_key(made.secret)) == made.record
    assert ring.authenticate((("authorization", f"{scheme} {made.secret}"),)) == made.record


async def test_of_two_keys_the_one_that_looks_like_ours_counts(
    office: Office, watch: Watch, ring: KeyRing
) -> None:
    made = await issued(office, watch)
    both = (*api_key("sk-ant-the-callers-own"), ("authorization", f"Bearer {made.secret}"))

    assert ring.authenticate(both) == made.record


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ((), "carries none"),
        ((("x-api-key", ""),), "carries none"),
        ((("authorization", "Basic abc"),), "carries none"),
        (api_key("sk-ant-api03-abc"), "does not know"),
        (api_key("hf_live_abc"), "no whole key"),
        (api_key("hf_live_\udcff키é"), "no whole key"),
        (api_key(policy.minted(bytes(32))), "does not know"),
    ],
)
async def test_everybody_else_hears_what_is_wrong_and_is_not_to_try_again(
    office: Office, watch: Watch, ring: KeyRing, headers: Headers, told: str
) -> None:
    await issued(office, watch)
    with pytest.raises(Unauthenticated, match=told) as refused:
        ring.authenticate(headers)

    assert (refused.value.status, refused.value.should_retry) == (401, False)
    assert refused.value.sentence.ko != refused.value.sentence.en


async def test_an_expired_key_hears_since_when(office: Office, watch: Watch, ring: KeyRing) -> None:
    made = await issued(office, watch, lifetime=timedelta(hours=1))
    assert ring.authenticate(api_key(made.secret)) == made.record
    office.clock.advance(3600)

    with pytest.raises(Unauthenticated, match="ended at 2026-11-22 13:00 UTC"):
        ring.authenticate(api_key(made.secret))


async def test_a_rotated_key_ends_with_its_overlap_though_it_is_remembered(
    office: Office, watch: Watch, ring: KeyRing
) -> None:
    old = await issued(office, watch)
    new = await rotate(office.desk, "web", overlap=timedelta(minutes=1))
    await watch.refresh()
    assert ring.authenticate(api_key(old.secret)) == old.record
    office.clock.advance(60)

    assert ring.authenticate(api_key(new.secret)) == new.record
    with pytest.raises(Unauthenticated, match="ended at"):
        ring.authenticate(api_key(old.secret))


async def test_a_revoked_key_is_refused_as_soon_as_the_watch_has_heard(
    office: Office, watch: Watch, ring: KeyRing
) -> None:
    made = await issued(office, watch)
    ring.authenticate(api_key(made.secret))
    await revoke(office.desk, "web")
    await watch.refresh()

    with pytest.raises(Unauthenticated, match="revoked") as refused:
        ring.authenticate(api_key(made.secret))
    assert refused.value.details == {"reason": "revoked"}


async def test_from_the_first_key_on_a_key_is_required_even_when_all_are_revoked(
    office: Office, watch: Watch, ring: KeyRing
) -> None:
    before = ring.is_required
    await issued(office, watch)
    await revoke(office.desk, "web")
    await watch.refresh()

    assert (before, ring.is_required) == (False, True)


async def test_a_key_opens_only_what_it_is_for(office: Office, watch: Watch, ring: KeyRing) -> None:
    made = await issued(office, watch, scopes=("messages", "admin:read"))

    assert ring.authenticate(api_key(made.secret), scope="admin:read") == made.record
    with pytest.raises(NotAllowed, match="this needs admin:write"):
        ring.authenticate(api_key(made.secret), scope="admin:write")


async def test_a_known_key_is_not_looked_for_again(
    office: Office, watch: Watch, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await issued(office, watch)
    asked: list[str] = []

    def counted(presented: str, *rest: Any) -> object:
        asked.append(presented)
        return policy.verify(presented, *rest)

    monkeypatch.setattr(key_ring, "verify", counted)
    for _ in range(3):
        ring.authenticate(api_key(made.secret))

    assert len(asked) == 1


async def test_only_so_many_keys_are_remembered(
    office: Office, watch: Watch, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "KEPT", 2)
    made = [await create(office.desk, NewKey(name=f"caller {number}")) for number in range(4)]
    await watch.refresh()
    found = [ring.authenticate(api_key(one.secret)) for one in [*made, *made]]

    assert found == [one.record for one in [*made, *made]]
    assert len(ring._known) == 2  # pyright: ignore[reportPrivateUsage]


async def test_what_was_found_among_keys_that_have_changed_since_is_not_remembered(
    office: Office, watch: Watch, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await issued(office, watch)
    entries = watch.entries("key")
    record = made.record

    def meanwhile(*_: object) -> KeyRecord:
        ring._read = None  # pyright: ignore[reportPrivateUsage]
        ring._refresh()  # pyright: ignore[reportPrivateUsage]
        return record

    monkeypatch.setattr(key_ring, "verify", meanwhile)
    found = ring.authenticate(api_key(made.secret))

    assert (found, len(ring._known), len(entries)) == (record, 0, 1)  # pyright: ignore[reportPrivateUsage]


async def test_a_document_that_cannot_be_read_is_reported_and_keeps_nobody_out(
    office: Office, watch: Watch, ring: KeyRing
) -> None:
    await office.store.put("key", "key_bad", b"{}", actor="somebody")
    made = await issued(office, watch)
    office.reports.clear()

    assert ring.authenticate(api_key(made.secret)) == made.record
    assert ["cannot be read" in text for text in office.reports] == [True]
