"""Tools pinned when they are first seen, and what follows when they change."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.call import Call, Principal
from holdfast.errors import StoreUnavailable
from holdfast.events import Event, OrderUnreadable, ToolChanged
from holdfast.guards import pins as module
from holdfast.guards.pins import PinGuard
from holdfast.operations.tool_pins import approve, forget, pins, refuse
from holdfast.policy.pins import PIN, ToolRejected, pin_name
from holdfast.policy.taint import TaintConfig
from holdfast.ports import Entry
from holdfast.stores.memory import MemoryStore
from holdfast.wire.messages import read_request
from tests.upstream.scripted import a_call

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Desk:
    """A guard, its register, and what it has announced; `known` is what the watch has heard of last."""

    def __init__(self, **config: Any) -> None:
        self.store = MemoryStore()
        self.known: tuple[Entry, ...] = ()
        self.events: list[Event] = []
        self.guard = PinGuard(
            config=TaintConfig(**config),
            register=self.store,
            entries=lambda: self.known,
            flags=lambda text: "ATTACK" in text,
            observe=self.events.append,
        )

    async def hear(self) -> None:
        self.known = await self.store.entries(PIN)

    async def offer(self, *tools: dict[str, Any], key: str = "key", later: float = 0.0) -> None:
        call = offering(*tools, key=key)
        call = replace(call, arrived=NOW + timedelta(seconds=later))
        assert (await self.guard(call)).call is call

    def told(self) -> list[tuple[str, str, str]]:
        return [(one.tool, one.code, one.action) for one in self.events if isinstance(one, ToolChanged)]


def tool(name: str = "mcp__web__read", description: str = "Reads.") -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": {"type": "object"}}


def offering(*tools: dict[str, Any], key: str = "key") -> Call:
    asked = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}], "tools": tools}
    body = json.dumps(asked).encode()
    principal = Principal(door="gateway", key=key)
    return replace(a_call(), body=body, request=read_request(body), principal=principal)


@pytest.mark.parametrize("hears", [False, True])
async def test_a_changed_description_is_announced_once(*, hears: bool) -> None:
    desk = Desk()
    await desk.offer(tool())
    if hears:
        await desk.hear()
    await desk.offer(tool())
    for _ in range(2):
        await desk.offer(tool(description="Reads, and sends."))
    assert desk.told() == [("mcp__web__read", "changed", "flag")]
    assert [pin.tool for pin in await pins(desk.store)] == ["mcp__web__read"]


async def test_a_changed_tool_is_refused_until_a_person_approves_it() -> None:
    desk = Desk(pins="refuse")
    await desk.offer(tool())
    with pytest.raises(ToolRejected) as caught:
        await desk.offer(tool(description="Reads, and sends."))
    seen = str(caught.value.details["fingerprint"])
    await approve(desk.store, "key", "mcp__web__read", seen, at=NOW, actor="kim")
    await desk.hear()
    await desk.offer(tool(description="Reads, and sends."))
    assert [entry.actor for entry in await desk.store.audit(9)] == ["kim", "first-seen"]


async def test_what_one_caller_calls_a_tool_is_nobody_elses() -> None:
    desk = Desk(pins="refuse")
    await desk.offer(tool())
    await desk.offer(tool(description="Another."), key="other")
    assert len(await pins(desk.store)) == 2


async def test_a_pin_that_is_forgotten_is_made_anew() -> None:
    desk = Desk(pins="refuse")
    await desk.offer(tool())
    await desk.hear()
    assert await forget(desk.store, "key", "mcp__web__read", actor="kim")
    await desk.hear()
    await desk.offer(tool(description="Another."), later=61)
    assert desk.told() == []


async def test_a_description_that_reads_like_an_attack_is_not_pinned() -> None:
    desk = Desk()
    await desk.offer(
        tool(description="ATTACK"), tool("mcp__web__find", "Finds.\u200b"), tool("mcp__web__list")
    )
    assert sorted(desk.told()) == [
        ("mcp__web__find", "hidden", "flag"),
        ("mcp__web__read", "suspicious", "flag"),
    ]
    assert [pin.tool for pin in await pins(desk.store)] == ["mcp__web__list"]


async def test_nothing_is_read_where_pins_are_off_and_nothing_pinned_that_the_settings_do_not_name() -> None:
    for config, one in ((TaintConfig(pins="off"), tool()), (TaintConfig(), tool("Bash"))):
        desk = Desk(pins=config.pins)
        await desk.offer(one)
        await desk.offer()
        assert await pins(desk.store) == ()


async def test_a_register_that_is_away_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(pins="refuse")

    async def away(*given: object, **named: object) -> int:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "put", away)
        await desk.offer(tool())
    await desk.offer(tool(description="Another."))
    assert desk.told() == []


async def test_an_unreadable_pin_goes_on_to_say_what_it_said() -> None:
    desk = Desk(pins="refuse")
    await desk.offer(tool())
    await desk.hear()
    await desk.offer(tool())
    await desk.store.put(PIN, pin_name("key", "mcp__web__read"), b"{}", actor="kim")
    await desk.hear()
    await desk.offer(tool())
    assert [type(event) for event in desk.events] == [OrderUnreadable]


async def test_pins_and_what_is_remembered_of_troubles_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PINS", 2)
    monkeypatch.setattr(module, "MOST_TOLD", 1)
    desk = Desk()
    await desk.offer(*(tool(f"mcp__web__{name}") for name in "abc"))
    assert len(await pins(desk.store)) == 2
    for _ in range(2):
        await desk.offer(tool("mcp__web__x", "ATTACK"), tool("mcp__web__y", "ATTACK"))
    assert len(desk.told()) == 4


async def test_a_tool_that_a_person_has_refused_is_refused_even_where_changes_are_only_told_of() -> None:
    desk = Desk(pins="flag")
    await refuse(desk.store, "key", "mcp__web__read", at=NOW, actor="kim")
    await desk.hear()

    with pytest.raises(ToolRejected, match="an operator has refused it"):
        await desk.offer(tool())
    await desk.offer(tool(), key="another")
    assert desk.told() == [("mcp__web__read", "refused", "refuse")]


async def test_a_worker_that_is_alone_knows_its_own_pins_until_it_hears_of_the_register() -> None:
    desk = Desk(pins="flag")
    revisions = [1]
    desk.guard = replace(desk.guard, revision=lambda: revisions[-1])
    await desk.offer(tool())
    await desk.offer(tool(description="Reads and posts."), later=7_200)
    await forget(desk.store, "key", "mcp__web__read", actor="kim")
    revisions.append(2)
    await desk.offer(tool(description="Reads and posts."), later=7_201)

    assert desk.told() == [("mcp__web__read", "changed", "flag")]
    assert len(await pins(desk.store)) == 1
