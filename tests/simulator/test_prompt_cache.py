"""The prompt cache: prefixes in the order tools, system, messages, written at breakpoints only."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.simulator.prompt import PromptCache
from holdfast.testing import FakeClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Json

LONG = "x" * 8_000
EPHEMERAL = {"type": "ephemeral"}


def block(text: str = LONG, *, ttl: str | None = None) -> "Json":
    mark: dict[str, Any] = EPHEMERAL if ttl is None else {**EPHEMERAL, "ttl": ttl}
    return {"type": "text", "text": text, "cache_control": mark}


def split(message: "Json") -> tuple[int, int, int]:
    """Read, written for 5 minutes, written for an hour."""
    usage = message["usage"]
    created = usage["cache_creation"]
    assert usage["cache_creation_input_tokens"] == sum(created.values())
    return (
        usage["cache_read_input_tokens"],
        created["ephemeral_5m_input_tokens"],
        created["ephemeral_1h_input_tokens"],
    )


async def test_the_first_request_writes_and_the_second_reads(api: "Api") -> None:
    first = await api.message("Hi", system=[block()])
    second = await api.message("Another question", system=[block()])
    assert split(first) == (0, 2600, 0)
    assert split(second) == (2600, 0, 0)


async def test_the_parts_always_add_up_to_the_count(api: "Api") -> None:
    body: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "system": [block()],
        "messages": [{"role": "user", "content": "Hi"}],
    }
    counted = await api.tokens(body)
    for _ in range(2):
        usage = (await api.message("Hi", system=[block()]))["usage"]
        total = (
            usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
        )
        assert total == counted


async def test_reads_and_writes_are_billed_at_their_rates(api: "Api") -> None:
    for _ in range(2):
        await api.message("Hi", system=[block(ttl="1h")], max_tokens=0)
    first, second = api.simulator.ledger
    rest = int(str(first.usage["input_tokens"])) * Decimal(2)
    assert first.cost == (rest + 2600 * Decimal(4)) / 1_000_000
    assert second.cost == (rest + 2600 * Decimal("0.1")) / 1_000_000


async def test_a_short_prefix_is_not_cached(api: "Api") -> None:
    for _ in range(2):
        assert split(await api.message("Hi", system=[block("short")])) == (0, 0, 0)


async def test_an_entry_ends_after_five_minutes_and_a_read_renews_it(api: "Api", clock: FakeClock) -> None:
    reads: list[int] = []
    for wait in (0, 200, 200, 301):
        clock.advance(wait)
        reads.append(split(await api.message("Hi", system=[block()]))[0])
    assert reads == [0, 2600, 2600, 0]


async def test_an_hour_is_an_hour(api: "Api", clock: FakeClock) -> None:
    await api.message("Hi", system=[block(ttl="1h")])
    clock.advance(3599)
    assert split(await api.message("Hi", system=[block(ttl="1h")]))[0] == 2600


async def test_both_lifetimes_are_told_apart(api: "Api") -> None:
    message = await api.message("Hi", system=[block(ttl="1h"), block("y" * 8_000)])
    assert split(message) == (0, 2600, 2600)


async def test_another_model_another_system_and_another_workspace_have_their_own_entries(api: "Api") -> None:
    await api.message("Hi", system=[block()])
    assert split(await api.message("Hi", model="claude-opus-5-5", system=[block()]))[0] == 0
    assert split(await api.message("Hi", system=[block("z" * 8_000)]))[0] == 0
    api.headers["anthropic-workspace-id"] = "wrkspc_2"
    assert split(await api.message("Hi", system=[block()]))[0] == 0


async def test_a_growing_conversation_reads_what_it_wrote_before(api: "Api") -> None:
    turns: list[Json] = [{"role": "user", "content": [block()]}]
    await api.message("", messages=turns)
    turns = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": "I see."},
        {"role": "user", "content": [block("And now?")]},
    ]
    read, written, _ = split(await api.message("", messages=turns))
    assert read == 2604
    assert 0 < written < 30


async def test_automatic_caching_marks_the_end_of_the_prompt(api: "Api") -> None:
    first = await api.message(LONG, cache_control=EPHEMERAL)
    second = await api.message(LONG, cache_control=EPHEMERAL)
    assert split(first) == (0, 2604, 0)
    assert split(second) == (2604, 0, 0)


async def test_nothing_further_back_than_twenty_blocks_is_found(api: "Api") -> None:
    head: list[Json] = [block()]
    await api.message("", messages=[{"role": "user", "content": head}])
    more: list[Json] = [{"type": "text", "text": f"{number}"} for number in range(20)]
    content = [{"type": "text", "text": LONG}, *more[:-1], block("end")]
    assert split(await api.message("", messages=[{"role": "user", "content": content}]))[0] == 0


@pytest.mark.parametrize("tools_first", [True, False])
async def test_tools_come_first_in_the_prefix(api: "Api", tools_first: bool) -> None:
    tool = {"name": "t", "description": LONG, "input_schema": {"type": "object"}, "cache_control": EPHEMERAL}
    await api.message("Hi", tools=[tool], system="one")
    read, _, _ = split(await api.message("Hi", tools=[tool], system="two" if tools_first else "one"))
    assert read > 2600


async def test_the_oldest_prefixes_make_room(api: "Api") -> None:
    api.simulator.cache = PromptCache(keep=1)
    for text in (LONG, "y" * 8_000, LONG):
        message = await api.message("Hi", system=[block(text)])
    assert split(message)[0] == 0
