"""A plain call to an upstream that has gone silent: how long it waits there, and who is asked next."""

import asyncio
import json
from dataclasses import replace

from holdfast.call import Call, Response, Unanswered
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.pipeline import Settling
from holdfast.policy.retry import RetryConfig
from holdfast.simulator import Delay, Fault, Latency, Simulator
from holdfast.simulator.server import RunningSimulator
from holdfast.testing.virtual import VirtualClock, run
from holdfast.upstream.client import Client
from holdfast.upstream.http import HttpClient
from holdfast.wire.messages import read_request
from tests.upstream.scripted import MESSAGE, MODEL, Reply, Ring, ScriptedClient, Silence, a_call

STALL = 90.0
CIRCUIT = f"main/{MODEL}"


def asking_for(max_tokens: int, clock: Clock, *, seconds: float = 600.0) -> Call:
    call = a_call(clock=clock, seconds=seconds)
    body = json.dumps({**json.loads(call.body), "max_tokens": max_tokens}).encode()
    return replace(call, request=read_request(body), body=body)


class Two:
    """A frozen upstream and a sound one behind it, and what became of one call."""

    def __init__(self, max_tokens: int = 1024, *, spare: bool = True, **options: object) -> None:
        self.frozen, self.sound = ScriptedClient(Silence()), ScriptedClient(Reply())
        self._clients: dict[str, Client] = {"main": self.frozen, "spare": self.sound}
        if not spare:
            self._clients.pop("spare")
        self._max_tokens = max_tokens
        self._options = options
        self.failures: list[str] = []
        self.took = 0.0

    def ask(self, *, seconds: float = 600.0) -> Response | Unanswered:
        async def main() -> Response | Unanswered:
            clock = VirtualClock()
            ring = Ring(clients=self._clients, clock=clock, stall=STALL, **self._options)  # type: ignore[arg-type]  # a test passes the fields by name
            found = await ring.attempts(asking_for(self._max_tokens, clock, seconds=seconds))
            self.took, self.failures = clock.monotonic(), ring.failures
            return found

        return run(main())


def test_a_plain_call_to_a_frozen_upstream_goes_on_to_the_next_after_a_stall() -> None:
    two = Two()
    found = two.ask()
    assert isinstance(found, Response)
    assert (found.status, found.upstream, found.attempts, two.took) == (200, "spare", 2, STALL)
    assert (two.failures, two.frozen.asked) == (["first_byte_timeout"], 1)


def test_an_answer_that_may_be_long_is_waited_for_as_long_as_it_may_take_to_write() -> None:
    two = Two(max_tokens=12_800)
    assert isinstance(two.ask(), Response)
    assert two.took == 360.0


def test_without_anybody_else_to_ask_the_whole_deadline_is_waited_for() -> None:
    two = Two(spare=False)
    assert isinstance(two.ask(), Unanswered)
    assert (two.took, two.frozen.asked) == (600.0, 1)


def test_with_a_single_attempt_the_whole_deadline_is_waited_for() -> None:
    two = Two(retry=RetryConfig(attempts=1))
    assert isinstance(two.ask(), Unanswered)
    assert (two.took, two.sound.asked) == (600.0, 0)


def test_another_that_does_not_serve_the_model_is_nobody_to_ask() -> None:
    two = Two(models={"spare": ("another-model",)})
    assert isinstance(two.ask(), Unanswered)
    assert two.took == 600.0


def test_another_key_of_the_silent_upstream_is_nobody_to_ask() -> None:
    two = Two(spare=False, further={"SECOND": "sk-second"})
    assert isinstance(two.ask(), Unanswered)
    assert (two.took, two.frozen.asked) == (600.0, 1)


def test_another_whose_circuit_is_open_is_nobody_to_ask() -> None:
    async def main() -> float:
        clock = VirtualClock()
        both: dict[str, Client] = {"main": ScriptedClient(Silence()), "spare": ScriptedClient(Reply())}
        ring = Ring(clients=both, clock=clock, stall=STALL)
        ring.circuits.of(f"spare/{MODEL}").force_open()
        assert isinstance(await ring.attempts(a_call(clock=clock)), Unanswered)
        return clock.monotonic()

    assert run(main()) == 600.0


def test_a_deadline_that_ends_first_still_holds() -> None:
    two = Two()
    assert isinstance(two.ask(seconds=30.0), Unanswered)
    assert (two.took, two.sound.asked) == (30.0, 0)


def test_such_a_silence_speaks_against_the_upstream_and_its_input_is_presumed_to_be_paid() -> None:
    async def main() -> tuple[str, list[bool]]:
        clock = VirtualClock()
        both: dict[str, Client] = {"main": ScriptedClient(Silence()), "spare": ScriptedClient(Reply())}
        ring = Ring(clients=both, clock=clock, stall=STALL)
        calls = [a_call(clock=clock) for _ in range(5)]
        await asyncio.gather(*(ring.attempts(call) for call in calls))
        return ring.circuits.state(CIRCUIT), [lost.estimated for call in calls for lost in call.tally.spent]

    assert run(main()) == ("open", [True] * 5)


def test_headers_of_a_plain_answer_end_the_wait_for_its_first_byte() -> None:
    two = Two()
    two.frozen.answers[0] = Reply(pieces=(MESSAGE[:30], Silence()))
    assert isinstance(two.ask(), Unanswered)
    assert two.took == 600.0


async def test_a_frozen_server_is_left_for_another_over_a_real_socket() -> None:
    quick = Latency(sigma=0.0)
    with (
        RunningSimulator(Simulator(time_scale=0, latency=quick)) as frozen,
        RunningSimulator(Simulator(time_scale=0, latency=quick)) as sound,
    ):
        frozen.simulator.fault(Fault(Delay(seconds=60), times=None))
        clients: dict[str, Client] = {"main": HttpClient(frozen.url), "spare": HttpClient(sound.url)}
        ring = Ring(clients=clients, clock=SYSTEM_CLOCK, stall=0.1)
        found = await ring.attempts(asking_for(2, SYSTEM_CLOCK, seconds=10.0))
        assert isinstance(found, Response)
        assert (found.upstream, found.attempts, ring.failures) == ("spare", 2, ["first_byte_timeout"])
        await Settling(found, ()).read()
        for client in clients.values():
            await client.aclose()
