"""A service that has good and bad times: outages, brown-outs, recoveries, and connections that are refused."""

import ast
import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anthropic
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import holdfast.simulator
from holdfast.simulator import (
    BrownOut,
    Capacity,
    Curve,
    Fault,
    Latency,
    Outage,
    Pace,
    Point,
    Profile,
    RateLimits,
    Refuse,
    Reset,
    Simulator,
    Stall,
    Status,
)
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from holdfast.testing.virtual import VirtualClock, run
from tests.simulator.raw import Answer, ask, call

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Wire

MODEL = "claude-sonnet-5-5"
SECOND = Latency(paces={}, otherwise=Pace(first_token=1.0, tokens_per_second=1e9), sigma=0)


def history(
    profile: Profile,
    moments: list[float],
    *,
    seed: int = 0,
    model: str = MODEL,
    per_moment: int = 1,
) -> list[list[Answer]]:
    """The answers to so many requests at each moment, in virtual time."""

    async def main() -> list[list[Answer]]:
        simulator = Simulator(seed=seed, clock=VirtualClock(), latency=SECOND, profile=profile)
        found: list[list[Answer]] = []
        for moment in moments:
            await asyncio.sleep(moment - simulator.elapsed)
            calls = (call(simulator, ask(f"Question {n}", model=model)) for n in range(per_moment))
            found.append(await asyncio.gather(*calls))
        return found

    return run(main())


def statuses(profile: Profile, moments: list[float], *, model: str = MODEL) -> list[int]:
    return [answer.status for (answer,) in history(profile, moments, model=model)]


def test_an_outage_fails_every_request_from_its_start_to_its_end() -> None:
    assert statuses((Outage(10, 20, status=503),), [0, 5, 10, 15, 20, 25]) == [200, 200, 503, 503, 200, 200]


def test_an_outage_without_an_end_is_for_good_and_529_by_default() -> None:
    assert statuses((Outage(5),), [0, 10, 100_000]) == [200, 529, 529]


def test_an_outage_may_be_of_one_model() -> None:
    profile = (Outage(0, model="claude-opus-5-5"),)
    assert statuses(profile, [0]) == [200]
    assert statuses(profile, [0], model="claude-opus-5-5") == [529]


@pytest.mark.parametrize(
    ("action", "error"), [(Reset(), ConnectionResetError), (Refuse(), ConnectionRefusedError)]
)
async def test_an_outage_may_break_or_refuse_connections(
    clock: FakeClock, action: Reset | Refuse, error: type[Exception]
) -> None:
    simulator = Simulator(time_scale=0, clock=clock, profile=(Outage(10, 20, action=action),))
    clock.advance(10)
    with pytest.raises(error):
        await call(simulator, ask())
    clock.advance(10)
    assert (await call(simulator, ask())).status == 200


async def test_a_refused_connection_costs_nothing(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock)
    simulator.fault(Refuse())
    with pytest.raises(ConnectionRefusedError):
        await call(simulator, ask())
    assert simulator.ledger == ()
    assert [(seen.ending, seen.fault, seen.status) for seen in simulator.requests] == [
        ("faulted", "refuse", None)
    ]


def test_a_brown_out_fails_its_share_and_slows_the_rest() -> None:
    profile = (BrownOut(10, 20, error_rate=0.3, latency_factor=4),)
    before, within, after = history(profile, [0, 10, 30], per_moment=200)
    assert {answer.status for answer in before + after} == {200}
    failed = sum(answer.status == 529 for answer in within)
    assert 40 < failed < 80
    assert {round(answer.ended - 10, 3) for answer in within if answer.status == 200} == {4.0}
    assert {round(answer.ended - 30, 3) for answer in after} == {1.0}


def test_a_brown_out_may_ramp_up_and_down() -> None:
    brown_out = BrownOut(0, 100, error_rate=0.8, latency_factor=3, ramp_up=40, ramp_down=20)
    course = [brown_out.intensity(at) for at in (-1, 0, 10, 40, 60, 90, 99.9999, 100)]
    assert [round(rate, 3) for rate, _ in course] == [0, 0, 0.2, 0.8, 0.8, 0.4, 0, 0]
    assert [round(slower, 3) for _, slower in course] == [1, 1, 1.5, 3, 3, 2, 1, 1]


def test_a_curve_goes_straight_from_point_to_point() -> None:
    curve = Curve((Point(0), Point(10, 1.0, 2.0), Point(10, 0.5), Point(20, 0.0)))
    assert [curve.intensity(at)[0] for at in (-1, 0, 5, 9.5, 10, 15, 20)] == [0, 0, 0.5, 0.95, 0.5, 0.25, 0]
    assert curve.intensity(5)[1] == 1.5


def test_stretches_that_overlap_multiply_their_slowness_and_the_first_error_counts() -> None:
    profile = (BrownOut(0, 10, latency_factor=2), BrownOut(0, 10, latency_factor=3))
    ((answer,),) = history(profile, [0])
    assert round(answer.ended, 3) == 6
    assert statuses((Outage(0, status=500), Outage(0, status=503)), [0]) == [500]


async def test_a_fault_of_the_script_goes_before_the_profile(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, profile=(Outage(0),))
    simulator.fault(Status(418))
    assert [(await call(simulator, ask())).status for _ in range(2)] == [418, 529]


async def test_a_profile_begins_anew_with_a_reset_and_can_be_replaced(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, profile=(Outage(10, 20),))
    clock.advance(30)
    simulator.reset()
    clock.advance(15)
    assert (await call(simulator, ask())).status == 529
    simulator.profile = ()
    assert (await call(simulator, ask())).status == 200


async def test_a_profile_can_be_set_over_http(api: "Api", clock: FakeClock) -> None:
    profile = [
        {"type": "outage", "start": 10, "end": 20, "action": {"type": "status", "status": 503}},
        {"type": "brown_out", "start": 30, "end": 40, "error_rate": 1.0, "ramp_up": 2},
        {"type": "curve", "points": [{"at": 50, "error_rate": 1}, {"at": 60, "error_rate": 1}]},
    ]
    shown = (await api.call("POST", "/__sim/config", json={"profile": profile})).json()
    assert [stretch["type"] for stretch in shown["profile"]] == ["outage", "brown_out", "curve"]
    found: list[int] = []
    for moment in (0, 15, 25, 35, 45, 55, 65):
        clock.advance(moment - api.simulator.elapsed)
        found.append((await call(api.simulator, ask())).status)
    assert found == [200, 503, 200, 529, 200, 529, 200]


@pytest.mark.parametrize(
    "make",
    [
        lambda: BrownOut(0, 10, error_rate=1.1),
        lambda: BrownOut(0, 10, latency_factor=0),
        lambda: BrownOut(0, 10, ramp_up=6, ramp_down=6),
        lambda: BrownOut(0, 10, ramp_up=-1),
        lambda: Curve((Point(10), Point(0))),
        lambda: Curve((Point(0, error_rate=2),)),
    ],
)
def test_a_stretch_that_cannot_be_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"error rate|latency factor|ramps|order of time"):
        make()


@given(
    at=st.floats(0, 200),
    up=st.floats(0, 50),
    down=st.floats(0, 50),
    rate=st.floats(0, 1),
    slow=st.floats(1, 50),
)
def test_a_brown_out_never_exceeds_what_it_says(
    at: float, up: float, down: float, rate: float, slow: float
) -> None:
    found, slower = BrownOut(0, 100, rate, slow, ramp_up=up, ramp_down=down).intensity(at)
    assert 0 <= found <= rate
    assert 1 <= slower <= slow
    assert at < 100 or (found, slower) == (0, 1)


def a_bad_day(seed: int, order: int) -> list[tuple[float, int, str, float]]:
    """An hour of everything at once in virtual time: what each of 200 callers got, and when."""

    async def main() -> list[tuple[float, int, str, float]]:
        simulator = Simulator(
            seed=seed,
            clock=VirtualClock(),
            capacity=Capacity(concurrent=3, queue=4, patience=20, slowdown=2),
            limits=RateLimits(requests=30),
            profile=(BrownOut(600, 1800, error_rate=0.4, latency_factor=5, ramp_up=60), Outage(2400, 2700)),
        )
        simulator.fault(
            Fault(Stall(seconds=40), every=17, times=None), Fault(Status(500), probability=0.1, times=None)
        )

        async def one(number: int) -> tuple[float, int, str, float]:
            await asyncio.sleep(number // 4 * 72.0 + number % 4)
            answer = await call(
                simulator, ask(f"Question {number}", stream=number % 2 == 0), key=f"key {number % 3}"
            )
            return answer.ended, answer.status, answer.headers["request-id"], float(simulator.billed)

        return await asyncio.gather(*(one(number) for number in range(200)))

    return run(main(), seed=order)


def test_an_hour_of_everything_at_once_is_the_same_whenever_the_seed_is() -> None:
    found = a_bad_day(1, 1)
    assert a_bad_day(1, 1) == found
    assert [result[1:3] for result in a_bad_day(2, 1)] != [result[1:3] for result in found]
    assert {status for _, status, _, _ in found} == {200, 500, 529}
    assert max(ended for ended, *_ in found) > 3500


def test_only_the_clock_and_the_server_know_real_time() -> None:
    folder = Path(holdfast.simulator.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
        }
        assert "time" not in imported or path.name == "clock.py"
        sleeps = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("asyncio.sleep", "datetime.now")
        ]
        naps = [node for node in sleeps if ast.unparse(node) != "asyncio.sleep(0)"]
        assert not naps or path.name in ("clock.py", "server.py"), path.name


@pytest.fixture
def client(simulator: RunningSimulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=simulator.url, max_retries=0) as made:
        yield made


def create(client: anthropic.Anthropic) -> str | None:
    question: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hi"}]
    return client.messages.create(model=MODEL, max_tokens=9, messages=question).stop_reason


def test_connections_can_be_refused_and_accepted_again_at_the_same_address(
    client: anthropic.Anthropic, simulator: RunningSimulator
) -> None:
    for _ in range(3):
        assert create(client) == "max_tokens"
        simulator.refuse()
        with pytest.raises(anthropic.APIConnectionError) as raised:
            create(client)
        assert isinstance(raised.value.__cause__, httpx2.ConnectError)
        simulator.accept()
    assert create(client) == "max_tokens"
    assert len(simulator.simulator.requests) == 4


def test_an_answer_that_is_on_its_way_is_finished_behind_a_closed_door(wire: "Wire") -> None:
    wire.running.simulator.fault(Stall(seconds=0.2))
    with wire.send(ask(stream=True)) as connection:
        raw = connection.recv(65536)
        wire.running.refuse()
        while chunk := connection.recv(65536):
            raw += chunk
    assert b"message_stop" in raw
    with pytest.raises(ConnectionRefusedError):
        wire.connect()


def test_connections_refused_over_http_come_back_by_themselves(wire: "Wire") -> None:
    url = wire.running.url
    answer = httpx2.post(f"{url}/__sim/connections", json={"refuse": 0.6})
    assert 0 < answer.json()["refusing"] <= 0.6
    wire.running.until(lambda simulator: simulator.door.listening == 0)
    with pytest.raises(ConnectionRefusedError):
        wire.connect()
    wire.running.until(lambda simulator: simulator.door.listening == 1)
    wire.connect().close()


@pytest.mark.parametrize("seconds", [-1, 3601, "long"])
async def test_a_refusal_over_http_has_an_end(api: "Api", seconds: object) -> None:
    answer = await api.call("POST", "/__sim/connections", json={"refuse": seconds})
    assert answer.status_code == 400


def test_a_simulator_can_be_stopped_while_it_refuses_connections() -> None:
    running = RunningSimulator().start()
    running.refuse()
    running.stop()
    assert running.simulator.door.listening == 0


def test_a_simulator_that_refuses_from_the_start_listens_when_it_is_told_to() -> None:
    simulator = Simulator(time_scale=0)
    simulator.refuse()
    with RunningSimulator(simulator) as running:
        running.until(lambda simulator: simulator.door.listening == 0)
        running.accept()
        assert httpx2.get(f"{running.url}/api/hello").status_code == 200


async def test_in_process_a_shut_door_is_a_refused_connection_that_nobody_saw(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock)
    simulator.refuse(10)
    with pytest.raises(ConnectionRefusedError):
        await call(simulator, ask())
    clock.advance(10)
    assert (await call(simulator, ask())).status == 200
    assert len(simulator.requests) == 1


async def test_a_reset_opens_the_door(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock)
    simulator.refuse()
    simulator.reset()
    assert (await call(simulator, ask())).status == 200


def test_a_tls_client_finds_no_tls(simulator: RunningSimulator) -> None:
    port = urlsplit(simulator.url).port
    with (
        anthropic.Anthropic(api_key="k", base_url=f"https://127.0.0.1:{port}", max_retries=0) as client,
        pytest.raises(anthropic.APIConnectionError) as raised,
    ):
        create(client)
    cause: BaseException | None = raised.value
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    assert isinstance(cause, ssl.SSLError)
    assert simulator.simulator.requests == ()
