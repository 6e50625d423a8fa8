"""What stands beside a verdict, in words that a person at night can use."""

import pytest

from holdfast.policy.evidence import Lost, Overhead, Overheads, Probed, beside

NOTHING = Lost()


def lines(probed: Probed | None = None, overhead: Overhead | None = None, lost: Lost = NOTHING) -> list[str]:
    return [said.en for said in beside(probed, overhead, lost)]


def test_without_anything_to_say_nothing_is_said() -> None:
    assert lines() == []


def test_a_probe_that_fails_too_says_that_it_is_not_the_way_there() -> None:
    assert lines(Probed(upstream="anthropic", ok=False, mark="529", ms=84.2, age=3.4)) == [
        "A direct probe of anthropic (count_tokens, free) also fails: 529 after 84 ms, 3 s ago."
    ]
    assert lines(Probed(upstream="anthropic", ok=False, mark="connect_error", ms=2.0)) == [
        "A direct probe of anthropic (count_tokens, free) also fails: no connection after 2 ms, just now."
    ]


def test_a_probe_that_succeeds_says_so() -> None:
    probed = Probed(upstream="anthropic", ok=True, mark="200", ms=84.2, age=0.2)
    assert lines(probed) == ["A direct probe of anthropic (count_tokens, free) succeeds in 84 ms, just now."]
    (said,) = beside(probed, None, NOTHING)
    assert said.ko == "anthropic 직접 확인(무료 count_tokens)은 84ms 만에 성공했습니다(방금)."


@pytest.mark.parametrize(("calls", "noun"), [(1, "1 call"), (1_200, "1,200 calls")])
def test_our_own_overhead_comes_with_its_count(calls: int, noun: str) -> None:
    assert lines(overhead=Overhead(p95=3.14, calls=calls)) == [
        f"Holdfast's own overhead: p95 3.1 ms over {noun}, until the upstream was asked."
    ]


def test_what_was_lost_is_named() -> None:
    assert lines(lost=Lost(log_lines=3, recordings=1_200)) == [
        "Lost since this worker began: 3 log lines, 1,200 recordings."
    ]
    (said,) = beside(None, None, Lost(spans=1, alerts=2))
    assert said.ko == "이 워커가 시작된 뒤 유실: 스팬 1건, 알림 2건."


def test_95_of_100_calls_took_no_longer_and_old_ones_are_forgotten() -> None:
    taken = Overheads()
    assert taken.of_late(0.0) is None
    for number in range(100):
        taken.add(float(number < 50), float(number + 1))
    assert taken.of_late(59.0) == Overhead(p95=95.0, calls=100)
    assert taken.of_late(60.5) == Overhead(p95=48.0, calls=50)
    assert taken.of_late(61.0) is None


def test_memory_is_bounded_whatever_the_traffic() -> None:
    taken = Overheads()
    for _ in range(5_000):
        taken.add(0.0, 1.0)
    assert taken.of_late(1.0) == Overhead(p95=1.0, calls=2_000)
