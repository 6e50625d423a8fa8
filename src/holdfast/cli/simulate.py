"""`holdfast simulate`: the Messages API that needs no key, as a server of its own."""

import asyncio
import contextlib
import signal

import click

from holdfast.cli.listening import listen, refuse_open_bind, url
from holdfast.cli.main import language
from holdfast.language import Sentence
from holdfast.simulator import Simulator
from holdfast.simulator.server import serve


@click.command(epilog="Example: holdfast simulate --port 4181 --time-scale 0")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4181,
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same answers.")
@click.option(
    "--time-scale", type=click.FloatRange(min=0), default=1.0, show_default=True, help="0 answers at once."
)
def simulate(*, host: str, port: int, seed: int, time_scale: float) -> None:
    """Run a Messages API that needs no key and misbehaves on request."""
    refuse_open_bind(host)
    listen(host, port).close()  # says what is wrong with an address that cannot be taken
    asyncio.run(_until_stopped(Simulator(seed=seed, time_scale=time_scale), host, port))


async def _until_stopped(simulator: Simulator, host: str, port: int) -> None:
    serving = asyncio.ensure_future(serve(simulator, host, port, ready=lambda taken: _announce(host, taken)))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _announce(host: str, port: int) -> None:
    address = url(host, port)
    ready = Sentence(
        f"simulator at {address} · key: any text · faults and billing under /__sim/ · stop: Ctrl-C",
        ko=f"시뮬레이터 {address} · 키: 아무 글자 · 장애와 청구 내역은 /__sim/ 아래 · 멈추기: Ctrl-C",
    )
    click.echo(ready.say(language()), err=True)
