"""The callers of the demo: four that work all the time, and an agent that turns in circles when the story wants it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from holdfast.demo.asking import PATIENCE, Heard, Line, Question
from holdfast.demo.questions import (
    CHAT,
    CODE,
    DOCUMENTS,
    FILES,
    LARGE,
    NIGHTLY,
    RUNAWAY,
    STANDARD,
    everyday,
    task,
    turn,
    went_on,
)
from holdfast.demo.stage import Stage
from holdfast.demo.tempo import Tempo
from holdfast.simulator import Turn

EVERY = {CHAT: 0.5, DOCUMENTS: 0.6, NIGHTLY: 0.5}
"""Seconds between two questions of a caller."""
BETWEEN_TURNS = 0.25
IDLE = 4.0
"""Seconds between two questions of each of the four when the story is over: one a second in all."""
MOST = 40
"""Questions of a caller under way at once; then he waits like anybody."""
MOST_TURNS = 40
"""Turns after which the runaway ends by itself, if nothing ends it."""
SAME = "FAILED tests/test_credit.py::test_rounding - AssertionError: 3.33 != 3.34"


@dataclass(kw_only=True)
class Troupe:
    """The callers of one telling of the story, and all that they have heard."""

    stage: Stage
    line: Line
    tempo: Tempo
    name: str
    heard: list[Heard] = field(default_factory=list[Heard])
    is_idle: bool = False
    is_done: bool = False
    """Nobody asks anything new: what is under way comes to its end."""

    async def ask(self, question: Question) -> Heard:
        """Ask and note what came of it."""
        heard = await self.line.ask(question, self.tempo.seconds)
        if not self.is_idle:
            self.heard.append(heard)
        return heard

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """The four callers work until the block ends; where they are done by then, their last answers are awaited."""
        tasks = [asyncio.ensure_future(self._work(caller)) for caller in EVERY]
        tasks.append(asyncio.ensure_future(self._code()))
        try:
            yield
            if self.is_done:
                await asyncio.wait(tasks, timeout=PATIENCE)
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, caller: str) -> None:
        dice, number, places = Random(f"{self.stage.seed} {caller}"), 0, asyncio.Semaphore(MOST)
        async with asyncio.TaskGroup() as group:
            while not self.is_done:
                await places.acquire()
                group.create_task(self._and_leave(everyday(caller, number, dice), places))
                number += 1
                await self.tempo.sleep(IDLE if self.is_idle else EVERY[caller])

    async def _and_leave(self, question: Question, places: asyncio.Semaphore) -> None:
        try:
            await self.ask(question)
        finally:
            places.release()

    async def _code(self) -> None:
        """An agent like those that write code: one session after the other, a few turns each."""
        dice, number = Random(f"{self.stage.seed} {CODE}"), 0
        while not self.is_done:
            number += 1
            run = f"{self.name}code-{number}"
            steps = [Turn(tools=(("Read", {"file_path": one}),)) for one in dice.sample(FILES, 3)]
            self.stage.simulator.say(*steps, Turn(text="The tests pass now."), to=f"[{run}]")
            messages: list[Mapping[str, Any]] = [*task(run)]
            for number_of_turn in range(len(steps) + 1):
                heard = await self.ask(turn(CODE, run, messages, model=STANDARD, long=False))
                if not heard.tool_uses:
                    break
                results = {str(use["id"]): f"{number_of_turn + 1} lines read" for use in heard.tool_uses}
                messages = went_on(messages, heard.message, results)
                await self.tempo.sleep(IDLE if self.is_idle else BETWEEN_TURNS)
            await self.tempo.sleep(IDLE if self.is_idle else BETWEEN_TURNS)

    @property
    def runaway(self) -> str:
        """The run that turns in circles."""
        return f"{self.name}refactor-7f2c"

    async def run_away(self) -> Heard | None:
        """Work a little, then do the same again and again until somebody says no; that answer, if it ever came."""
        run = self.runaway
        read = [Turn(tools=(("Read", {"file_path": one}),)) for one in FILES[:3]]
        same = [Turn(tools=(("Bash", {"command": "pytest -q"}),)) for _ in range(MOST_TURNS)]
        self.stage.simulator.say(*read, *same, to=f"[{run}]")
        messages: list[Mapping[str, Any]] = [*task(run)]
        for number in range(MOST_TURNS):
            heard = await self.ask(turn(RUNAWAY, run, messages, model=LARGE, long=True))
            if not heard.is_good:
                return heard
            results = {
                str(use["id"]): SAME if use.get("name") == "Bash" else f"{number} lines read"
                for use in heard.tool_uses
            }
            messages = went_on(messages, heard.message, results)
            await self.tempo.sleep(BETWEEN_TURNS)
        return None
