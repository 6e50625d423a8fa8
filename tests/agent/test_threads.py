"""An agent among threads and event loops: used anywhere, closed without a trace."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from holdfast import Holdfast, HoldfastError, ProductionAgent
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from tests.agent.conftest import World
from tests.doors.running import eventually


def ours() -> list[str]:
    return sorted(
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("holdfast") and thread.name != "holdfast-simulator"
    )


def length(upstream: RunningSimulator, request: int) -> int:
    """How many messages a request carried."""
    return len(cast("list[object]", upstream.simulator.requests[request].json()["messages"]))


def test_one_agent_answers_in_one_event_loop_after_the_other(upstream: RunningSimulator) -> None:
    agent = ProductionAgent(upstream=upstream.url, fallback=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = asyncio.run(agent.chat("One"))
        second = asyncio.run(agent.chat("Two", conversation=first.conversation))
        third = agent.chat_sync("Three", conversation=second.conversation)
        gc.collect()
    agent.close()

    assert agent.metrics().request_count == 3
    assert length(upstream, 2) == 5
    assert third.cost is not None
    assert ours() == []


def test_many_threads_share_one_agent_and_one_pipeline(upstream: RunningSimulator) -> None:
    upstream.simulator.mode = "echo"
    with ProductionAgent(upstream=upstream.url, fallback=None) as agent, ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(agent.chat_sync, [f"word{n}x" for n in range(60)]))

        assert all(f"word{n}x" in reply.text for n, reply in enumerate(replies))
        assert len({reply.request_id for reply in replies}) == 60
        assert agent.metrics().total_cost == upstream.simulator.billed
        assert ours() == ["holdfast-portal"]
    assert ours() == []


def test_threads_that_come_first_at_once_open_one_pipeline(clean: None) -> None:
    agent = ProductionAgent(upstream="simulator")
    start = threading.Barrier(8)

    def chat() -> str:
        start.wait()
        return agent.chat_sync("Hello").outcome

    with ThreadPoolExecutor(8) as pool:
        outcomes = [future.result() for future in [pool.submit(chat) for _ in range(8)]]
    assert (outcomes, ours()) == (["answered"] * 8, ["holdfast-portal"])
    agent.close()
    assert ours() == []


def test_a_file_for_the_ledger_leaves_no_thread_behind_either(
    clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDFAST_DATABASE_URL")
    with ProductionAgent(upstream="simulator") as agent:
        agent.chat_sync("Hello")
        assert ours() == ["holdfast-portal", "holdfast-store", "holdfast-watch"]
    assert ours() == []


async def test_a_blocking_chat_works_beside_a_running_loop(hold: Holdfast) -> None:
    agent = hold.agent()
    assert agent.chat_sync("One").outcome == "answered"
    assert (await agent.chat("Two")).outcome == "answered"


async def test_closing_leaves_neither_tasks_nor_threads(upstream: RunningSimulator) -> None:
    before = asyncio.all_tasks()
    async with ProductionAgent(upstream=upstream.url) as agent:
        await agent.chat("One")
        agent.chat_sync("Two")
        async with agent.stream("Three") as answer:
            await anext(answer)
    await asyncio.sleep(0)

    assert (asyncio.all_tasks() - before, ours()) == (set(), [])


async def test_an_agent_can_be_closed_twice_and_used_again(upstream: RunningSimulator) -> None:
    agent = ProductionAgent(upstream=upstream.url)
    first = await agent.chat("One")
    await agent.aclose()
    await agent.aclose()
    agent.close()
    second = await agent.chat("Two", conversation=first.conversation)
    await agent.aclose()

    assert (second.outcome, agent.metrics().request_count) == ("answered", 2)
    assert length(upstream, 1) == 3


def test_closing_ends_a_chat_that_another_thread_waits_for(upstream: RunningSimulator) -> None:
    upstream.simulator.fault(Stall(after_events=0))
    agent = ProductionAgent(upstream=upstream.url)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.chat_sync, "Hello")
        eventually(lambda: bool(upstream.simulator.requests))
        asyncio.run(agent.aclose())
        with pytest.raises(asyncio.CancelledError):
            waiting.result(10)
    assert ours() == []


def test_a_fallback_that_blocks_on_its_own_pipeline_is_told_what_to_do(world: World, hold: Holdfast) -> None:
    agent = hold.agent(max_retries=1)

    def again(error: HoldfastError) -> str:
        return agent.chat_sync("Once more").text

    agent.fallback = again
    with pytest.raises(RuntimeError, match="use its async form"):
        agent.chat_sync("")


INTERRUPTED = """
import os, signal, threading
from holdfast import ProductionAgent
from holdfast.simulator.server import RunningSimulator
from holdfast.simulator import Stall

with RunningSimulator() as simulator:
    simulator.simulator.fault(Stall(after_events=0))
    agent = ProductionAgent(upstream=simulator.url)
    agent._home.runtime()

    def interrupt():
        simulator.until(lambda running: bool(running.requests))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        agent.chat_sync("Hello")
    except KeyboardInterrupt:
        simulator.drain()
        import asyncio
        (record,) = asyncio.run(agent._home.runtime().ledger.newest(9))
        print(record.end, simulator.simulator.requests[0].ending)
"""


def test_an_interrupt_settles_the_call_before_it_goes_on(clean: None) -> None:
    done = run(INTERRUPTED)

    assert (done.stdout.split(), done.stderr, done.returncode) == (["abandoned", "disconnected"], "", 0)


CARELESS = """
import asyncio
from holdfast import ProductionAgent
from holdfast.simulator.server import RunningSimulator

with RunningSimulator() as simulator:
    agent = ProductionAgent(upstream=simulator.url)
    print(asyncio.run(agent.chat("One")).outcome)
    print(agent.chat_sync("Two").outcome)

    async def leave():
        async for text in agent.stream("Three"):
            break

    asyncio.run(leave())
"""


def test_a_script_that_closes_nothing_ends_without_a_word(clean: None) -> None:
    done = run(CARELESS)

    assert (done.stdout.split(), done.stderr, done.returncode) == (["answered", "answered"], "", 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_gets_a_portal_of_its_own(hold: Holdfast) -> None:
    hold.agent().chat_sync("One")
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if hold.agent().chat_sync("Two").outcome == "answered" else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_asking_for_metrics_opens_nothing(world: World, clean: None) -> None:
    hold = world.hold()
    agent = hold.agent()
    agent.chat_sync("Hello")
    hold.close()

    assert (agent.metrics().request_count, agent.metrics().circuit_state) == (1, "closed")
    assert (hold.opened, ours()) == (None, [])
