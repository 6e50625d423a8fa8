"""Callers name models, users, runs, agents and tools: however many they make up, what a worker keeps stays as small."""

import gc
import json
from collections import deque
from collections.abc import Iterator, Sized
from decimal import Decimal
from types import FunctionType, ModuleType
from typing import cast

import pytest

from holdfast.assembly import Runtime, assemble
from holdfast.call import Incoming, Principal
from holdfast.errors import HoldfastError
from holdfast.events import Event, Observer, ToolChanged, unobserved
from holdfast.guards import pins
from holdfast.parts.verdicts import Verdicts
from holdfast.policy import evidence, expectation, series
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.fallback import FallbackConfig
from holdfast.policy.price_table import UnknownModelPolicy
from holdfast.policy.pricing import PricingConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.policy.routing import FailoverConfig, UpstreamConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.stores import memory, memory_register
from holdfast.stores.memory import MemoryStore
from holdfast.telemetry import chronicle, pulse
from holdfast.testing import FakeClock
from holdfast.upstream import circuits, destinations, gates, pacing
from tests.upstream.scripted import JSON, Reply, ScriptedClient

FEW = 20
WARM, MORE = 60, 120
BOUNDS = [(circuits, "KEPT"), (gates, "KEPT"), (pacing, "KEPT"), (destinations, "KEPT"), (expectation, "MODELS"),
          (pins, "MOST_PINS"), (pins, "MOST_TOLD"), (memory, "GROUPS"), (memory_register, "LINES"),
          (pulse, "MOST_GATES"), (pulse, "HEARD"), (evidence, "MOST"), (series, "KEPT"),
          (chronicle, "KEPT"), (chronicle, "LOOPS")]  # fmt: skip
LIMITS = (("anthropic-ratelimit-requests-limit", "50"), ("anthropic-ratelimit-requests-remaining", "49"),
          ("anthropic-ratelimit-requests-reset", "2030-01-01T00:00:00Z"))  # fmt: skip

ANSWERS = {
    "answered": Reply(headers=(*JSON, *LIMITS)),
    "unknown there": Reply.refusal(404, "not_found_error"),
    "limited": Reply.refusal(429, "rate_limit_error", retry_after="60"),
    "overloaded": Reply.refusal(529, "overloaded_error"),
    "key rejected": Reply.refusal(401, "authentication_error"),
}


class Forgetful(ScriptedClient):
    """An upstream that remembers nobody who asked."""

    async def send(self, request: object) -> object:  # type: ignore[override]
        connection = await super().send(request)  # type: ignore[arg-type]
        self.requests.clear()
        self.connections.clear()
        return connection


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds small enough to be reached."""
    for module, name in BOUNDS:
        assert getattr(module, name) >= FEW
        monkeypatch.setattr(module, name, FEW)


def opened(
    answer: Reply, unknown_model: UnknownModelPolicy, observe: Observer = unobserved
) -> tuple[Runtime, FakeClock]:
    clock = FakeClock()
    upstreams = {name: UpstreamConfig(url=f"http://127.0.0.1:{port}") for name, port in (("a", 9), ("b", 10))}
    settings = Settings(
        store=StoreConfig(url="memory:"),
        upstreams=upstreams,
        pricing=PricingConfig(unknown_model=unknown_model),
        budgets={"all": BudgetConfig(usd=Decimal(1_000_000), per="total")},
        quotas={"each": QuotaConfig(requests=100, per=1.0, concurrency=5, scope="key+user+model+run")},
        fallback=FallbackConfig(cached=True, keep=FEW),
        failover=FailoverConfig(models={"m": ("n",)}),
    )
    store = MemoryStore(keep=FEW, clock=clock)
    client = Forgetful(answer)
    return assemble(settings, clock=clock, client=lambda *_: client, ledger=store, observe=observe), clock  # type: ignore[arg-type]


async def call(runtime: Runtime, number: int, *, tool: str = "x") -> None:
    """A call of which every name is new, with a thought in its history so that its home matters."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    body = {
        "model": f"model-{number}",
        "max_tokens": 8,
        "messages": [
            {"role": "user", "content": f"Hi {number}"},
            {"role": "assistant", "content": [thought]},
            {"role": "user", "content": "on"},
        ],
        "tools": [{"name": f"mcp__t{number}", "description": tool, "input_schema": {"type": "object"}}],
    }
    principal = Principal(
        door="gateway",
        key=f"key-{number}",
        user=f"user-{number}",
        run=f"run-{number}",
        agent=f"agent-{number}",
        tags={f"tag-{number}": "x"},
    )
    incoming = Incoming(body=json.dumps(body).encode(), headers=(("x-api-key", f"sk-caller-{number}"),))
    try:
        answer = await runtime.pipeline(
            runtime.call(incoming, principal, request_id=f"hfr_{number}", attempts=2)
        )
        await answer.read()
    except HoldfastError:
        return


def inner(held: object) -> Iterator[object]:
    """What an object holds on to, but for the code it runs."""
    if isinstance(held, (ModuleType, type)):
        return
    if isinstance(held, FunctionType):
        yield from held.__closure__ or ()
    else:
        yield from gc.get_referents(held)


def everything(root: object) -> Iterator[object]:
    """All that can be reached from there, each once."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        held = waiting.pop()
        if id(held) not in seen:
            seen[id(held)] = held
            yield held
            waiting += inner(held)


def verdicts_of(root: object) -> list[Verdicts[object]]:
    """Every memory of verdicts, whose bound is taken when it is made."""
    return [cast("Verdicts[object]", held) for held in everything(root) if isinstance(held, Verdicts)]


def members(root: object) -> int:
    """How many members all tables have that can be reached from there."""
    return sum(
        len(cast("Sized", held))
        for held in everything(root)
        if isinstance(held, (dict, list, set, frozenset, deque))
    )


@pytest.mark.parametrize(
    ("name", "unknown_model"), [("answered", "refuse"), *((name, "dearest") for name in ANSWERS)]
)
async def test_calls_that_make_up_every_name_leave_no_more_behind_the_more_there_are(
    name: str, unknown_model: UnknownModelPolicy
) -> None:
    runtime, clock = opened(ANSWERS[name], unknown_model)
    for verdicts in verdicts_of(runtime):
        verdicts.most = FEW
    sizes: list[int] = []
    for number in range(WARM + MORE):
        await call(runtime, number)
        clock.advance(61.0)
        if number + 1 in (WARM, WARM + MORE):
            gc.collect()
            sizes.append(members(runtime))
    await runtime.aclose()

    assert sizes[1] - sizes[0] <= MORE // 10, sizes


async def test_a_tool_stays_pinned_where_nobody_else_tells_of_the_register() -> None:
    told: list[Event] = []
    runtime, clock = opened(ANSWERS["answered"], "refuse", told.append)
    await call(runtime, 1)
    clock.advance(3_600.0)

    await call(runtime, 1, tool="another description")
    await runtime.aclose()

    assert [event.code for event in told if isinstance(event, ToolChanged)] == ["changed"]
