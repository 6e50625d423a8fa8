"""Where an agent's calls go: a pipeline that it shares, or one of its own that it opens and closes."""

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Protocol

from holdfast.assembly import Runtime, assemble, has_key
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings


class Hold(Protocol):
    """What an agent needs of a `Holdfast`."""

    @property
    def runtime(self) -> Runtime:
        """The open pipeline and all it stands on."""
        ...

    @property
    def opened(self) -> Runtime | None:
        """The same, or `None` while it is closed."""
        ...


@dataclass(slots=True, eq=False)
class Home:
    """Opens when first used; closed, it opens again. Raises `ConfigError` and `StoreUnavailable` when it cannot."""

    hold: Hold | None
    upstream: str | None
    attempts: int
    _opening: Lock = field(default_factory=Lock, init=False, repr=False)
    _own: Runtime | None = field(default=None, init=False, repr=False)

    @property
    def opened(self) -> Runtime | None:
        """The pipeline if it is open."""
        return self.hold.opened if self.hold is not None else self._own

    def runtime(self) -> Runtime:
        """The pipeline, open."""
        if self.hold is not None:
            return self.hold.runtime
        with self._opening:
            if self._own is None:
                self._own = assemble(self._settings())
            return self._own

    async def aclose(self) -> None:
        """Close a pipeline of its own; may be called twice."""
        if (own := self._disown()) is not None:
            await own.aclose()

    def close(self) -> None:
        """`aclose` for threads without a loop."""
        if (own := self._disown()) is not None:
            own.close()

    def _settings(self) -> Settings:
        settings = Settings.load()
        if self.upstream is not None:
            chosen = UpstreamConfig.at(self.upstream, has_key=has_key())
            settings = replace(settings, upstreams={"default": chosen})
        return replace(settings, retry=replace(settings.retry, attempts=self.attempts))

    def _disown(self) -> Runtime | None:
        with self._opening:
            own, self._own = self._own, None
            return own
