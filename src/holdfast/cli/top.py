"""`holdfast top`: a running gateway on one screen of a terminal."""

import os
import shutil
from typing import Any
from urllib.parse import urlencode

import click

from holdfast.cli.desk import talk
from holdfast.cli.main import language
from holdfast.cli.remote import URL, Server, server
from holdfast.cli.status import keep_watch
from holdfast.cli.top_frame import COLUMNS, ROWS, Pose, Snapshot, frame
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import HoldfastError
from holdfast.language import Sentence

MOST_REQUESTS, MOST_RUNS = 500, 100
INSTALL = Sentence(
    "For the whole screen, install the extra: uv tool install 'holdfast[tui]'  (or: pip install 'holdfast[tui]'). "
    "Until then, this is holdfast status --watch.",
    ko="전체 화면을 쓰려면 설치하세요: uv tool install 'holdfast[tui]'  (또는: pip install 'holdfast[tui]'). "
    "그때까지는 holdfast status --watch로 보여 드립니다.",
)


@click.command(epilog="Example: holdfast top --once")
@click.option("--once", is_flag=True, help="Print one frame and end; needs no extra.")
@click.option(
    "--filter", "wanted", default="", metavar="TEXT", help="Which requests: model~sonnet -user:kim."
)
@click.option("--url", metavar="URL", help=f"The gateway to watch ({URL}, else the one of this machine).")
@click.option("--config", type=click.Path(), help="Configuration file.")
def top(*, once: bool, wanted: str, url: str | None, config: str | None) -> None:
    """Watch a running gateway: its verdict, its runs and what they cost, its requests as they end."""
    gateway = server(url, config)
    if once:
        size = shutil.get_terminal_size((COLUMNS, ROWS))
        shot = snapshot(gateway, wanted)
        pose = Pose(wanted=wanted, foot=" ")
        for line in frame(shot, pose, language(), max(COLUMNS, size.columns), max(ROWS, size.lines)):
            click.echo(line.rstrip())
        return
    try:
        from holdfast.cli.top_app import Top
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        talk(INSTALL)
        keep_watch(gateway, as_json=False)
    else:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        Top(gateway, wanted).run()


def snapshot(gateway: Server, wanted: str = "", clock: Clock = SYSTEM_CLOCK) -> Snapshot:
    """What the gateway tells now; raises `UpstreamUnavailable`, `NotAllowed` and `Answered` where it does not."""
    asked = urlencode({"limit": MOST_REQUESTS, "filter": wanted})
    status = gateway.get("/api/v1/status")
    requests: list[dict[str, Any]] = gateway.get(f"/api/v1/requests?{asked}")["data"]
    runs: list[dict[str, Any]] = gateway.get(f"/api/v1/runs?limit={MOST_RUNS}")["data"]
    return Snapshot(
        url=gateway.url,
        at=clock.now(),
        status=status,
        requests=requests,
        runs=sorted(runs, key=lambda one: one.get("loop") is None),
        spend=gateway.get("/api/v1/spend?by=model&since=today"),
    )


def attempt(gateway: Server, wanted: str) -> Snapshot:
    """The same, with the problem instead of an error."""
    try:
        return snapshot(gateway, wanted)
    except HoldfastError as error:
        return Snapshot(url=gateway.url, at=SYSTEM_CLOCK.now(), problem=error.say(language()))
