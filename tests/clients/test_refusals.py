"""What holdfast itself refuses costs nothing upstream, and no client that can be told comes back with it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from holdfast.policy.budget import BudgetConfig
from holdfast.policy.screening import ScreenConfig
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.clients.installed import CLIENTS, TABLES, Client, Clients, Seen
from tests.doors.running import quick_settings, serving

INSISTS = "Vercel AI SDK"
"""Repeats every 429, whatever it says."""


@dataclass(frozen=True, slots=True)
class Met:
    calls: int
    requests: int
    seen: Seen


def screened(settings: Settings) -> Settings:
    return replace(settings, screen=ScreenConfig(max_length=3))


def spent(settings: Settings) -> Settings:
    return replace(settings, budgets={"all": BudgetConfig(usd=Decimal("0.000001"), per="day")})


REFUSALS = {"the screen": screened, "the budget": spent}


def met(clients: Clients, client: Client, refusal: str) -> Met:
    with RunningSimulator() as simulator:
        settings = REFUSALS[refusal](quick_settings(simulator))
        with serving(simulator, settings) as gateway:
            seen = clients.do(client, "stream", gateway.url)
            return Met(len(gateway.records()), len(simulator.simulator.requests), seen)


def drawn(refusal: str, found: Mapping[Client, Met]) -> str:
    lines = [f"refused by {refusal}: calls of the client, requests upstream, what it says"]
    lines += [
        f"  {client.name:28} {one.calls}:{one.requests}  {one.seen.error}: {one.seen.message[:60]!r}"
        for client, one in found.items()
    ]
    return "\n".join(lines)


@pytest.mark.requirement("clients:faults")
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_of_ours_is_heard_once_and_asks_nothing_of_the_upstream(
    clients: Clients, refusal: str
) -> None:
    def one(client: Client) -> Met:
        return met(clients, client, refusal)

    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        found = dict(zip(CLIENTS, pool.map(one, CLIENTS), strict=True))
    TABLES.append(drawn(refusal, found))
    assert {client.name: one.requests for client, one in found.items() if one.requests} == {}
    assert [client.name for client, one in found.items() if one.seen.error is None] == []
    again = [client.name for client, one in found.items() if one.calls != 1]
    assert again == ([INSISTS] if refusal == "the budget" else [])
