"""What a budget does on the way to its limit, as a client of the gateway sees it."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from holdfast.operations.budgets import approve
from holdfast.operations.desk import Desk
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from tests.doors.running import eventually
from tests.doors.talking import QUESTION, ask
from tests.money.till import Till, open_gateway, till

SMALL, LARGE = "claude-haiku-5-5", "claude-opus-5-5"
LITTLE = Decimal("0.0001")
"""A part of a dollar that the first call uses up."""
LONG = {**QUESTION, "model": LARGE}


def laddered(simulator: RunningSimulator, folder: Path, *ladder: Rung) -> Till:
    return till(simulator, folder, {"b": BudgetConfig(usd=Decimal(1), per="day", ladder=ladder)})


def last_sent(money: Till) -> Mapping[str, object]:
    return money.simulator.simulator.requests[-1].json()


def test_past_its_rung_a_cheaper_model_answers_and_the_answer_says_so(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    money = laddered(simulator, tmp_path, Rung(at=LITTLE, do="degrade", model=SMALL, max_tokens=50))
    with open_gateway(money) as gateway:
        first, second = ask(gateway.url, LONG), ask(gateway.url, LONG)
        streamed = ask(gateway.url, {**LONG, "stream": True})
    assert "x-holdfast-degraded" not in first.headers
    assert (first.headers["x-holdfast-model"], first.json["model"]) == (LARGE, LARGE)
    assert second.headers["x-holdfast-degraded"] == "model, max-tokens=50"
    assert (second.headers["x-holdfast-model"], second.json["model"]) == (SMALL, SMALL)
    assert streamed.headers["x-holdfast-degraded"] == "model, max-tokens=50"
    assert (last_sent(money)["model"], last_sent(money)["max_tokens"]) == (SMALL, 50)
    assert [bill.model for bill in simulator.simulator.ledger] == [LARGE, SMALL, SMALL]
    money.at_rest()


def test_clamp_shortens_the_answer_to_what_the_budget_can_pay(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    config = BudgetConfig(usd=Decimal("0.002"), per="day", mode="clamp", min_tokens=20)
    money = till(simulator, tmp_path, {"b": config})
    with open_gateway(money) as gateway:
        answer = ask(gateway.url, {**LONG, "max_tokens": 5_000})
    length = last_sent(money)["max_tokens"]
    assert (answer.status, answer.headers["x-holdfast-degraded"]) == (200, f"max-tokens={length}")
    assert isinstance(length, int)
    assert 20 <= length < 200
    (row,) = money.attempts()
    assert Decimal("0.0019") < Decimal(row.hold_pico or 0) / 10**12 <= Decimal("0.002")
    money.at_rest()


def test_what_clamp_would_make_too_short_is_refused_unsent(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    config = BudgetConfig(usd=Decimal("0.002"), per="day", mode="clamp", min_tokens=1_000)
    money = till(simulator, tmp_path, {"b": config})
    with open_gateway(money) as gateway:
        assert ask(gateway.url, {**LONG, "max_tokens": 5_000}).status == 429
    assert money.requests == 0


def approved(money: Till) -> None:
    """What `holdfast budgets approve b` does."""

    async def told() -> None:
        store = open_store(money.settings.store_url)
        try:
            await approve(Desk(store=store, settings=money.settings), "b")
        finally:
            await store.aclose()

    asyncio.run(told())


def test_past_its_rung_ask_nothing_is_sent_until_a_person_has_approved(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    money = laddered(simulator, tmp_path, Rung(at=LITTLE, do="ask"))
    with open_gateway(money) as gateway:
        assert ask(gateway.url, LONG).status == 200
        refused = ask(gateway.url, LONG)
        assert (refused.status, refused.error_type) == (429, "rate_limit_error")
        assert refused.headers["x-should-retry"] == "false"
        assert "holdfast budgets approve b" in refused.json["error"]["message"]
        assert money.requests == 1
        approved(money)
        eventually(lambda: ask(gateway.url, LONG).status == 200)
    money.at_rest()


def test_the_rung_refuse_ends_it_before_the_limit(simulator: RunningSimulator, tmp_path: Path) -> None:
    money = laddered(simulator, tmp_path, Rung(at=LITTLE, do="refuse"))
    with open_gateway(money) as gateway:
        assert [ask(gateway.url, LONG).status for _ in range(3)] == [200, 429, 429]
    assert money.requests == 1
    money.at_rest()
