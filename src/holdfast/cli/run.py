"""`holdfast run`: any program behind the pipeline, as one run with a budget of its own."""

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from secrets import token_hex

import click
import msgspec

from holdfast.call import NO_LIMITS, OwnLimits, Principal
from holdfast.cli.main import REFUSED, language
from holdfast.cli.remote import URL
from holdfast.cli.remote import server as gateway_at
from holdfast.cli.run_child import KILLED, CannotStart, Child
from holdfast.cli.serve import with_starter_budget
from holdfast.credentials import secret
from holdfast.errors import (
    BudgetExhausted,
    InputRejected,
    NoProgress,
    NotAllowed,
    OutputBlocked,
    OversizedCall,
    RunCapReached,
    Stopped,
)
from holdfast.events import CallEnded, Event
from holdfast.gateway.local import Pass
from holdfast.hold import Holdfast
from holdfast.identity import named
from holdfast.integrations.claude_agent_sdk_environment import (
    API_KEY,
    AUTH_TOKEN,
    Way,
    environment,
    hidden,
)
from holdfast.language import Sentence
from holdfast.orders import STARTER
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.money import dollars
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings

KEY, NO_KEY = "HOLDFAST_KEY", "local"
BUDGET = "max-usd"
CLAUDE = "claude"
RULES = frozenset(
    error.error_code
    for error in (
        *(BudgetExhausted, RunCapReached, InputRejected, OutputBlocked),
        *(NoProgress, NotAllowed, Stopped, OversizedCall),
    )
)
"""The refusals that sending again does not help against."""


@dataclass(slots=True)
class Account:
    """What the calls of the run have come to; told from the thread of the gateway."""

    calls: int = 0
    cost_pico: int = 0
    blocked: int = 0
    last: str | None = None
    is_exact: bool = True
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, event: Event) -> None:
        """Take note of a call that is over."""
        if not isinstance(event, CallEnded):
            return
        with self._turn:
            self.calls += 1
            self.cost_pico += event.cost_pico or 0
            self.is_exact = self.is_exact and (event.cost_pico is not None or event.end == "refused")
            self.blocked += event.error_code in RULES
            self.last = event.error_code

    @property
    def is_refused(self) -> bool:
        """Whether a rule had the last word."""
        return self.last in RULES


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--max-usd", type=str, metavar="DOLLARS", help="What the run may cost at most.")
@click.option(
    "--run", "name", metavar="NAME", help="What the run is called; a known name goes on with its budget."
)
@click.option("--simulate", is_flag=True, help="Answer from the embedded simulator: no key, no network.")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
def run(
    *, max_usd: str | None, name: str | None, simulate: bool, config: str | None, command: tuple[str, ...]
) -> None:
    """Run a program with its calls to Claude behind holdfast.

    It gets ANTHROPIC_BASE_URL and a token of its own, never your key. Ends with the exit code of the program, or
    with 6 when it failed after a rule had refused its last call.

    Example: holdfast run --max-usd 2 -- claude -p "Fix the tests"
    """
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())  # the terminal is the program's
    run_name = named(name) or f"run_{token_hex(6)}"
    try:
        if os.environ.get(URL, "").strip() and not (simulate or config):
            code = _through(run_name, max_usd, command)
        else:
            code = _within(_settings(config, simulate=simulate, max_usd=max_usd), run_name, max_usd, command)
    except CannotStart as error:
        click.echo(error.say(language()), err=True)
        code = error.code
    sys.exit(code)


def _settings(config: str | None, *, simulate: bool, max_usd: str | None) -> Settings:
    settings = Settings.load(config)
    if simulate:
        settings = replace(settings, upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})
    return settings if max_usd is not None else with_starter_budget(settings)


def _within(settings: Settings, name: str, max_usd: str | None, command: Sequence[str]) -> int:
    """Run it on a gateway in this process."""
    limits = _limits(max_usd)
    if STARTER in settings.budgets:
        _say(_STARTER)
    account = Account()
    with Holdfast(settings, observe=account.hear) as hold:
        hold.runtime.require_keys()
        local = hold.local()
        names = tuple(variable for one in hold.settings.upstreams.values() for variable in _variables(one))
        url = local.open()
        token = local.give(Pass(principal=Principal(door="gateway", run=name), limits=limits))
        code = _run(Way(url=url, token=token, run=name, hidden=names), command)
    _say(_summary(account, name, code))
    return REFUSED if 0 < code < KILLED and account.is_refused else code


def _through(name: str, max_usd: str | None, command: Sequence[str]) -> int:
    """Run it on the gateway that the environment names."""
    if max_usd is not None:
        raise click.UsageError(_NOT_THERE.say(language()))
    url = gateway_at().url
    has_own = any(os.environ.get(variable) for variable in (AUTH_TOKEN, API_KEY))
    token = secret(KEY) or (None if has_own else NO_KEY)
    code = _run(Way(url=url, token=token, run=name), command)
    _say(
        Sentence(
            f"holdfast: run {name} · exit {code} · at {url}: holdfast runs show {name}",
            ko=f"holdfast: 실행 {name} · 종료 코드 {code} · {url}에서 확인: holdfast runs show {name}",
        )
    )
    return code


def _run(way: Way, command: Sequence[str]) -> int:
    with _command(way, command) as whole:
        return Child(whole, _environment(way, os.environ, is_claude=_is_claude(command))).wait()


def _environment(way: Way, known: Mapping[str, str], *, is_claude: bool) -> dict[str, str]:
    """The environment of the program: its way to the gateway, and no key of ours."""
    both = {**known, **environment(way, known)}
    if way.token is not None:
        both |= {URL: way.url, KEY: way.token}
        # Claude Code asks what to do about a key, and takes a token; other clients complain of both, or know the key alone.
        both |= {API_KEY: "", AUTH_TOKEN: way.token} if is_claude else {API_KEY: way.token, AUTH_TOKEN: ""}
    gone = {*hidden(way), f"{API_KEY}_FILE"}
    return {name: value for name, value in both.items() if value and name not in gone}


@contextmanager
def _command(way: Way, command: Sequence[str]) -> Generator[Sequence[str]]:
    """The command; Claude Code takes what a person has set for it over its environment, unless it is told again."""
    if not _is_claude(command) or any(part.partition("=")[0] == "--settings" for part in command):
        yield command
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-run-") as folder:
        path = Path(folder) / "settings.json"
        path.touch(0o600)
        path.write_bytes(msgspec.json.encode({"env": environment(way, os.environ)}))
        yield (command[0], "--settings", str(path), *command[1:])


def _is_claude(command: Sequence[str]) -> bool:
    return Path(command[0]).stem == CLAUDE


def _variables(upstream: UpstreamConfig) -> tuple[str, ...]:
    return tuple(name for name in (upstream.key_env, *upstream.key_envs) if name and name != API_KEY)


def _limits(max_usd: str | None) -> OwnLimits:
    if max_usd is None:
        return NO_LIMITS
    try:
        amount = Decimal(max_usd)
        if not amount.is_finite() or amount <= 0:
            raise ArithmeticError
    except ArithmeticError:
        raise click.UsageError(_no_amount(max_usd).say(language())) from None
    return OwnLimits(budgets={BUDGET: BudgetConfig(usd=amount, per="run", scope="run")}, cure=_RAISE)


def _summary(account: Account, name: str, code: int) -> Sentence:
    cost = f"{'' if account.is_exact else '>= '}{dollars(account.cost_pico):.4f}"
    if not account.calls:
        end = Sentence("no call came through here", ko="이곳을 거친 호출 없음")
    elif account.is_refused:
        end = Sentence(f"ended by a rule ({account.last})", ko=f"규칙에 따라 종료({account.last})")
    else:
        end = Sentence(f"exit {code}", ko=f"종료 코드 {code}")
    return Sentence(
        f"holdfast: run {name} · calls {account.calls} · dollars {cost} · blocked {account.blocked} · {end.en}",
        ko=f"holdfast: 실행 {name} · 호출 {account.calls}건 · {cost}달러 · 차단 {account.blocked}건 · {end.ko}",
    )


def _say(sentence: Sentence) -> None:
    click.echo(sentence.say(language()), err=True)


def _no_amount(text: str) -> Sentence:
    return Sentence(
        f"--max-usd {text!r} is no amount of dollars; write one above 0 such as 2 or 0.50",
        ko=f"--max-usd {text!r}은(는) 금액이 아닙니다. 2나 0.50처럼 0보다 큰 금액을 적으세요",
    )


_RAISE = Sentence(
    "start a new run, or give this one more with --max-usd",
    ko="새로 실행하거나 --max-usd로 더 큰 금액을 주세요",
)
_STARTER = Sentence(
    "holdfast: no budget configured, so at most 10 dollars a day; give the run its own with --max-usd",
    ko="holdfast: 설정된 예산이 없어 하루 최대 10달러까지만 씁니다. --max-usd로 이 실행의 예산을 정하세요",
)
_NOT_THERE = Sentence(
    f"--max-usd is for a gateway of this run's own, and {URL} names another: unset that, or set a budget there with "
    "`holdfast budgets set NAME --usd AMOUNT --per run --scope run`",
    ko=f"--max-usd는 이 실행 전용 게이트웨이에서만 쓸 수 있는데 {URL}이 다른 게이트웨이를 가리킵니다. 변수를 지우거나 그곳에서 "
    "`holdfast budgets set 이름 --usd 금액 --per run --scope run`으로 예산을 정하세요",
)
