"""A verdict in words: cause, evidence, and what users notice of it, in both languages."""

import pytest

from holdfast.policy.verdict import DWELL, Fact, Judge, Served, Tried, Verdict
from holdfast.policy.verdict_words import evidence, sentence

GOOD = Tried()
CROWDED = Tried(cause="overloaded", mark="529")
FALLBACK = Served(effect="fallback")
ANSWERED = Served(effect="answered")
FAILED = Served(effect="failed")


def verdict(*facts: tuple[Fact, int], age: float = 0.0) -> Verdict:
    """What is said some seconds after so many of each."""
    judge = Judge()
    for fact, times in facts:
        for _ in range(times):
            judge.hear(100.0, fact)
    return judge.verdict(100.0 + DWELL + age)


def test_an_outage_behind_fallbacks_is_told_with_its_cause_its_evidence_and_no_error_seen() -> None:
    said = sentence(verdict((GOOD, 3), (CROWDED, 37), (FALLBACK, 12), age=4.0))
    assert said.en == (
        "Claude is overloaded (529 on 37 of the last 40 attempts, last success 14 s ago). "
        "You are serving fallbacks (12): 0 users saw an error."
    )
    assert said.ko == (
        "Claude가 과부하 상태입니다(최근 시도 40건 중 529 37건, 마지막 성공 14초 전). "
        "대체 응답을 내보내고 있습니다(12건). 오류를 본 사용자는 0명입니다."
    )


def test_an_outage_without_fallbacks_tells_how_many_users_saw_an_error() -> None:
    said = sentence(verdict((CROWDED, 9), (FAILED, 3)))
    assert said.en == (
        "Claude is overloaded (529 on 9 of the last 9 attempts, no success yet). "
        "3 of 3 calls ended in an error for their user."
    )


def test_two_marks_of_one_class_are_both_told() -> None:
    said = sentence(
        verdict(
            (Tried(cause="claude_failing", mark="cut"), 6), (Tried(cause="claude_failing", mark="500"), 5)
        )
    )
    assert said.en.startswith("Claude is failing (cut streams on 6 and 500 on 5 of the last 11 attempts")
    assert "끊긴 스트림 6건, 500 5건" in said.ko


def test_our_own_doing_is_counted_in_calls() -> None:
    ours = Served(effect="refused", cause="us", mark="holdfast_budget_exhausted")
    said = sentence(verdict((ours, 12), (ANSWERED, 8)))
    assert said.en == (
        "Holdfast itself refuses or fails calls (holdfast_budget_exhausted on 12 of the last 20 calls). "
        "0 users saw an error, 12 were refused."
    )
    assert "최근 호출 20건 중 holdfast_budget_exhausted 12건" in said.ko
    assert "거절된 호출은 12건입니다." in said.ko


def test_one_refusal_is_one() -> None:
    assert "1 was refused." in sentence(verdict((ANSWERED, 5), (Served(effect="refused"), 1))).en


def test_calls_that_were_not_even_sent_are_told_as_such() -> None:
    kept = Served(effect="failed", cause="account", mark="holdfast_key_rejected")
    said = sentence(verdict((kept, 6)))
    assert "(6 calls not even sent in the last 60 s, no success yet)" in said.en
    assert "6건은 보내지도 못함" in said.ko


def test_all_holding_is_told_with_its_counts() -> None:
    said = sentence(verdict((GOOD, 2), (ANSWERED, 1)))
    assert said.en == (
        "All holding. 1 call and 2 attempts in the last 60 s, 2 of them good, last success 10 s ago. "
        "0 users saw an error."
    )
    assert said.ko.startswith("모두 정상입니다. 최근 60초 동안 호출 1건, 시도 2건 중 2건 성공")


def test_a_degraded_service_names_no_cause() -> None:
    judge = Judge()
    for second in range(20):
        for fact in (GOOD, ANSWERED, FALLBACK):
            judge.hear(float(second), fact)
    said = sentence(judge.verdict(20.0))
    assert said.en == (
        "Users notice something, and no single cause stands out; last success 1 s ago. "
        "You are serving fallbacks (20): 0 users saw an error."
    )
    assert "뚜렷한 단일 원인은 없습니다, 마지막 성공 1초 전." in said.ko


def test_nothing_and_too_little_are_told_apart() -> None:
    nothing, little = sentence(verdict()), sentence(verdict((CROWDED, 2), (FAILED, 1)))
    assert nothing.en == "Nothing to judge: no call in the last 60 s."
    assert little.en == (
        "Too little to judge: 1 call and 2 attempts in the last 60 s, none of them good. "
        "1 of 1 call ended in an error for their user."
    )
    assert "호출이 너무 적습니다" in little.ko


@pytest.mark.parametrize(
    ("age", "english", "korean"),
    [(31.0, "41 s", "41초"), (115.0, "2 m 5 s", "2분 5초"), (7_400.0, "2 h 3 m", "2시간 3분")],
)
def test_a_time_is_told_as_people_say_it(age: float, english: str, korean: str) -> None:
    silent = Judge()
    silent.verdict(0.0)
    line = evidence(silent.verdict(DWELL + age))[2]
    assert (line.en, line.ko) == (f"This has been so for {english}.", f"이 상태가 된 지 {korean}.")


def test_the_evidence_counts_blame_users_and_circuits() -> None:
    found = verdict(
        (GOOD, 3), (CROWDED, 7), (Tried(cause="client", mark="400"), 1), (ANSWERED, 2), (FALLBACK, 3)
    )
    lines = evidence(found, ["live/a", "live/b"])
    assert lines[0].en == (
        "Who failed in the last 60 s: client 1, us 0, account 0, network 0, Claude 7; 3 of 11 attempts good."
    )
    assert lines[1].en == (
        "Users: 5 calls, 2 answered, 3 fallbacks, 0 from the cache, 0 errors, 0 refused, 0 hung up."
    )
    assert lines[3].en == "Circuits not closed: live/a, live/b."
    assert lines[3].ko == "닫히지 않은 서킷: live/a, live/b."
