"""The gates among many callers: bounded memory, and threads that race."""

import threading

import pytest

from holdfast.policy.permit import Outcome
from holdfast.upstream import gates as registry
from holdfast.upstream.gates import Pass
from tests.upstream.gatehouse import FAILURES, OTHER_KEY, SONNET, GateHouse


@pytest.fixture
def house() -> GateHouse:
    return GateHouse()


def test_models_that_callers_invent_take_no_lasting_room(
    house: GateHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "KEPT", 10)
    house.close("rate")
    house.close("credential", OTHER_KEY)
    for number in range(100):
        house.ok(("anthropic", "main", f"model-{number}"))
    assert len(house.gates.closed()) == 2


def test_closed_gates_do_not_pile_up_and_the_one_in_use_stays(
    house: GateHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "KEPT", 10)
    used = house.admit()
    house.close("credential", OTHER_KEY)
    for number in range(100):
        house.close("credential", ("anthropic", f"bad-{number}", "claude-sonnet-5-5"))
        house.gates.report(house.admit(), Outcome.OK)
    assert len(house.gates.closed()) <= 10
    house.fail(used, FAILURES["credential"])
    house.refused()


def test_an_attempt_whose_gate_was_forgotten_may_still_report(
    house: GateHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "KEPT", 1)
    first = house.admit()
    house.admit(OTHER_KEY)
    house.fail(first, FAILURES["credential"])
    house.ok()


def test_racing_threads_get_one_probe_between_them(house: GateHouse) -> None:
    for _ in range(30):
        house.close("credential")
        house.clock.advance(900)
        start, granted = threading.Barrier(8), list[Pass]()

        def race(start: threading.Barrier = start, granted: list[Pass] = granted) -> None:
            start.wait()
            if isinstance(answer := house.gates.admit(*SONNET), Pass):
                granted.append(answer)

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (probe,) = granted
        house.gates.report(probe, Outcome.OK)


def test_racing_threads_never_exceed_the_limit_and_leave_nothing_behind(house: GateHouse) -> None:
    for call in [house.admit() for _ in range(5)]:
        house.fail(call, FAILURES["ramp"])
    house.clock.advance(20)
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            if isinstance(answer := house.gates.admit(*SONNET), Pass):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1
                house.gates.report(answer, Outcome.OK)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 3
    assert len([house.admit() for _ in range(3)]) == 3
    house.refused()
