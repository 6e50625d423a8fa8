"""What callers hear of limits: those of a shared key stay here, and each is told where it stands itself."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import StoreUnavailable
from holdfast.gateway import standing
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.holds import Limit
from holdfast.policy.routing import UpstreamConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.memory import MemoryStore
from holdfast.upstream.inprocess import InProcessClient
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import Headers
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask

OURS = "sk-ant-of-the-house"
COUNTED = {name: value for name, value in QUESTION.items() if name != "max_tokens"}
UNIFIED = "anthropic-ratelimit-unified-"


@contextmanager
def shared(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, **budgets: BudgetConfig
) -> Generator[RunningGateway]:
    monkeypatch.setenv("UPSTREAM_KEY", OURS)
    upstream = UpstreamConfig(url=simulator.url, key_env="UPSTREAM_KEY")
    settings = replace(quick_settings(simulator), upstreams={"simulator": upstream}, budgets=budgets)
    with serving(simulator, settings) as gateway:
        yield gateway


def limits(answer: Heard) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("anthropic-ratelimit")}


@pytest.mark.requirement("gateway:own-limits")
def test_the_limits_of_a_shared_key_are_told_to_nobody(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared(simulator, monkeypatch) as gateway:
        for body, path, method in (
            (QUESTION, "/v1/messages", "POST"),
            ({**QUESTION, "stream": True}, "/v1/messages", "POST"),
            (COUNTED, "/v1/messages/count_tokens", "POST"),
            (b"", "/v1/models", "GET"),
            (b"", "/v1/messages/batches", "GET"),
        ):
            answer = ask(gateway.url, body, path=path, method=method)
            assert answer.status == 200
            assert limits(answer) == {}


@pytest.mark.requirement("gateway:own-limits")
def test_a_caller_with_a_budget_hears_how_much_of_it_is_used(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = BudgetConfig(usd=Decimal("0.01"), per="day", scope="user")
    with shared(simulator, monkeypatch, people=budget) as gateway:
        monkeypatch.setattr(standing, "FRESH", 0.0)
        heard = limits(ask(gateway.url, QUESTION, headers={"x-holdfast-user": "alice"}))
        assert heard[f"{UNIFIED}status"] == "allowed"
        assert 0 < float(heard[f"{UNIFIED}overage-utilization"]) < 0.75
        assert int(heard[f"{UNIFIED}reset"]) > SYSTEM_CLOCK.now().timestamp()
        again = limits(ask(gateway.url, {**QUESTION, "stream": True}, headers={"x-holdfast-user": "bob"}))
        assert again[f"{UNIFIED}status"] == "allowed"


@pytest.mark.parametrize(
    ("used", "status", "passed"),
    [
        (0, "allowed", None),
        (749, "allowed", None),
        (750, "allowed_warning", "0.75"),
        (950, "allowed_warning", "0.95"),
        (1000, "rejected", "0.95"),
        (5000, "rejected", "0.95"),
    ],
)
def test_what_is_used_up_is_warned_of_in_time(used: int, status: str, passed: str | None) -> None:
    limit = Limit(budget="b", window="w", counted=("w",), nano=1000)
    said = standing.told((standing.part_used(limit, {"w": (used, 0)}), limit))
    assert said[f"{UNIFIED}status"] == status
    assert said.get(f"{UNIFIED}overage-surpassed-threshold") == passed
    assert Fraction(said[f"{UNIFIED}overage-utilization"]) == Fraction(used, 1000)
    assert f"{UNIFIED}reset" not in said


def test_while_the_store_is_away_nothing_is_told_and_the_answer_comes(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> dict[str, tuple[int, int]]:
        raise StoreUnavailable("away")

    budget = BudgetConfig(usd=Decimal(1), per="day")
    with shared(simulator, monkeypatch, everybody=budget) as gateway:
        monkeypatch.setattr(MemoryStore, "used", away)
        answer = ask(gateway.url, QUESTION)
        assert (answer.status, limits(answer)) == (200, {})


def test_a_sum_that_was_just_looked_up_is_not_asked_for_again(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = MemoryStore.used

    async def counted(store: MemoryStore, windows: list[str]) -> object:
        asked.append(windows)
        return await real(store, windows)

    monkeypatch.setattr(standing, "FRESH", 3600.0)
    with shared(simulator, monkeypatch, everybody=BudgetConfig(usd=Decimal(1), per="day")) as gateway:
        monkeypatch.setattr(MemoryStore, "used", counted)
        for _ in range(5):
            assert ask(gateway.url, QUESTION).status == 200
    assert len(asked) == 1


CARRIERS = st.sampled_from(["x-api-key", "authorization", "cookie", "api-key", "proxy-authorization"])
OTHERS = st.sampled_from(["accept", "anthropic-beta", "x-app", "user-agent", "x-holdfast-user"])
SECRET = "hf_live_of-the-caller"
HEADERS = st.lists(
    st.one_of(
        st.tuples(
            CARRIERS, st.sampled_from([SECRET, f"Bearer {SECRET}", f"bearer  {SECRET}", f"Basic {SECRET}"])
        ),
        st.tuples(OTHERS, st.text("abc ,=", max_size=8)),
    ),
    max_size=8,
)


@pytest.mark.requirement("gateway:credentials")
@given(headers=HEADERS, method=st.sampled_from(["GET", "POST", "DELETE"]))
def test_wherever_a_caller_writes_its_key_it_does_not_travel_with_ours(
    headers: list[tuple[str, str]], method: str
) -> None:
    async def nobody(*_: object) -> None: ...

    upstream = Upstream(
        name="house", config=UpstreamConfig(url="https://house"), client=InProcessClient(nobody), key=OURS
    )
    received: Headers = tuple(headers)
    sent = upstream.forwarded(method, "/v1/files", "", received, b"")
    assert [value for name, value in sent.headers if name == "x-api-key"] == [OURS]
    assert not [value for _, value in sent.headers if SECRET in value]
    assert not [name for name, _ in sent.headers if name == "authorization"]
