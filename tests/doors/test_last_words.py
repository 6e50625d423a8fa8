"""What a refusal says of what the call has cost."""

from typing import Any

import pytest

from holdfast.errors import Stopped
from holdfast.gateway.responding import Outlet


@pytest.mark.parametrize(("attempts", "cost"), [(0, b"0"), (1, None)])
async def test_only_a_call_that_was_never_sent_is_said_to_have_cost_nothing(
    attempts: int, cost: bytes | None
) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    error = Stopped("All calls are stopped.")
    error.attempts = attempts
    await Outlet(send, "hfr_1").break_off(error)
    headers = dict(sent[0]["headers"])
    assert (headers.get(b"x-holdfast-cost"), headers[b"x-holdfast-attempts"]) == (cost, b"%d" % attempts)
