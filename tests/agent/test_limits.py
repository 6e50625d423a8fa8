"""What an agent may spend and how often it may be asked, whoever else shares its pipeline."""

from decimal import Decimal

from holdfast import Budget, BudgetExhausted, Holdfast, Quota, RateLimited
from holdfast.parts.budget import BudgetAlert
from tests.agent.conftest import World


async def test_an_agent_stops_at_its_own_budget_and_others_go_on(world: World, hold: Holdfast) -> None:
    thrifty = hold.agent(budget=Budget(usd="0.003", per="day"), name="thrifty", max_tokens=100)
    other = hold.agent()
    replies = [await thrifty.chat("Hello", user="alice") for _ in range(6)]

    assert replies[0].outcome == "answered"
    assert isinstance(replies[-1].reason, BudgetExhausted)
    assert thrifty.metrics().total_cost <= Decimal("0.003")
    assert (await other.chat("Hello", user="alice")).outcome == "answered"
    assert (await thrifty.chat("Hello", user="bob")).outcome == "answered"


async def test_the_alert_of_an_agents_budget_is_called_once(world: World, hold: Holdfast) -> None:
    alerts: list[BudgetAlert] = []
    budget = Budget(usd="0.01", per="day", alert_at=Decimal("0.05"), on_alert=alerts.append)
    agent = hold.agent(budget=budget, max_tokens=100)
    for _ in range(3):
        await agent.chat("Hello", user="alice")
    (alert,) = alerts
    assert (alert.budget, alert.subject, alert.limit) == ("agent", "user alice", Decimal("0.01"))


async def test_an_agent_is_asked_no_more_often_than_its_quota_says(world: World, hold: Holdfast) -> None:
    agent = hold.agent(quota=Quota(2, per=3600))
    outcomes = [await agent.chat("Hello", user="alice") for _ in range(3)]
    assert [reply.outcome for reply in outcomes] == ["answered", "answered", "fallback"]
    assert isinstance(outcomes[-1].reason, RateLimited)
    assert (await agent.chat("Hello", user="bob")).outcome == "answered"
    assert (await hold.agent().chat("Hello", user="alice")).outcome == "answered"
