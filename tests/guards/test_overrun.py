"""What an attempt costs beyond what was held for it is announced, to the last pico-dollar."""

import msgspec
import pytest

from holdfast.call import Incoming, Outcome, Principal
from holdfast.events import BudgetOverrun
from holdfast.wire.usage import Usage
from tests.agent.conftest import World

BODY = msgspec.json.encode(
    {"model": "claude-sonnet-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}
)
USED = Usage(input_tokens=10)


async def announced(world: World, held: int | None) -> list[int]:
    async with world.hold() as hold:
        runtime = hold.runtime
        call = runtime.call(Incoming(body=BODY), Principal(door="library"), request_id="hfr_1")
        if held is not None:
            call.tally.held[1] = held
        step = await runtime.stations.guards[0](call)
        settle = getattr(step, "settle", None)
        assert settle is not None
        await settle(Outcome(end="answered", status=200, usage=USED, attempts=1, upstream="simulator"))
        cost = runtime.prices.cost_pico("claude-sonnet-5-5", USED, at=call.arrived)
    return [event.over_pico - cost for event in world.events if isinstance(event, BudgetOverrun)]


@pytest.mark.parametrize(("held", "over"), [(1, [-1]), (10**12, []), (None, [])])
async def test_only_what_goes_beyond_a_hold_is_an_overrun(held: int | None, over: list[int]) -> None:
    assert await announced(World(), held) == over
