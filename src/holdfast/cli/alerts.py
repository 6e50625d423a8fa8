"""`holdfast alerts`: what is going on, who is told of it, and a while of silence."""

from typing import Any
from urllib.parse import urlencode

import click

from holdfast.cli.desk import Noun, show, talk
from holdfast.cli.main import language
from holdfast.cli.remote import Server, with_server
from holdfast.cli.table import table
from holdfast.language import Sentence

PATH = "/api/v1/alerts"
INCIDENTS = (
    Sentence("incident", ko="사건"),
    Sentence("about", ko="대상"),
    Sentence("since", ko="시작"),
    Sentence("told", ko="알림"),
)
RULES = (Sentence("rule", ko="규칙"), Sentence("when", ko="조건"), Sentence("channels", ko="채널"))
CHANNELS = (
    Sentence("channel", ko="채널"),
    Sentence("kind", ko="종류"),
    Sentence("sent", ko="전송"),
    Sentence("dropped", ko="버림"),
    Sentence("problem", ko="문제"),
)
SILENCES = (
    Sentence("silenced", ko="중지한 규칙"),
    Sentence("about", ko="대상"),
    Sentence("until", ko="종료"),
    Sentence("by", ko="실행자"),
)
ALL, YES, NO = Sentence("all", ko="전체"), Sentence("yes", ko="예"), Sentence("no", ko="아니요")
SILENCED = Sentence("silenced", ko="중지됨")


@click.group("alerts", cls=Noun, usual="list", epilog="Example: holdfast alerts silence overloaded --for 1h")
def group() -> None:
    """See and silence the alerts of a running gateway."""


@group.command("list", epilog="Example: holdfast alerts list --json")
@with_server
def list_command(server: Server, *, as_json: bool) -> None:
    """List the incidents under way, the rules, the channels and the silences."""
    found = server.get(PATH)
    if as_json:
        show(found)
        return
    if not found["rules"]:
        talk(
            Sentence(
                "No alert rule is in force: add a channel under [alerts.channels.NAME], and the usual rules hold.",
                ko="적용 중인 알림 규칙이 없습니다. [alerts.channels.이름]에 채널을 추가하면 기본 규칙이 적용됩니다.",
            )
        )
        return
    if not found["incidents"]:
        talk(Sentence("No incident.", ko="진행 중인 사건이 없습니다."))
    click.echo("\n\n".join(_tables(found)))


@group.command("test", epilog="Example: holdfast alerts test slack")
@click.argument("channel")
@with_server
def test_command(server: Server, *, as_json: bool, channel: str) -> None:
    """Send a test message over a channel."""
    found = server.ask("POST", f"{PATH}/test", {"channel": channel})
    if as_json:
        show(found)
    talk(Sentence(f"`{channel}` took the test.", ko=f"`{channel}` 채널이 시험 알림을 받았습니다."))


@group.command("silence", epilog="Example: holdfast alerts silence overloaded --for 1h")
@click.argument("rule")
@click.option("--for", "length", required=True, metavar="LENGTH", help="How long: 30m, 2h, 1d.")
@click.option("--label", default="", help="Only what the incident is about: one circuit, budget or run.")
@click.option("--reason", default="", help="Stands in the audit.")
@with_server
def silence_command(
    server: Server, *, as_json: bool, rule: str, length: str, label: str, reason: str
) -> None:
    """Tell nobody of a rule for a while; * is every rule."""
    body = {"rule": rule, "label": label, "for": length, "reason": reason}
    found = server.ask("POST", f"{PATH}/silences", body)
    if as_json:
        show(found)
    talk(
        Sentence(
            f"Nobody is told of `{rule}` until {found['until']}. To end it: holdfast alerts resume {rule}",
            ko=f"{found['until']}까지 `{rule}` 알림을 보내지 않습니다. 해제하려면: holdfast alerts resume {rule}",
        )
    )


@group.command("resume", epilog="Example: holdfast alerts resume overloaded")
@click.argument("rule")
@click.option("--label", default="", help="What the silence was about, if it had a label.")
@with_server
def resume_command(server: Server, *, as_json: bool, rule: str, label: str) -> None:
    """End a silence."""
    found = server.ask("DELETE", f"{PATH}/silences?{urlencode({'rule': rule, 'label': label})}")
    if as_json:
        show(found)
    talk(Sentence(f"`{rule}` is told again.", ko=f"`{rule}` 알림을 다시 보냅니다."))


def _tables(found: dict[str, Any]) -> list[str]:
    incidents = [[one["rule"], one["label"] or "-", one["since"], _told(one)] for one in found["incidents"]]
    rules = [[one["name"], one["when"], ", ".join(one["channels"]) or _say(ALL)] for one in found["rules"]]
    channels = [
        [one["name"], one["kind"], f"{one['sent']}", f"{one['dropped']}", one["problem"] or "-"]
        for one in found["channels"]
    ]
    silences = [[one["rule"], one["label"] or "-", one["until"], one["by"]] for one in found["silences"]]
    parts = ((INCIDENTS, incidents), (RULES, rules), (CHANNELS, channels), (SILENCES, silences))
    return [table(headers, rows) for headers, rows in parts if rows]


def _told(one: dict[str, Any]) -> str:
    if one["silenced"]:
        return _say(SILENCED)
    return _say(YES if one["told"] else NO)


def _say(sentence: Sentence) -> str:
    return sentence.say(language())
