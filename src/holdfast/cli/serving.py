"""One serving process, or a parent and its workers, from settings that are settled."""

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from holdfast.admin.token import own_token
from holdfast.assembly import assemble
from holdfast.cli import hangup
from holdfast.cli.main import exit_code, language
from holdfast.cli.shared_simulator import Connect, SharedSimulator
from holdfast.console.tickets import Tickets
from holdfast.errors import ConfigError, HoldfastError
from holdfast.gateway.peers import Peers
from holdfast.gateway.server import GatewayServer
from holdfast.gateway.supervisor import Supervisor, Work
from holdfast.hold import Holdfast
from holdfast.language import Sentence
from holdfast.orders import KEY
from holdfast.parts.redactor import Redactor
from holdfast.ring import connect
from holdfast.settings import Settings
from holdfast.stations import redis_url
from holdfast.stores.open import MEMORY, open_store
from holdfast.telemetry.exporting import exporting
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged

COLLECT_EVERY = 10_000
"""New objects after which the collector looks for cycles: with 700, its own measure, that is a seventh of our time."""
LONGEST_FOLDER, SHORT_FOLDER = 80, "/tmp"
"""Bytes of a path below which the address of a socket still has room, and where there always is."""
FILES_WANTED = 65_536
"""Open files, and so connections, that a serving process asks its system for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to serve: on which socket, whom to tell once that is so, and whose tickets open the console."""

    listener: socket.socket
    ready: Callable[[], None]
    tickets: Tickets


def serve_one(settings: Settings, place: Place, peers: Peers | None = None, way: Connect = connect) -> None:
    """Serve in this process until told to stop; raises what cannot be opened."""
    with (
        AgentLogger(
            "gateway",
            mask_sensitive=Redactor.configured(settings.redaction, os.environ),
            level=os.environ.get("HOLDFAST_LOG", "").strip().lower() or "info",
        ) as logger,
        exporting(settings.telemetry, os.environ) as spans_lost,
    ):
        _hand_over("uvicorn.error", logger)
        _hand_over("asyncio", logger)
        observe = logged(logger)
        runtime = assemble(settings, observe=observe, client=way)
        hold = Holdfast(settings, observe=observe, runtime=runtime)
        # What cannot be opened is told before anything is served.
        counted = hold.runtime.reporting.metrics.instruments
        counted.lines_dropped, counted.spans_dropped = (lambda: logger.dropped), spans_lost
        hold.runtime.alerting.watch_losses(lambda: logger.dropped)
        gateway = hold.asgi(admin_token=own_token(settings.store_url).value, tickets=place.tickets)
        gateway.peers = peers
        config = settings.gateway
        server = GatewayServer(
            gateway, drain_timeout=config.drain_timeout, ready=lambda: _settled(place.ready), config=config
        )
        server.run([place.listener])


def _settled(ready: Callable[[], None]) -> None:
    """Tell that we are ready; what was loaded on the way stays, and the collector need not look through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    ready()


def serve_many(settings: Settings, place: Place, reload: Callable[[], Settings | None]) -> int:
    """Serve by several workers on one socket until told to stop; the exit code."""
    folder, simulator = sockets_folder(), SharedSimulator()

    def work(settings: Settings) -> Work:
        return _work(settings, place, folder, simulator.way(settings))

    def again() -> Work | None:
        changed = reload()
        return None if changed is None else work(changed)

    try:
        supervisor = Supervisor(
            count=settings.gateway.workers,
            work=work(settings),
            ready=place.ready,
            say=lambda sentence: click.echo(sentence.say(language()), err=True),
            drain_timeout=settings.gateway.drain_timeout,
            reload=again,
            is_hung_up=hangup.watched(),
        )
        # Whoever asks twice must not end us while we tidy up.
        with _deaf():
            code = supervisor.run()
            simulator.stop()
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        simulator.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return code


def sockets_folder() -> Path:
    """A new folder for the sockets of the workers, whose addresses may not be long."""
    usual = tempfile.gettempdir()
    place = usual if len(os.fsencode(usual)) <= LONGEST_FOLDER else SHORT_FOLDER
    return Path(tempfile.mkdtemp(prefix="holdfast-", dir=place))


@contextlib.contextmanager
def _deaf() -> Generator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_workers(settings: Settings) -> Settings:
    """The settings as each of several workers has them; raises `ConfigError` for what they could not share."""
    count = settings.gateway.workers
    if count == 1:
        return settings
    if not hasattr(os, "fork"):
        raise ConfigError(
            Sentence(
                "gateway.workers: this system cannot share a socket between processes; take 1, and run more behind a "
                "load balancer",
                ko="gateway.workers: 이 시스템에서는 프로세스끼리 소켓을 나눠 쓸 수 없습니다. 1로 두고 로드 밸런서 뒤에 "
                "여러 개를 실행하세요",
            )
        )
    if settings.store_url == MEMORY:
        raise ConfigError(
            Sentence(
                f"gateway.workers: {count} workers cannot share the store `{MEMORY}`, which each would have for itself, "
                "and with it its own budgets and keys; name a SQLite file or PostgreSQL as store.url",
                ko=f"gateway.workers: 워커 {count}개가 `{MEMORY}` 저장소를 공유할 수 없어 예산과 키가 따로 놉니다. "
                "store.url에 SQLite 파일이나 PostgreSQL을 지정하세요",
            )
        )
    if settings.quotas and not redis_url(settings):
        raise ConfigError(
            Sentence(
                f"gateway.workers: {count} workers would each count [quotas] alone, and let {count} times as much "
                "through; name the Redis they share as fleet.redis_url, or take 1 worker",
                ko=f"gateway.workers: 워커 {count}개가 [quotas]를 따로 세어 {count}배까지 통과시킵니다. 함께 쓸 Redis를 "
                "fleet.redis_url에 지정하거나 워커를 1개로 하세요",
            )
        )
    return replace(settings, fleet=replace(settings.fleet, workers=max(settings.fleet.workers, count)))


def has_keys(settings: Settings) -> bool:
    """Whether callers need a key; looked up in the store before anything listens. Raises `StoreUnavailable`."""

    async def found() -> bool:
        store = open_store(settings.store_url)
        try:
            return bool(await store.entries(KEY))
        finally:
            await store.aclose()

    return settings.store_url != MEMORY and asyncio.run(found())


def want_files() -> None:
    """Ask for as many open files as connections may need; what is not given shows as refused connections."""
    try:
        import resource
    except ModuleNotFoundError:
        return  # systems without such limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _work(settings: Settings, place: Place, folder: Path, way: Connect) -> Work:
    parent = os.getpid()

    def work(number: int, ready: Callable[[], None]) -> int:
        try:
            serve_one(settings, replace(place, ready=ready), Peers(folder, number), way)
        except HoldfastError as error:
            click.echo(error.say(language()), err=True)
            return exit_code(error)
        finally:
            if sys.exc_info()[0] is not None:
                traceback.print_exc()  # the process ends behind this, and nobody else would say why
            if os.getppid() != parent:  # it was killed, and cannot tidy up itself
                shutil.rmtree(folder, ignore_errors=True)
            sys.stderr.flush()
        return 0

    return work


class _Handover(logging.Handler):
    """Makes the lines of another logger lines of ours."""

    def __init__(self, logger: AgentLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else None
        level = "error" if record.levelno >= logging.ERROR else "warn"
        self._logger.log(level, record.getMessage().strip(), {"source": record.name, "trace": trace})


def _hand_over(name: str, logger: AgentLogger) -> None:
    source = logging.getLogger(name)
    source.handlers = [_Handover(logger)]
    source.propagate = False
