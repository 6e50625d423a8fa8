"""Fifty turns with tools, a memory and two agents of its own, while much goes wrong: the history stays one, and the bill.

`HOLDFAST_FAMILIES=100` lives through more seeds.
"""

import os
from collections import Counter
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from holdfast.simulator import CapturedRequest
from holdfast.testing.virtual import run
from tests.simulation import money_checkers
from tests.simulation.family import BEFORE_CONTENT, TURNS, Family, lived
from tests.simulation.money_checkers import rows

SEEDS = range(int(os.environ.get("HOLDFAST_FAMILIES", "3")))
ANYWHERE = 12
"""Events of a stream behind which it may be cut, so that nobody can know to the token what it has cost."""
IMPATIENT = 0.3
"""How often a user does not wait for the answer."""


@cache
def family(seed: int, latest: int = BEFORE_CONTENT, leaves: float = 0.0) -> Family:
    """The conversation of a seed, to its end; a task that it leaves behind is an error of `run`."""
    return run(lived(seed, latest=latest, leaves=leaves), seed=seed)


LIVES = [
    *(pytest.param(seed, BEFORE_CONTENT, 0.0, id=f"{seed}") for seed in SEEDS),
    *(pytest.param(seed, ANYWHERE, 0.0, id=f"{seed} cut anywhere") for seed in SEEDS),
    *(pytest.param(seed, ANYWHERE, IMPATIENT, id=f"{seed} left, too") for seed in SEEDS),
]


def asked(family: Family) -> tuple[CapturedRequest, ...]:
    """What the upstream was asked."""
    return family.world.tapes[0].simulator.requests


def settled(family: Family) -> Decimal:
    """What the ledger of holdfast says."""
    return sum((entry.cost or Decimal(0) for entry in family.world.book.written), Decimal(0))


@pytest.mark.parametrize(("seed", "latest", "leaves"), LIVES)
@pytest.mark.requirement("agent:fifty-turns")
def test_no_invalid_history_is_ever_sent_and_no_task_is_left(seed: int, latest: int, leaves: float) -> None:
    lives = family(seed, latest, leaves)

    assert len(lives.replies) + lives.left + lives.broken == TURNS
    assert [request.body for request in asked(lives) if request.status == 400] == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.requirement("agent:fifty-turns")
def test_what_is_settled_is_what_was_billed_to_the_last_digit(seed: int) -> None:
    lives = family(seed)
    billed = lives.world.tapes[0].simulator.billed

    assert settled(lives) == sum(row.cost or 0 for row in rows(lives.world)) == billed
    assert lives.counted == billed, "the agents and their memory have counted all of it"


@pytest.mark.parametrize(("seed", "latest", "leaves"), LIVES)
@pytest.mark.requirement("agent:fifty-turns")
def test_what_nobody_can_know_is_never_settled_below_the_bill(seed: int, latest: int, leaves: float) -> None:
    lives = family(seed, latest, leaves)
    bills = Counter(entry.cost for entry in lives.world.tapes[0].simulator.ledger)
    known = Counter(row.cost for row in rows(lives.world) if not row.estimated and row.cost)

    assert known - bills == Counter(), "whatever is no estimate is on the bill, to the last digit"
    assert lives.counted == settled(lives) >= lives.world.tapes[0].simulator.billed
    assert [*money_checkers.sums(lives.world), *money_checkers.numbers(lives.world)] == []


def test_the_same_seed_is_the_same_conversation() -> None:
    again = run(lived(0), seed=0)

    assert again.world.digest() == family(0).world.digest()
    assert [str(reply) for reply in again.replies] == [str(reply) for reply in family(0).replies]


def test_the_seeds_meet_everything_that_the_promise_is_about() -> None:
    lives = [family(seed, ANYWHERE, leaves) for seed in SEEDS for leaves in (0.0, IMPATIENT)]
    ran = sum((one.ran for one in lives), Counter[str]())
    faults = Counter(str(request.fault) for one in lives for request in asked(one))
    outcomes = Counter(reply.outcome for one in lives for reply in one.replies)
    who = {entry.agent for one in lives for entry in one.world.book.written}

    assert min(ran["stock"], ran["shaky"], ran["crawl"]) >= 10
    assert {"status", "refusal", "clean_end", "reset", "hang_up", "delay", "stall"} <= set(faults)
    assert outcomes["answered"] > outcomes["fallback"] > 0
    assert who == {"lead", "librarian", "accountant", "memory"}
    assert any(reply.pending for one in lives for reply in one.replies)
    assert all(one.left > 0 for one in lives[1::2])
    assert all(_was_cut(one) for one in lives), "every conversation outgrows what is sent of it"


def _was_cut(lives: Family) -> bool:
    """Whether the beginning of the conversation was no longer sent in the end."""
    bodies: list[dict[str, Any]] = [dict(request.json()) for request in asked(lives)]
    mine = [body["messages"] for body in bodies if "You answer whoever asks." in str(body.get("system"))]
    return bool(mine[-1][0] != mine[0][0])
