"""What every store must keep about the register: documents by name, each change with a line in the audit."""

import asyncio
from datetime import timedelta

from holdfast.ports import Store
from holdfast.testing.conformance_records import StoreContract

KOREAN = '{"이름": "o\'neil \\"x\\""}'.encode()


async def an_empty_register_knows_nothing(store: Store) -> None:
    """No document, no change."""
    assert await store.entries("budget") == ()
    assert await store.audit(10) == ()
    assert await store.revision() == await store.revision()
    assert not await store.drop("budget", "team", actor="me")
    assert await store.audit(10) == ()


async def a_document_is_put_and_comes_back(store: Store) -> None:
    """Bytes for bytes, by name, of its own kind only, with the revision and the moment of its writing."""
    before = await store.revision()
    revisions = [
        await store.put("budget", "팀 'b'", KOREAN, actor="지수"),
        await store.put("budget", "a", b"", actor="me"),
        await store.put("key", "a", b"\x00\xff", actor="me"),
    ]
    assert before < revisions[0] < revisions[1] < revisions[2] == await store.revision()
    entries = await store.entries("budget")
    assert [(entry.kind, entry.name, entry.body, entry.revision) for entry in entries] == [
        ("budget", "a", b"", revisions[1]),
        ("budget", "팀 'b'", KOREAN, revisions[0]),
    ]
    assert all(entry.at.utcoffset() == timedelta(0) for entry in entries)
    assert [entry.body for entry in await store.entries("key")] == [b"\x00\xff"]


async def a_document_put_again_is_the_newer_one(store: Store) -> None:
    """With another revision, also where nothing is different."""
    first = await store.put("budget", "a", b"1", actor="me")
    second = await store.put("budget", "a", b"2", actor="me")
    third = await store.put("budget", "a", b"2", actor="me")
    assert first < second < third
    (entry,) = await store.entries("budget")
    assert (entry.body, entry.revision) == (b"2", third)


async def a_document_is_dropped_once(store: Store) -> None:
    """The revision grows by it, and does not by dropping what is not there."""
    put = await store.put("stop", "all", b"1", actor="me")
    assert await store.drop("stop", "all", actor="me")
    dropped = await store.revision()
    assert not await store.drop("stop", "all", actor="me")
    assert not await store.drop("budget", "all", actor="me")
    assert put < dropped == await store.revision()
    assert await store.entries("stop") == ()


async def every_change_has_a_line_in_the_audit(store: Store) -> None:
    """The newest first, who did it and why."""
    await store.put("budget", "팀", b"1", actor="지수 'x'", note='새 예산 "10"')
    await store.put("budget", "팀", b"2", actor="b")
    await store.drop("budget", "팀", actor="c", note="over")
    lines = await store.audit(10)
    assert [(line.actor, line.action, line.kind, line.name, line.note) for line in lines] == [
        ("c", "drop", "budget", "팀", "over"),
        ("b", "put", "budget", "팀", ""),
        ("지수 'x'", "put", "budget", "팀", '새 예산 "10"'),
    ]
    assert all(line.at.utcoffset() == timedelta(0) for line in lines)
    assert len(await store.audit(2)) == 2
    assert await store.audit(0) == ()
    assert await store.audit(-1) == ()


async def changes_at_once_have_revisions_of_their_own(store: Store) -> None:
    """None is lost and none is shared."""
    puts = [store.put("budget", f"b{number % 10}", b"%d" % number, actor="me") for number in range(50)]
    revisions = await asyncio.gather(*puts)
    assert len(set(revisions)) == 50
    assert max(revisions) == await store.revision()
    assert len(await store.entries("budget")) == 10
    assert len(await store.audit(100)) == 50


REGISTER_CONTRACTS: tuple[StoreContract, ...] = (
    an_empty_register_knows_nothing,
    a_document_is_put_and_comes_back,
    a_document_put_again_is_the_newer_one,
    a_document_is_dropped_once,
    every_change_has_a_line_in_the_audit,
    changes_at_once_have_revisions_of_their_own,
)
