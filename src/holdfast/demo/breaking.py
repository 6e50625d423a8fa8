"""The upstream broken by hand: one fault for each key from 1 to 6, for a few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.language import Sentence
from holdfast.simulator import Action, Delay, Fault, HangUp, Malformed, Refusal, Simulator, Status

LASTS = 8.0
"""Seconds of the story that a fault made by hand lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A fault that somebody at the keyboard can make; `stream` where only streams show it."""

    key: str
    title: Sentence
    action: Action
    stream: bool | None = None


BREAKS: Mapping[str, Break] = {
    one.key: one
    for one in (
        Break(key="1", title=Sentence("outage (529)", ko="장애(529)"), action=Status(529)),
        Break(
            key="2",
            title=Sentence("429 storm", ko="429 폭주"),
            action=Refusal("rate_limited", retry_after=2.0),
        ),
        Break(
            key="3",
            title=Sentence("slow first token", ko="느린 첫 토큰"),
            action=Delay(5.0, before="first_event"),
        ),
        Break(key="4", title=Sentence("cut streams", ko="스트림 끊김"), action=HangUp(4), stream=True),
        Break(key="5", title=Sentence("malformed SSE", ko="깨진 SSE"), action=Malformed(), stream=True),
        Break(key="6", title=Sentence("bad key", ko="잘못된 키"), action=Refusal("key_revoked")),
    )
}


def apply(what: Break, simulator: Simulator) -> None:
    """Break it from now on, for `LASTS` seconds."""
    now = simulator.elapsed
    simulator.fault(Fault(what.action, after=now, until=now + LASTS, times=None, stream=what.stream))
