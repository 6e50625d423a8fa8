"""Alerts over the Admin API: incidents, rules, channels and silences."""

from datetime import timedelta
from typing import Literal

from msgspec import Struct, field

from holdfast.admin.lengths import length
from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.refusals import missing
from holdfast.admin.shapes import Body, Length, NoBody, Query, Text, Time
from holdfast.assembly import Runtime
from holdfast.language import Sentence
from holdfast.operations import alerts
from holdfast.operations.desk import instant
from holdfast.policy.alert_rules import AlertRuleConfig
from holdfast.policy.incidents import ANY, Incident
from holdfast.policy.masking import mask

PATH = "/api/v1/alerts"


class AlertRule(Struct, kw_only=True):
    """A rule in force; no channels are all."""

    name: str
    when: str
    channels: list[str]
    again_every: float | None
    calm: float


class AlertChannel(Struct, kw_only=True):
    """A channel, how many messages it took and how many nobody got; `problem` is why the last one failed."""

    name: str
    kind: Literal["webhook", "slack", "email"]
    sent: int
    dropped: int
    waiting: int
    problem: str | None


class OpenIncident(Struct, kw_only=True):
    """An incident that the worker which was asked sees; `told` is whether anybody was told of it."""

    rule: str
    label: str
    since: Time
    told: bool
    silenced: bool


class AlertSilence(Struct, kw_only=True):
    """A rule of which nobody is told for a while; `*` is every rule, no label all it is about."""

    rule: str
    label: str
    until: Time
    by: str
    reason: str


class AlertsView(Struct, kw_only=True):
    """Everything about alerts."""

    incidents: list[OpenIncident]
    rules: list[AlertRule]
    channels: list[AlertChannel]
    silences: list[AlertSilence]


class SilenceBody(Body, frozen=True, kw_only=True):
    """What to silence, and for how long."""

    rule: Text
    label: Text = ""
    length: Length = field(name="for")
    reason: Text = ""


class ResumeAlertsQuery(Query, frozen=True, kw_only=True):
    """Which silence ends."""

    rule: Text
    label: Text = ""


class ChannelBody(Body, frozen=True, kw_only=True):
    """Which channel is tried."""

    channel: Text


class Tested(Struct, kw_only=True):
    """A channel took a test."""

    channel: str
    delivered: bool


class SilenceEnded(Struct, kw_only=True):
    """The silence that ended."""

    rule: str
    label: str


async def list_alerts(asked: Asked[Query, NoBody]) -> object:
    """What goes on, and who is told of what."""
    runtime = asked.runtime
    held = await alerts.silences(asked.desk)
    return {
        "incidents": [
            _incident(runtime, one, any(word.covers(one.case, asked.desk.now) for word in held))
            for one in runtime.alerting.incidents
        ],
        "rules": [_rule(name, rule) for name, rule in runtime.alerting.rules.items()],
        "channels": [_channel(runtime, name) for name in runtime.alerting.deliveries],
        "silences": [alerts.silence_facts(word) for word in held],
    }


async def silence(asked: Asked[Query, SilenceBody]) -> object:
    """Tell nobody of a rule for a while."""
    body, desk = asked.body, asked.desk
    if body.rule != ANY and body.rule not in asked.runtime.alerting.rules:
        raise missing(Sentence(f"rule `{body.rule}`", ko=f"`{body.rule}` 규칙을"))
    until = (desk.now + length("for", body.length)).replace(microsecond=0)
    wish = alerts.Wish(rule=body.rule, label=body.label, until=until, reason=body.reason)
    return alerts.silence_facts(await alerts.silence(desk, wish))


async def resume(asked: Asked[ResumeAlertsQuery, NoBody]) -> object:
    """End a silence."""
    rule, label = asked.query.rule, asked.query.label
    if not await alerts.resume(asked.desk, rule, label):
        raise missing(Sentence(f"silence of `{rule}`", ko=f"`{rule}`의 알림 중지를"))
    return {"rule": rule, "label": label}


async def test(asked: Asked[Query, ChannelBody]) -> object:
    """Send a message over a channel now."""
    name = asked.body.channel
    if name not in asked.runtime.alerting.deliveries:
        raise missing(Sentence(f"channel `{name}`", ko=f"`{name}` 채널을"))
    await asked.runtime.alerting.test(name)
    return {"channel": name, "delivered": True}


def _incident(runtime: Runtime, one: Incident, is_silenced: bool) -> dict[str, object]:
    lasted = timedelta(seconds=max(0.0, runtime.clock.monotonic() - one.began))
    return {
        "rule": one.case.rule,
        "label": mask(one.case.label),
        "since": instant((runtime.clock.now() - lasted).replace(microsecond=0)),
        "told": one.told is not None,
        "silenced": is_silenced,
    }


def _rule(name: str, rule: AlertRuleConfig) -> dict[str, object]:
    return {
        "name": name,
        "when": rule.when,
        "channels": list(rule.channels),
        "again_every": rule.again_every,
        "calm": rule.calm,
    }


def _channel(runtime: Runtime, name: str) -> dict[str, object]:
    delivery = runtime.alerting.deliveries[name]
    return {
        "name": name,
        "kind": runtime.settings.alerts.channels[name].kind,
        "sent": delivery.sent,
        "dropped": delivery.dropped,
        "waiting": delivery.waiting,
        "problem": delivery.problem,
    }


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listAlerts",
        summary="List the incidents under way, and the rules, channels and silences",
        work=list_alerts,
        gives=AlertsView,
        query=Query,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/test",
        name="testAlertChannel",
        summary="Send a test message over a channel, and say whether it was taken",
        work=test,
        gives=Tested,
        query=Query,
        body=ChannelBody,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/silences",
        name="silenceAlerts",
        summary="Tell nobody of a rule for a while",
        work=silence,
        gives=AlertSilence,
        query=Query,
        body=SilenceBody,
        status=201,
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/silences",
        name="resumeAlerts",
        summary="End a silence",
        work=resume,
        gives=SilenceEnded,
        query=ResumeAlertsQuery,
        body=NoBody,
    ),
)
