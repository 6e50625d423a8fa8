"""Keys of callers: made once, replaced with an overlap, and ended for good."""

from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.errors import ConfigError
from holdfast.operations.keys import Issued, NewKey, create, key_facts, keys, revoke, rotate
from holdfast.operations.pepper import pepper
from holdfast.policy.keys import KeyFault, KeyRecord, verify
from tests.operations.conftest import Office


async def opens(office: Office, issued: Issued) -> KeyRecord | KeyFault:
    records = [one.record for one in await keys(office.desk)]
    return verify(issued.secret, records, pepper(office.desk.settings.store_url), office.clock.now())


async def states(office: Office) -> list[tuple[str, str]]:
    return [(one.record.name, one.state) for one in await keys(office.desk)]


async def test_a_new_key_opens_and_is_kept_as_a_digest(office: Office) -> None:
    issued = await create(office.desk, NewKey(name="web", user="alice", models=("m",), tags={"team": "a"}))
    (entry,) = await office.store.entries("key")

    assert await opens(office, issued) == issued.record
    assert issued.secret.encode() not in entry.body
    assert issued.secret not in repr(issued)
    assert (issued.record.user, issued.record.models, issued.record.tags) == ("alice", ("m",), {"team": "a"})
    assert await office.noted() == [("cli:kim", "put", issued.record.id, "create web")]


async def test_a_key_with_a_lifetime_ends_with_it(office: Office) -> None:
    issued = await create(office.desk, NewKey(name="web", lifetime=timedelta(hours=1)))
    office.clock.advance(3599)
    assert isinstance(await opens(office, issued), KeyRecord)
    office.clock.advance(1)

    assert await opens(office, issued) == "expired"
    assert await states(office) == [("web", "expired")]


async def test_two_good_keys_may_not_share_a_name(office: Office) -> None:
    await create(office.desk, NewKey(name="web"))
    with pytest.raises(ConfigError, match="holdfast keys rotate web"):
        await create(office.desk, NewKey(name="web"))
    await revoke(office.desk, "web")
    await create(office.desk, NewKey(name="web"))

    assert sorted(await states(office)) == [("web", "good"), ("web", "revoked")]


async def test_a_rotated_key_opens_until_the_overlap_is_over(office: Office) -> None:
    old = await create(office.desk, NewKey(name="web", user="alice", lifetime=timedelta(days=90)))
    office.clock.advance(timedelta(days=80))
    new = await rotate(office.desk, "web", overlap=timedelta(hours=24))
    office.clock.advance(timedelta(hours=23))
    both = (await opens(office, old), await opens(office, new))
    office.clock.advance(timedelta(hours=1))

    assert both == (old.record, new.record)
    assert (await opens(office, old), await opens(office, new)) == ("expired", new.record)
    assert (new.record.name, new.record.user) == ("web", "alice")
    assert new.record.expires_at == new.record.created_at + timedelta(days=90)
    assert await office.noted() == [
        ("cli:kim", "put", new.record.id, f"rotate {old.record.id}"),
        ("cli:kim", "put", old.record.id, "create web"),
    ]


async def test_without_an_overlap_the_old_key_ends_at_once(office: Office) -> None:
    old = await create(office.desk, NewKey(name="web"))
    new = await rotate(office.desk, old.record.id, overlap=timedelta())

    assert (await opens(office, old), await opens(office, new)) == ("expired", new.record)
    assert new.record.expires_at is None


async def test_while_two_keys_share_a_name_only_the_id_says_which(office: Office) -> None:
    old = await create(office.desk, NewKey(name="web"))
    new = await rotate(office.desk, "web", overlap=timedelta(hours=1))
    with pytest.raises(
        ConfigError, match=f"{old.record.id}.*{new.record.id}|{new.record.id}.*{old.record.id}"
    ):
        await revoke(office.desk, "web")
    await revoke(office.desk, new.record.id, note="leaked")

    assert (await opens(office, old), await opens(office, new)) == (old.record, "revoked")
    assert (await office.noted())[0] == ("cli:kim", "put", new.record.id, "revoke leaked")


async def test_a_revoked_key_stays_revoked_and_cannot_be_rotated(office: Office) -> None:
    issued = await create(office.desk, NewKey(name="web"))
    first = await revoke(office.desk, "web")
    office.clock.advance(60)

    assert await revoke(office.desk, issued.record.id) == first
    assert await opens(office, issued) == "revoked"
    with pytest.raises(ConfigError, match="is revoked"):
        await rotate(office.desk, "web", overlap=timedelta())


async def test_an_expired_key_can_be_revoked(office: Office) -> None:
    issued = await create(office.desk, NewKey(name="web", lifetime=timedelta(seconds=1)))
    office.clock.advance(1)
    await revoke(office.desk, "web")

    assert await opens(office, issued) == "revoked"


async def test_a_key_that_nobody_made_is_not_there(office: Office) -> None:
    with pytest.raises(ConfigError, match="There is no key `web`"):
        await revoke(office.desk, "web")


async def test_a_document_that_cannot_be_read_is_reported_and_can_be_revoked(office: Office) -> None:
    await office.store.put("key", "key_bad", b"{}", actor="somebody")

    assert await keys(office.desk) == ()
    assert "key `key_bad`" in office.reports[0]
    assert await revoke(office.desk, "key_bad") is None
    assert await office.store.entries("key") == ()


async def test_the_facts_of_a_key_open_nothing(office: Office) -> None:
    old = await create(office.desk, NewKey(name="web", lifetime=timedelta(days=1)))
    await rotate(office.desk, "web", overlap=timedelta(hours=1))
    facts = [key_facts(one) for one in await keys(office.desk)]
    first = next(one for one in facts if one["id"] == old.record.id)
    second = next(one for one in facts if one["id"] != old.record.id)

    assert old.secret not in str(facts)
    assert old.record.hash not in str(facts)
    assert (first["ends_at"], first["created_at"]) == ("2026-11-22T13:00:00Z", "2026-11-22T12:00:00Z")
    assert (second["rotates"], second["ends_at"]) == (old.record.id, "2026-11-23T12:00:00Z")


async def test_the_random_bytes_come_from_outside(office: Office) -> None:
    desk = replace(office.desk, random=bytes)
    issued = await create(desk, NewKey(name="web"))

    assert issued.record.id == "key_000000000000"
    assert issued.secret.startswith(f"hf_live_{'0' * 43}")
