"""One simulator for all workers of this machine, in a process of its own: what one of them made, the others find."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.ring import connect
from holdfast.settings import Settings, SimulatorConfig
from holdfast.simulator import Simulator
from holdfast.simulator.server import serve
from holdfast.upstream.client import Client
from holdfast.upstream.http import HttpClient

Connect = Callable[[UpstreamConfig, Settings], Client]


class SharedSimulator:
    """Begins when the first settings ask for one, and lasts until it is stopped or its parent is gone.

    From a process without other threads only: it is a fork of that.
    """

    def __init__(self) -> None:
        self._pid: int | None = None
        self._address = ""
        self._life: tuple[int, int] | None = None

    def way(self, settings: Settings) -> Connect:
        """How workers with these settings reach their upstreams; raises `StoreUnavailable` if it does not begin."""
        if all(config.url != SIMULATOR for config in settings.upstreams.values()):
            return connect
        if self._pid is None:
            self._start(settings.simulator)
        return partial(_connected, self._address)

    def stop(self) -> None:
        """End it, and wait until it has; may be called twice."""
        pid, self._pid = self._pid, None
        if pid is not None:
            os.kill(pid, signal.SIGTERM)  # not waited for yet, so nobody else has its id
            os.waitpid(pid, 0)
        life, self._life = self._life, None
        for end in life or ():
            os.close(end)

    def _start(self, config: SimulatorConfig) -> None:
        self._life = life = os.pipe()
        heard, sign = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be(config, sign, life)
        self._pid = pid
        os.close(sign)
        with os.fdopen(heard) as said:
            port = said.readline().strip()
        if not port:
            self.stop()
            raise StoreUnavailable(_NOT_UP)
        self._address = f"http://127.0.0.1:{port}"


def _connected(address: str, config: UpstreamConfig, settings: Settings) -> Client:
    if config.url != SIMULATOR:
        return connect(config, settings)
    return HttpClient(address, connect_timeout=settings.timeouts.connect, is_here=True)


def _be(config: SimulatorConfig, sign: int, life: tuple[int, int]) -> None:
    """Be the simulator, in its own process, which ends here."""
    try:
        # Of its own, so that Ctrl-C reaches the parent alone: calls that are drained are answered yet.
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.close(life[1])
        threading.Thread(target=_end_with_all, args=(life[0],), daemon=True).start()
        simulator = Simulator(seed=config.seed, time_scale=config.time_scale)
        with suppress(asyncio.CancelledError):
            asyncio.run(serve(simulator, port=0, ready=partial(_tell, sign)))
    finally:
        os._exit(1)


def _tell(sign: int, port: int) -> None:
    os.write(sign, f"{port}\n".encode())
    os.close(sign)


def _end_with_all(life: int) -> None:
    """The workers hold the other end, too: whoever drains without a parent still has it."""
    while os.read(life, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


_NOT_UP = Sentence(
    "The simulator that the workers share did not begin; try again, or run `holdfast simulate` and name its address "
    "with --upstream.",
    ko="워커들이 함께 쓸 시뮬레이터가 시작되지 않았습니다. 다시 시도하거나 `holdfast simulate`를 실행하고 그 주소를 "
    "--upstream으로 지정하세요.",
)
