import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.events import Event, OrderUnreadable
from holdfast.orders import APPROVAL, BUDGET, KINDS, STARTER, STOP, Orders, approval_name
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.policy.budget_document import decoded_budget, encoded_budget
from holdfast.policy.stops import Stop, encoded
from holdfast.stores.memory import MemoryStore
from holdfast.stores.stop_file import write_stops
from holdfast.stores.watch import Watch
from holdfast.testing import FakeClock

CLOCK = FakeClock()
TEN, TWENTY = BudgetConfig(usd=Decimal(10), per="day"), BudgetConfig(usd=Decimal(20), per="day")


class Desk:
    """A register, and the orders read from it."""

    def __init__(self, file: Path | None = None, **budgets: BudgetConfig) -> None:
        self.store = MemoryStore()
        self.events: list[Event] = []
        self.watch = Watch(self.store, KINDS, clock=CLOCK, is_alone=True, file=file)
        self.orders = Orders(self.watch, budgets, observe=self.events.append)

    async def put(self, kind: str, name: str, body: bytes) -> None:
        await self.store.put(kind, name, body, actor="me")
        await self.watch.refresh()


async def test_a_budget_of_the_register_stands_before_one_of_the_settings() -> None:
    desk = Desk(team=TEN, other=TEN)
    await desk.put(BUDGET, "team", encoded_budget(TWENTY))
    assert desk.orders.budgets() == {"team": TWENTY, "other": TEN}
    await desk.store.drop(BUDGET, "team", actor="me")
    await desk.watch.refresh()
    assert desk.orders.budgets() == {"team": TEN, "other": TEN}


async def test_a_budget_that_cannot_be_read_leaves_the_last_one_in_force_and_is_announced() -> None:
    desk = Desk()
    await desk.put(BUDGET, "team", encoded_budget(TEN))
    await desk.put(BUDGET, "team", b'{"usd":"-5"}')
    await desk.put(BUDGET, "new", b"junk")
    assert desk.orders.budgets() == {"team": TEN}
    assert {event.name for event in desk.events if isinstance(event, OrderUnreadable)} == {"team", "new"}


async def test_the_starter_budget_makes_way_for_any_other() -> None:
    desk = Desk(starter=TEN)
    await desk.watch.refresh()
    assert desk.orders.budgets() == {STARTER: TEN}
    await desk.put(BUDGET, "team", encoded_budget(TWENTY))
    assert desk.orders.budgets() == {"team": TWENTY}


async def test_an_approval_is_for_one_window_of_one_budget() -> None:
    desk = Desk(team=TEN)
    await desk.put(APPROVAL, approval_name("team", "w1"), b"{}")
    assert desk.orders.approved("team", "w1")
    assert not desk.orders.approved("team", "w2")
    assert not desk.orders.approved("other", "w1")


async def test_stops_come_from_the_register_and_from_the_file_of_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "stops.json"
    desk = Desk(file)
    here, there = Stop(scope="everything", at=CLOCK.now()), Stop(scope="user", value="bob", at=CLOCK.now())
    write_stops(file, [here])
    await desk.put(STOP, there.name, encoded(there))
    assert {stop.name for stop in desk.orders.stops()} == {"everything:", "user:bob"}


async def test_a_stop_file_that_makes_no_sense_is_announced_and_hides_no_other_stop(tmp_path: Path) -> None:
    file = tmp_path / "stops.json"
    file.write_text("nonsense")
    desk = Desk(file)
    stop = Stop(scope="everything", at=CLOCK.now())
    await desk.put(STOP, stop.name, encoded(stop))
    assert desk.orders.stops() == (stop,)
    assert isinstance(desk.events[0], OrderUnreadable)


@pytest.mark.parametrize(
    "config",
    [
        TEN,
        BudgetConfig(
            usd=Decimal("0.05"),
            per=timedelta(hours=24),
            scope="tag:team",
            timezone="Asia/Seoul",
            alert_at=(Decimal("0.5"), Decimal("0.9")),
            mode="clamp",
            presumption="observed",
            where={"user": "앨리스"},
            ladder=(
                Rung(at=Decimal("0.5"), do="degrade", model="claude-haiku-5-5", max_tokens=512),
                Rung(at=Decimal("0.9"), do="ask"),
            ),
            min_tokens=16,
        ),
    ],
)
def test_a_budget_travels_as_a_document(config: BudgetConfig) -> None:
    assert decoded_budget(encoded_budget(config)) == config


@pytest.mark.parametrize("body", [b"", b"[]", b'{"usd":1}', b'{"usd":"1","colour":"red"}', b'{"usd":"x"}'])
def test_a_document_that_is_no_budget_is_a_clear_error(body: bytes) -> None:
    with pytest.raises(ConfigError):
        decoded_budget(body)


async def test_a_stop_that_cannot_be_read_any_more_goes_on_to_hold(tmp_path: Path) -> None:
    file = tmp_path / "stops.json"
    desk = Desk(file)
    here, there = Stop(scope="everything", at=CLOCK.now()), Stop(scope="user", value="bob", at=CLOCK.now())
    write_stops(file, [here])
    await desk.put(STOP, there.name, encoded(there))
    file.write_text('[{"scope":')
    await desk.put(STOP, there.name, b"\xff")
    assert {stop.name for stop in desk.orders.stops()} == {"everything:", "user:bob"}
    file.unlink()
    await desk.store.drop(STOP, there.name, actor="me")
    await desk.watch.refresh()
    assert desk.orders.stops() == ()


@pytest.mark.parametrize("member", ["at", "until"])
async def test_a_stop_without_a_zone_is_announced_and_breaks_no_call(tmp_path: Path, member: str) -> None:
    file = tmp_path / "stops.json"
    document = {"scope": "everything", "at": "2026-11-01T00:00:00Z", member: "2026-11-30T12:00:00"}
    file.write_text(json.dumps([document]))
    desk = Desk(file)
    await desk.watch.refresh()
    assert desk.orders.stops() == ()
    assert {type(event) for event in desk.events} == {OrderUnreadable}
