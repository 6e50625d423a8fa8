"""The whole screen of `holdfast top`, with its keys; needs the extra `tui`."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.events import Key, Resize
from textual.widgets import Input, Static

from holdfast.cli.inert import indented
from holdfast.cli.main import language
from holdfast.cli.remote import Server
from holdfast.cli.top import attempt
from holdfast.cli.top_frame import VIEWS, Pose, Snapshot, chosen_run, frame
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import HoldfastError
from holdfast.language import Sentence

EVERY = 1.0
"""Seconds between two looks."""
THEMES = ("textual-dark", "textual-light", "textual-ansi")
HELP = Sentence(
    "1 Now        the verdict, runs and the newest requests\n"
    "2 Runs       every run, those that loop first\n"
    "3 Requests   the newest requests\n"
    "4 Spend      today, by model\n"
    "up, down     choose a run          enter   all that is known of it\n"
    "/            filter requests, as in holdfast tail: outcome:failed -user:kim\n"
    "s            stop the chosen run, after a question\n"
    "space        pause                 t       theme\n"
    "?            this page, and back   q       quit",
    ko="1 현황       판정, 실행, 최근 요청\n"
    "2 실행       모든 실행, 반복에 빠진 것부터\n"
    "3 요청       최근 요청\n"
    "4 지출       오늘, 모델별\n"
    "위, 아래     실행 고르기           enter   그 실행의 모든 정보\n"
    "/            요청 필터, holdfast tail과 같음: outcome:failed -user:kim\n"
    "s            고른 실행 정지(먼저 묻습니다)\n"
    "space        일시 정지             t       테마\n"
    "?            이 화면, 다시 누르면 돌아감   q   끝",
)


class Top(App[None]):
    """Asks a gateway every second, and draws one frame of what it says."""

    CSS = "Screen { layout: vertical; } #frame { height: 1fr; } #wanted { display: none; dock: bottom; }"
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit")]
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None

    def __init__(self, gateway: Server, wanted: str = "") -> None:
        super().__init__()
        self._gateway = gateway
        self._pose = Pose(wanted=wanted)
        self._shot = Snapshot(url=gateway.url, at=SYSTEM_CLOCK.now())
        self._asked: str | None = None
        """The run that is to be stopped, if somebody says yes."""

    def compose(self) -> ComposeResult:
        """One frame, and the line for a filter."""
        yield Static(id="frame")
        yield Input(id="wanted", placeholder="outcome:failed -user:kim")

    async def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self.run_worker(self._looking(), exclusive=True)

    async def _looking(self) -> None:
        while True:
            if not self._pose.paused:
                await self.look()
            await SYSTEM_CLOCK.sleep(EVERY)

    async def look(self) -> None:
        """Ask, and draw what was said."""
        self._shot = await asyncio.to_thread(attempt, self._gateway, self._pose.wanted)
        self._draw()

    def on_resize(self, event: Resize) -> None:
        """The frame is as large as the terminal, once that is laid out anew."""
        self.call_after_refresh(self._draw)

    def on_key(self, event: Key) -> None:
        """The keys, but for those that go into the filter."""
        if self.query_one("#wanted", Input).has_focus:
            if event.key == "escape":
                self._leave_filter()
            return
        if self._asked is not None:
            self._answer(event.character or "")
            return
        self._pressed(event.key, event.character or "")
        self._draw()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """The filter is what was written."""
        self._pose = replace(self._pose, wanted=event.value.strip())
        self._leave_filter()
        await self.look()

    def _pressed(self, key: str, letter: str) -> None:
        pose = replace(self._pose, foot="")
        if letter in VIEWS:
            pose = replace(pose, view=VIEWS[letter][0], detail="")
        elif key in ("up", "down"):
            moved = pose.chosen + (1 if key == "down" else -1)
            pose = replace(pose, chosen=max(0, min(moved, len(self._shot.runs) - 1)))
        elif key == "space":
            pose = replace(pose, paused=not pose.paused)
        elif key == "enter":
            pose = replace(pose, detail="" if pose.detail else self._detail())
        elif key == "escape" or (letter == "?" and pose.detail):
            pose = replace(pose, detail="")
        elif letter == "?":
            pose = replace(pose, detail=HELP.say(language()))
        self._pose = pose
        self._act(letter)

    def _act(self, letter: str) -> None:
        match letter:
            case "t":
                following = (THEMES.index(self.theme) + 1) % len(THEMES) if self.theme in THEMES else 0
                self.theme = THEMES[following]
            case "/":
                field = self.query_one("#wanted", Input)
                field.value, field.display = self._pose.wanted, True
                field.focus()
            case "s" if (run := chosen_run(self._shot, self._pose)) is not None:
                self._asked = run
                said = Sentence(f" Stop the run {run}? y / n", ko=f" {run} 실행을 정지할까요? y / n")
                self._pose = replace(self._pose, foot=said.say(language()))
            case _:
                pass

    def _detail(self) -> str:
        run = chosen_run(self._shot, self._pose)
        return "\n".join(indented(one) for one in self._shot.runs if one["run"] == run)

    def _answer(self, letter: str) -> None:
        run, self._asked = self._asked, None
        if letter.lower() != "y" or run is None:
            said = Sentence(" Nothing was stopped.", ko=" 정지하지 않았습니다.")
            self._pose = replace(self._pose, foot=said.say(language()))
            self._draw()
            return
        self.run_worker(self._stop(run))

    async def _stop(self, run: str) -> None:
        body = {"scope": "run", "value": run, "reason": "holdfast top"}
        try:
            await asyncio.to_thread(self._gateway.ask, "POST", "/api/v1/stops", body)
        except HoldfastError as error:
            foot = f" {error.say(language())}"
        else:
            foot = Sentence(
                f" Stopped: {run}. Undo: holdfast resume run {run}",
                ko=f" 정지됨: {run}. 되돌리기: holdfast resume run {run}",
            ).say(language())
        self._pose = replace(self._pose, foot=foot)
        await self.look()

    def _leave_filter(self) -> None:
        field = self.query_one("#wanted", Input)
        field.display = False
        self.set_focus(None)
        self._draw()

    def _draw(self) -> None:
        lines = frame(self._shot, self._pose, language(), self.size.width, self.size.height)
        self.query_one("#frame", Static).update(Text("\n".join(lines), no_wrap=True))
