"""What every store must keep about sessions: messages in their order, each owner's apart, nothing lost or mixed."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from unittest.mock import patch

from holdfast.ports import Full, Moved, Owner, Sessions, Store
from holdfast.ports import sessions as port
from holdfast.stores.open import open_store
from holdfast.testing.conformance_records import DurableStoreContract, StoreContract

ALICE = Owner(key="agent", user="alice")
BOB = Owner(key="agent", user="bob")
NOBODY = Owner(key="agent")
OTHER = Owner(key='agent "b"', user="alice")
SAID = ('{"role": "user", "content": "안녕하세요 \'x\'"}'.encode(), b'{"role":"assistant","content":""}')


async def messages_of(sessions: Sessions, id: str, owner: Owner = ALICE) -> tuple[bytes, ...]:
    """The messages of a session; none of one that is not there."""
    session = await sessions.load(id, owner)
    return () if session is None else session.messages


async def a_session_nobody_has_begun_is_not_there(store: Store) -> None:
    """Nothing to load, list, branch or forget; asking leaves no trace."""
    sessions = store.sessions
    assert await sessions.load("c", ALICE) is None
    assert not await sessions.branch("c", ALICE, to="d")
    assert not await sessions.forget("c", ALICE)
    assert await sessions.forget_owner(ALICE) == 0
    assert await sessions.append("c", ALICE, [], expected=0) == 0
    assert await sessions.list(ALICE) == ()


async def messages_come_back_byte_for_byte_in_their_order(store: Store) -> None:
    """Whatever is in them, and however many at once."""
    sessions = store.sessions
    many = [b"%d" % number for number in range(300)]
    assert await sessions.append("대화 'c'", ALICE, SAID, expected=0) == 2
    assert await sessions.append("대화 'c'", ALICE, [b"\x00\xff", b""], expected=2) == 4
    assert await sessions.append("대화 'c'", ALICE, many, expected=4) == 304
    session = await sessions.load("대화 'c'", ALICE)
    assert session is not None
    assert (session.id, session.parent) == ("대화 'c'", None)
    assert session.messages == (*SAID, b"\x00\xff", b"", *many)
    assert session.first_at <= session.last_at
    assert session.first_at.utcoffset() == session.last_at.utcoffset() == timedelta(0)


async def what_was_added_meanwhile_is_told_and_nothing_is_added(store: Store) -> None:
    """Whoever knows fewer messages, or more, than there are."""
    sessions = store.sessions
    await sessions.append("c", ALICE, SAID, expected=0)
    for expected in (0, 1, 3):
        assert await sessions.append("c", ALICE, [b"late"], expected=expected) == Moved(length=2)
    assert await sessions.append("new", ALICE, [b"late"], expected=1) == Moved(length=0)
    assert await messages_of(sessions, "c") == SAID
    assert await sessions.load("new", ALICE) is None


async def of_many_that_add_at_once_exactly_one_is_first(store: Store) -> None:
    """Also where the session is made by it; and all of them get in, if each comes again with what it was told."""
    sessions = store.sessions

    async def add(number: int) -> int:
        """How often it was told that it came too late."""
        late, length = 0, 0
        while True:
            pair = [b"%d question" % number, b"%d answer" % number]
            match await sessions.append("c", ALICE, pair, expected=length):
                case Moved(length=length):
                    late += 1
                case int():
                    return late
                case Full():
                    raise AssertionError

    lates = await asyncio.gather(*(add(number) for number in range(20)))
    messages = await messages_of(sessions, "c")
    assert lates.count(0) == 1
    assert len(messages) == 40
    assert len(set(messages)) == 40
    pairs = zip(messages[::2], messages[1::2], strict=True)
    assert all(question.split()[0] == answer.split()[0] for question, answer in pairs)


async def what_belongs_to_another_owner_is_not_there(store: Store) -> None:
    """Neither to be read, nor added to, branched or forgotten: one cannot even tell that it exists."""
    sessions = store.sessions
    await sessions.append("c", ALICE, SAID, expected=0)
    for stranger in (BOB, NOBODY, OTHER, Owner(key="alice", user="agent"), Owner(key="agent", user="")):
        assert await sessions.load("c", stranger) is None
        assert await sessions.list(stranger) == ()
        assert not await sessions.branch("c", stranger, to="d")
        assert not await sessions.forget("c", stranger)
        assert await sessions.append("c", stranger, [b"mine"], expected=0) == 1
        assert await messages_of(sessions, "c", stranger) == (b"mine",)
    assert await messages_of(sessions, "c") == SAID


async def a_branch_goes_its_own_way(store: Store) -> None:
    """From the point where it leaves; what is added to one is not in the other, and forgetting one keeps the other."""
    sessions = store.sessions
    await sessions.append("c", ALICE, [b"1", b"2", b"3", b"4"], expected=0)
    assert await sessions.branch("c", ALICE, to="whole")
    assert await sessions.branch("c", ALICE, to="half", at=2)
    assert await sessions.branch("c", ALICE, to="none", at=-1)
    assert await sessions.branch("c", ALICE, to="more", at=99)
    assert not await sessions.branch("c", ALICE, to="half", at=1)
    assert await sessions.append("half", ALICE, [b"x"], expected=2) == 3
    assert await sessions.append("c", ALICE, [b"5"], expected=4) == 5
    assert await sessions.forget("c", ALICE)
    assert (
        await messages_of(sessions, "whole")
        == await messages_of(sessions, "more")
        == (b"1", b"2", b"3", b"4")
    )
    assert await messages_of(sessions, "half") == (b"1", b"2", b"x")
    assert await messages_of(sessions, "none") == ()
    half = await sessions.load("half", ALICE)
    assert half is not None
    assert half.parent == "c"


async def sessions_are_listed_by_their_ids_page_by_page(store: Store) -> None:
    """Each once, with its length, and none of another owner."""
    sessions = store.sessions
    names = ["", "A", "a", "b", "c", "가", "나"]
    for number, name in enumerate(reversed(names)):
        await sessions.append(name, ALICE, [b"m"] * (number + 1), expected=0)
    await sessions.append("b2", BOB, SAID, expected=0)
    pages = [await sessions.list(ALICE, limit=3)]
    while pages[-1]:
        pages.append(await sessions.list(ALICE, limit=3, after=pages[-1][-1].id))
    heads = [head for page in pages for head in page]
    assert [head.id for head in heads] == names
    assert [head.length for head in heads] == [7, 6, 5, 4, 3, 2, 1]
    assert all(head.first_at <= head.last_at for head in heads)
    assert await sessions.list(ALICE, limit=0) == await sessions.list(ALICE, limit=-1) == ()


async def what_is_forgotten_is_gone_and_its_id_is_free(store: Store) -> None:
    """One session, or all of an owner, and none of anybody else."""
    sessions = store.sessions
    for owner in (ALICE, BOB):
        for name in ("c", "d"):
            await sessions.append(name, owner, SAID, expected=0)
    assert await sessions.forget("c", ALICE)
    assert not await sessions.forget("c", ALICE)
    assert await sessions.append("c", ALICE, [b"new"], expected=0) == 1
    assert await messages_of(sessions, "c") == (b"new",)
    assert await sessions.forget_owner(ALICE) == 2
    assert await sessions.list(ALICE) == ()
    assert [head.id for head in await sessions.list(BOB)] == ["c", "d"]


async def a_session_has_room_for_so_much_and_no_more(store: Store) -> None:
    """In messages and in bytes; what does not fit is not added in part."""
    sessions = store.sessions
    with patch.object(port, "MOST_MESSAGES", 4), patch.object(port, "MOST_BYTES", 10):
        assert await sessions.append("many", ALICE, [b""] * 5, expected=0) == Full(length=0)
        assert await sessions.append("many", ALICE, [b""] * 3, expected=0) == 3
        assert await sessions.append("many", ALICE, [b""] * 2, expected=3) == Full(length=3)
        assert await sessions.append("many", ALICE, [b""], expected=3) == 4
        assert await sessions.append("large", ALICE, [b"12345678"], expected=0) == 1
        assert await sessions.branch("large", ALICE, to="copy")
        for name in ("large", "copy"):
            assert await sessions.append(name, ALICE, [b"1", b"12"], expected=1) == Full(length=1)
            assert await sessions.append(name, ALICE, [b"12"], expected=1) == 2
    assert len(await messages_of(sessions, "many")) == 4
    assert await sessions.load("none", ALICE) is None


async def sessions_unused_for_long_are_pruned_whole(store: Store) -> None:
    """By the moment of their last message."""
    sessions = store.sessions
    for number in range(3):
        await sessions.append(f"c{number}", ALICE, SAID, expected=0)
    session = await sessions.load("c0", ALICE)
    assert session is not None
    assert await store.prune(session.last_at - timedelta(seconds=1)) == 0
    assert await store.prune(_after(session.last_at)) == 3
    assert await sessions.list(ALICE) == ()
    assert await sessions.append("c0", ALICE, [b"again"], expected=0) == 1


def _after(moment: datetime) -> datetime:
    return moment + timedelta(days=1)


async def sessions_are_there_when_the_store_is_opened_again(open_again: Callable[[], Store]) -> None:
    """And two that have it open see one and the same."""
    first = open_again()
    await first.sessions.append("c", ALICE, SAID, expected=0)
    await first.aclose()
    one, other = open_again(), open_again()
    try:
        assert await messages_of(other.sessions, "c") == SAID
        assert await one.sessions.append("c", ALICE, [b"one"], expected=2) == 3
        assert await other.sessions.append("c", ALICE, [b"other"], expected=2) == Moved(length=3)
        assert await messages_of(other.sessions, "c") == (*SAID, b"one")
    finally:
        await one.aclose()
        await other.aclose()


async def what_was_said_survives_kill_9(url: str) -> None:
    """Two processes that add to one session are killed: what they were told is added is there, whole and in order."""
    heard = await asyncio.gather(
        *(asyncio.to_thread(_kill_after, url, name, 60) for name in ("one", "other"))
    )
    store = open_store(url)
    try:
        messages = [message.decode() for message in await messages_of(store.sessions, "c")]
        assert len(messages) % 3 == 0
        for at in range(0, len(messages), 3):
            assert len({message.rsplit(" ", 1)[0] for message in messages[at : at + 3]}) == 1
        for lines in heard:
            said = [line.split()[1] for line in lines]
            name = lines[0].split()[0]
            there = [message.split()[1] for message in messages[::3] if message.split()[0] == name]
            assert there[: len(said)] == said
        assert (
            await store.sessions.append("c", ALICE, [b"after"], expected=len(messages)) == len(messages) + 1
        )
    finally:
        await store.aclose()


async def speak_for_ever(url: str, name: str) -> None:
    """Add three messages at a time to a session that others add to as well, and print what was taken."""
    store, length = open_store(url), 0
    for number in count():
        three = [f"{name} {number} {part}".encode() for part in range(3)]
        while isinstance(found := await store.sessions.append("c", ALICE, three, expected=length), Moved):
            length = found.length
        sys.stdout.write(f"{name} {number}\n")
        sys.stdout.flush()


def _kill_after(url: str, name: str, lines: int) -> list[str]:
    program = (
        "import asyncio, sys; from holdfast.testing.conformance_sessions import speak_for_ever;"
        " asyncio.run(speak_for_ever(*sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as speaker:
        assert speaker.stdout is not None
        seen = [speaker.stdout.readline() for _ in range(lines)]
        speaker.send_signal(signal.SIGKILL)
        seen += speaker.stdout.readlines()
    return [line.strip() for line in seen if line.endswith("\n")]


SESSION_CONTRACTS: tuple[StoreContract, ...] = (
    a_session_nobody_has_begun_is_not_there,
    messages_come_back_byte_for_byte_in_their_order,
    what_was_added_meanwhile_is_told_and_nothing_is_added,
    of_many_that_add_at_once_exactly_one_is_first,
    what_belongs_to_another_owner_is_not_there,
    a_branch_goes_its_own_way,
    sessions_are_listed_by_their_ids_page_by_page,
    what_is_forgotten_is_gone_and_its_id_is_free,
    a_session_has_room_for_so_much_and_no_more,
    sessions_unused_for_long_are_pruned_whole,
)
DURABLE_SESSION_CONTRACTS: tuple[DurableStoreContract, ...] = (
    sessions_are_there_when_the_store_is_opened_again,
)
