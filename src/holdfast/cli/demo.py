"""`holdfast demo`: what holdfast does, in a minute, without a key and without a network."""

import asyncio
import os
import sys
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import click

from holdfast.cli.inert import printable
from holdfast.cli.keyboard import Keyboard
from holdfast.cli.listening import listen, url
from holdfast.cli.main import FAILED, language
from holdfast.credentials import secret
from holdfast.demo.breaking import BREAKS
from holdfast.demo.lines import SIGNS, Told
from holdfast.demo.proof import Card
from holdfast.demo.sheet import Row
from holdfast.demo.show import Show
from holdfast.demo.stage import build
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.money import plain
from holdfast.policy.routing import KEY_ENV

HOST = "127.0.0.1"
PORT = 4180
PORTS_TRIED = 10
CENTS = Decimal("0.0001")
SHOWN = 4
"""Letters of a key that is there and not used."""


@click.command(epilog="Example: holdfast demo --no-browser --speed 2")
@click.option("--no-browser", is_flag=True, help="Do not open the console in a browser.")
@click.option(
    "--speed",
    type=click.FloatRange(0.25, 10),
    default=1.0,
    show_default=True,
    help="How much faster than a minute.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Same seed, same questions."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (4180); 0 takes any free one.")
@click.option(
    "--headless-check", is_flag=True, help="Play without a browser, check every row, exit with 0 or 1."
)
def demo(*, no_browser: bool, speed: float, seed: int, port: int | None, headless_check: bool) -> None:
    """Show in a minute what holdfast does: an outage, a recovery, an injection, a loop, a budget. No key is used."""
    tries = PORTS_TRIED if port is None else 1
    with listen(HOST, PORT if port is None else port, tries) as listener:
        stage = build(seed=seed, speed=speed)
        show = Show(stage=stage, listener=listener, url=url(HOST, listener.getsockname()[1]), say=_say)
        if headless_check:
            _check(show)
            return
        _introduce(show, moved_from=port is None and listener.getsockname()[1] != PORT)
        program = _Program(show=show, opens=not no_browser and _has_display(os.environ))
        show.ready, show.over = program.ready, _sum_up(show.url)
        asyncio.run(program.run())


def _check(show: Show) -> None:
    """Play it once, print the sheet, and exit with 1 where a row was not to be seen."""
    rows = asyncio.run(show.check())
    click.echo("")
    for row in rows:
        click.echo(printable(row.said(language())))
    click.echo(_verdict(rows).say(language()))
    if not all(row.passed for row in rows):
        click.get_current_context().exit(FAILED)


def _verdict(rows: tuple[Row, ...]) -> Sentence:
    passed = sum(row.passed for row in rows)
    return Sentence(f"{passed} of {len(rows)} rows passed.", ko=f"{len(rows)}개 항목 중 {passed}개 통과.")


@dataclass(kw_only=True)
class _Program:
    """The demo at a terminal: its keys, and the browser."""

    show: Show
    opens: bool
    _opening: list[asyncio.Future[bool]] = field(default_factory=list[asyncio.Future[bool]])

    async def run(self) -> None:
        """Play until Ctrl-C."""
        with Keyboard(self._pressed):
            await self.show.run()

    def ready(self, show: Show) -> None:
        """Say where the console is, and open it."""
        link = show.login()
        click.echo(
            Sentence(f"  console   {link}  (once)", ko=f"  콘솔      {link}  (한 번)").say(language()),
            err=True,
        )
        click.echo("", err=True)
        if self.opens:
            opening = asyncio.get_running_loop().run_in_executor(None, webbrowser.open, show.login())
            self._opening.append(opening)

    def _pressed(self, key: str) -> None:
        if key == "r":
            self.show.replay()
            _talk(
                Sentence(
                    "The story begins again when this one is over.",
                    ko="이번 이야기가 끝나면 다시 시작합니다.",
                )
            )
        elif key == " ":
            paused = self.show.pause()
            _talk(_PAUSED if paused else _GOES_ON)
        elif key in BREAKS:
            self.show.break_it(BREAKS[key])
            title = BREAKS[key].title
            _talk(Sentence(f"You broke it: {title.en}.", ko=f"직접 고장 냈습니다: {title.ko}."))


def _say(told: Told) -> None:
    click.echo(f"{told.at:5.1f} s {SIGNS[told.grade]} {printable(told.said.say(language()))}")


def _talk(sentence: Sentence) -> None:
    click.echo(f"        {sentence.say(language())}", err=True)


def _introduce(show: Show, *, moved_from: bool) -> None:
    """What this is, where it is, and how it ends."""
    lines = [
        Sentence(
            "holdfast demo - everything here is simulated; no key is used, nothing leaves this machine.",
            ko="holdfast 데모 - 모두 시뮬레이션입니다. 키를 쓰지 않으며 아무것도 이 컴퓨터 밖으로 나가지 않습니다.",
        ),
        Sentence(
            f"  gateway   {show.url}  try: ANTHROPIC_BASE_URL={show.url} ANTHROPIC_API_KEY=demo python your_app.py",
            ko=f"  게이트웨이 {show.url}  예: ANTHROPIC_BASE_URL={show.url} ANTHROPIC_API_KEY=demo python your_app.py",
        ),
        _keys(),
    ]
    if moved_from:
        port = show.url.rpartition(":")[2]
        lines.append(
            Sentence(
                f"  port {PORT} is taken, this is {port}", ko=f"  {PORT} 포트가 사용 중이라 {port}번을 씁니다"
            )
        )
    if (unused := _unused_key()) is not None:
        lines.append(unused)
    for line in lines:
        click.echo(line.say(language()), err=True)


def _keys() -> Sentence:
    if not Keyboard.is_there():
        return Sentence("  stop      Ctrl-C", ko="  멈추기    Ctrl-C")
    broken = ", ".join(f"{one.key} {one.title.en}" for one in BREAKS.values())
    kaputt = ", ".join(f"{one.key} {one.title.ko}" for one in BREAKS.values())
    return Sentence(
        f"  stop      Ctrl-C     replay: r     pause: space     break it yourself: {broken}",
        ko=f"  멈추기    Ctrl-C     다시: r     일시 정지: 스페이스     직접 고장 내기: {kaputt}",
    )


def _unused_key() -> Sentence | None:
    """A key that is there is named, as far as it may be, and left alone."""
    try:
        key = secret(KEY_ENV)
    except ConfigError:
        return None
    if key is None:
        return None
    end = f"…{key[-SHOWN:]}" if len(key) >= 4 * SHOWN else "…"
    return Sentence(
        f"  Found {KEY_ENV} ({end}). The demo does not use it. To go live: holdfast serve",
        ko=f"  {KEY_ENV}({end})가 있지만 데모는 쓰지 않습니다. 실제로 쓰려면: holdfast serve",
    )


def _sum_up(address: str) -> Callable[[Card], None]:
    """Prints the card: figures that were counted, and what to do next."""

    def sum_up(card: Card) -> None:
        cost, saved = (plain(amount.quantize(CENTS)) for amount in (card.cost, card.saved))
        figures = Sentence(
            f"In {card.seconds:.0f} s: {card.calls} requests, {card.upstream_failures} upstream failures, "
            f"{card.user_errors} user errors, {card.blocked} injections blocked, {card.runaways} runaway stopped by its "
            f"budget, ${cost} spent, ${saved} saved by the cache. (Simulated money, counted figures.)",
            ko=f"{card.seconds:.0f}초 동안: 요청 {card.calls}건, 업스트림 실패 {card.upstream_failures}건, 사용자 오류 "
            f"{card.user_errors}건, 인젝션 차단 {card.blocked}건, 예산으로 멈춘 폭주 {card.runaways}건, 지출 ${cost}, 캐시로 "
            f"아낀 금액 ${saved}. (모의 금액이며 모두 실제로 센 값입니다.)",
        )
        click.echo(f"\n{figures.say(language())}\n")
        for step in _next(address):
            click.echo(f"  {step.say(language())}")
        click.echo("")

    return sum_up


def _next(address: str) -> tuple[Sentence, ...]:
    return (
        Sentence(
            f"1 Point your app here:  ANTHROPIC_BASE_URL={address} ANTHROPIC_API_KEY=demo python your_app.py",
            ko=f"1 앱을 연결해 보기:  ANTHROPIC_BASE_URL={address} ANTHROPIC_API_KEY=demo python your_app.py",
        ),
        Sentence(
            "2 Use the library:  pip install holdfast  and  from holdfast import ProductionAgent",
            ko="2 라이브러리로 쓰기:  pip install holdfast  그리고  from holdfast import ProductionAgent",
        ),
        Sentence(
            "3 Go live:  export ANTHROPIC_API_KEY=...  and  holdfast serve",
            ko="3 실제로 쓰기:  export ANTHROPIC_API_KEY=...  그리고  holdfast serve",
        ),
        Sentence(
            "Now one call a second goes on until Ctrl-C.",
            ko="이제 Ctrl-C를 누를 때까지 1초에 한 번씩 호출합니다.",
        ),
    )


_PAUSED = Sentence("Paused; space goes on.", ko="일시 정지. 스페이스를 누르면 계속합니다.")
_GOES_ON = Sentence("It goes on.", ko="계속합니다.")


def _has_display(environment: Mapping[str, str]) -> bool:
    """Whether somebody sits before this machine: not over SSH, and with a screen."""
    if any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "CI")):
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
