"""Whatever owners do in whatever order, every store of memories does what a naive model says."""

import asyncio
import tempfile
from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.policy.recall import impacts, wanted
from holdfast.recollection import Digest, Fact, Indexed, Owner, Recollections
from holdfast.stores.recollections_memory import MemoryRecollections
from holdfast.stores.recollections_sqlite import SqliteRecollections
from holdfast.testing.conformance_recollections import NOW

T = TypeVar("T")
OWNERS = [Owner(tenant=tenant, user=user) for tenant in ("a", "b") for user in ("kim", "lee")]
WORDS = ["tea", "rain", "서킷이", "서킷을", "invoice", "invoices", "집이"]
owners = st.sampled_from(OWNERS)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
ids = st.integers(0, 5).map("m_{}".format)


@dataclass(frozen=True)
class Row:
    """A fact of the model; one flat list of them for all owners."""

    owner: Owner
    fact: Fact


class Recalling(RuleBasedStateMachine):
    """The model is a list that is searched from end to end; it knows who owns a row and nothing of any index."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.stores: list[Recollections] = [
            MemoryRecollections(),
            SqliteRecollections(Path(folder) / "memories.db"),
        ]
        self.rows: list[Row] = []
        self.digests: dict[tuple[Owner, str], Digest] = {}
        self.now = NOW

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.stack.close()

    def ask(self, work: Awaitable[T]) -> T:
        async def asked() -> T:
            return await work

        return self.runner.run(asked())

    @rule(seconds=st.integers(0, 90))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds, microseconds=1)

    @rule(
        owner=owners,
        name=ids,
        text=texts,
        bad=st.booleans(),
        lives=st.none() | st.integers(1, 120),
        most=st.integers(1, 4),
    )
    def someone_remembers(
        self, owner: Owner, name: str, text: str, bad: bool, lives: int | None, most: int
    ) -> None:
        self.now += timedelta(microseconds=1)
        fact = Fact(
            id=name,
            text=text,
            trust="model",
            source="agent",
            conversation=None,
            at=self.now,
            used=self.now,
            expires=None if lives is None else self.now + timedelta(seconds=lives),
            quarantined=bad,
        )
        for store in self.stores:
            entry = Indexed(fact=fact, impacts=impacts(text), vector=b"\x00\x00\x80\x3f")
            self.ask(store.remember(owner, entry, most=most, now=self.now))
        self.expire()
        self.rows = [row for row in self.rows if (row.owner, row.fact.id) != (owner, name)]
        self.rows.append(Row(owner, fact))
        own = sorted((row for row in self.rows if row.owner == owner), key=lambda row: row.fact.used)
        dropped = [row for row in own if row.fact.id != name][: max(0, len(own) - most)]
        self.rows = [row for row in self.rows if row not in dropped]

    @rule(owner=owners, names=st.lists(ids, max_size=3, unique=True))
    def someone_recalls(self, owner: Owner, names: list[str]) -> None:
        self.now += timedelta(microseconds=1)
        answers = [self.ask(store.recall(owner, names, now=self.now)) for store in self.stores]
        self.expire()
        used = {
            row.fact.id: replace(row.fact, used=self.now, uses=row.fact.uses + 1)
            for row in self.rows
            if row.owner == owner and row.fact.id in names
        }
        self.rows = [
            replace(row, fact=used[row.fact.id]) if row.owner == owner and row.fact.id in used else row
            for row in self.rows
        ]
        assert all(answer == tuple(used[name] for name in names if name in used) for answer in answers)
        # Two of one moment would make it a matter of taste who goes first.
        for name in names:
            self.now += timedelta(microseconds=1)
            for store in self.stores:
                self.ask(store.recall(owner, [name], now=self.now))
            self.rows = [
                replace(row, fact=replace(row.fact, used=self.now, uses=row.fact.uses + 1))
                if (row.owner, row.fact.id) == (owner, name)
                else row
                for row in self.rows
            ]
            self.expire()

    @rule(owner=owners, name=ids)
    def someone_forgets_one(self, owner: Owner, name: str) -> None:
        had = any((row.owner, row.fact.id) == (owner, name) for row in self.rows)
        assert [self.ask(store.forget(owner, name)) for store in self.stores] == [had, had]
        self.rows = [row for row in self.rows if (row.owner, row.fact.id) != (owner, name)]

    @rule(owner=owners)
    def someone_forgets_everything(self, owner: Owner) -> None:
        count = sum(row.owner == owner for row in self.rows)
        assert [self.ask(store.forget_all(owner)) for store in self.stores] == [count, count]
        self.rows = [row for row in self.rows if row.owner != owner]
        self.digests = {key: one for key, one in self.digests.items() if key[0] != owner}

    @rule(owner=owners, conversation=st.sampled_from(["conv_1", "conv_2"]), text=texts)
    def a_conversation_is_summed_up(self, owner: Owner, conversation: str, text: str) -> None:
        digest = Digest(conversation=conversation, text=text, made_by="extract", covers=4, at=self.now)
        for store in self.stores:
            self.ask(store.keep(owner, digest, most=10))
        self.digests[owner, conversation] = digest

    @invariant()
    def everybody_sees_his_own_and_nothing_else(self) -> None:
        for owner in OWNERS:
            own = sorted(self.alive(owner), key=lambda fact: (fact.at, fact.id))
            digests = sorted(
                (one for (of, _), one in self.digests.items() if of == owner),
                key=lambda one: (one.at, one.conversation),
            )
            for store in self.stores:
                assert self.ask(store.facts(owner, now=self.now)) == tuple(own)
                assert set(self.ask(store.vectors(owner, now=self.now))) == {
                    fact.id for fact in own if not fact.quarantined
                }
                assert self.ask(store.digests(owner)) == tuple(digests)

    @rule(owner=owners, question=texts, limit=st.integers(0, 4))
    def someone_searches(self, owner: Owner, question: str, limit: int) -> None:
        terms = wanted(question)
        fitting = {
            fact.id
            for fact in self.alive(owner)
            if not fact.quarantined and impacts(fact.text).keys() & set(terms)
        }
        answers = [self.ask(store.search(owner, terms, limit=limit, now=self.now)) for store in self.stores]
        assert answers[0] == answers[1]
        found = [name for name, _ in answers[0]]
        assert set(found) <= fitting
        assert len(found) == min(limit, len(fitting))
        points = [score for _, score in answers[0]]
        assert points == sorted(points, reverse=True)

    def alive(self, owner: Owner) -> list[Fact]:
        return [
            row.fact
            for row in self.rows
            if row.owner == owner and (row.fact.expires is None or row.fact.expires > self.now)
        ]

    def expire(self) -> None:
        self.rows = [row for row in self.rows if row.fact.expires is None or row.fact.expires > self.now]


TestStoresOfMemoriesAgree = Recalling.TestCase
TestStoresOfMemoriesAgree.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
