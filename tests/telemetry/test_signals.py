"""Which alert rules hold, by what was announced, counted and judged."""

import pytest

from holdfast.events import (
    BudgetAlerted,
    CallEnded,
    CircuitChanged,
    Event,
    GateChanged,
    RequestCrashed,
    RunStopped,
    SettleFailed,
)
from holdfast.policy.alert_rules import COUNT_WINDOW, AlertRuleConfig
from holdfast.policy.incidents import Case
from holdfast.policy.verdict import Judge, Served, Tried
from holdfast.telemetry.signals import MOMENT, MOST, Signals
from holdfast.testing import FakeClock


class Watched:
    """Signals of some rules, with a clock and a judge."""

    def __init__(self, *whens: str) -> None:
        self.clock = FakeClock()
        self.judge = Judge()
        self.lost = 0
        rules = {when: AlertRuleConfig(when=when) for when in whens}
        self.signals = Signals(rules, self.clock, [lambda: self.lost])

    def hear(self, *events: Event) -> "Watched":
        for event in events:
            self.signals(event)
        return self

    def seen(self) -> set[tuple[str, str]]:
        now = self.clock.monotonic()
        return {(case.rule, case.label) for case in self.signals.active(now, self.judge.verdict(now))}

    def judge_calls(self, *effects: Served, times: int) -> None:
        for _ in range(times):
            for effect in effects:
                self.judge.hear(self.clock.monotonic(), effect)


def gate(name: str, state: str, retry_after: float | None = None) -> GateChanged:
    return GateChanged(gate=name, place="live", state=state, reason="x", retry_after=retry_after)


def circuit(after: str) -> CircuitChanged:
    return CircuitChanged(circuit="live/m", before="x", after=after, reason="x")


def ended(cost: str | None, attempts: int = 1) -> CallEnded:
    return CallEnded(
        request_id="r",
        end="answered",
        model="m",
        status=200,
        attempts=attempts,
        duration_ms=1.0,
        input_tokens=1,
        output_tokens=1,
        cost=cost,
        error_code=None,
    )


ALERTED = BudgetAlerted(
    budget="team",
    subject="alice",
    window="2026-11-22",
    threshold="0.8",
    limit="10",
    settled="8.10",
    resets_at=None,
)
STOPPED = RunStopped(request_id="r", run="7f2c", agent=None, cause="same_call", evidence="x 14")


def test_a_circuit_is_seen_until_it_is_closed() -> None:
    watched = Watched("circuit open")
    assert watched.hear(circuit("open")).seen() == {("circuit open", "live/m")}
    assert watched.hear(circuit("half_open")).seen() == {("circuit open", "live/m")}
    assert watched.hear(circuit("closed")).seen() == set()


@pytest.mark.parametrize(("name", "when"), [("credential", "credential gate"), ("spend", "spend gate")])
def test_a_gate_that_waits_for_a_person_is_seen_until_it_opens(name: str, when: str) -> None:
    watched = Watched(when, "gate closed").hear(gate(name, "closed"))
    assert watched.seen() == {(when, "live"), ("gate closed", f"{name} live")}
    watched.clock.advance(100_000)
    assert len(watched.seen()) == 2
    assert watched.hear(gate(name, "open")).seen() == set()


def test_a_gate_that_opens_by_itself_is_seen_until_then() -> None:
    watched = Watched("gate closed", "credential gate").hear(gate("rate", "closed", 30.0))
    assert watched.seen() == {("gate closed", "rate live")}
    watched.clock.advance(30)
    assert watched.seen() == set()


@pytest.mark.parametrize(
    ("event", "when", "label", "said"),
    [
        (ALERTED, "budget threshold", "team alice 2026-11-22 0.8", "8.10 of 10 dollars"),
        (STOPPED, "runaway run", "7f2c", "same_call, x 14"),
        (RequestCrashed(request_id="r", place="POST /x", error="E", trace=""), "crash", "POST /x", ""),
    ],
)
def test_what_happens_in_a_moment_is_seen_for_one(event: Event, when: str, label: str, said: str) -> None:
    watched = Watched(when).hear(event)
    assert watched.seen() == {(when, label)}
    detail = watched.signals.detail(Case(rule=when, label=label), watched.judge.verdict(0.0))
    assert said in detail.en
    watched.clock.advance(MOMENT)
    assert watched.seen() == set()


def test_what_is_counted_is_seen_for_five_minutes() -> None:
    watched = Watched("unsettled > 1", "unpriced > 0")
    watched.hear(SettleFailed(guard="g", error="e"), ended(None, attempts=0), ended("0.1"))
    assert watched.seen() == set()
    watched.hear(SettleFailed(guard="g", error="e"), ended(None))
    assert watched.seen() == {("unsettled > 1", ""), ("unpriced > 0", "")}
    watched.clock.advance(COUNT_WINDOW + 1)
    assert watched.seen() == set()


def test_what_was_lost_anywhere_is_seen() -> None:
    watched = Watched("dropped > 0")
    assert watched.seen() == set()
    watched.lost = 3
    assert watched.seen() == {("dropped > 0", "")}
    watched.clock.advance(COUNT_WINDOW + 1)
    assert watched.seen() == set()
    watched.signals.add_gauge(lambda: 1)
    assert watched.seen() == {("dropped > 0", "")}


@pytest.mark.parametrize(
    ("when", "effect"),
    [
        ("error rate > 20 % for 5s", Served(effect="failed")),
        ("fallback rate > 20 % for 5s", Served(effect="fallback")),
        ("refusal rate > 20 % for 5s", Served(effect="refused")),
    ],
)
def test_a_rate_is_seen_once_it_has_lasted(when: str, effect: Served) -> None:
    watched = Watched(when)
    watched.judge_calls(effect, times=4)
    assert watched.seen() == set()
    watched.clock.advance(5)
    assert watched.seen() == set()  # four calls are no rate
    watched.judge_calls(effect, Served(effect="answered"), times=10)
    assert watched.seen() == set()
    watched.clock.advance(5)
    assert watched.seen() == {(when, "")}
    watched.clock.advance(60)
    assert watched.seen() == set()


def test_a_verdict_is_seen_once_it_has_stood_for_so_long() -> None:
    watched = Watched("verdict is network for 10s", "verdict is not holding for 5s")
    assert watched.seen() == set()
    for _ in range(10):
        watched.judge.hear(0.0, Tried(cause="network", mark="reset"))
    assert watched.seen() == set()
    watched.clock.advance(5)
    assert watched.seen() == {("verdict is not holding for 5s", "")}
    watched.clock.advance(5)
    assert len(watched.seen()) == 2
    verdict = watched.judge.verdict(10.0)
    said = watched.signals.detail(Case(rule="verdict is network for 10s"), verdict)
    assert "reset connections on 10" in said.en
    assert watched.signals.detail(Case(rule="verdict is network for 10s"), verdict) == said


def test_names_that_callers_choose_take_no_more_than_so_much_room() -> None:
    watched = Watched("runaway run")
    for number in range(MOST + 50):
        watched.hear(RunStopped(request_id="r", run=f"{number}" * 500, agent=None, cause="c", evidence="e"))
    found = watched.seen()
    assert len(found) <= MOST
    assert max(len(label) for _, label in found) == 200


def test_a_flood_of_names_of_one_kind_keeps_no_other_kind_from_being_seen() -> None:
    watched = Watched("circuit open", "credential gate", "spend gate", "budget threshold")
    for number in range(MOST + 50):
        watched.hear(RunStopped(request_id="r", run=f"{number}", agent=None, cause="c", evidence="e"))
    watched.hear(circuit("open"), gate("credential", "closed"), gate("spend", "closed"), ALERTED)
    assert {rule for rule, _ in watched.seen()} == {
        "circuit open",
        "credential gate",
        "spend gate",
        "budget threshold",
    }
    watched.clock.advance(MOMENT)
    assert {rule for rule, _ in watched.seen()} == {"circuit open", "credential gate", "spend gate"}


def test_a_gate_that_waits_for_a_person_is_seen_among_many_that_open_by_themselves() -> None:
    watched = Watched("gate closed")
    for number in range(MOST):
        watched.hear(
            GateChanged(gate="rate", place=f"{number}", state="closed", reason="x", retry_after=1_000.0)
        )
    watched.hear(gate("spend", "closed"), gate("rate", "closed", 1_000.0))
    seen = watched.seen()
    assert ("gate closed", "spend live") in seen
    assert ("gate closed", "rate live") not in seen


def test_without_rules_nothing_is_kept() -> None:
    assert Watched().hear(circuit("open")).seen() == set()


def test_a_measure_has_nothing_more_to_say() -> None:
    watched = Watched("unsettled > 0")
    assert watched.signals.detail(Case(rule="unsettled > 0"), watched.judge.verdict(0.0)).en == ""
