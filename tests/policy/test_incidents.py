"""Incidents: told once when they begin, once when they are over, and not to those who silenced them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from holdfast.errors import ConfigError
from holdfast.policy.alert_rules import AlertRuleConfig
from holdfast.policy.incidents import MOST, Case, Incidents, Silence, decoded, encoded, silenced

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CIRCUIT = Case(rule="circuit", label="live/x")
RULES = {
    "circuit": AlertRuleConfig(when="circuit open", calm=60.0),
    "again": AlertRuleConfig(when="circuit open", calm=60.0, again_every=300.0),
    "budget": AlertRuleConfig(when="budget threshold", calm=60.0),
    "at-once": AlertRuleConfig(when="circuit open", calm=0.0),
}


def told(incidents: Incidents, now: float, *active: Case, quiet: tuple[Case, ...] = ()) -> list[str]:
    return [notice.what for notice in incidents.step(now, active, quiet)]


def test_an_incident_is_told_once_however_long_it_goes_on() -> None:
    incidents = Incidents(RULES)
    assert told(incidents, 0.0, CIRCUIT) == ["began"]
    assert [told(incidents, float(now), CIRCUIT) for now in range(1, 500)] == [[]] * 499


def test_its_end_is_told_once_it_has_been_calm_for_long_enough() -> None:
    incidents = Incidents(RULES)
    told(incidents, 0.0, CIRCUIT)
    assert told(incidents, 59.0) == []
    assert told(incidents, 60.0) == ["over"]
    assert told(incidents, 61.0) == []
    assert incidents.open == ()


def test_what_comes_back_before_that_is_the_same_incident() -> None:
    incidents = Incidents(RULES)
    told(incidents, 0.0, CIRCUIT)
    for now in range(50, 1_000, 50):
        assert told(incidents, float(now), *([CIRCUIT] if now % 100 == 0 else [])) == []
    assert told(incidents, 1_100.0) == ["over"]


def test_what_comes_back_later_is_another_one() -> None:
    incidents = Incidents(RULES)
    told(incidents, 0.0, CIRCUIT)
    told(incidents, 60.0)
    assert told(incidents, 70.0, CIRCUIT) == ["began"]


def test_without_calm_it_is_over_as_soon_as_it_is_not_seen() -> None:
    incidents, case = Incidents(RULES), Case(rule="at-once")
    assert told(incidents, 5.0, case) == ["began"]
    assert told(incidents, 6.0) == ["over"]


def test_of_a_moment_no_end_is_told() -> None:
    incidents, case = Incidents(RULES), Case(rule="budget", label="team 0.8")
    assert told(incidents, 0.0, case) == ["began"]
    assert told(incidents, 60.0) == []
    assert incidents.open == ()


def test_a_rule_that_says_so_tells_again_while_it_goes_on() -> None:
    incidents, case = Incidents(RULES), Case(rule="again")
    heard = [told(incidents, float(now), case) for now in range(0, 901, 100)]
    assert heard == [["began"], [], [], ["goes_on"], [], [], ["goes_on"], [], [], ["goes_on"]]


def test_a_silenced_incident_is_told_when_the_silence_ends() -> None:
    incidents = Incidents(RULES)
    assert told(incidents, 0.0, CIRCUIT, quiet=(CIRCUIT,)) == []
    assert told(incidents, 10.0, CIRCUIT) == ["began"]


def test_who_never_heard_that_it_began_does_not_hear_that_it_is_over() -> None:
    incidents = Incidents(RULES)
    told(incidents, 0.0, CIRCUIT, quiet=(CIRCUIT,))
    assert told(incidents, 60.0) == []


def test_the_end_of_what_was_told_is_told_through_a_silence() -> None:
    incidents = Incidents(RULES)
    told(incidents, 0.0, CIRCUIT)
    assert told(incidents, 60.0, quiet=(CIRCUIT,)) == ["over"]


def test_no_more_incidents_are_kept_than_there_is_room_for() -> None:
    incidents = Incidents(RULES)
    cases = [Case(rule="circuit", label=f"{number}") for number in range(MOST + 5)]
    assert len(told(incidents, 0.0, *cases)) == MOST


def test_a_rule_that_is_gone_tells_nothing() -> None:
    assert told(Incidents(RULES), 0.0, Case(rule="gone")) == []


@pytest.mark.parametrize(
    ("rule_name", "label", "covers"),
    [
        ("circuit", "", True),
        ("circuit", "live/x", True),
        ("circuit", "live/y", False),
        ("*", "", True),
        ("*", "live/x", True),
        ("budget", "", False),
    ],
)
def test_a_silence_covers_a_rule_or_all_and_a_label_or_all(
    rule_name: str, label: str, *, covers: bool
) -> None:
    silence = Silence(rule=rule_name, label=label, until=NOW)
    assert silenced([CIRCUIT], [silence], NOW - timedelta(seconds=1)) == (
        frozenset([CIRCUIT] if covers else [])
    )
    assert silenced([CIRCUIT], [silence], NOW) == frozenset()


def test_a_silence_is_a_document_and_comes_back() -> None:
    silence = Silence(rule="circuit", label="팀", until=NOW, by="지수", reason="배포")
    assert decoded(encoded(silence)) == silence
    assert silence.name == "circuit|팀"


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"rule": "", "until": "2026-11-22T12:00:00Z"}'])
def test_what_is_no_silence_says_how_to_end_it(body: bytes) -> None:
    with pytest.raises(ConfigError):
        decoded(body)


class IncidentMachine(RuleBasedStateMachine):
    """The incidents beside a list of when each case was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.incidents = Incidents(RULES)
        self.seen: dict[Case, list[float]] = {}
        self.heard: dict[Case, float] = {}

    @rule(
        pause=st.sampled_from((1.0, 20.0, 59.0, 61.0, 301.0)),
        active=st.frozensets(st.sampled_from(("circuit", "again", "budget", "at-once"))),
        quiet=st.frozensets(st.sampled_from(("circuit", "again", "budget", "at-once"))),
    )
    def looks(self, pause: float, active: frozenset[str], quiet: frozenset[str]) -> None:
        self.now += pause
        cases = {Case(rule=name) for name in active}
        notices = self.incidents.step(self.now, cases, {Case(rule=name) for name in quiet})
        found = {(notice.what, notice.incident.case.rule) for notice in notices}
        assert len(found) == len(notices)
        assert found == set(self.expected(cases, quiet))

    def expected(self, cases: set[Case], quiet: frozenset[str]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for case in cases:
            self.seen.setdefault(case, []).append(self.now)
        for case in list(self.seen):
            config, heard = RULES[case.rule], self.heard.get(case)
            if case not in cases and self.now - self.seen[case][-1] >= config.calm:
                del self.seen[case]
                self.heard.pop(case, None)
                found += [("over", case.rule)] if heard is not None and case.rule != "budget" else []
            elif case.rule not in quiet and heard is None:
                self.heard[case] = self.now
                found.append(("began", case.rule))
            elif case.rule == "again" not in quiet and heard is not None and self.now - heard >= 300.0:
                self.heard[case] = self.now
                found.append(("goes_on", case.rule))
        return found


IncidentMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestIncidents = IncidentMachine.TestCase
