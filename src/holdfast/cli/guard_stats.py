"""`holdfast guard stats`: what the rules of a running gateway's screen have seen."""

import click

from holdfast.cli.desk import show, talk
from holdfast.cli.main import language
from holdfast.cli.remote import Server, with_server
from holdfast.cli.table import table
from holdfast.language import Sentence

HEADERS = (
    Sentence("rule", ko="규칙"),
    Sentence("effect", ko="적용"),
    Sentence("blocked", ko="차단"),
    Sentence("flagged", ko="표시"),
    Sentence("would have blocked", ko="차단했을 건수"),
)
ENFORCED = Sentence("enforced", ko="차단함")
WATCHES = Sentence("watches", ko="관찰만")
NOTHING = Sentence(
    "No rule has seen anything since this worker began.",
    ko="이 워커가 시작된 뒤로 규칙에 걸린 글이 없습니다.",
)
OFF = Sentence(
    "The screen is off (screen.enabled), so nothing is examined.",
    ko="검사가 꺼져 있어(screen.enabled) 아무것도 검사하지 않습니다.",
)


@click.command(epilog="Example: holdfast guard stats --json")
@with_server
def stats(server: Server, *, as_json: bool) -> None:
    """Say how often each rule has blocked or flagged a text, or would have blocked one that it only watches."""
    found = server.get("/api/v1/guard/stats")
    if as_json:
        show(found)
    elif found["rules"]:
        rows = [
            (
                one["rule"],
                (WATCHES if one["watches"] else ENFORCED).say(language()),
                *(str(one[name]) for name in ("blocked", "flagged", "would_have_blocked")),
            )
            for one in found["rules"]
        ]
        click.echo(table(HEADERS, rows, right=(2, 3, 4)))
    else:
        talk(NOTHING if found["enabled"] else OFF)
