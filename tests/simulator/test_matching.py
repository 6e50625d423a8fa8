"""Which requests a fault hits: times, counts, chances, and all of them together."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.simulator import Fault, Refusal, RefusalKind, Simulator, Status
from holdfast.testing import FakeClock
from holdfast.testing.virtual import VirtualClock, run
from tests.simulator.raw import Answer, ask, call

if TYPE_CHECKING:
    from tests.simulator.conftest import Api

MODEL = "claude-sonnet-5-5"


async def statuses(simulator: Simulator, count: int, *, key: str = "k", model: str = MODEL) -> list[int]:
    return [(await call(simulator, ask(model=model), key=key)).status for _ in range(count)]


async def at(clock: FakeClock, simulator: Simulator, moments: Sequence[float]) -> list[int]:
    """The status of one request at each moment."""
    found: list[int] = []
    for moment in moments:
        clock.advance(moment - simulator.elapsed)
        found.append((await call(simulator, ask())).status)
    return found


async def test_a_time_window_is_open_from_its_start_to_just_before_its_end(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock)
    simulator.fault(Fault(Status(500), after=10, until=20, times=None))
    assert await at(clock, simulator, [0, 9.9, 10, 19.9, 20, 99]) == [200, 200, 500, 500, 200, 200]


async def test_a_reset_begins_time_anew(clock: FakeClock) -> None:
    clock.advance(1_000)
    simulator = Simulator(time_scale=0, clock=clock)
    clock.advance(50)
    simulator.reset()
    simulator.fault(Fault(Status(500), until=10))
    assert await at(clock, simulator, [5]) == [500]


async def test_what_lies_outside_of_the_window_does_not_count(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock)
    simulator.fault(Fault(Status(500), after=10, nth=2))
    assert await at(clock, simulator, [0, 1, 2, 10, 11]) == [200, 200, 200, 200, 500]


async def test_each_third_request_is_hit_from_the_second_on(api: "Api") -> None:
    api.simulator.fault(Fault(Status(500), nth=2, every=3, times=None))
    assert await statuses(api.simulator, 9) == [200, 500, 200, 200, 500, 200, 200, 500, 200]


async def test_only_so_many_of_each_third_requests_are_hit(api: "Api") -> None:
    api.simulator.fault(Fault(Status(500), every=3, times=2))
    assert await statuses(api.simulator, 9) == [500, 200, 200, 500, 200, 200, 200, 200, 200]


async def test_counts_are_kept_per_fault_and_so_per_model_and_key(api: "Api") -> None:
    opus = "claude-opus-5-5"
    api.simulator.fault(Fault(Status(500), model=opus, key="a", every=2, times=None))
    assert await statuses(api.simulator, 2, key="b", model=opus) == [200, 200]
    assert await statuses(api.simulator, 2, key="a") == [200, 200]
    assert await statuses(api.simulator, 4, key="a", model=opus) == [500, 200, 500, 200]


async def test_an_ordered_script_and_a_standing_fault_go_together(api: "Api") -> None:
    api.simulator.fault(Status(501), Status(502), Fault(Status(529), every=2, times=None))
    assert await statuses(api.simulator, 6) == [501, 502, 529, 200, 529, 200]


async def test_a_chance_is_taken_among_the_chosen_only(api: "Api") -> None:
    api.simulator.fault(Fault(Status(500), every=2, probability=0.5, times=None))
    found = await statuses(api.simulator, 60)
    assert set(found[1::2]) == {200}
    assert 8 < found[0::2].count(500) < 22


@pytest.mark.parametrize(
    "wrong",
    [{"nth": 0}, {"every": 0}, {"probability": 1.5}, {"probability": -0.1}],
)
async def test_a_fault_that_cannot_be_is_refused_here_and_over_http(
    api: "Api", wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="`"):
        Fault(Status(500), **wrong)
    posted = {"faults": [{"action": {"type": "status", "status": 500}, **wrong}]}
    assert (await api.call("POST", "/__sim/faults", json=posted)).status_code == 400


async def test_windows_and_counts_can_be_set_over_http(api: "Api", clock: FakeClock) -> None:
    fault = {
        "action": {"type": "refusal", "reason": "overloaded"},
        "after": 5,
        "until": 9,
        "every": 2,
        "times": None,
    }
    await api.call("POST", "/__sim/faults", json={"faults": [fault]})
    assert await at(clock, api.simulator, [0, 5, 6, 7, 9]) == [200, 529, 200, 529, 200]


@pytest.mark.parametrize(
    ("reason", "status", "error_type", "code"),
    [
        ("key_revoked", 401, "authentication_error", None),
        ("organization_on_hold", 400, "invalid_request_error", "organization_on_hold"),
        ("enforced_spend_limit_reached", 429, "rate_limit_error", "enforced_spend_limit_reached"),
        ("contract_spend_limit_reached", 429, "rate_limit_error", "contract_spend_limit_reached"),
        (
            "linked_organization_spend_limit_reached",
            402,
            "billing_error",
            "linked_organization_spend_limit_reached",
        ),
        ("user_spend_limit_reached", 400, "invalid_request_error", None),
        ("credit_balance_too_low", 400, "invalid_request_error", None),
        ("rate_limited", 429, "rate_limit_error", None),
        ("ramp_limit_exceeded", 429, "rate_limit_error", "ramp_limit_exceeded"),
        ("overloaded", 529, "overloaded_error", None),
    ],
)
async def test_each_refusal_has_the_shape_of_the_api(
    api: "Api", reason: RefusalKind, status: int, error_type: str, code: str | None
) -> None:
    api.simulator.fault(Refusal(reason, retry_after=7))
    answer = await call(api.simulator, ask())
    passes = reason in ("rate_limited", "ramp_limit_exceeded", "overloaded")
    assert (answer.status, answer.error["type"]) == (status, error_type)
    assert answer.error.get("details", {}).get("error_code") == code
    assert answer.headers.get("retry-after") == ("7" if passes else None)
    assert answer.headers.get("x-should-retry") == ("false" if status == 401 else None)
    assert api.simulator.ledger == ()
    assert api.simulator.requests[0].ending == "faulted"


async def ids_of(simulator: Simulator, questions: Sequence[str], *, overlap: bool) -> dict[str, Answer]:
    if overlap:
        answers = await asyncio.gather(*(call(simulator, ask(question)) for question in questions))
    else:
        answers = [await call(simulator, ask(question)) for question in questions]
    return dict(zip(questions, answers, strict=True))


def outcomes(questions: Sequence[str], *, overlap: bool, seed: int = 0) -> dict[str, tuple[int, str]]:
    """The status and id that each question gets, in virtual time."""

    async def main() -> dict[str, tuple[int, str]]:
        simulator = Simulator(seed=3, clock=VirtualClock())
        simulator.fault(Fault(Status(500), probability=0.5, times=None))
        answers = await ids_of(simulator, questions, overlap=overlap)
        return {name: (answer.status, answer.headers["request-id"]) for name, answer in answers.items()}

    return run(main(), seed=seed)


QUESTIONS = [f"Question {number}" for number in range(30)]


def test_luck_does_not_depend_on_what_else_is_on_its_way() -> None:
    alone = outcomes(QUESTIONS, overlap=False)
    assert {status for status, _ in alone.values()} == {200, 500}
    for seed in range(3):
        assert outcomes(QUESTIONS, overlap=True, seed=seed) == alone
    assert outcomes(QUESTIONS[::-1], overlap=True) == alone


def test_the_same_request_again_has_luck_of_its_own_that_repeats_with_the_run() -> None:
    runs = [run(again()) for _ in range(2)]
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


async def again() -> list[int]:
    simulator = Simulator(seed=3, clock=VirtualClock())
    simulator.fault(Fault(Status(500), probability=0.5, times=None))
    return await statuses(simulator, 20)


async def test_a_fault_that_hits_nobody_moves_no_id(api: "Api") -> None:
    before = (await call(api.simulator, ask(stream=True))).body
    api.simulator.reset()
    api.simulator.fault(
        Fault(Status(500), probability=0.000001, times=None),
        Fault(Status(500), model="x"),
        Fault(Status(500), after=9),
    )
    assert (await call(api.simulator, ask(stream=True))).body == before


async def test_another_seed_is_other_luck(api: "Api") -> None:
    found: list[list[int]] = []
    for seed in (1, 2):
        simulator = Simulator(seed=seed, time_scale=0)
        simulator.fault(Fault(Status(500), probability=0.5, times=None))
        found.append(await statuses(simulator, 30))
    assert found[0] != found[1]
