"""The wire fault matrix: every fault of the upstream, through every client, at every door (semantics.md 6.1, goals G2 and G4)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.simulator import BigEvent, OddUsage
from tests.doors.test_gateway_anthropic_0 import old_python
from tests.matrix.columns import COLUMNS, Column, through_gateway_0
from tests.matrix.rows import ROWS, Row
from tests.matrix.stage import DEADLINE, Stage, staged

__all__ = ["old_python"]

OLD = "anthropic 0.125"
MOST = 3
"""Upstream requests for one client call, whatever happens."""
SLOWEST = DEADLINE + 3.0
"""Seconds until a call has ended, whatever happens."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as stage:
        yield stage


@pytest.fixture(scope="module")
def column(stage: Stage, old_python: str) -> Callable[[str], Column]:
    """What a client saw of all rows; they are run together, the first time that somebody asks."""
    played: dict[str, Column] = {}

    def of(name: str) -> Column:
        if name not in played:
            play = COLUMNS.get(name)
            played[name] = play(stage) if play is not None else through_gateway_0(stage, old_python)
        return played[name]

    return of


def _cells() -> Iterator[Any]:
    for name in (*COLUMNS, OLD):
        for row in ROWS:
            yield pytest.param(name, row, id=f"{name}: {row.name}")


@pytest.mark.parametrize(("client", "row"), list(_cells()))
@pytest.mark.requirement("faults:matrix")
def test_a_fault_costs_few_attempts_and_is_never_hidden(
    column: Callable[[str], Column], client: str, row: Row
) -> None:
    seen = column(client)[row.name]

    assert seen.attempts in row.attempts
    assert seen.attempts <= MOST
    assert seen.result.seconds <= SLOWEST
    assert (seen.result.end, seen.result.detail) != ("answered", "None")
    if row.end == "either":
        assert seen.result.end in {"answered", "raised"}
    else:
        assert seen.result.end == row.end, seen.result
    # One call, one entry in the books, which knows of every attempt.
    assert seen.calls == 1
    assert (seen.ids, seen.unsettled, seen.counted) == (seen.calls, 0, seen.attempts)
    assert seen.is_quiet
    assert seen.body == seen.expected or not row.same
    if row.same and row.end == "answered":
        assert seen.cost >= seen.billed > 0
        # Where much more was delivered than counted, the count is not believed.
        assert seen.cost == seen.billed or isinstance(row.action, OddUsage | BigEvent)
