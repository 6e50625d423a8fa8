"""Workers that take and settle holds as fast as they can and are killed at it, and the audit of what they leave."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from holdfast.clock import SYSTEM_CLOCK, Dice
from holdfast.errors import StoreUnavailable
from holdfast.policy.holds import Hold, Limit, Reserve, nano
from holdfast.ports import AttemptRecord, Payer, Store, attempt_id
from holdfast.stores.open import open_store
from holdfast.wire.usage import Usage

LEASE = 1.0
KILLED_EVERY = 0.15
WINDOWS_A_SECOND = 2
ROOM = 10
"""Holds of the largest size that a window has room for: far fewer than are asked for."""

LARGEST = 1_000_000
"""Of one hold, in pico-dollars; odd sums below it make every rounding count."""

BEGUN = 600
"""Bytes that a worker has written of what it was told before it is worth killing."""

TASKS = 6
"""Calls under way at once in one worker."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What an audit has seen; `broken` says what should not be."""

    samples: int = 0
    kills: int = 0
    reserved: int = 0
    denied: int = 0
    settled: int = 0
    corrected: int = 0
    resolved_after: float = 0.0
    broken: list[str] = field(default_factory=list[str])

    def are_enough(self, passed: float, seconds: float) -> bool:
        """Whether the time is over and enough were killed in it; a machine that is busy takes a while longer."""
        return passed > 8 * seconds or (passed > seconds and self.kills >= 2 * seconds)


def window_of(moment: float) -> str:
    return f"window {int(moment * WINDOWS_A_SECOND)}"


def tight(window: str) -> tuple[Limit, ...]:
    """One that everybody wants to pass, and one of everything that only counts."""
    room = nano(ROOM * LARGEST)
    return (
        Limit(budget="tight", window=window, counted=(window,), nano=room),
        Limit(budget="all", window="all", counted=("all",), nano=None),
    )


def attempt(request_id: str, window: str, cost_pico: int = 0) -> AttemptRecord:
    return AttemptRecord(
        request_id=request_id,
        number=1,
        at=SYSTEM_CLOCK.now(),
        payer=Payer(run=window),
        upstream="upstream",
        model="model",
        usage=Usage(input_tokens=1, output_tokens=2),
        cost_pico=cost_pico,
    )


async def hammer(
    url: str, folder: Path, open_one: Callable[[], Store], *, workers: int, seconds: float
) -> Findings:
    """Let workers at the store at `url` for some seconds, kill one after the other, then see what is left.

    `open_one` opens the same store for whoever looks on.
    """
    findings, store = Findings(), open_one()
    await store.check()
    first = SYSTEM_CLOCK.now().timestamp()
    pool = [_Worker(url, folder, number) for number in range(workers)]
    killing = asyncio.create_task(_kill(pool, findings))
    try:
        begun = SYSTEM_CLOCK.monotonic()
        while not findings.are_enough(SYSTEM_CLOCK.monotonic() - begun, seconds):
            with suppress(StoreUnavailable):  # it may be late on a busy machine, it may not be wrong
                await _sample(store, first, findings)
                await store.sweep()
            await asyncio.sleep(0.01)
    finally:
        killing.cancel()
        for worker in pool:
            worker.end()
    await _resolve(store, findings)
    await _audit(store, pool, findings)
    await _settle_late(store, open_one(), findings)
    await _sample(store, first, findings)
    await _audit(store, pool, findings)
    await store.aclose()
    return findings


async def _kill(pool: "list[_Worker]", findings: Findings) -> None:
    """One that is at work by now, the next one after a while; a machine may be slow to start them."""
    while True:
        for worker in pool:
            if worker.is_at_work():
                worker.end()
                worker.begin()
                findings.kills += 1
                await asyncio.sleep(KILLED_EVERY)
        await asyncio.sleep(0.01)


async def _sample(store: Store, first: float, findings: Findings) -> None:
    room, now = nano(ROOM * LARGEST), SYSTEM_CLOCK.now().timestamp()
    steps = range(int(first * WINDOWS_A_SECOND), int(now * WINDOWS_A_SECOND) + 1)
    for window, (settled, reserved) in (await store.used([f"window {step}" for step in steps])).items():
        findings.samples += 1
        if settled + reserved > room or settled < 0 or reserved < 0:
            findings.broken.append(f"{window}: {settled} settled, {reserved} reserved, {room} allowed")


async def _resolve(store: Store, findings: Findings) -> None:
    """Sweep until nothing is held; every worker is dead by now."""
    begun = SYSTEM_CLOCK.monotonic()
    while await store.held() and SYSTEM_CLOCK.monotonic() - begun < LEASE + 5:
        await store.sweep()
        await asyncio.sleep(0.05)
    findings.resolved_after = SYSTEM_CLOCK.monotonic() - begun
    findings.broken += [f"{one.id} is still held" for one in await store.held()]


async def _audit(store: Store, pool: "list[_Worker]", findings: Findings) -> None:
    """Hold counters, attempts and sums against each other and against what workers were told."""
    attempts = [one async for one in _all(store)]
    costs = Counter[str]()
    for one in attempts:
        if one.state in ("settled", "expired"):
            assert one.payer.run is not None
            costs[one.payer.run] += nano(one.cost_pico or 0)
    windows = await store.used([*costs, "all"])
    for window, cost in [*costs.items(), ("all", costs.total())]:
        if windows.get(window, (0, 0)) != (cost, 0):
            findings.broken.append(f"{window}: {windows.get(window)}, its attempts cost {cost}")
    totals = await store.totals()
    if totals.cost_pico != sum(one.cost_pico or 0 for one in attempts if one.state != "released"):
        findings.broken.append(f"totals of {totals.cost_pico} pico-dollars are not the sum of the attempts")
    _compare(
        {one.id: one for one in attempts}, [line for worker in pool for line in worker.lines()], findings
    )


def _compare(attempts: dict[str, AttemptRecord], lines: list[list[str]], findings: Findings) -> None:
    told = Counter(line[0] for line in lines)
    findings.reserved, findings.denied, findings.settled = told["reserved"], told["denied"], told["settled"]
    settled = Counter(line[1] for line in lines if line[0] == "settled")
    findings.broken += [f"{name} was settled {times} times" for name, times in settled.items() if times > 1]
    for what, name, *rest in lines:
        kept = attempts.get(name)
        if what == "reserved" and kept is None:
            findings.broken.append(f"{name} was reserved and is not on record")
        if what == "settled" and (kept is None or (kept.state, kept.cost_pico) != ("settled", int(rest[0]))):
            findings.broken.append(f"{name} was settled at {rest[0]} and is on record as {kept}")


async def _settle_late(store: Store, other: Store, findings: Findings) -> None:
    """Workers that were given up come back with the bill, each of them more than once."""
    lost = [one async for one in _all(store) if one.state == "expired"]
    bills = [attempt(one.request_id, one.payer.run or "", (one.hold_pico or 0) // 3) for one in lost]
    for keeper in (store, other, store):
        await asyncio.gather(*(keeper.settle([bill, bill]) for bill in bills))
    findings.corrected = len(bills)
    await other.aclose()


async def _all(store: Store) -> AsyncIterator[AttemptRecord]:
    after: str | None = None
    while page := await store.attempts(after=after):
        for one in page:
            yield one
        after = page[-1].id


class _Worker:
    """A process that is killed and begun again; what it was told is in its file."""

    def __init__(self, url: str, folder: Path, number: int) -> None:
        self._command = [sys.executable, __file__, url]
        self._number = number
        self._lives = 0
        self._file = folder / f"worker-{number}"
        self.begin()

    def begin(self) -> None:
        self._lives += 1
        name = f"{self._number}.{self._lives}"
        self._file.touch()
        self._told_before = self._file.stat().st_size
        with self._file.open("ab") as output:
            self._process = subprocess.Popen([*self._command, name], stdout=output)

    def is_at_work(self) -> bool:
        """Whether it has been told enough in this life to be in the middle of it."""
        return self._file.stat().st_size > self._told_before + BEGUN

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def lines(self) -> list[list[str]]:
        """What it was told, word by word; a line that it died over is none."""
        text = self._file.read_text(encoding="utf-8")
        return [line.split() for line in text.split("\n")[:-1]]


async def work(url: str, name: str) -> None:
    """Take holds and settle them for ever; say what came of each."""
    store, dice = open_store(url), Dice(name)
    await asyncio.gather(*(_call_for_ever(store, f"{name}.{task}", dice) for task in range(TASKS)))


async def _call_for_ever(store: Store, name: str, dice: Dice) -> None:
    for number in count():
        try:
            await _call(store, f"hfr.{name}.{number}", dice)
        except StoreUnavailable:
            await asyncio.sleep(0.01)


async def _call(store: Store, request_id: str, dice: Dice) -> None:
    window = window_of(SYSTEM_CLOCK.now().timestamp())
    amount = dice.randrange(LARGEST // 3, LARGEST)
    verb = Reserve(
        id=attempt_id(request_id, 1), limits=tight(window), amount=amount, presumed=amount // 5, lease=LEASE
    )
    if not isinstance(await store.reserve(verb, attempt(request_id, window)), Hold):
        _tell("denied", verb.id)
        await asyncio.sleep(0.01)
        return
    _tell("reserved", verb.id)
    await asyncio.sleep(dice.uniform(0, 0.02))
    cost = dice.randrange(amount)
    over = attempt(request_id, window, cost)
    await asyncio.gather(store.settle([over]), store.settle([over]))
    _tell("settled", verb.id, str(cost))


def _tell(*words: str) -> None:
    os.write(1, f"{' '.join(words)}\n".encode())


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2]))
