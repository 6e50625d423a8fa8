"""The composition root: settings in, one pipeline and all it stands on out."""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from holdfast.clock import SYSTEM_CLOCK, Clock, Dice
from holdfast.errors import ConfigError, KeyMissing, ThreadUnsupported, UnknownModel
from holdfast.events import Observer, unobserved
from holdfast.guards.record import RecordGuard
from holdfast.guards.screen import ScreenGuard
from holdfast.language import Sentence
from holdfast.parts.prices import PriceBook
from holdfast.pipeline import Call, Guard, Incoming, Pipeline, Principal
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.money import dollars
from holdfast.policy.retry import RetryBudget
from holdfast.policy.routing import ANTHROPIC_URL, KEY_ENV, SIMULATOR, UpstreamConfig, circuit_name, serves
from holdfast.portal import Portal
from holdfast.ports import Ledger
from holdfast.settings import Settings
from holdfast.simulator import Simulator
from holdfast.stores.open import open_ledger
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.client import Client
from holdfast.upstream.commit import EarlyCommit
from holdfast.upstream.fallback import with_fallback
from holdfast.upstream.gates import Gates
from holdfast.upstream.inprocess import InProcessClient
from holdfast.upstream.relay import Relay
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import patience
from holdfast.wire.messages import MessagesRequest, read_request
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

ANTHROPIC = UpstreamConfig.at(ANTHROPIC_URL)
Leased = TypeVar("Leased", BreakerConfig, GateConfig)
PATIENCE_MARGIN = 2.0
"""Seconds by which we answer before the client stops listening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An open pipeline and all it stands on; every door works on one of these."""

    settings: Settings
    clock: Clock
    ledger: Ledger
    prices: PriceBook
    circuits: Circuits
    gates: Gates
    upstreams: tuple[Upstream, ...]
    pipeline: Pipeline
    relay: Relay
    portal: Portal
    new_id: Callable[[], str]

    def call(
        self, incoming: Incoming, principal: Principal, *, request_id: str, attempts: int | None = None
    ) -> Call:
        """A call that begins now and must be over when the client's patience or the configured time ends.

        Raises `MalformedRequest` for what is no Messages request.
        """
        request = read_request(incoming.body)
        _refuse_thread(request)
        started = self.clock.monotonic()
        allowed = self.settings.timeouts.deadline
        if (waits := patience(incoming.headers)) is not None:
            allowed = min(allowed, max(1.0, waits - PATIENCE_MARGIN))
        return Call(
            request_id=request_id,
            principal=replace(principal, user=principal.user or request.user_id),
            request=request,
            body=incoming.body,
            headers=incoming.headers,
            query=incoming.query,
            arrived=self.clock.now(),
            started=started,
            deadline=started + allowed,
            attempts=attempts,
        )

    def cost(self, call: Call, meter: Meter) -> Decimal | None:
        """Exact dollars of a call so far, attempts in vain included; `None` when no price is known."""
        parts = [(lost.model, lost.usage) for lost in call.tally.spent]
        if not meter.is_unbilled:
            parts.append((meter.model or call.request.model, meter.usage))
        costs = [price(self.prices)(model, usage, call.arrived) for model, usage in parts]
        return None if None in costs else dollars(sum(cost for cost in costs if cost is not None))

    def circuit_state(self, model: str) -> str:
        """The state of the circuit that a call for `model` meets first."""
        first = next((upstream for upstream in self.upstreams if serves(upstream.config, model)), None)
        return "closed" if first is None else self.circuits.state(circuit_name(first.name, model))

    def require_keys(self) -> None:
        """Raise `KeyMissing` when an upstream needs a key and it is nowhere to be found."""
        for upstream in self.upstreams:
            if upstream.config.url == SIMULATOR:
                continue
            for variable in upstream.config.key_envs:
                if variable not in upstream.further:
                    raise _no_key(variable)
            if upstream.key is not None:
                continue
            if upstream.config.key_env is not None:
                raise _no_key(upstream.config.key_env)
            if upstream.config.url.rstrip("/") == ANTHROPIC_URL:
                raise _no_key_named(upstream.name)

    async def aclose(self) -> None:
        """End what runs for threads without a loop, write down what is queued, close every connection."""
        if self.portal.is_running and not self.portal.is_here:
            await asyncio.to_thread(self.portal.close)
        for upstream in self.upstreams:
            await upstream.client.aclose()
        await self.ledger.aclose()

    def close(self) -> None:
        """`aclose` for threads without a loop."""
        self.portal.call(self.aclose())
        self.portal.close()


def assemble(
    settings: Settings,
    *,
    clock: Clock = SYSTEM_CLOCK,
    dice: Dice | None = None,
    observe: Observer = unobserved,
    client: Callable[[UpstreamConfig, Settings], Client] | None = None,
    ledger: Ledger | None = None,
) -> Runtime:
    """Build everything the settings describe; raises `ConfigError` and `StoreUnavailable`."""
    settings, dice = _with_upstreams(settings), dice or random.SystemRandom()
    prices = PriceBook.default(config=settings.pricing, clock=clock)
    upstreams = _upstreams(settings, client or connect)
    longest = settings.timeouts.deadline
    circuits = Circuits(_leased(settings.breaker, longest), clock=clock, dice=dice, observe=observe)
    gates = Gates(_leased(settings.gates, longest), clock=clock, dice=dice, observe=observe)
    attempts = Attempts(
        upstreams=upstreams,
        circuits=circuits,
        gates=gates,
        retry=settings.retry,
        budgets={upstream.name: RetryBudget() for upstream in upstreams},
        stall=settings.timeouts.stall,
        substitutes=settings.failover.models,
        clock=clock,
        dice=dice,
        observe=observe,
    )
    send = with_fallback(attempts, settings.fallback, clock)
    # Opened last: nothing behind it can fail and leave it open.
    book = ledger if ledger is not None else open_ledger(settings.store_url)
    guards: tuple[Guard, ...] = (
        RecordGuard(
            ledger=book, price=price(prices), price_version=prices.version, clock=clock, observe=observe
        ),
        ScreenGuard(config=settings.screen, observe=observe),
    )
    return Runtime(
        settings=settings,
        clock=clock,
        ledger=book,
        prices=prices,
        circuits=circuits,
        gates=gates,
        upstreams=upstreams,
        pipeline=Pipeline(guards, EarlyCommit(send=send, after=settings.timeouts.commit_after), observe),
        relay=Relay(upstreams),
        portal=Portal(),
        new_id=new_request_id,
    )


def new_request_id() -> str:
    """An id that no other request has."""
    return f"hfr_{secrets.token_hex(12)}"


def connect(config: UpstreamConfig, settings: Settings) -> Client:
    """The way to an upstream: the embedded simulator, or HTTP."""
    if config.url == SIMULATOR:
        simulator = settings.simulator
        return InProcessClient(Simulator(seed=simulator.seed, time_scale=simulator.time_scale))
    from holdfast.upstream.http import HttpClient

    return HttpClient(config.url, connect_timeout=settings.timeouts.connect)


def has_key() -> bool:
    """Whether the usual key is there, in the environment or in the file named there; raises `ConfigError`."""
    return _secret(KEY_ENV) is not None


def price(prices: PriceBook) -> Callable[[str, Usage, datetime], int | None]:
    """What a usage costs in pico-dollars; `None` for a model that has no price."""

    def cost(model: str, usage: Usage, at: datetime) -> int | None:
        try:
            return prices.cost_pico(model, usage, at=at)
        except UnknownModel:
            return None

    return cost


def _with_upstreams(settings: Settings) -> Settings:
    return settings if settings.upstreams else replace(settings, upstreams={"anthropic": ANTHROPIC})


def _leased(config: Leased, deadline: float) -> Leased:
    """The same settings with a lease that no honest call outlives."""
    return replace(config, permit_lease=max(config.permit_lease, deadline))


def _upstreams(
    settings: Settings, connect: Callable[[UpstreamConfig, Settings], Client]
) -> tuple[Upstream, ...]:
    opened: list[Upstream] = []
    for name, config in settings.upstreams.items():
        key, further = _keys(config)
        client = connect(config, settings)
        opened.append(Upstream(name=name, config=config, client=client, key=key, further=further))
    return tuple(opened)


def _keys(config: UpstreamConfig) -> tuple[str | None, Mapping[str, str]]:
    """The first key, and the others by the names of their variables."""
    if config.url == SIMULATOR:
        return SIMULATOR, {}
    first = None if config.key_env is None else _secret(config.key_env)
    return first, {name: key for name in config.key_envs if (key := _secret(name)) is not None}


def _secret(variable: str) -> str | None:
    """What a variable holds, or the file it names with `_FILE`; white space around it belongs to the shell."""
    text = os.environ.get(variable, "").strip()
    path = os.environ.get(f"{variable}_FILE", "").strip()
    source = variable if text else f"{variable}_FILE: {path}"
    if not text and path:
        text = _read_secret(source, Path(path))
    if not all("!" <= letter <= "~" for letter in text):
        raise ConfigError(
            Sentence(
                f"{source} holds characters that no key has, perhaps from copying. Copy the key once more.",
                ko=f"{source}에 키에 쓰일 수 없는 문자가 있습니다. 복사하다가 섞였을 수 있으니 키를 다시 복사해 넣으세요.",
            )
        )
    return text or None


def _read_secret(source: str, path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        reason = type(error).__name__ if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigError(
            Sentence(
                f"{source} cannot be read: {reason}. Check the path and its permissions.",
                ko=f"{source}을(를) 읽을 수 없습니다: {reason}. 경로와 권한을 확인하세요.",
            )
        ) from error


def _no_key(variable: str) -> KeyMissing:
    return KeyMissing(
        Sentence(
            f"No key for the upstream: {variable} and {variable}_FILE are not set. Set one of them, or try "
            f"without a key by the upstream `{SIMULATOR}`.",
            ko=f"업스트림 키가 없습니다. {variable}와 {variable}_FILE이 모두 비어 있습니다. 둘 중 하나를 설정하거나, "
            f"키 없이 써 보려면 업스트림 `{SIMULATOR}`를 쓰세요.",
        )
    )


def _no_key_named(upstream: str) -> KeyMissing:
    return KeyMissing(
        Sentence(
            f'No key for the upstream: [upstreams.{upstream}] names none. Add `key_env = "{KEY_ENV}"` there and '
            "set that variable.",
            ko=f'업스트림 키가 없습니다. [upstreams.{upstream}]에 키가 지정되지 않았습니다. `key_env = "{KEY_ENV}"`를 '
            "추가하고 그 환경 변수를 설정하세요.",
        )
    )


def _refuse_thread(request: MessagesRequest) -> None:
    """A threaded request hides the conversation from every guard; this answer makes the SDK resend it whole."""
    if request.thread:
        raise ThreadUnsupported(
            Sentence(
                "thread: message threads are not served here, send the whole conversation",
                ko="thread: 여기서는 메시지 스레드를 쓸 수 없습니다. 대화 전체를 보내세요",
            ),
            details={"unsupported": ["inference_hooks"]},
        )
