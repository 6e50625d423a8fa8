"""The verdict: the worst class over its threshold, with a count, and without flapping."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.policy.verdict import (
    DOUBT,
    DWELL,
    LATE,
    MARKS,
    OTHER,
    RULES,
    WINDOW,
    Cause,
    Effect,
    Fact,
    Judge,
    Kind,
    Served,
    Tried,
    cause_of,
    class_of,
)

GOOD = Tried()
CROWDED = Tried(cause="overloaded", mark="529")
FALLBACK = Served(effect="fallback")


def heard(judge: Judge, fact: Fact, *, times: int, since: float, every: float = 0.1) -> float:
    """Let a fact come again and again; the moment of the last one."""
    for number in range(times):
        judge.hear(since + number * every, fact)
    return since + (times - 1) * every


def kind_after(*facts: Fact, times: int = 20) -> Kind:
    """What so many of each, one after the other, come to."""
    judge = Judge()
    for number in range(times):
        for fact in facts:
            judge.hear(number * 0.1, fact)
    return judge.verdict(times * 0.1 + DWELL).kind


def test_without_a_call_there_is_nothing_to_judge() -> None:
    verdict = Judge().verdict(100.0)
    assert (verdict.kind, verdict.success_age, verdict.is_ok) == ("idle", None, True)
    assert (verdict.counts.calls, verdict.for_seconds) == (0, 0.0)


def test_good_attempts_are_all_holding() -> None:
    judge = Judge()
    heard(judge, GOOD, times=5, since=1.0, every=1.0)
    verdict = judge.verdict(9.0)
    assert (verdict.kind, verdict.success_age, verdict.for_seconds) == ("holding", 4.0, 8.0)


@pytest.mark.parametrize(
    ("blame", "mark", "cause"),
    [
        ("claude", "529", "overloaded"),
        ("claude", "503", "overloaded"),
        ("claude", "500", "claude_failing"),
        ("claude", "cut", "claude_failing"),
        ("network", "connect_error", "network"),
        ("account", "429", "account"),
        ("client", "400", "client"),
        ("us", "draining", "us"),
    ],
)
def test_blame_and_mark_tell_the_cause(blame: str, mark: str, cause: Cause) -> None:
    assert cause_of(blame, mark) == cause


@pytest.mark.parametrize("cause", ["overloaded", "claude_failing", "network", "account", "client"])
def test_a_class_that_most_attempts_fail_by_is_named(cause: Cause) -> None:
    assert kind_after(Tried(cause=cause, mark="x")) == cause


def test_calls_that_we_refuse_are_our_own_doing() -> None:
    assert kind_after(Served(effect="refused", cause="us", mark="holdfast_budget_exhausted")) == "us"


def test_fallbacks_without_a_single_cause_are_a_degraded_service_once_no_cause_has_shown() -> None:
    assert kind_after(GOOD, FALLBACK, times=10) == "holding"
    assert kind_after(GOOD, FALLBACK, times=200) == "degraded"


@pytest.mark.parametrize("effect", ["answered", "cached", "left", "refused"])
def test_calls_that_end_as_their_users_chose_degrade_nothing(effect: Effect) -> None:
    assert kind_after(GOOD, Served(effect=effect)) == "holding"


def test_of_two_classes_the_one_that_weighs_more_is_named() -> None:
    network, account = Tried(cause="network", mark="reset"), Tried(cause="account", mark="429")
    assert kind_after(network, account, account) == "account"
    assert kind_after(network, network, account) == "network"


def test_of_two_that_weigh_the_same_the_graver_is_named() -> None:
    judge = Judge()
    for _ in range(10):
        judge.hear(0.0, Tried(cause="account"))
        judge.hear(0.0, Tried(cause="network"))
    assert judge.verdict(0.0).kind == "network"


def test_what_claude_does_is_weighed_together_and_named_by_most_of_it() -> None:
    failing = Tried(cause="claude_failing", mark="500")
    assert kind_after(failing, CROWDED, CROWDED, *[GOOD] * 8) == "overloaded"
    assert kind_after(failing, failing, CROWDED, *[GOOD] * 8) == "claude_failing"


def test_a_few_failures_are_no_verdict_however_great_their_share() -> None:
    judge = Judge()
    end = heard(judge, CROWDED, times=RULES["claude"].least - 1, since=0.0)
    assert judge.verdict(end + DWELL).kind == "idle"
    judge.hear(end + DWELL, GOOD)
    assert judge.verdict(end + DWELL).kind == "holding"


def test_an_outage_after_a_busy_minute_is_seen_within_a_quarter_of_one() -> None:
    judge = Judge()
    heard(judge, GOOD, times=600, since=0.0)
    heard(judge, CROWDED, times=60, since=60.0)
    assert judge.verdict(66.0).kind == "overloaded"


def test_calls_that_an_open_circuit_keeps_back_speak_against_what_opened_it() -> None:
    judge = Judge()
    heard(judge, Tried(cause="network", mark="connect_error"), times=10, since=0.0)
    heard(
        judge,
        Served(effect="failed", blocked=True, mark="holdfast_circuit_open"),
        times=90,
        since=12.0,
        every=1.0,
    )
    verdict = judge.verdict(102.0)
    assert (verdict.kind, verdict.counts.attempts, verdict.counts.unsent) == ("network", 0, 59)


def test_calls_that_a_gate_keeps_back_speak_against_the_account() -> None:
    assert kind_after(Served(effect="failed", cause="account", mark="holdfast_rate_limited")) == "account"


def test_after_the_end_of_a_failure_all_is_holding_again_within_the_last_seconds() -> None:
    judge = Judge()
    heard(judge, CROWDED, times=300, since=0.0)
    assert judge.verdict(30.0).kind == "overloaded"
    heard(judge, GOOD, times=200, since=30.0)
    assert judge.verdict(30.0 + LATE + 1).kind == "holding"


def test_a_verdict_stands_until_its_share_has_fallen_well_below_the_one_that_made_it() -> None:
    between = [CROWDED, *[GOOD] * 5]
    assert kind_after(*between) == "holding"
    judge = Judge()
    heard(judge, CROWDED, times=100, since=0.0)
    for number in range(600):
        judge.hear(10.0 + number * 0.1, between[number % len(between)])
    assert judge.verdict(70.0).kind == "overloaded"


def test_a_minute_without_any_call_is_idle_again_and_remembers_the_last_success() -> None:
    judge = Judge()
    judge.hear(1.0, GOOD)
    verdict = judge.verdict(1.0 + WINDOW + DWELL)
    assert (verdict.kind, verdict.success_age) == ("idle", WINDOW + DWELL)


def test_a_fact_that_comes_late_counts_as_of_now() -> None:
    judge = Judge()
    judge.hear(10.0, GOOD)
    judge.hear(2.0, GOOD)
    assert judge.verdict(10.0).counts.good == 2


def test_marks_are_told_the_commonest_first() -> None:
    judge = Judge()
    for mark in ("500", "529", "529", "cut"):
        judge.hear(0.0, Tried(cause=cause_of("claude", mark), mark=mark))
    assert judge.verdict(0.0).counts.marks("claude") == (("529", 2), ("500", 1), ("cut", 1))
    assert judge.verdict(0.0).counts.marks("network") == ()


def test_an_upstream_that_makes_up_statuses_takes_no_memory() -> None:
    judge = Judge()
    for number in range(1_000):
        judge.hear(0.5, Tried(cause="claude_failing", mark=str(number)))
    marks = judge.verdict(0.5).counts.marks("claude")
    assert len(marks) == MARKS + 1
    assert marks[0] == (OTHER, 1_000 - MARKS)


CAUSES: tuple[Cause, ...] = ("overloaded", "claude_failing", "network", "account", "client")
EFFECTS: tuple[Effect, ...] = ("answered", "fallback", "failed", "left")
facts = st.one_of(
    st.just(GOOD),
    st.sampled_from(CAUSES).map(lambda cause: Tried(cause=cause, mark="m")),
    st.sampled_from(EFFECTS).map(lambda effect: Served(effect=effect)),
    st.just(Served(effect="refused", cause="us", mark="code")),
    st.just(Served(effect="failed", blocked=True, mark="code")),
)
bursts = st.lists(st.tuples(facts, st.integers(1, 30), st.floats(0.0, 20.0)), min_size=1, max_size=25)


@settings(max_examples=100, deadline=None)
@given(bursts=bursts, asked=st.booleans())
def test_a_verdict_never_changes_twice_within_its_dwell(
    bursts: list[tuple[Fact, int, float]], asked: bool
) -> None:
    judge, now = Judge(), 0.0
    before, changed = judge.verdict(now).kind, -DWELL
    for fact, times, pause in bursts:
        for _ in range(times):
            judge.hear(now, fact)
            if asked and (kind := judge.verdict(now).kind) != before:
                assert before == "idle" or now - changed >= DWELL
                before, changed = kind, now
        now += pause


class Naive:
    """Keeps everything it ever heard, and looks through all of it each time."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str, str]] = []
        self.kind: str = "idle"
        self.since = 0.0
        self.judged = -1
        self.last = "claude_failing"
        self.doubted: list[float] = []

    def hear(self, now: float, fact: Fact) -> None:
        second = int(now)
        if isinstance(fact, Tried):
            self.heard.append((second, "attempt", fact.cause or "good"))
            if fact.cause in ("overloaded", "claude_failing", "network"):
                self.last = fact.cause
        else:
            self.heard.append((second, "call", fact.effect))
            cause = self.last if fact.blocked else fact.cause
            if cause is not None:
                self.heard.append((second, "own" if cause == "us" else "kept", cause))
        if second > self.judged:
            self.judge(now)

    def judge(self, now: float) -> str:
        self.judged = int(now)
        kind = self.told(now)
        if kind == "degraded" != self.kind:
            self.doubted.append(now)
            kind = kind if now - self.doubted[0] >= DOUBT else self.kind
        else:
            self.doubted.clear()
        if kind != self.kind and (self.kind == "idle" or now - self.since >= DWELL):
            self.kind, self.since = kind, now
        return self.kind

    def share(self, now: float, length: int, name: str) -> tuple[int, int]:
        seen = [(sort, what) for second, sort, what in self.heard if second > int(now) - length]
        calls = [what for sort, what in seen if sort == "call"]
        if name == "us":
            return sum(sort == "own" for sort, _ in seen), len(calls)
        if name == "degraded":
            return sum(what in ("fallback", "failed") for what in calls), len(calls)
        sent = [what for sort, what in seen if sort in ("attempt", "kept")]
        bad = {"claude": ("overloaded", "claude_failing")}.get(name, (name,))
        return sum(what in bad for what in sent), len(sent)

    def told(self, now: float) -> str:
        recent = [what for second, sort, what in self.heard if second > int(now) - WINDOW and sort != "own"]
        best, name = 0.0, ""
        of_kind = "claude" if self.kind in ("overloaded", "claude_failing") else self.kind
        order = ["claude", "network", "account", "us", "client"]
        for each in sorted(order, key=lambda one: one != of_kind):
            if self.ill(now, each, each == of_kind):
                bad, of = self.share(now, WINDOW, each)
                if bad / of > best:
                    best, name = bad / of, each
        if name == "claude":
            crowded = recent.count("overloaded")
            return "overloaded" if crowded >= recent.count("claude_failing") else "claude_failing"
        if name:
            return name
        if self.ill(now, "degraded", of_kind == "degraded"):
            return "degraded"
        return "holding" if {"good", "answered", "cached"} & set(recent) else "idle"

    def ill(self, now: float, name: Any, standing: bool) -> bool:
        rule_ = RULES[name]
        bad, of = self.share(now, WINDOW, name)
        late_bad, late_of = self.share(now, LATE, name)
        if of == 0:
            return False
        if (late_bad / late_of if late_of else bad / of) < rule_.leave:
            return False
        heavy = bad >= rule_.least and bad / of >= rule_.enter
        sudden = late_of > 0 and late_bad >= rule_.least and late_bad / late_of >= rule_.enter
        return standing or heavy or sudden


class JudgeMachine(RuleBasedStateMachine):
    """The judge beside one that forgets nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.judge = Judge()
        self.naive = Naive()

    @rule(fact=facts, times=st.integers(1, 25))
    def hears(self, fact: Fact, times: int) -> None:
        for _ in range(times):
            self.judge.hear(self.now, fact)
            self.naive.hear(self.now, fact)

    @rule(pause=st.one_of(st.floats(0.0, 3.0), st.sampled_from((10.0, 15.0, 61.0))))
    def waits(self, pause: float) -> None:
        self.now += pause

    @invariant()
    def agrees(self) -> None:
        verdict = self.judge.verdict(self.now)
        assert verdict.kind == self.naive.judge(self.now)
        if (name := class_of(verdict.kind)) is not None:
            # Never without a count.
            assert verdict.counts.weight(name) == self.naive.share(self.now, WINDOW, name)
            assert verdict.counts.weight(name)[0] > 0 or self.now - self.naive.since < DWELL


JudgeMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestJudge = JudgeMachine.TestCase
