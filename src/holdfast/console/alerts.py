"""Alerts: what goes on, who is told of what and by which channel, what is silenced, and the timeline for a report."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from starlette.responses import Response

from holdfast.admin.alerts import list_alerts
from holdfast.admin.operation import Asked
from holdfast.admin.refusals import missing, unreadable
from holdfast.admin.shapes import NoBody, Query
from holdfast.admin.status import status_of
from holdfast.console.frame import verdict_facts
from holdfast.console.notes import Note, Undo
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.console.showing import visible
from holdfast.language import Sentence
from holdfast.operations import alerts
from holdfast.operations.desk import instant
from holdfast.policy.alert_words import condition
from holdfast.policy.incidents import ANY, LONGEST_REASON

TERMS: Mapping[str, timedelta] = {
    "30m": timedelta(minutes=30),
    "2h": timedelta(hours=2),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}
SHOWN = 50
"""Happenings on the page; the file has all that are kept."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")

WORDS: Mapping[str, Sentence] = {
    "incidents": Sentence("Under way", ko="진행 중인 사건"),
    "incidents_none": Sentence("No incident is under way.", ko="진행 중인 사건이 없습니다."),
    "rule": Sentence("rule", ko="규칙"),
    "about": Sentence("about", ko="대상"),
    "since": Sentence("since", ko="시작"),
    "told": Sentence("told", ko="알림"),
    "told_yes": Sentence("people were told", ko="알림을 보냈습니다"),
    "told_no": Sentence("nobody was told", ko="아무에게도 알리지 않았습니다"),
    "silenced": Sentence("silenced", ko="알림 중지됨"),
    "rules": Sentence("Rules", ko="규칙"),
    "rules_none": Sentence("No rule is in force.", ko="적용 중인 규칙이 없습니다."),
    "when": Sentence("when", ko="조건"),
    "channels": Sentence("Channels", ko="채널"),
    "channels_all": Sentence("all", ko="전체"),
    "channels_none": Sentence(
        "No channel: nobody is told of anything.", ko="채널이 없어 아무에게도 알리지 않습니다."
    ),
    "channels_hint": Sentence(
        "Add one to holdfast.toml, and holdfast tells you when something goes wrong:",
        ko="holdfast.toml에 채널을 추가하면 문제가 생겼을 때 알려 드립니다.",
    ),
    "channel": Sentence("channel", ko="채널"),
    "kind": Sentence("kind", ko="종류"),
    "sent": Sentence("sent", ko="보냄"),
    "dropped": Sentence("dropped", ko="버려짐"),
    "waiting": Sentence("waiting", ko="대기"),
    "problem": Sentence("last problem", ko="마지막 문제"),
    "test": Sentence("Send a test", ko="시험 발송"),
    "test_one": Sentence("Send a test over {name}", ko="{name} 채널로 시험 발송"),
    "silences": Sentence("Silences", ko="알림 중지"),
    "silences_none": Sentence("Nothing is silenced.", ko="중지된 알림이 없습니다."),
    "silences_all": Sentence("every rule", ko="모든 규칙"),
    "until": Sentence("until", ko="종료"),
    "by": Sentence("by", ko="중지한 사람"),
    "reason": Sentence("Reason", ko="이유"),
    "end": Sentence("End", ko="해제"),
    "end_one": Sentence("End the silence of {name}", ko="{name} 알림 중지 해제"),
    "silence": Sentence("Silence a rule", ko="규칙 알림 중지"),
    "silence_do": Sentence("Silence", ko="알림 중지"),
    "silence_about": Sentence("Only about", ko="특정 대상만"),
    "silence_hint": Sentence(
        "Nobody is told of it for that long; incidents are still seen here.",
        ko="그동안 아무에게도 알리지 않지만, 사건은 여기에 계속 나타납니다.",
    ),
    "term": Sentence("For how long", ko="기간"),
    "term_30m": Sentence("30 minutes", ko="30분"),
    "term_2h": Sentence("2 hours", ko="2시간"),
    "term_1d": Sentence("1 day", ko="1일"),
    "term_7d": Sentence("7 days", ko="7일"),
    "timeline": Sentence("Timeline", ko="타임라인"),
    "timeline_none": Sentence(
        "Nothing worth telling has happened yet.", ko="아직 기록할 만한 일이 없습니다."
    ),
    "export": Sentence("Export as Markdown", ko="Markdown으로 내보내기"),
    "times": Sentence("{count} times", ko="{count}회"),
    "grade_good": Sentence("good", ko="회복"),
    "grade_note": Sentence("note", ko="참고"),
    "grade_bad": Sentence("problem", ko="문제"),
    "copy": Sentence("Copy", ko="복사"),
    "copied": Sentence("Copied", ko="복사됨"),
    "in_file": Sentence("In holdfast.toml", ko="holdfast.toml에"),
    "of_worker": Sentence("As the worker that answered has seen it.", ko="응답한 워커가 본 내용입니다."),
}
SNIPPET = '[alerts.channels.ops]\nkind = "slack"\nurl_env = "SLACK_WEBHOOK_URL"'


async def look(visit: Visit) -> Facts:
    """Incidents, rules in words, channels, silences and what has happened."""
    asked = Asked(runtime=visit.runtime, desk=visit.desk, names={}, query=Query(), body=NoBody())
    found = cast("dict[str, Any]", await list_alerts(asked))
    known = visit.runtime.alerting.rules
    return {
        "incidents": found["incidents"],
        "rules": [{**one, "said": visit.say(condition(known[one["name"]]))} for one in found["rules"]],
        "channels": found["channels"],
        "silences": found["silences"],
        "terms": list(TERMS),
        "any": ANY,
        "snippet": SNIPPET,
        "happenings": [
            {"at": instant(one.at), "grade": one.grade, "said": visit.say(one.said), "count": one.count}
            for one in visit.runtime.chronicle.happenings(SHOWN)
        ],
    }


async def silence(visit: Visit) -> Done:
    """Tell nobody of a rule for a while; the next page offers to take that back."""
    form, desk = visit.form, visit.desk
    rule, label, term = form.get("rule", ""), form.get("label", "").strip(), form.get("term", "")
    if rule != ANY and rule not in visit.runtime.alerting.rules:
        raise missing(Sentence(f"rule `{rule[:80]}`", ko=f"`{rule[:80]}` 규칙을"))
    if term not in TERMS:
        raise unreadable("term", ", ".join(TERMS))
    until = (desk.now + TERMS[term]).replace(microsecond=0)
    reason = form.get("reason", "").strip()[:LONGEST_REASON]
    await alerts.silence(desk, alerts.Wish(rule=rule, label=label, until=until, reason=reason))
    undo = Undo(
        label=Sentence("Undo", ko="되돌리기"),
        path=f"{PAGE.path}/resume",
        fields=(("rule", rule), ("label", label)),
    )
    name = f"{rule} {label}".strip()[:80]
    said = Sentence(
        f"Silenced until {instant(until)}: {name}.", ko=f"{instant(until)}까지 알림 중지: {name}."
    )
    return Done(to=PAGE.path, note=Note(said=said, undo=undo))


async def resume(visit: Visit) -> Done:
    """End a silence."""
    rule, label = visit.form.get("rule", ""), visit.form.get("label", "")
    name = f"{rule} {label}".strip()[:80]
    if not await alerts.resume(visit.desk, rule, label):
        said = Sentence(f"Was not silenced any more: {name}.", ko=f"이미 알림 중지가 풀려 있습니다: {name}.")
        return Done(to=PAGE.path, note=Note(said=said, is_good=False))
    return Done(to=PAGE.path, note=Note(said=Sentence(f"Told again: {name}.", ko=f"다시 알립니다: {name}.")))


async def test(visit: Visit) -> Done:
    """Send a message over a channel now; raises the error that it met."""
    name = visit.form.get("channel", "")
    if name not in visit.runtime.alerting.deliveries:
        raise missing(Sentence(f"channel `{name[:80]}`", ko=f"`{name[:80]}` 채널을"))
    await visit.runtime.alerting.test(name)
    said = Sentence(f"{name[:80]} took the test message.", ko=f"{name[:80]}: 시험 알림을 보냈습니다.")
    return Done(to=PAGE.path, note=Note(said=said))


async def timeline(visit: Visit) -> Response:
    """What has happened as Markdown, oldest first, to go into a report."""
    verdict = verdict_facts(status_of(visit.runtime), visit.language)
    lines = [f"# {visit.say(WORDS['timeline'])}", "", _plain(verdict["sentence"]), ""]
    for one in reversed(visit.runtime.chronicle.happenings()):
        grade = visit.say(WORDS[f"grade_{one.grade}"])
        again = f" ({visit.say(WORDS['times']).format(count=one.count)})" if one.count > 1 else ""
        lines.append(f"- {instant(one.at)} **{grade}** {_plain(visit.say(one.said))}{again}")
    headers = {"content-disposition": 'attachment; filename="timeline.md"', "cache-control": "no-store"}
    return Response("\n".join(lines) + "\n", media_type="text/markdown; charset=utf-8", headers=headers)


def _plain(text: object) -> str:
    """A text that is no markup, on one line."""
    return _MARKUP.sub(r"\\\1", visible(text).replace("\n", " "))


PAGE = Page(
    name="alerts",
    title=Sentence("Who is told when something goes wrong?", ko="문제가 생기면 누가 알림을 받나?"),
    label=Sentence("Alerts", ko="알림"),
    words=WORDS,
    look=look,
    key="a",
    acts={"silence": silence, "resume": resume, "test": test},
    reads={"timeline": timeline},
)
