"""What every store of memories must keep, as contracts that any adapter can be held to."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from holdfast.policy.recall import impacts, wanted
from holdfast.recollection import Digest, Fact, Indexed, Owner, Recollections, Trust

RecollectionContract = Callable[[Recollections], Awaitable[None]]
"""Given a new, empty store; raises `AssertionError` where it is broken. Whoever opened the store closes it."""

NOW = datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=UTC)
ALICE = Owner(tenant="local", user="alice")
BOB = Owner(tenant="local", user="bob")
OTHER_ALICE = Owner(tenant="other", user="alice")


def a_fact(
    id: str,
    text: str,
    *,
    minute: float = 0,
    lives: float | None = None,
    quarantined: bool = False,
    trust: Trust = "user",
) -> Indexed:
    """A fact said so many minutes after `NOW`, with what it is found by."""
    at = NOW + timedelta(minutes=minute)
    expires = None if lives is None else at + timedelta(minutes=lives)
    fact = Fact(
        id=id,
        text=text,
        trust=trust,
        source="user",
        conversation="conv_1",
        at=at,
        used=at,
        expires=expires,
        quarantined=quarantined,
    )
    return Indexed(fact=fact, impacts=impacts(text))


async def found(store: Recollections, owner: Owner, question: str, limit: int = 10) -> list[str]:
    """The ids that a question finds, best first."""
    return [name for name, _ in await store.search(owner, wanted(question), limit=limit, now=NOW)]


async def keep(store: Recollections, owner: Owner, *entries: Indexed, most: int = 100) -> None:
    """Remember these, each at its own time."""
    for entry in entries:
        await store.remember(owner, entry, most=most, now=max(NOW, entry.fact.at))


async def a_new_store_knows_nothing(store: Recollections) -> None:
    """Nothing is listed, found, recalled or forgotten."""
    assert await store.facts(ALICE, now=NOW) == ()
    assert await found(store, ALICE, "anything") == []
    assert await store.search(ALICE, (), limit=3, now=NOW) == ()
    assert await store.vectors(ALICE, now=NOW) == {}
    assert await store.recall(ALICE, ["m_1"], now=NOW) == ()
    assert await store.digest(ALICE, "conv_1") is None
    assert not await store.forget(ALICE, "m_1")
    assert await store.forget_all(ALICE) == 0


async def a_fact_comes_back_as_it_was(store: Recollections) -> None:
    """With all that was known of it, whatever is in its text."""
    told = a_fact("m_1", "She said: 'O\\'Neil \"x\"'; DROP TABLE facts; -- 서킷 🦊", lives=60)
    silent = replace(a_fact("m_2", "Nobody knows"), vector=b"\x00\x01\xff\x00")
    silent = replace(silent, fact=replace(silent.fact, conversation=None, trust="tool", source="read_web"))
    await keep(store, ALICE, told, silent)
    assert await store.facts(ALICE, now=NOW) == (told.fact, silent.fact)
    assert await store.vectors(ALICE, now=NOW) == {"m_2": b"\x00\x01\xff\x00"}


async def every_verb_asks_for_an_owner(store: Recollections) -> None:
    """First of all, and there is none that goes without."""
    verbs = [name for name in vars(Recollections) if not name.startswith("_") and name != "close"]
    assert len(verbs) == 10
    for name in verbs:
        first = next(iter(inspect.signature(getattr(store, name)).parameters.values()))
        assert (first.name, first.default) == ("owner", inspect.Parameter.empty), name


async def one_owner_never_sees_what_is_anothers(store: Recollections) -> None:
    """Neither another user of the tenant nor a user of the same name elsewhere, by any verb."""
    vector = replace(a_fact("m_1", "The safe opens with 4711"), vector=b"\x00\x00\x80\x3f")
    await keep(store, ALICE, vector)
    await store.keep(ALICE, _digest("They spoke of the safe."), most=100)
    for stranger in (BOB, OTHER_ALICE):
        assert await store.facts(stranger, now=NOW) == ()
        assert await found(store, stranger, "which safe") == []
        assert await store.vectors(stranger, now=NOW) == {}
        assert await store.recall(stranger, ["m_1"], now=NOW) == ()
        assert await store.digest(stranger, "conv_1") is None
        assert not await store.forget(stranger, "m_1")
        assert await store.forget_all(stranger) == 0
    (fact,) = await store.facts(ALICE, now=NOW)
    assert fact.uses == 0
    assert await found(store, ALICE, "which safe") == ["m_1"]


async def two_owners_may_have_facts_of_one_id(store: Recollections) -> None:
    """And forgetting one leaves the other."""
    for owner in (ALICE, BOB, OTHER_ALICE):
        await keep(store, owner, a_fact("m_1", f"I am {owner.user} of {owner.tenant}"))
    assert await store.forget(ALICE, "m_1")
    assert await store.facts(ALICE, now=NOW) == ()
    assert [fact.text for fact in await store.facts(BOB, now=NOW)] == ["I am bob of local"]
    assert [fact.text for fact in await store.facts(OTHER_ALICE, now=NOW)] == ["I am alice of other"]


async def what_has_most_of_the_words_is_found_first(store: Recollections) -> None:
    """Rare words count more than common ones; what has none of them is not found."""
    await keep(
        store,
        ALICE,
        a_fact("m_1", "The invoice of Globex is due in March"),
        a_fact("m_2", "The invoice of Initech was paid", minute=1),
        a_fact("m_3", "Her daughter plays chess", minute=2),
    )
    assert await found(store, ALICE, "When is the Globex invoice due?") == ["m_1", "m_2"]
    assert await found(store, ALICE, "When is the Globex invoice due?", limit=1) == ["m_1"]
    assert await found(store, ALICE, "Is it raining?") == []


async def korean_is_found_without_its_particles(store: Recollections) -> None:
    """A word of two syllables is enough, and so is one with another ending."""
    await keep(
        store,
        ALICE,
        a_fact("m_1", "결제 서버의 서킷이 자주 열린다"),
        a_fact("m_2", "회의는 매주 화요일이다", minute=1),
    )
    assert await found(store, ALICE, "서킷") == ["m_1"]
    assert await found(store, ALICE, "서킷을 언제 점검해?") == ["m_1"]
    assert await found(store, ALICE, "화요일에 뭐가 있지") == ["m_2"]


async def equal_points_go_to_the_newer_fact(store: Recollections) -> None:
    """The order is the same in every store."""
    await keep(store, ALICE, *(a_fact(f"m_{n}", "likes tea", minute=n) for n in (3, 1, 2)))
    assert await found(store, ALICE, "tea") == ["m_2", "m_1", "m_3"]


async def a_fact_of_the_same_id_takes_the_place_of_the_older(store: Recollections) -> None:
    """Its words are found, and the old ones are not."""
    await keep(store, ALICE, a_fact("m_1", "lives in Busan"), a_fact("m_1", "lives in Seoul", minute=1))
    (fact,) = await store.facts(ALICE, now=NOW)
    assert fact.text == "lives in Seoul"
    assert await found(store, ALICE, "Busan") == []
    assert await found(store, ALICE, "Seoul") == ["m_1"]


async def a_fact_in_quarantine_is_listed_and_never_found(store: Recollections) -> None:
    """Neither by words nor by its vector."""
    bad = replace(a_fact("m_1", "ignore the tea", quarantined=True), vector=b"\x00\x00\x80\x3f")
    await keep(store, ALICE, bad, a_fact("m_2", "likes tea", minute=1))
    assert [fact.quarantined for fact in await store.facts(ALICE, now=NOW)] == [True, False]
    assert await found(store, ALICE, "tea") == ["m_2"]
    assert await store.vectors(ALICE, now=NOW) == {}


async def recalling_counts_as_use(store: Recollections) -> None:
    """In the order asked for; what is not there is left out."""
    await keep(store, ALICE, a_fact("m_1", "one"), a_fact("m_2", "two"))
    later = NOW + timedelta(hours=1)
    recalled = await store.recall(ALICE, ["m_2", "m_9", "m_1"], now=later)
    assert [(fact.id, fact.uses, fact.used) for fact in recalled] == [("m_2", 1, later), ("m_1", 1, later)]
    assert [fact.uses for fact in await store.recall(ALICE, ["m_1"], now=later)] == [2]
    assert await store.recall(ALICE, [], now=later) == ()


async def what_was_unused_longest_makes_room(store: Recollections) -> None:
    """Only of the same owner, and never the newest."""
    await keep(store, BOB, a_fact("m_0", "old but of somebody else"))
    await keep(store, ALICE, *(a_fact(f"m_{n}", f"fact number {n}", minute=n) for n in (1, 2, 3)))
    await store.recall(ALICE, ["m_1"], now=NOW + timedelta(minutes=10))
    await keep(store, ALICE, a_fact("m_4", "fact number 4", minute=11), most=3)
    assert [fact.id for fact in await store.facts(ALICE, now=NOW)] == ["m_1", "m_3", "m_4"]
    await keep(store, ALICE, a_fact("m_5", "fact number 5", minute=5), most=1)
    assert [fact.id for fact in await store.facts(ALICE, now=NOW)] == ["m_5"]
    assert [fact.id for fact in await store.facts(BOB, now=NOW)] == ["m_0"]
    assert await found(store, ALICE, "fact number") == ["m_5"]


async def what_has_expired_is_gone(store: Recollections) -> None:
    """It is not seen from its moment on, whoever asks."""
    await keep(
        store, ALICE, replace(a_fact("m_1", "parked on level 3", lives=30), vector=b"\x00\x00\x80\x3f")
    )
    before, after = NOW + timedelta(minutes=29), NOW + timedelta(minutes=30)
    assert [fact.id for fact in await store.facts(ALICE, now=before)] == ["m_1"]
    assert await store.facts(ALICE, now=after) == ()
    assert await store.vectors(ALICE, now=after) == {}
    assert await store.search(ALICE, wanted("level"), limit=3, now=after) == ()
    assert await store.recall(ALICE, ["m_1"], now=after) == ()
    assert not await store.forget(ALICE, "m_1")


async def forgetting_takes_everything_of_one_owner(store: Recollections) -> None:
    """Facts and summaries, found by no verb any more; and the owner may begin anew."""
    for owner in (ALICE, BOB):
        await keep(store, owner, a_fact("m_1", "likes tea"), a_fact("m_2", "likes rain"))
        await store.keep(owner, _digest("Tea and rain."), most=100)
    assert await store.forget_all(ALICE) == 2
    assert await store.facts(ALICE, now=NOW) == ()
    assert await store.digest(ALICE, "conv_1") is None
    assert await found(store, ALICE, "tea") == []
    assert len(await store.facts(BOB, now=NOW)) == 2
    assert await store.digest(BOB, "conv_1") == _digest("Tea and rain.")
    await keep(store, ALICE, a_fact("m_3", "likes tea"))
    assert await found(store, ALICE, "tea") == ["m_3"]


async def a_summary_is_replaced_by_a_newer_one(store: Recollections) -> None:
    """One for each conversation."""
    await store.keep(ALICE, _digest("First."), most=100)
    await store.keep(ALICE, replace(_digest("Second 요약."), made_by="extract"), most=100)
    await store.keep(ALICE, replace(_digest("Elsewhere."), conversation="conv_2"), most=100)
    assert await store.digest(ALICE, "conv_1") == replace(_digest("Second 요약."), made_by="extract")
    assert await store.digest(ALICE, "conv_2") == replace(_digest("Elsewhere."), conversation="conv_2")
    assert await store.digest(ALICE, "conv_3") is None


async def the_oldest_summaries_make_room(store: Recollections) -> None:
    """They are listed oldest first, each owner's apart, and the one just written stays."""
    await store.keep(BOB, _digest("Bob's."), most=2)
    for minute in (3, 1, 2):
        digest = replace(
            _digest(f"At {minute}."), conversation=f"conv_{minute}", at=NOW + timedelta(minutes=minute)
        )
        await store.keep(ALICE, digest, most=2)
    assert [digest.text for digest in await store.digests(ALICE)] == ["At 2.", "At 3."]
    await store.keep(ALICE, _digest("Oldest of all, and newest."), most=2)
    assert [digest.conversation for digest in await store.digests(ALICE)] == ["conv_1", "conv_3"]
    assert len(await store.digests(BOB)) == 1


async def a_store_that_was_closed_opens_again(store: Recollections) -> None:
    """Closing lets go of nothing that was kept."""
    await keep(store, ALICE, a_fact("m_1", "likes tea"))
    store.close()
    store.close()
    assert await found(store, ALICE, "tea") == ["m_1"]


def _digest(text: str) -> Digest:
    return Digest(conversation="conv_1", text=text, made_by="model", covers=40, at=NOW)


RECOLLECTION_CONTRACTS: tuple[RecollectionContract, ...] = (
    a_new_store_knows_nothing,
    a_fact_comes_back_as_it_was,
    every_verb_asks_for_an_owner,
    one_owner_never_sees_what_is_anothers,
    two_owners_may_have_facts_of_one_id,
    what_has_most_of_the_words_is_found_first,
    korean_is_found_without_its_particles,
    equal_points_go_to_the_newer_fact,
    a_fact_of_the_same_id_takes_the_place_of_the_older,
    a_fact_in_quarantine_is_listed_and_never_found,
    recalling_counts_as_use,
    what_was_unused_longest_makes_room,
    what_has_expired_is_gone,
    forgetting_takes_everything_of_one_owner,
    a_summary_is_replaced_by_a_newer_one,
    the_oldest_summaries_make_room,
    a_store_that_was_closed_opens_again,
)
