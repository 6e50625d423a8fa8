import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.policy.holds import Extend, Hold, Reserve, TopUp, nano
from holdfast.ports import AttemptRecord, CallRecord, Payer, SpendQuery, Store, attempt_id
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing import FakeClock
from holdfast.testing.conformance import a_record, an_attempt
from holdfast.testing.conformance_attempts import sums_agree
from holdfast.testing.conformance_records import AT, a_limit

WINDOWS = ("h1", "h2", "day")
LIMITS = (
    a_limit("h1", nano=30_000, alerts=(10_000, 20_000)),
    a_limit("h2", nano=30_000, counted=("h1", "h2"), alerts=(10_000, 25_000)),
    a_limit("day", nano=None, alerts=(1,), is_full=True),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A verb by its name, the call it is about, and an amount in pico-dollars."""

    verb: str
    call: int
    amount: int


VERBS = ("reserve", "settle", "settle", "unpriced", "release", "extend", "top_up", "record", "enter")
STEPS = st.lists(
    st.builds(
        Step, st.sampled_from((*VERBS, "sweep", "reprice")), st.integers(0, 4), st.integers(0, 20_000_000)
    ),
    max_size=30,
)


def over(step: Step, state: str) -> AttemptRecord:
    attempt = an_attempt(f"hfr_{step.call}", cost_pico=step.amount, payer=Payer(run=f"run {step.call % 2}"))
    match state:
        case "release":
            return replace(attempt, state="released", cost_pico=0)
        case "unpriced":
            return replace(attempt, cost_pico=None)
        case _:
            return attempt


def reserve(step: Step) -> Reserve:
    return Reserve(
        id=attempt_id(f"hfr_{step.call}", 1),
        limits=LIMITS[: 1 + step.call % 3],
        amount=step.amount,
        presumed=step.amount // 3,
        lease=10.0,
    )


def called(step: Step) -> CallRecord:
    return replace(a_record(f"hfr_{step.call}", cost_pico=step.amount), attempts=1)


TAKEN: dict[str, Callable[[Store, Step, str], Awaitable[object]]] = {
    "reserve": lambda store, step, name: store.reserve(reserve(step), over(step, "held")),
    "extend": lambda store, step, name: store.extend([Extend(id=name, presumed=step.amount, lease=10.0)]),
    "top_up": lambda store, step, name: store.top_up(TopUp(id=name, amount=step.amount)),
    "record": lambda store, step, name: store.record(called(step)),
    "enter": lambda store, step, name: store.enter(
        f"run {step.call % 2}", f"agent {step.call}", f"agent {step.amount % 7}", AT
    ),
    "sweep": lambda store, step, name: store.sweep(),
    "reprice": lambda store, step, name: store.reprice({name: (step.amount, "new")}),
}


def take(store: Store, step: Step) -> Awaitable[object]:
    """What a step asks of a store."""
    if step.verb in TAKEN:
        return TAKEN[step.verb](store, step, attempt_id(f"hfr_{step.call}", 1))
    return store.settle([over(step, step.verb)])


async def what_is_known(store: Store) -> list[object]:
    return [
        await store.held(),
        await store.used(WINDOWS),
        await store.attempts(),
        await store.newest(100),
        await store.totals(),
        sorted(await store.runs(10), key=lambda run: run.run),
        await store.spend(SpendQuery(by=("run", "model", "hour"))),
    ]


async def counters_are_right(store: Store) -> None:
    """A counter has promised what is held against it."""
    used = await store.used(WINDOWS)
    held = await store.held()
    for window in WINDOWS:
        promised = sum(nano(hold.amount) for hold in held if window in hold.windows)
        assert used.get(window, (0, 0))[1] == promised
        assert used.get(window, (0, 0))[0] >= 0


def on_both(tell: Callable[[Store, Store, FakeClock], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            clock = FakeClock()
            memory, sqlite = MemoryStore(clock=clock), SqliteStore(Path(folder) / "h.db", clock=clock)
            try:
                await tell(memory, sqlite, clock)
            finally:
                await sqlite.aclose()

    asyncio.run(main())


@given(STEPS)
@settings(max_examples=25)
def test_memory_and_sqlite_give_the_same_answers_and_end_alike(steps: list[Step]) -> None:
    async def tell(memory: Store, sqlite: Store, clock: FakeClock) -> None:
        for step in steps:
            clock.advance(3.0)
            assert await take(memory, step) == await take(sqlite, step), step
        assert await what_is_known(memory) == await what_is_known(sqlite)
        for store in (memory, sqlite):
            await counters_are_right(store)
            await sums_agree(store)

    on_both(tell)


@given(STEPS)
@settings(max_examples=25)
def test_verbs_that_share_a_transaction_do_what_they_would_do_one_by_one(steps: list[Step]) -> None:
    """Alerts, refusals and sums alike; only the record of a call may know more than it was told."""

    async def tell(memory: Store, sqlite: Store, clock: FakeClock) -> None:
        together = [step for step in steps if step.verb not in ("record", "enter", "reprice", "sweep")]
        one_by_one = [await take(memory, step) for step in together]
        assert await asyncio.gather(*(take(sqlite, step) for step in together)) == one_by_one
        clock.advance(11.0)
        assert await memory.sweep() == await sqlite.sweep()
        assert await what_is_known(memory) == await what_is_known(sqlite)
        await counters_are_right(sqlite)
        await sums_agree(sqlite)

    on_both(tell)


def test_in_whatever_order_the_word_on_a_lost_attempt_comes_it_is_counted_once() -> None:
    """Every order of reserve, sweep, settle and settle again ends with what the attempt has cost."""

    async def tell(memory: Store, sqlite: Store, clock: FakeClock) -> None:
        verbs = ("settle", "sweep", "settle", "record", "extend", "top_up")
        for number, order in enumerate(itertools.permutations(verbs, 3)):
            for store in (memory, sqlite):
                taken = await take(store, Step("reserve", number * 3, 1_000))
                assert isinstance(taken, Hold)
                clock.advance(11.0)
                for verb in order:
                    await take(store, Step(verb, number * 3, 777))
                await take(store, Step("settle", number * 3, 777))
                await take(store, Step("settle", number * 3, 5_000))
        assert await memory.used(WINDOWS) == await sqlite.used(WINDOWS)
        (paid, promised) = (await sqlite.used(["h1"]))["h1"]
        assert promised == 0
        assert paid == len(await sqlite.attempts(limit=10_000))
        await sums_agree(sqlite)

    on_both(tell)
