"""`Holdfast`: one pipeline and its three doors."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from holdfast.assembly import Runtime, assemble
from holdfast.events import Event, Observer, unobserved
from holdfast.settings import Settings

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic

    from holdfast.admin.app import Administration
    from holdfast.agent.agent import AgentOptions, ProductionAgent
    from holdfast.gateway.app import Gateway


class Holdfast:
    """Opens what the settings describe and hands out its doors; `async with`, or `with`, closes everything.

    Opened when first used, or handed over open as `runtime`; safe from any thread and any event loop. Raises `ConfigError` and
    `StoreUnavailable` when it cannot be opened.

    Example:
        async with Holdfast(Settings.load("holdfast.toml")) as hold:
            agent = hold.agent("claude-sonnet-5-5")
            client = hold.anthropic(user="alice")
            app = hold.asgi()
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        observe: Observer = unobserved,
        runtime: Runtime | None = None,
    ) -> None:
        self.settings = settings or (runtime.settings if runtime is not None else Settings.load())
        self._observe = observe
        self._opening = threading.Lock()
        self._runtime = runtime
        self._entered = False
        self._served = 0

    @property
    def runtime(self) -> Runtime:
        """The open pipeline and all it stands on."""
        with self._opening:
            if self._runtime is None:
                self._runtime = assemble(self.settings, observe=self._observe)
            return self._runtime

    @property
    def opened(self) -> Runtime | None:
        """The same, or `None` while it is closed."""
        return self._runtime

    def agent(self, model: str | None = None, **options: "Unpack[AgentOptions]") -> "ProductionAgent":
        """A conversation: a `ProductionAgent` on this pipeline; `options` are its keyword arguments."""
        from holdfast.agent.agent import ProductionAgent

        options.setdefault("language", self.settings.language)
        return ProductionAgent(model, hold=self, **options)

    def anthropic(self, *, user: str | None = None, run: str | None = None) -> "AsyncAnthropic":
        """The official asynchronous SDK, guarded in process; needs the extra `holdfast[anthropic]`."""
        from holdfast.integrations.anthropic_sdk import guarded_async

        return guarded_async(self.runtime, user=user, run=run)

    def anthropic_sync(self, *, user: str | None = None, run: str | None = None) -> "Anthropic":
        """The official blocking SDK, guarded in process; needs the extra `holdfast[anthropic]`."""
        from holdfast.integrations.anthropic_sdk import guarded_sync

        return guarded_sync(self.runtime, user=user, run=run)

    def asgi(self, *, admin_token: str | None = None) -> "Gateway":
        """The gateway, for any ASGI server; the last one to shut down closes this hold unless `async with` does.

        `admin_token` opens the Admin API, else what `HOLDFAST_ADMIN_TOKEN` says, and keys with a scope for it.
        """
        from holdfast.gateway.app import Gateway

        return Gateway(
            lambda: self.runtime,
            acquire=self._acquire,
            release=self._release,
            observe=self._announce,
            administration=lambda: self._administration(admin_token),
        )

    def _administration(self, token: str | None) -> "Administration":
        from holdfast.admin.app import Administration
        from holdfast.admin.token import set_token

        given = set_token() if token is None else None
        return Administration(lambda: self.runtime, token=token if given is None else given.value)

    def _announce(self, event: Event) -> None:
        """What a door tells is heard by the pulse, the metrics and the alerts, too."""
        runtime = self._runtime
        if runtime is not None:
            for hear in (runtime.pulse, runtime.reporting, runtime.alerting.hear):
                hear(event)
        self._observe(event)

    def _acquire(self) -> None:
        _ = self.runtime
        self._served += 1

    async def _release(self) -> None:
        self._served -= 1
        if self._served == 0 and not self._entered:
            await self.aclose()

    async def aclose(self) -> None:
        """Write down what is queued, close every connection; may be called twice."""
        with self._opening:
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.aclose()

    def close(self) -> None:
        """`aclose` for scripts and notebooks."""
        with self._opening:
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            runtime.close()

    async def __aenter__(self) -> Self:
        self._entered = True
        _ = self.runtime
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        self._entered = True
        _ = self.runtime
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
