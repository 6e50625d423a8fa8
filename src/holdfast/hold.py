"""`Holdfast`: one pipeline and its three doors."""

import asyncio
import threading
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from holdfast.assembly import Runtime, assemble
from holdfast.call import Principal
from holdfast.events import Event, Observer, unobserved
from holdfast.settings import Settings

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from claude_agent_sdk import ClaudeAgentOptions

    from holdfast.admin.app import Administration
    from holdfast.agent.agent import AgentOptions, ProductionAgent
    from holdfast.call import OwnLimits, OwnTools
    from holdfast.console.app import Console
    from holdfast.console.tickets import Tickets
    from holdfast.gateway.app import Gateway
    from holdfast.gateway.local import LocalGateway
    from holdfast.integrations.anthropic_sdk_options import AsyncOptions, SyncOptions
    from holdfast.integrations.claude_agent_sdk import Lodging
    from holdfast.upstream.inprocess import InProcessClient


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
        self._local: LocalGateway | None = None

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

    def anthropic(
        self, *, user: str | None = None, run: str | None = None, **options: "Unpack[AsyncOptions]"
    ) -> "AsyncAnthropic":
        """The official asynchronous SDK, guarded in process; needs the extra `holdfast[anthropic]`.

        `options` are those of its client that do not say where calls go and who pays. Raises `ConfigError` for
        those, and `KeyMissing`.
        """
        from holdfast.integrations.anthropic_sdk import guarded_async

        who = Principal(door="sdk", user=user, run=run)
        return guarded_async(self.runtime, who, self._beside(who), **options)

    def anthropic_sync(
        self, *, user: str | None = None, run: str | None = None, **options: "Unpack[SyncOptions]"
    ) -> "Anthropic":
        """The official blocking SDK, guarded in process; needs the extra `holdfast[anthropic]`.

        `options` as for `anthropic`.
        """
        from holdfast.integrations.anthropic_sdk import guarded_sync

        who = Principal(door="sdk", user=user, run=run)
        return guarded_sync(self.runtime, who, self._beside(who), **options)

    def _beside(self, who: Principal) -> "InProcessClient":
        """What of the API is no Messages call: counts, models, batches, files."""
        from holdfast.gateway.app import Gateway
        from holdfast.gateway.guest import GuestDoor
        from holdfast.gateway.local import Pass
        from holdfast.upstream.inprocess import InProcessClient

        runtime, door = self.runtime, GuestDoor(Pass(principal=who))
        return InProcessClient(Gateway(lambda: runtime, observe=self._announce, door=door))

    def claude_agent_options(
        self, options: "ClaudeAgentOptions | None" = None, *, run: str | None = None, user: str | None = None
    ) -> "ClaudeAgentOptions":
        """The same options for the Claude Agent SDK, guarded; needs the extra `holdfast[claude]`.

        The traffic goes through a gateway in this process, or the one that `HOLDFAST_URL` names; all that is done
        with them is one run, its sub-agents and the tools in this process included. Keep them as long as they
        are used: their token is good until nobody holds them any more, or the hold is closed.
        """
        from holdfast.integrations.claude_agent_sdk import guarded_options

        return guarded_options(
            self.settings, options, lodge=self._lodge, run=run, user=user, observe=self._announce
        )

    def local(self) -> "LocalGateway":
        """The gateway for programs that this process starts; it listens from when it is first opened."""
        from holdfast.gateway.app import Gateway
        from holdfast.gateway.local import LocalGateway

        with self._opening:
            self._local = self._local or LocalGateway(
                lambda door: Gateway(lambda: self.runtime, observe=self._announce, door=door)
            )
            return self._local

    def _lodge(self, principal: Principal, limits: "OwnLimits", tools: "OwnTools") -> "Lodging":
        from holdfast.gateway.local import Pass
        from holdfast.integrations.claude_agent_sdk import Lodging

        self.runtime.require_keys()
        local = self.local()
        url = local.open()
        token = local.give(Pass(principal=principal, limits=limits, tools=tools))
        return Lodging(url=url, token=token, leave=partial(local.take_back, token))

    def asgi(self, *, admin_token: str | None = None, tickets: "Tickets | None" = None) -> "Gateway":
        """The gateway, for any ASGI server; the last one to shut down closes this hold unless `async with` does.

        `admin_token` opens the Admin API, else what `HOLDFAST_ADMIN_TOKEN` says, and keys with a scope for it;
        `tickets` open the console once each.
        """
        from holdfast.gateway.app import Gateway, Lifetime

        return Gateway(
            lambda: self.runtime,
            lifetime=Lifetime(self._acquire, self._release),
            observe=self._announce,
            administration=lambda: self._administration(admin_token),
            console=lambda: self._console(admin_token, tickets),
        )

    def _administration(self, token: str | None) -> "Administration":
        from holdfast.admin.app import Administration
        from holdfast.admin.token import set_token

        given = set_token() if token is None else None
        return Administration(lambda: self.runtime, token=token if given is None else given.value)

    def _console(self, token: str | None, tickets: "Tickets | None") -> "Console":
        from holdfast.admin.token import set_token
        from holdfast.console.app import Console

        given = set_token() if token is None else None
        return Console(lambda: self.runtime, token=token if given is None else given.value, tickets=tickets)

    def _announce(self, event: Event) -> None:
        """What a door tells is heard by the pulse, the metrics and the alerts, too."""
        runtime = self._runtime
        if runtime is not None:
            for hear in (runtime.pulse, runtime.reporting, runtime.alerting.hear, runtime.chronicle):
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
        await asyncio.to_thread(self._close_local)
        with self._opening:
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.aclose()

    def close(self) -> None:
        """`aclose` for scripts and notebooks."""
        self._close_local()
        with self._opening:
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            runtime.close()

    def _close_local(self) -> None:
        """End the gateway of this process while the pipeline behind it is still there."""
        with self._opening:
            local, self._local = self._local, None
        if local is not None:
            local.close()

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
