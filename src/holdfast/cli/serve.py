"""`holdfast serve`: the gateway, and the lines to paste once it is ready."""

import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import click

from holdfast.admin.app import DOCUMENT
from holdfast.admin.token import AdminToken, own_token, set_token
from holdfast.assembly import has_key
from holdfast.cli import hangup
from holdfast.cli.listening import is_wildcard, listen, refuse_loop, refuse_strangers, url
from holdfast.cli.main import language
from holdfast.cli.serving import Place, check_workers, has_keys, serve_many, serve_one, want_files
from holdfast.cli.snippet import curl, snippet
from holdfast.clock import SYSTEM_CLOCK
from holdfast.console.tickets import Tickets
from holdfast.console.ways import login_path
from holdfast.errors import HoldfastError
from holdfast.gateway.server import check_tls
from holdfast.language import Sentence
from holdfast.orders import STARTER
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.keys import PREFIX
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings
from holdfast.version import __version__

PORTS_TRIED = 10
STARTER_BUDGET = BudgetConfig(usd=Decimal(10), per="day")


@click.command(epilog="Example: holdfast serve --simulate --port 4180")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (4180); 0 takes any free one.")
@click.option("--simulate", is_flag=True, help="Answer from the embedded simulator: no key, no network.")
@click.option("--upstream", metavar="URL", help="The Messages API to stand in front of.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that serve the address (1).")
@click.option("--tls-cert", type=click.Path(), help="PEM file with a certificate: speak TLS.")
@click.option("--tls-key", type=click.Path(), help="PEM file with its key, unless that is in --tls-cert.")
def serve(*, config: str | None, simulate: bool, upstream: str | None, **how: int | str | None) -> None:
    """Run the gateway that any Anthropic client can point at."""
    if simulate and upstream:
        raise click.UsageError("--simulate and --upstream exclude each other")

    def load() -> Settings:
        return _chosen(Settings.load(config), simulate=simulate, upstream=upstream, how=how)

    settings = load()
    moveable = how["port"] is None and settings.origins["gateway.port"].kind == "default"
    run(settings, moveable=moveable, load=load)


def _chosen(
    settings: Settings, *, simulate: bool, upstream: str | None, how: Mapping[str, int | str | None]
) -> Settings:
    """The settings, with what the command line says in place of what the file does."""
    if simulate or upstream:
        chosen = UpstreamConfig.at(upstream or SIMULATOR, has_key=has_key())
        origins = {name: one for name, one in settings.origins.items() if not name.startswith("upstreams.")}
        upstreams = {"default" if upstream else SIMULATOR: chosen}
        settings = replace(settings, upstreams=upstreams, origins=origins)
    said: dict[str, Any] = {name: value for name, value in how.items() if value is not None}
    gateway = replace(settings.gateway, **said)
    return with_starter_budget(replace(settings, gateway=gateway))


def with_starter_budget(settings: Settings) -> Settings:
    """A gateway on real money that was given no budget gets one, so that nobody learns of a runaway from the invoice."""
    if settings.simulated or settings.budgets:
        return settings
    return replace(settings, budgets={STARTER: STARTER_BUDGET})


def run(settings: Settings, *, moveable: bool, load: Callable[[], Settings] | None = None) -> None:
    """Listen, announce, and serve until told to stop; `moveable` takes the next port when one is busy.

    `load` reads the settings once more, when a parent of several workers is asked to by SIGHUP.
    """
    settings, config = check_workers(settings), settings.gateway
    check_tls(config)
    keys = has_keys(settings)
    refuse_strangers(config.host, has_keys=keys, has_token=set_token() is not None)
    want_files()
    with listen(config.host, config.port, PORTS_TRIED if moveable else 1) as listener:
        refuse_loop(settings, listener.getsockname()[1])
        tickets = Tickets(SYSTEM_CLOCK)
        ticket = tickets.issue("operator", "local")

        def ready() -> None:
            said = _Said(token=own_token(settings.store_url), ticket=ticket, has_keys=keys)
            _announce(settings, listener, said)

        place = Place(listener=listener, ready=ready, tickets=tickets)
        if config.workers == 1:
            with hangup.explained():
                serve_one(settings, place)
            return
        if code := serve_many(settings, place, lambda: _reloaded(settings, listener, load)):
            sys.exit(code)


def _reloaded(
    settings: Settings, listener: socket.socket, load: Callable[[], Settings] | None
) -> Settings | None:
    """The settings as they are written now; where they are wrong that is said, and the old ones stay."""
    if load is None:
        return None
    try:
        changed = load()
        # Where we listen and how many serve is settled at the start.
        old = settings.gateway
        gateway = replace(changed.gateway, host=old.host, port=old.port, workers=old.workers)
        changed = check_workers(replace(changed, gateway=gateway))
        check_tls(changed.gateway)
        refuse_loop(changed, listener.getsockname()[1])
    except HoldfastError as error:
        reason = error.sentence
        stays = Sentence(
            f"The configuration was not read anew, the old one stays: {reason.en}",
            ko=f"설정을 다시 읽지 못해 이전 설정을 그대로 씁니다: {reason.ko}",
        )
        click.echo(stays.say(language()), err=True)
        return None
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What the ready line says beside the settings."""

    token: AdminToken
    ticket: str = field(repr=False)
    has_keys: bool


def _announce(settings: Settings, listener: socket.socket, said: _Said) -> None:
    config = settings.gateway
    address = url(config.host, listener.getsockname()[1], tls=config.speaks_tls)
    note, key = _notes(settings, listener, has_keys=said.has_keys)
    console, token = _console(settings, address, said.ticket), said.token
    ready = Sentence(
        f"holdfast {__version__} ready at {address} · key: {key.en} · {note.en} · "
        f"{console.en}admin: {address}{DOCUMENT}, token in {token.place} · stop: Ctrl-C · "
        "paste the next line into a shell, or what follows it into Python:",
        ko=f"holdfast {__version__} 준비 완료 {address} · 키: {key.ko} · {note.ko} · "
        f"{console.ko}관리: {address}{DOCUMENT}, 토큰: {token.place} · 멈추기: Ctrl-C · "
        "다음 줄은 셸에, 그 아래는 Python에 붙여 넣으세요:",
    )
    model = settings.models.standard
    click.echo(f"{ready.say(language())}\n{curl(address, model)}\n\n{snippet(address, model)}", err=True)
    sys.stderr.flush()


def _notes(settings: Settings, listener: socket.socket, *, has_keys: bool) -> tuple[Sentence, Sentence]:
    """What is served to whom, and which key it takes."""
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
    if has_keys:
        key = Sentence(
            f"one of `holdfast keys create`, {PREFIX}...", ko=f"`holdfast keys create`로 만든 키, {PREFIX}..."
        )
    if is_wildcard(settings.gateway.host):
        port = listener.getsockname()[1]
        note = Sentence(
            f"{note.en} · on every address of this machine, port {port}",
            ko=f"{note.ko} · 이 컴퓨터의 모든 주소, 포트 {port}",
        )
    return note, key


def _console(settings: Settings, address: str, ticket: str) -> Sentence:
    """Where the console opens, once; nothing where it is switched off."""
    if not settings.console.enabled:
        return Sentence("", ko="")
    place = f"{address}{login_path(ticket)}"
    return Sentence(
        f"console: {place} (once, within 10 minutes) · ", ko=f"콘솔: {place} (10분 안에 한 번) · "
    )
