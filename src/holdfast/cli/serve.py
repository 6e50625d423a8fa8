"""`holdfast serve`: the gateway, and the lines to paste once it is ready."""

import logging
import os
import socket
import sys
import traceback
from dataclasses import replace
from decimal import Decimal

import click

from holdfast.admin.app import DOCUMENT
from holdfast.admin.token import AdminToken, own_token
from holdfast.assembly import has_key
from holdfast.cli.listening import listen, refuse_open_bind, url
from holdfast.cli.main import language
from holdfast.cli.snippet import curl, snippet
from holdfast.gateway.server import GatewayServer
from holdfast.hold import Holdfast
from holdfast.language import Sentence
from holdfast.orders import STARTER
from holdfast.parts.redactor import Redactor
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings
from holdfast.telemetry.exporting import exporting
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from holdfast.version import __version__

PORTS_TRIED = 10
STARTER_BUDGET = BudgetConfig(usd=Decimal(10), per="day")


@click.command(epilog="Example: holdfast serve --simulate --port 4180")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (4180); 0 takes any free one.")
@click.option("--simulate", is_flag=True, help="Answer from the embedded simulator: no key, no network.")
@click.option("--upstream", metavar="URL", help="The Messages API to stand in front of.")
def serve(
    *, config: str | None, host: str | None, port: int | None, simulate: bool, upstream: str | None
) -> None:
    """Run the gateway that any Anthropic client can point at."""
    if simulate and upstream:
        raise click.UsageError("--simulate and --upstream exclude each other")
    settings = Settings.load(config)
    if simulate or upstream:
        chosen = UpstreamConfig.at(upstream or SIMULATOR, has_key=has_key())
        settings = replace(settings, upstreams={"default" if upstream else SIMULATOR: chosen})
    gateway = settings.gateway
    gateway = replace(gateway, host=host or gateway.host, port=gateway.port if port is None else port)
    moveable = port is None and settings.origins["gateway.port"].kind == "default"
    run(with_starter_budget(replace(settings, gateway=gateway)), moveable=moveable)


def with_starter_budget(settings: Settings) -> Settings:
    """A gateway on real money that was given no budget gets one, so that nobody learns of a runaway from the invoice."""
    if settings.simulated or settings.budgets:
        return settings
    return replace(settings, budgets={STARTER: STARTER_BUDGET})


def run(settings: Settings, *, moveable: bool) -> None:
    """Listen, announce, and serve until told to stop; `moveable` takes the next port when one is busy."""
    refuse_open_bind(settings.gateway.host)
    with (
        listen(settings.gateway.host, settings.gateway.port, PORTS_TRIED if moveable else 1) as listener,
        AgentLogger("gateway", mask_sensitive=Redactor.configured(settings.redaction, os.environ)) as logger,
        exporting(settings.telemetry, os.environ) as spans_lost,
    ):
        _hand_over("uvicorn.error", logger)
        _hand_over("asyncio", logger)
        hold = Holdfast(settings, observe=logged(logger))
        counted = (
            hold.runtime.reporting.metrics.instruments
        )  # what cannot be opened is told before anything is served
        counted.lines_dropped, counted.spans_dropped = (lambda: logger.dropped), spans_lost
        hold.runtime.alerting.watch_losses(lambda: logger.dropped)
        token = own_token(settings.store_url)
        GatewayServer(
            hold.asgi(admin_token=token.value),
            drain_timeout=settings.gateway.drain_timeout,
            ready=lambda: _announce(settings, listener, token),
        ).run([listener])


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


def _announce(settings: Settings, listener: socket.socket, token: AdminToken) -> None:
    address = url(settings.gateway.host, listener.getsockname()[1])
    if settings.simulated:
        note = Sentence(
            "simulated, nothing leaves this machine", ko="시뮬레이션, 아무것도 이 컴퓨터 밖으로 나가지 않음"
        )
        key = Sentence("any text, such as `local`", ko="아무 글자나 가능, 예: `local`")
    else:
        note = Sentence("live", ko="실제 업스트림")
        key = Sentence(
            "your Anthropic key, or any text when holdfast has one",
            ko="Anthropic 키, holdfast에 키가 있으면 아무 글자",
        )
    if settings.budgets.get(STARTER) is STARTER_BUDGET:
        # Nobody asked for it, so it is said where nobody misses it.
        note = Sentence(
            "live · no budget configured, so at most 10 dollars a day; "
            "set one: holdfast budgets set NAME --usd AMOUNT --per day",
            ko="실제 업스트림 · 설정된 예산이 없어 하루 최대 10달러; "
            "예산 설정: holdfast budgets set 이름 --usd 금액 --per day",
        )
    ready = Sentence(
        f"holdfast {__version__} ready at {address} · key: {key.en} · {note.en} · "
        f"admin: {address}{DOCUMENT}, token in {token.place} · stop: Ctrl-C · "
        "paste the next line into a shell, or what follows it into Python:",
        ko=f"holdfast {__version__} 준비 완료 {address} · 키: {key.ko} · {note.ko} · "
        f"관리: {address}{DOCUMENT}, 토큰: {token.place} · 멈추기: Ctrl-C · "
        "다음 줄은 셸에, 그 아래는 Python에 붙여 넣으세요:",
    )
    model = settings.models.standard
    click.echo(f"{ready.say(language())}\n{curl(address, model)}\n\n{snippet(address, model)}", err=True)
    sys.stderr.flush()
