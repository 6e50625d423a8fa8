"""What must hold of the money after any run: nothing overspent, nothing forgotten, and every sum the same."""

import json
from collections import Counter as Count
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from holdfast.events import BudgetAlerted
from holdfast.policy.holds import Limit, nano
from holdfast.ports import AttemptRecord, SpendQuery
from tests.simulation.world import World

T = TypeVar("T")
COUNTED = ("settled", "expired")
REFUSED = "holdfast_budget_exhausted"


def holds(world: World) -> Iterator[str]:
    """When nobody is under way, nothing is held."""
    for hold in read(world.book.held()):
        yield f"{hold.id} still holds {hold.amount}"
    for window, counter in world.book.counters.items():
        if counter.reserved:
            yield f"{window} still has {counter.reserved} reserved"


def limits(world: World) -> Iterator[str]:
    """No window was ever beyond its limit, but by what attempts have truly cost more than was held for them."""
    for overrun in world.book.overruns:
        if overrun.used - (overrun.limit.nano or 0) > surprise(world, overrun.limit):
            yield f"{overrun.limit.window} came to {overrun.used} of {overrun.limit.nano} by {overrun.by}"


def ceilings(world: World) -> Iterator[str]:
    """What insists on the worst case is never surprised: no attempt costs more than is held for it."""
    if any(config.mode == "expected" for config in world.scenario.budgets.values()):
        return
    for row in rows(world):
        if row.hold_pico is not None and row.cost_pico is not None and row.cost_pico > row.hold_pico:
            yield f"{row.id} cost {row.cost_pico}, held were {row.hold_pico}"


def counters(world: World) -> Iterator[str]:
    """Each window has settled what the attempts charged to it have cost, each rounded up by itself."""
    expected: Count[str] = Count()
    for row in rows(world):
        if row.state in COUNTED:
            cost = row.hold_pico if row.cost_pico is None else row.cost_pico
            for limit in world.book.promised.get(row.id, ()):
                expected[limit.window] += nano(cost or 0)
    found = {window: counter.settled for window, counter in world.book.counters.items() if counter.settled}
    if found != +expected:
        yield f"the windows say {found}, the attempts {dict(+expected)}"


def sums(world: World) -> Iterator[str]:
    """The attempts, the totals, the report and the calls all say the same sum."""
    found = {
        "attempts": sum(row.cost_pico or 0 for row in rows(world) if row.state in COUNTED),
        "totals": read(world.book.totals()).cost_pico,
        "spend": sum(group.cost_pico for group in read(world.book.spend(SpendQuery(by=("model", "user"))))),
        "calls": sum(entry.cost_pico or 0 for entry in world.book.written),
    }
    if len(set(found.values())) > 1:
        yield f"{found}"


def numbers(world: World) -> Iterator[str]:
    """The attempts of a call are numbered from 1 without a gap, one for each request that was sent."""
    made: dict[str, list[int]] = {}
    for row in rows(world):
        if row.kind != "unsent":
            made.setdefault(row.request_id, []).append(row.number)
    for entry in world.book.written:
        if sorted(made.get(entry.request_id, [])) != list(range(1, entry.attempts + 1)):
            yield f"{entry.request_id} has {made.get(entry.request_id)} of {entry.attempts} attempts"
    sent = sum(probe.sent for probe in world.probes)
    if sent != (known := sum(len(of_call) for of_call in made.values())):
        yield f"{sent} requests were sent, {known} attempts are in the ledger"


def promises(world: World) -> Iterator[str]:
    """Nothing is sent that no money is held for, where a budget counts everybody."""
    if not any(config.scope == "organisation" for config in world.scenario.budgets.values()):
        return
    for row in rows(world):
        if row.id not in world.book.promised and row.kind != "unsent":
            yield f"{row.id} was sent without a hold"


def refusals(world: World) -> Iterator[str]:
    """A call that a budget refused was never sent; it ended typed, and tells its client not to come again."""
    sent = [request.body for tape in world.tapes for request in tape.simulator.requests]
    for heard in world.heard:
        if heard.status != 429 or heard.is_stream or REFUSED.encode() not in heard.body:
            continue
        if any(json.dumps(heard.question).encode() in body for body in sent):
            yield f"caller {heard.caller} was refused, and sent all the same"
        if heard.headers.get("x-should-retry") != "false":
            yield f"caller {heard.caller} is told to come again"


def alerts(world: World) -> Iterator[str]:
    """An alert is given once for each threshold of a window."""
    given = Count(
        (event.budget, event.subject, event.window, event.threshold)
        for _, event in world.events
        if isinstance(event, BudgetAlerted)
    )
    for alert, times in given.items():
        if times > 1:
            yield f"{alert} was given {times} times"


def surprise(world: World, limit: Limit) -> int:
    """Nano-dollars that the attempts counted by a limit have cost more than was held for them."""
    return sum(
        max(0, nano(row.cost_pico or 0) - nano(row.hold_pico))
        for row in rows(world)
        if row.hold_pico is not None
        and any(paid.window in limit.counted for paid in world.book.promised.get(row.id, ()))
    )


def rows(world: World) -> tuple[AttemptRecord, ...]:
    """Every attempt in the ledger."""
    return read(world.book.attempts(limit=1_000_000))


def read(verb: Coroutine[Any, Any, T]) -> T:
    """What a verb of the store returns, outside of any event loop: in memory nothing has to be waited for."""
    try:
        verb.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("the store waits for something")


CHECKERS: tuple[Callable[[World], Iterator[str]], ...] = (
    holds,
    limits,
    ceilings,
    counters,
    sums,
    numbers,
    promises,
    refusals,
    alerts,
)
