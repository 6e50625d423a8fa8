"""The checkers themselves: a run that is all right passes, and each planted fault is noticed by its checker."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from holdfast.events import BudgetAlerted, CallEnded, CircuitChanged, RequestCrashed
from holdfast.policy.holds import Counter
from holdfast.ports import AttemptRecord
from holdfast.testing.virtual import run
from tests.simulation import checkers, money_checkers
from tests.simulation.book import Overrun
from tests.simulation.callers import play
from tests.simulation.checkers import complaints, is_exact
from tests.simulation.money_checkers import rows
from tests.simulation.scenario import scenario
from tests.simulation.world import Heard, World


def is_rich(world: World) -> bool:
    """Whether the bills are exact, and a strict budget of everybody's has sent an alert and refused a call."""
    configs = world.scenario.budgets.values()
    is_strict = any(config.scope == "organisation" for config in configs) and all(
        config.mode == "strict" and config.hard for config in configs
    )
    refused = any(heard.status == 429 and REFUSED in heard.body for heard in world.heard)
    alerted = any(isinstance(event, BudgetAlerted) for _, event in world.events)
    return is_strict and is_exact(world) and refused and alerted


REFUSED = b"holdfast_budget_exhausted"
CALM = next(seed for seed in range(100) if is_exact(run(play(scenario(seed)), seed=seed)))
SPENT = next(seed for seed in range(300) if is_rich(run(play(scenario(seed)), seed=seed)))


def streamed(world: World) -> Heard:
    return next(heard for heard in world.heard if heard.is_stream)


def tried_too_often(world: World) -> None:
    world.book.written[0] = replace(world.book.written[0], attempts=4)


def sent_in_secret(world: World) -> None:
    world.probes[0].sent += 1


def keeps_a_permit(world: World) -> None:
    name, snapshot = world.final.popitem()
    world.final[name] = replace(snapshot, live=1)


def probes_too_much(world: World) -> None:
    world.live_most = 4


def sends_all_at_once_as_probes(world: World) -> None:
    world.scenario = replace(
        world.scenario, breaker=replace(world.scenario.breaker, permitted_calls_in_half_open=1)
    )
    for number, tape in enumerate(world.tapes):
        for request in tape.simulator.requests:
            tape.simulator.capture.put(replace(request, ended=900.0))
            circuit = f"u{number}/{request.json()['model']}"
            for at, before, after in ((0.0, "open", "half_open"), (900.0, "half_open", "closed")):
                change = CircuitChanged(circuit=circuit, before=before, after=after, reason="operator")
                world.events.append((at, change))


def forgets_a_call(world: World) -> None:
    world.book.written.pop()


def settles_twice(world: World) -> None:
    world.book.written.append(world.book.written[0])


def announces_twice(world: World) -> None:
    world.events.append(next(item for item in world.events if isinstance(item[1], CallEnded)))


def crashes(world: World) -> None:
    world.events.append((1.0, RequestCrashed(request_id="r", place="p", error="e", trace="t")))


def leaps_from_closed_to_half_open(world: World) -> None:
    world.events.append(
        (1.0, CircuitChanged(circuit="u9/x", before="closed", after="half_open", reason="operator"))
    )


def charges_too_much(world: World) -> None:
    entry = world.book.written[0]
    world.book.written[0] = replace(entry, cost_pico=(entry.cost_pico or 0) + 1)


def charges_too_little(world: World) -> None:
    entry = next(entry for entry in world.book.written if entry.cost_pico)
    world.book.written[world.book.written.index(entry)] = replace(entry, cost_pico=0)


def cuts_a_stream(world: World) -> None:
    heard = streamed(world)
    del heard.body[heard.body.rindex(b"event: message_stop") :]


def changes_a_byte(world: World) -> None:
    heard = streamed(world)
    heard.body[heard.body.index(b"text_delta")] ^= 1


def never_ends(world: World) -> None:
    streamed(world).ended = None


def answers_with_half_a_message(world: World) -> None:
    heard = next(heard for heard in world.heard if heard.form == "plain" and heard.status == 200)
    del heard.body[20:]


def comes_too_late(world: World) -> None:
    heard = streamed(world)
    heard.first_content = heard.began + heard.allowed + 1.1


def falls_silent(world: World) -> None:
    heard = streamed(world)
    heard.ended = (heard.last_content or 0.0) + world.scenario.timeouts.stall + 1.1


def holds_who_left(world: World) -> None:
    world.heard[0].left, world.heard[0].returned = 1.0, 2.1


def leaves_a_request_open(world: World) -> None:
    capture = world.tapes[0].simulator.capture
    capture.put(replace(capture.all()[0], ending="open"))


def first_paid(world: World) -> AttemptRecord:
    return next(row for row in rows(world) if row.cost_pico and row.id in world.book.promised)


def forgets_a_hold(world: World) -> None:
    paid = first_paid(world)
    world.book.under_way[paid.id] = world.book.over[paid.id]


def keeps_a_reservation(world: World) -> None:
    (window, counter), *_ = world.book.counters.items()
    change(world, window, replace(counter, reserved=1))


def overspends(world: World) -> None:
    limit = next(limit for limits in world.book.promised.values() for limit in limits if limit.nano)
    world.book.overruns.append(Overrun(limit=limit, used=(limit.nano or 0) + 1, by="a plant"))


def holds_too_little(world: World) -> None:
    paid = first_paid(world)
    refile(world, replace(paid, hold_pico=(paid.cost_pico or 0) - 1))


def counts_a_nano_dollar_less(world: World) -> None:
    window = world.book.promised[first_paid(world).id][0].window
    counter = world.book.counters[window]
    change(world, window, replace(counter, settled=counter.settled - 1))


def sums_a_call_wrongly(world: World) -> None:
    entry = next(entry for entry in world.book.written if entry.cost_pico)
    world.book.written[world.book.written.index(entry)] = replace(entry, cost_pico=(entry.cost_pico or 0) + 1)


def leaves_out_an_attempt(world: World) -> None:
    paid = first_paid(world)
    refile(world, replace(paid, kind="unsent"))


def sends_without_a_hold(world: World) -> None:
    del world.book.promised[first_paid(world).id]


def sends_what_was_refused(world: World) -> None:
    refused = next(heard for heard in world.heard if REFUSED in heard.body)
    sent = next(heard for heard in world.heard if heard.status == 200 and heard.form in ("plain", "stream"))
    refused.question = sent.question


def asks_the_refused_to_come_again(world: World) -> None:
    next(heard for heard in world.heard if REFUSED in heard.body).headers["x-should-retry"] = "true"


def alerts_twice(world: World) -> None:
    world.events.append(next(item for item in world.events if isinstance(item[1], BudgetAlerted)))


def change(world: World, window: str, counter: Counter) -> None:
    world.book.counters[window] = counter


def refile(world: World, record: AttemptRecord) -> None:
    world.book.over[record.id] = replace(world.book.over[record.id], record=record)


PLANTED: dict[Callable[[World], None], str] = {
    tried_too_often: "attempts",
    sent_in_secret: "attempts",
    keeps_a_permit: "permits",
    probes_too_much: "permits",
    sends_all_at_once_as_probes: "probes",
    forgets_a_call: "settlement",
    settles_twice: "settlement",
    announces_twice: "settlement",
    crashes: "settlement",
    leaps_from_closed_to_half_open: "circuits",
    charges_too_much: "money",
    charges_too_little: "money",
    cuts_a_stream: "answers",
    changes_a_byte: "streams",
    never_ends: "answers",
    answers_with_half_a_message: "answers",
    comes_too_late: "deadlines",
    falls_silent: "deadlines",
    holds_who_left: "leaving",
    leaves_a_request_open: "memory",
    forgets_a_hold: "holds",
    keeps_a_reservation: "holds",
    overspends: "limits",
    holds_too_little: "ceilings",
    counts_a_nano_dollar_less: "counters",
    sums_a_call_wrongly: "sums",
    leaves_out_an_attempt: "numbers",
    sends_without_a_hold: "promises",
    sends_what_was_refused: "refusals",
    asks_the_refused_to_come_again: "refusals",
    alerts_twice: "alerts",
}


MONEY = {checker.__name__ for checker in money_checkers.CHECKERS}


@pytest.mark.parametrize(
    ("plant", "checker"), PLANTED.items(), ids=lambda item: getattr(item, "__name__", item)
)
def test_a_planted_fault_is_noticed_by_its_checker(plant: Callable[[World], None], checker: str) -> None:
    seed = SPENT if checker in MONEY else CALM
    world = run(play(scenario(seed)), seed=seed)
    assert complaints(world) == []
    plant(world)
    assert checker in {problem.partition(":")[0] for problem in complaints(world)}


def test_every_checker_has_a_planted_fault() -> None:
    assert {checker.__name__ for checker in checkers.CHECKERS} == set(PLANTED.values())
