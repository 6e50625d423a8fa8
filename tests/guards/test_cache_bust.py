"""The station of the cache of prompts, before a simulator that keeps such a cache."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.events import PromptCacheBusted
from holdfast.guards.cache_bust import AT_ONCE
from holdfast.settings import StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.telemetry.metrics import Metrics
from tests.admin.operating import TOKEN
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import ask

MARK = {"cache_control": {"type": "ephemeral"}}
LONG = "You answer questions about orders, and you are brief. " * 400
"""Far longer than the shortest prompt that is cached."""


@pytest.fixture
def gateway(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    settings = replace(quick_settings(simulator), store=StoreConfig(url=f"sqlite:///{tmp_path / 'book.db'}"))
    with serving(simulator, settings) as running:
        yield running


def talk(turns: int, *, system: str = LONG, mark: bool = True, **members: Any) -> dict[str, Any]:
    """A conversation after so many turns, cached up to its end."""
    messages: list[dict[str, Any]] = []
    for number in range(turns):
        messages += [
            {"role": "user", "content": f"Question {number}?"},
            {"role": "assistant", "content": f"Answer {number}."},
        ]
    messages.append(
        {"role": "user", "content": [{"type": "text", "text": "And now?", **(MARK if mark else {})}]}
    )
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 50,
        "system": [{"type": "text", "text": system, **(MARK if mark else {})}],
        "messages": messages,
        **members,
    }


def busts(gateway: RunningGateway) -> list[PromptCacheBusted]:
    gateway.records()
    return [event for event in gateway.events if isinstance(event, PromptCacheBusted)]


def story_of(gateway: RunningGateway, body: object, **headers: str) -> tuple[str, dict[str, Any] | None]:
    """The id of a call and what the Admin API tells of its cache."""
    heard = ask(gateway.url, body, headers=headers)
    assert heard.status == 200, heard.body
    gateway.records()
    name = heard.headers["x-holdfast-request-id"]
    told = ask(gateway.url, method="GET", path=f"/api/v1/requests/{name}", headers={"x-api-key": TOKEN})
    return name, told.json["story"]["cache"]


def test_a_conversation_that_grows_reads_its_cache_and_raises_no_alarm(gateway: RunningGateway) -> None:
    _, first = story_of(gateway, talk(0))
    _, second = story_of(gateway, talk(1))
    assert first is not None
    assert second is not None
    assert (first["hit"], first["block"]) == (0.0, None)
    assert second["hit"] > 0.9
    assert 0.4 < second["conversation_hit"] < 0.6
    assert second["conversation"] == first["conversation"]
    assert busts(gateway) == []


def test_a_system_prompt_with_the_time_in_it_is_caught_with_its_price(gateway: RunningGateway) -> None:
    ask(gateway.url, talk(1, system=LONG + "It is 12:00."))
    name, told = story_of(gateway, talk(2, system=LONG + "It is 12:01."))
    (event,) = busts(gateway)
    assert (event.request_id, event.block) == (name, "system.0")
    assert event.lost_tokens > 1_024
    assert event.cost is not None
    assert told is not None
    assert (told["block"], told["lost_tokens"]) == (event.block, event.lost_tokens)
    # Of a million tokens: 2.50 dollars written or 2.00 sent plain, instead of 0.10 read.
    each = Decimal(event.cost) / event.lost_tokens * 1_000_000
    assert Decimal(told["lost"]) == Decimal(event.cost)
    assert Decimal("1.9") <= each <= Decimal("2.4")


def test_a_tool_that_changes_is_named(gateway: RunningGateway) -> None:
    def tools(word: str) -> list[dict[str, Any]]:
        names = ("read", "write", word)
        return [{"name": name, "description": LONG, "input_schema": {"type": "object"}} for name in names]

    ask(gateway.url, talk(1, tools=tools("list")))
    ask(gateway.url, talk(2, tools=tools("find")))
    assert [event.block for event in busts(gateway)] == ["tools.2"]


def test_a_body_that_is_read_in_a_thread_is_judged_alike(gateway: RunningGateway) -> None:
    long = LONG * 3
    assert len(json.dumps(talk(1, system=long))) > AT_ONCE
    ask(gateway.url, talk(1, system=long))
    ask(gateway.url, talk(2, system="New. " + long))
    assert [event.block for event in busts(gateway)] == ["system.0"]


def test_a_call_that_asks_for_no_cache_is_not_looked_at(gateway: RunningGateway) -> None:
    _, told = story_of(gateway, talk(1, mark=False))
    assert told is None
    assert busts(gateway) == []


def test_another_users_conversation_is_another(gateway: RunningGateway) -> None:
    ask(gateway.url, talk(1, system=LONG + "Kim"), headers={"x-holdfast-user": "kim"})
    ask(gateway.url, talk(2, system=LONG + "Lee"), headers={"x-holdfast-user": "lee"})
    assert busts(gateway) == []


def test_a_call_that_fails_says_nothing_of_its_cache(gateway: RunningGateway) -> None:
    ask(gateway.url, talk(1))
    assert ask(gateway.url, talk(2, model="no-such-model")).status >= 400
    assert busts(gateway) == []


def test_busts_are_counted_by_their_place() -> None:
    metrics = Metrics()
    for block, lost in (("tools.3", 2_000), ("tools.4", 3_000), ("messages.4.content.1", 5_000)):
        metrics.observe(
            PromptCacheBusted(request_id="r", conversation="c", block=block, lost_tokens=lost, cost=None)
        )
    shown = metrics.render().decode()
    assert 'holdfast_prompt_cache_busts_total{place="tools"} 2.0' in shown
    assert 'holdfast_prompt_cache_lost_tokens_total{place="messages"} 5000.0' in shown
