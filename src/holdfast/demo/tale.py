"""One telling of the story: what happens in which second, and what is said of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from holdfast.demo import lines
from holdfast.demo.asking import Heard, Question
from holdfast.demo.callers import Troupe
from holdfast.demo.lines import Grade, Told
from holdfast.demo.questions import CALLERS, CHAT, DOCUMENTS, RUNAWAY, SMALL, STANDARD, injected
from holdfast.demo.stage import Stage
from holdfast.demo.tempo import Tempo
from holdfast.events import AttemptFailed, BudgetAlerted, CircuitChanged, Event, RunWarned
from holdfast.language import Sentence
from holdfast.simulator import CapturedRequest, Outage, Reset

LOOK = 0.25
"""Seconds between two looks at the gateway."""
HEALTHY_AT, OUTAGE_AT, RESETS_AT, OVERLOADED_AGAIN_AT, HEALED_AT = 10.0, 12.0, 15.5, 20.0, 24.0
FALLBACKS_AT = 22.0
ATTACKS_AT, RUNAWAY_AT, END_AT = 32.0, 35.0, 50.0
PATIENCE = 90.0
"""Seconds that the story waits at most for what has to come before it can go on: a machine may be busy."""
REPEATS, ENOUGH = 2, 10
"""Answers of the cache, and of the fallback, that make a row of the story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the gateway said it stood in a second of the story."""

    at: float
    verdict: str
    circuits: dict[str, str]


@dataclass(kw_only=True)
class Tale:
    """The story as it goes: `say` hears each line, `look` keeps how the gateway said it stood."""

    stage: Stage
    troupe: Troupe
    say: Callable[[Told], None]
    looks: list[Look] = field(default_factory=list[Look])
    marks: dict[str, float] = field(default_factory=dict[str, float])
    refusals: dict[str, Heard] = field(default_factory=dict[str, Heard])
    events: list[tuple[float, Event]] = field(default_factory=list[tuple[float, Event]])
    after: int = 0
    """The number of the last request at the upstream before it began."""
    _verdict: str = ""

    def __post_init__(self) -> None:
        requests = self.stage.simulator.requests
        self.after = requests[-1].number if requests else 0
        self.stage.events.clear()

    @property
    def tempo(self) -> Tempo:
        """The time of the story."""
        return self.troupe.tempo

    @property
    def upstream_failures(self) -> int:
        """Messages requests that the simulator has not answered well, as it counts them itself."""
        return sum(
            one.ended is not None and (one.status != 200 or one.ending != "completed")
            for one in self.requests
        )

    @property
    def requests(self) -> list[CapturedRequest]:
        """The Messages requests that have reached the upstream since it began."""
        return [
            one
            for one in self.stage.simulator.requests
            if one.number > self.after and one.path == "/v1/messages"
        ]

    @property
    def user_errors(self) -> int:
        """Answers that were no answers, but for what the story wants refused."""
        wanted = [id(one) for one in self.refusals.values()]
        return sum(not one.is_good and id(one) not in wanted for one in self.troupe.heard)

    async def play(self) -> None:
        """Tell it from beginning to end."""
        watching = asyncio.ensure_future(self._watch())
        try:
            await self._healthy()
            await self._outage()
            await self._attacks()
            await self._runaway()
            await self.tempo.until(END_AT)
            await self._patiently(lambda: self._verdict == "holding")
            self.marks["end"] = self.tempo.seconds
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def tell(self, grade: Grade, said: Sentence) -> None:
        """Say a line."""
        self.say(Told(at=self.tempo.seconds, grade=grade, said=said))

    async def _healthy(self) -> None:
        self.tell("note", lines.callers_start())
        await self.tempo.until(HEALTHY_AT)
        await self._patiently(self._is_warm)
        heard = list(self.troupe.heard)
        free = [
            one.headers.get("x-holdfast-model") for one in heard if one.question.caller in (CHAT, DOCUMENTS)
        ]
        cached = sum(one.outcome == "cached" for one in heard)
        self.tell("good", lines.healthy(len(heard), cached, free.count(SMALL), free.count(STANDARD)))
        await self.tempo.until(OUTAGE_AT)

    async def _outage(self) -> None:
        simulator = self.stage.simulator
        self._mark("outage")
        simulator.profile = (Outage(0),)
        self.tell("bad", lines.outage())
        await self.tempo.until(RESETS_AT)
        await self._patiently(lambda: self._verdict == "overloaded" and "open" in self._circuits)
        self._mark("resets")
        simulator.profile = (Outage(0, action=Reset()),)
        self.tell("bad", lines.resets())
        await self.tempo.until(OVERLOADED_AGAIN_AT)
        await self._patiently(self._has_met_resets)
        simulator.profile = (Outage(0),)
        self.tell("bad", lines.outage_again())
        await self.tempo.until(FALLBACKS_AT)
        await self._patiently(lambda: self._given(since=self.marks["outage"], outcome="fallback") >= ENOUGH)
        given, cached = (
            self._given(since=self.marks["outage"], outcome=one) for one in ("fallback", "cached")
        )
        self.tell("good", lines.fallbacks(given, cached, self.user_errors))
        await self.tempo.until(HEALED_AT)
        self._mark("healed")
        simulator.profile = ()
        self.tell("note", lines.healed())
        await self._patiently(lambda: not self._circuits)
        self._mark("recovered")
        took = self.marks["recovered"] - self.marks["outage"]
        self.tell("good", lines.recovered(took, self.upstream_failures, self.user_errors))

    async def _attacks(self) -> None:
        await self.tempo.until(ATTACKS_AT)
        self._mark("attacks")
        for language in ("en", "ko"):
            heard = await self._wanted(f"injection-{language}", injected(language))
            rule = str(heard.details.get("rule", "-"))
            self.tell("good", lines.blocked(language, rule, heard.status))

    async def _runaway(self) -> None:
        await self.tempo.until(RUNAWAY_AT)
        self._mark("runaway")
        refused = await self.troupe.run_away()
        self._mark("budget")
        self._listen()
        if refused is None:
            self.tell("bad", lines.never_stopped())
            return
        self.refusals["budget"] = refused
        used, limit, wanted = (str(refused.details.get(name, "?")) for name in ("used", "limit", "wanted"))
        self.tell("good", lines.stopped(used, limit, wanted))

    async def _wanted(self, name: str, question: Question) -> Heard:
        heard = await self.troupe.ask(question)
        self.refusals[name] = heard
        return heard

    @property
    def _circuits(self) -> set[str]:
        """The states of the circuits that are not closed, as the gateway last told them."""
        return set(self.looks[-1].circuits.values()) if self.looks else set()

    def _is_warm(self) -> bool:
        """Whether all callers have been served, and some of them from the cache."""
        good = [one for one in self.troupe.heard if one.is_good]
        callers = {one.question.caller for one in good}
        cached = sum(one.outcome == "cached" for one in good)
        return callers == set(CALLERS) and cached >= REPEATS and self._verdict == "holding"

    def _has_met_resets(self) -> bool:
        return any(isinstance(event, AttemptFailed) and event.status is None for _, event in self.events)

    def _given(self, *, since: float, outcome: str) -> int:
        return sum(one.at >= since and one.outcome == outcome for one in self.troupe.heard)

    def _mark(self, name: str) -> None:
        self.marks[name] = self.tempo.seconds

    async def _patiently(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, and not for ever: what did not come shows in the sheet."""
        last = self.tempo.seconds + PATIENCE
        while not is_so() and self.tempo.seconds < last:
            await self.tempo.sleep(LOOK)

    async def _watch(self) -> None:
        """Ask the gateway again and again how it stands, and say what has changed."""
        while True:
            self._listen()
            found = await self.troupe.line.get("/api/v1/status", self.stage.token)
            if found:
                self._look(found)
            await self.tempo.sleep(LOOK)

    def _look(self, found: dict[str, Any]) -> None:
        verdict = str(found["verdict"])
        self.looks.append(Look(at=self.tempo.seconds, verdict=verdict, circuits=dict(found["circuits"])))
        if verdict != self._verdict and verdict != "idle":
            said = found["sentence"]
            self.tell("good" if found["ok"] else "bad", Sentence(said["en"], ko=said["ko"]))
        self._verdict = verdict

    def _listen(self) -> None:
        """Say what has happened since."""
        while self.stage.events:
            event = self.stage.events.popleft()
            self.events.append((self.tempo.seconds, event))
            self._say_event(event)

    def _say_event(self, event: Event) -> None:
        match event:
            case CircuitChanged():
                grade: Grade = (
                    "good" if event.after == "closed" else "bad" if event.after == "open" else "note"
                )
                self.tell(grade, lines.circuit(event.circuit, event.after, event.retry_after))
            case RunWarned() if event.run == self.troupe.runaway and event.count == 3:
                self._mark("loop")
                self.tell("bad", lines.looping(self.troupe.runaway, RUNAWAY, event.count, event.evidence))
            case BudgetAlerted():
                self._mark("alert")
                self.tell("bad", lines.alerted(event.subject, event.settled, event.limit or "-"))
            case _:
                pass
