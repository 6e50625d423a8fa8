"""Alerting: looks again and again which rules hold, and tells people, from a thread of its own."""

import asyncio
import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from holdfast.clock import Clock
from holdfast.credentials import secret
from holdfast.errors import ConfigError, KeyMissing
from holdfast.events import Event
from holdfast.language import Language, Sentence
from holdfast.operations.rota import Rota
from holdfast.parts.redactor import Redactor
from holdfast.policy.alert_rules import AlertRuleConfig, AlertsConfig, ChannelConfig
from holdfast.policy.alert_words import told
from holdfast.policy.incidents import Incident, Incidents, Notice, Silence, decoded, silenced
from holdfast.policy.verdict import Verdict
from holdfast.ports import Entry, Register
from holdfast.settings import Settings
from holdfast.telemetry.delivery import Channel, Delivery, Message
from holdfast.telemetry.signals import Signals

TICK = 1.0
"""Seconds between two looks."""
STEP = 0.1
"""Seconds in which it hears that everything ends."""
LAST = 2.0
"""Seconds that deliveries have when everything ends."""
RENEW_EVERY = 60.0
TEST = Sentence(
    "[holdfast] This is a test. Alerts will arrive here.",
    ko="[holdfast] 시험 알림입니다. 앞으로 알림이 여기로 옵니다.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What alerting needs of the settings alone; `signals` is an observer."""

    config: AlertsConfig
    channels: Mapping[str, Channel]
    signals: Signals
    clock: Clock
    redact: Callable[[str], str]

    def open(
        self, verdict: Callable[[], Verdict], register: Register, silences: Callable[[], tuple[Entry, ...]]
    ) -> "Alerting":
        """Alerting over a verdict and a register; `silences` are its documents of that kind."""
        return Alerting(Post(prepared=self, verdict=verdict, register=register, silences=silences))


def prepared(settings: Settings, clock: Clock) -> Prepared:
    """Read what channels need from the environment; raises `ConfigError` and `KeyMissing`."""
    config = settings.alerts
    return Prepared(
        config=config,
        channels={name: channel(each, settings.language) for name, each in config.channels.items()},
        signals=Signals(config.in_force, clock),
        clock=clock,
        redact=Redactor.configured(settings.redaction, os.environ).redact,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What alerting stands on."""

    prepared: Prepared
    verdict: Callable[[], Verdict]
    register: Register
    silences: Callable[[], tuple[Entry, ...]]


class Alerting:
    """The rules, the incidents under way and the channels of one worker; safe from any thread."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._clock = post.prepared.clock
        self._rules: Mapping[str, AlertRuleConfig] = post.prepared.config.in_force
        self._channels = post.prepared.channels
        self._lock = threading.Lock()
        self._incidents = Incidents(self._rules)
        worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._rota = Rota(post.register, worker, self._clock)
        self._deliveries = self._opened()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed = 0.0
        post.prepared.signals.add_gauge(lambda: self.dropped)

    def hear(self, event: Event) -> None:
        """Take note of what a door announces; what the pipeline announces is heard without this."""
        self._post.prepared.signals(event)

    @property
    def rules(self) -> Mapping[str, AlertRuleConfig]:
        """The rules in force."""
        return self._rules

    @property
    def deliveries(self) -> Mapping[str, Delivery]:
        """What goes out over each channel."""
        return self._deliveries

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that this worker sees, oldest first."""
        with self._lock:
            return self._incidents.open

    @property
    def dropped(self) -> int:
        """Messages that nobody got."""
        return sum(delivery.dropped for delivery in self._deliveries.values())

    def watch_losses(self, gauge: Callable[[], int]) -> None:
        """Count what somebody else loses, too: `gauge` says how much that is so far."""
        self._post.prepared.signals.add_gauge(gauge)

    def silences(self) -> tuple[Silence, ...]:
        """The silences that hold; what cannot be read silences nothing."""
        found: list[Silence] = []
        for entry in self._post.silences():
            with contextlib.suppress(ConfigError):
                found.append(decoded(entry.body))
        now = self._clock.now()
        return tuple(silence for silence in found if now < silence.until)

    def begin(self) -> None:
        """Begin to look, if there is anything to look for; any further time nothing happens."""
        if self._rules and not self._over.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="holdfast-alerts", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Look no more; what waits has a moment to be delivered."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(LAST * 2)

    async def test(self, name: str) -> None:
        """Send a message over a channel now. Raises `Undelivered`, and `KeyError` for one that is not there."""
        await self._channels[name].send(self._message("test", "test", "", TEST))

    async def look(self) -> None:
        """Look once, and hand over what is to be told."""
        signals, now = self._post.prepared.signals, self._clock.monotonic()
        verdict = self._post.verdict()
        active = signals.active(now, verdict)
        with self._lock:
            known = [incident.case for incident in self._incidents.open]
            unheard = silenced({*active, *known}, self.silences(), self._clock.now())
            notices = self._incidents.step(now, active, unheard)
        for notice in notices:
            await _surely(self._handle(notice, verdict))
        if now - self._renewed >= RENEW_EVERY:
            self._renewed = now
            await self._rota.renew()

    async def work(self) -> None:
        """Look again and again until `close`."""
        # Anew, for they belong to the loop that works on them: a process that forked has another one.
        self._deliveries = self._opened()
        works = {name: asyncio.create_task(each.work()) for name, each in self._deliveries.items()}
        while not self._over.is_set():
            await _surely(self.look())
            self._revive(works)
            await self._pause()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                while any(delivery.waiting for delivery in self._deliveries.values()):
                    await self._clock.sleep(0.05)
                await self._rota.leave()
        for each_work in works.values():
            each_work.cancel()
        await asyncio.gather(*works.values(), return_exceptions=True)

    def _revive(self, works: dict[str, asyncio.Task[None]]) -> None:
        """A channel that broke in a way of its own must be seen, and goes on with its next message."""
        for name, ended in [(name, work) for name, work in works.items() if work.done()]:
            delivery = self._deliveries[name]
            if not ended.cancelled() and (error := ended.exception()) is not None:
                _report(error)
                delivery.give_up(error)
            works[name] = asyncio.create_task(delivery.work())

    def _opened(self) -> dict[str, Delivery]:
        return {name: Delivery(each, self._clock) for name, each in self._channels.items()}

    async def _pause(self) -> None:
        """Until the next look, or until everything ends."""
        until = self._clock.monotonic() + TICK
        while not self._over.is_set() and self._clock.monotonic() < until:
            await self._clock.sleep(STEP)

    def _run(self) -> None:
        asyncio.run(self.work())

    async def _handle(self, notice: Notice, verdict: Verdict) -> None:
        if await self._is_mine(notice):
            self._tell(notice, verdict)

    async def _is_mine(self, notice: Notice) -> bool:
        case = notice.incident.case
        match notice.what:
            case "began":
                return await self._rota.began(case)
            case "goes_on":
                return await self._rota.goes_on(case)
            case "over":
                return await self._rota.over(case)

    def _tell(self, notice: Notice, verdict: Verdict) -> None:
        case = notice.incident.case
        rule = self._rules[case.rule]
        text = told(notice, rule, self._post.prepared.signals.detail(case, verdict))
        message = self._message(notice.what, case.rule, case.label, text)
        for name, delivery in self._deliveries.items():
            if not rule.channels or name in rule.channels:
                delivery.give(message)

    def _message(self, what: str, rule: str, label: str, text: Sentence) -> Message:
        redact = self._post.prepared.redact
        return Message(
            id=f"hfa_{secrets.token_hex(8)}",
            what=what,
            rule=rule,
            label=redact(label),
            text=Sentence(redact(text.en), ko=redact(text.ko)),
            at=self._clock.now(),
        )


async def _surely(work: Coroutine[None, None, None]) -> None:
    """A fault of our own must be seen, and must end neither the looking nor what else is to be told."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        _report(error)


def _report(error: BaseException) -> None:
    context = {"message": "holdfast-alerts failed and goes on", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)


def channel(config: ChannelConfig, language: Language) -> Channel:
    """The channel that the settings describe; raises `KeyMissing` when what they name is not set."""
    # As for the way to an upstream: who has no channel need not load an HTTP client for it.
    from holdfast.telemetry.channels import Email, Slack, Webhook

    match config.kind:
        case "webhook":
            return Webhook(url=_address(config), secret=_named(config.secret_env))
        case "slack":
            return Slack(url=_address(config), language=language)
        case "email":
            return Email(
                host=config.host,
                port=config.port,
                sender=config.sender,
                to=config.to,
                starttls=config.starttls,
                user=_named(config.user_env),
                password=_named(config.password_env),
                language=language,
            )


def _address(config: ChannelConfig) -> str:
    return config.url or _named(config.url_env) or ""


def _named(variable: str | None) -> str | None:
    if variable is None:
        return None
    found = secret(variable)
    if found is None:
        raise KeyMissing(
            Sentence(
                f"[alerts.channels] names {variable}, which is not set, nor is {variable}_FILE. Set one of them.",
                ko=f"[alerts.channels]에 적힌 {variable}와 {variable}_FILE이 모두 비어 있습니다. 둘 중 하나를 설정하세요.",
            )
        )
    return found
