"""`holdfast bench`: what holdfast adds to a call, measured here and now, without a key and without cost."""

import asyncio
import itertools
import secrets
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import click

from holdfast.assembly import Runtime, assemble
from holdfast.call import Incoming, Principal
from holdfast.cli.bench_sheet import Found
from holdfast.cli.inert import json_text, printable
from holdfast.cli.main import FAILED, INTERRUPTED, language
from holdfast.cli.remote import server, unreachable
from holdfast.cli.shared_simulator import SharedSimulator
from holdfast.clock import SYSTEM_CLOCK
from holdfast.credentials import secret
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.operations.bench import (
    GOOD,
    MOST_CONCURRENCY,
    MOST_REQUESTS,
    Ask,
    Bench,
    Load,
)
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings, SimulatorConfig, StoreConfig
from holdfast.simulator import Simulator
from holdfast.simulator.problems import ORGANIZATION
from holdfast.upstream.client import Client, TransportFailed, UpstreamRequest, read_whole
from holdfast.upstream.http import HttpClient
from holdfast.upstream.inprocess import InProcessClient

KEY, NO_KEY = "HOLDFAST_KEY", "bench"
HEADERS = (("anthropic-version", "2023-06-01"), ("content-type", "application/json"))
CALLER = Principal(door="library", user="bench")
BUDGET = BudgetConfig(usd=Decimal(1_000_000), per="total")
"""Never reached: it is there because a gateway has one, and holding money is most of what a call costs."""
LARGEST = 1_000_000
"""Bytes of one answer."""


@click.command(epilog="Example: holdfast bench --requests 2000 --stream")
@click.option(
    "--requests",
    type=click.IntRange(1, MOST_REQUESTS),
    default=500,
    show_default=True,
    help="Requests to each of the two.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, MOST_CONCURRENCY),
    default=16,
    show_default=True,
    help="Requests under way at once.",
)
@click.option("--stream", is_flag=True, help="Ask for streams.")
@click.option("--url", metavar="URL", help="A running gateway, asked with the key of HOLDFAST_KEY.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(*, requests: int, concurrency: int, stream: bool, url: str | None, as_json: bool) -> None:
    """Press the simulator with the same load through holdfast and directly, in turns, and see what holdfast adds.

    In this process, with the usual settings, a budget and a store of its own that is forgotten; with --url over the
    sockets of a running gateway, which must stand before a simulator (`holdfast serve --simulate`): nothing here
    may cost money.

    Ctrl-C prints what was counted by then. Exits with 1 when a request failed.
    """
    load = Load(requests=requests, concurrency=concurrency, stream=stream, mark=f"{secrets.token_hex(4)}-")
    found = _here(load) if url is None else _over_sockets(load, server(url).url)
    click.echo(json_text(found.facts()) if as_json else found.said())
    if found.interrupted:
        click.get_current_context().exit(INTERRUPTED)
    if found.has_failures:
        click.get_current_context().exit(FAILED)


def _here(load: Load) -> Found:
    """Through the pipeline in this process, beside the simulator in this process."""
    simulator = Simulator(time_scale=0)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        settings = Settings(
            store=StoreConfig(url=f"sqlite:///{Path(folder) / 'bench.db'}"),
            upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)},
            budgets={"bench": BUDGET},
        )
        return asyncio.run(_in_process(load, simulator, settings))


async def _in_process(load: Load, simulator: Simulator, settings: Settings) -> Found:
    client = InProcessClient(simulator)
    runtime = assemble(settings, client=lambda config, settings: client)
    try:
        through = partial(_through, runtime, itertools.count())
        return await _until_interrupted(_bench(load, _Way(client=client), through), None)
    finally:
        await runtime.aclose()


async def _through(runtime: Runtime, numbers: "itertools.count[int]", body: bytes) -> str:
    """Ask the pipeline as the library does."""
    try:
        call = runtime.call(
            Incoming(body=body, headers=HEADERS), CALLER, request_id=f"hfr_bench_{next(numbers)}"
        )
        answering = await runtime.pipeline(call)
        return _judged(answering.response.status, await answering.read())
    except HoldfastError as error:
        return error.error_code


def _over_sockets(load: Load, url: str) -> Found:
    """Through a running gateway, beside a simulator in a process of its own, both on sockets."""
    shared = SharedSimulator()
    settings = Settings(
        upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)}, simulator=SimulatorConfig(time_scale=0)
    )
    try:
        direct = shared.way(settings)(settings.upstreams[SIMULATOR], settings)
        return asyncio.run(_to_gateway(load, direct, url))
    finally:
        shared.stop()


async def _to_gateway(load: Load, direct: Client, url: str) -> Found:
    gateway = HttpClient(url, is_here=True)  # no proxy: the key goes nowhere else
    way = _Way(client=gateway, key=secret(KEY) or NO_KEY, url=url)
    try:
        await way.check()
        return await _until_interrupted(_bench(load, _Way(client=direct), way), url)
    finally:
        await gateway.aclose()
        await direct.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A way to a Messages API; of a gateway with its `url`, whose answers must come from a simulator."""

    client: Client
    key: str = NO_KEY
    url: str | None = None

    async def __call__(self, body: bytes) -> str:
        """Ask; raises `ConfigError` where the answer is a real one, which has cost money."""
        try:
            status, headers, answer = await self._exchange("POST", "/v1/messages", body)
        except TransportFailed as error:
            return error.reason
        if self.url is not None and status == 200 and headers.get("x-holdfast-outcome") == "answered":
            _want_simulator(headers, self.url)
        return _judged(status, answer)

    async def check(self) -> None:
        """Ask for the models, which costs nothing.

        Raises `UpstreamUnavailable` where nobody answers, `ConfigError` where no simulator does.
        """
        assert self.url is not None
        try:
            status, headers, _ = await self._exchange("GET", "/v1/models", b"")
        except TransportFailed as error:
            raise unreachable(self.url, error) from error
        if status in (401, 403):
            raise ConfigError(_not_let_in(self.url, status))
        _want_simulator(headers, self.url)

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        said = (("x-api-key", self.key), *HEADERS)
        connection = await self.client.send(
            UpstreamRequest(method=method, path=path, headers=said, body=body)
        )
        try:
            return connection.status, dict(connection.headers), await read_whole(connection, LARGEST)
        finally:
            await connection.aclose()


def _want_simulator(headers: Mapping[str, str], url: str) -> None:
    if headers.get("anthropic-organization-id") != ORGANIZATION:
        raise ConfigError(_real(url))


def _judged(status: int, answer: bytes) -> str:
    if status != 200:
        return f"HTTP {status}"
    whole = answer.startswith(b"{") or b"event: message_stop" in answer
    return GOOD if whole else "cut"


def _bench(load: Load, direct: _Way, through: Ask) -> Bench:
    return Bench(load=load, direct=direct, through=through, clock=SYSTEM_CLOCK, cpu=time.process_time)


async def _until_interrupted(bench: Bench, url: str | None) -> Found:
    """Run it to its end, or to Ctrl-C."""
    running, loop = asyncio.ensure_future(bench.run()), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, running.cancel)
    click.echo(_begun(bench.load).say(language()), err=True)
    try:
        await asyncio.wait([running])
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    if not running.cancelled():
        running.result()
    return Found(bench=bench, url=url, interrupted=running.cancelled())


def _begun(load: Load) -> Sentence:
    return Sentence(
        f"Sending {load.requests:,} requests each way; Ctrl-C prints what there is by then.",
        ko=f"양쪽에 요청 {load.requests:,}건씩 보냅니다. Ctrl-C를 누르면 그때까지의 결과를 출력합니다.",
    )


def _real(url: str) -> Sentence:
    return Sentence(
        f"What answers behind {printable(url)} is not the simulator of holdfast, so this load could cost money; nothing "
        "more was sent. Start a gateway with `holdfast serve --simulate` and name that one.",
        ko=f"{printable(url)} 뒤에서 답하는 것이 holdfast 시뮬레이터가 아니어서 비용이 들 수 있습니다. 더 보내지 "
        "않았습니다. `holdfast serve --simulate`로 시작한 게이트웨이를 지정하세요.",
    )


def _not_let_in(url: str, status: int) -> Sentence:
    return Sentence(
        f"{printable(url)} does not let the key in (HTTP {status}); put a key of that gateway into {KEY}.",
        ko=f"{printable(url)}이(가) 키를 받아들이지 않습니다(HTTP {status}). 그 게이트웨이의 키를 {KEY}에 넣으세요.",
    )
