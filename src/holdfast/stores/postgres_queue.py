"""Group commit: what is asked of the database while it is at work waits, and is then done in one transaction."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import asyncpg

from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.stores.postgres_link import BROKEN, CLOSED, Link, reason_of, unavailable
from holdfast.stores.postgres_work import Answer, Entering, Job, Work, perform

BATCH = 256
"""Jobs that share one transaction at most."""

ENTERING = 32
"""Jobs among them that enter a run: each reads and measures all agents of its run."""

QUEUE = 10_000
"""Jobs that may wait; one more is refused."""

TRIES = 3
"""How often a transaction is tried that another one has got in the way of."""

CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)
"""Another worker was faster: whatever it has written is there to be read now."""

UNFIT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, OverflowError, ValueError)
"""Something that cannot be stored, such as a zero byte in a text: the fault of one job, not of all."""

FULL = Sentence(f"{QUEUE} jobs wait for it", ko=f"작업 {QUEUE}건이 데이터베이스를 기다리고 있습니다")


class Queue:
    """Jobs of one worker on their way into the database; for one event loop."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._jobs: deque[Job] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False

    def put(self, job: Job) -> None:
        """Have it done with the next transaction; `job.done` says how that went."""
        if self._closed or len(self._jobs) >= QUEUE:
            job.done.set_exception(unavailable(CLOSED if self._closed else FULL))
            return
        self._jobs.append(job)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def close(self) -> None:
        """Take no more, and do what waits."""
        self._closed = True
        if self._flushing is not None:
            await asyncio.wait({self._flushing})
        self._link.close()

    async def _flush(self) -> None:
        try:
            while self._jobs:
                await self._next()
        finally:
            self._flushing = None
            self._give_up(unavailable(CLOSED).sentence)

    async def _next(self) -> None:
        jobs = self._batch()
        alive = [job for job in jobs if job.done.set_running_or_notify_cancel()]
        try:
            await self._do(alive)
        except StoreUnavailable as error:
            # Whoever came during the last try has waited for the same silence.
            self._give_up(error.sentence)
        finally:
            _fail(alive, unavailable(CLOSED).sentence)

    def _batch(self) -> list[Job]:
        jobs: list[Job] = []
        entering = 0
        while self._jobs and len(jobs) < BATCH and entering < ENTERING:
            jobs.append(self._jobs.popleft())
            entering += isinstance(jobs[-1].work, Entering)
        return jobs

    async def _do(self, jobs: Sequence[Job]) -> None:
        """Do them together; where one of them cannot be stored, find out which without letting the others down."""
        try:
            answers = await self._together([job.work for job in jobs])
        except StoreUnavailable as error:
            _fail(jobs, error.sentence)
            raise
        except CONFLICTS as error:
            _fail(jobs, unavailable(reason_of(error)).sentence)
        except UNFIT as error:
            if len(jobs) == 1:
                _fail(jobs, unavailable(reason_of(error)).sentence)
                return
            await self._do(jobs[: len(jobs) // 2])
            await self._do(jobs[len(jobs) // 2 :])
        else:
            for job, answer in zip(jobs, answers, strict=True):
                job.done.set_result(answer)

    async def _together(self, works: Sequence[Work]) -> list[Answer]:
        end = asyncio.get_running_loop().time() + self._link.patience
        for _ in range(TRIES - 1):
            with suppress(*CONFLICTS):
                return await self._once(works, end)
        return await self._once(works, end)

    async def _once(self, works: Sequence[Work], end: float) -> list[Answer]:
        try:
            async with self._link.transaction(end) as db:
                return await perform(db, works)
        except (*CONFLICTS, *UNFIT):
            raise
        except BROKEN as error:
            raise unavailable(reason_of(error)) from error

    def _give_up(self, reason: Sentence) -> None:
        waiting = [job for job in self._jobs if job.done.set_running_or_notify_cancel()]
        self._jobs.clear()
        _fail(waiting, reason)


def _fail(jobs: Sequence[Job], reason: Sentence) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(StoreUnavailable(reason))
