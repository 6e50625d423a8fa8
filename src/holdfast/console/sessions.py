"""The sessions of those who have logged in: sealed in their cookies, each with its end, and ended before it by a logout."""

import secrets
import threading
from dataclasses import dataclass, field, replace

import msgspec

from holdfast.clock import Clock
from holdfast.console.seal import Seal
from holdfast.console.tickets import Role
from holdfast.policy.console import ConsoleConfig

PURPOSE, MARK = "session", "form"
FRESH = 60.0
"""Seconds for which a cookie is good enough; later a click brings a new one, that knows of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who has logged in; times in seconds of the monotonic clock.

    Attributes:
        csrf: what every form of his must carry.
        key: the name of the key that he came with; the session ends when that is no longer good.
    """

    id: str
    actor: str
    role: Role
    began: float
    used: float
    key: str | None = None
    csrf: str = field(default="", repr=False)

    @property
    def may_act(self) -> bool:
        """Whether he may change anything."""
        return self.role == "operator"


_decode = msgspec.json.Decoder(Session).decode


class Sessions:
    """Opens, finds and ends sessions; safe from any thread. Which have ended it knows of this process alone."""

    def __init__(self, config: ConsoleConfig, clock: Clock, seal: Seal) -> None:
        self._config = config
        self._clock = clock
        self._seal = seal
        self._lock = threading.Lock()
        self._ended: dict[str, float] = {}

    def open(self, role: Role, actor: str, *, key: str | None = None) -> tuple[str, Session]:
        """A new session, and the token that it is found by."""
        now = self._clock.monotonic()
        session = Session(id=secrets.token_urlsafe(18), actor=actor, role=role, began=now, used=now, key=key)
        return self._sealed(session), self._marked(session)

    def find(self, token: str) -> Session | None:
        """The session of a token, while it holds."""
        content = self._seal.opened(PURPOSE, token)
        if content is None:
            return None
        session, now = _decode(content), self._clock.monotonic()
        is_over = now - session.used >= self._config.idle or now - session.began >= self._config.longest
        return None if is_over or session.id in self._ended else self._marked(session)

    def renewed(self, session: Session) -> str | None:
        """A new token after a click, so that the session stays awake; `None` while the old one does."""
        now = self._clock.monotonic()
        if now - session.used < min(FRESH, self._config.idle / 4):
            return None
        return self._sealed(replace(session, used=now))

    def close(self, session: Session) -> None:
        """End a session, whoever has its token."""
        now = self._clock.monotonic()
        with self._lock:
            self._ended = {name: until for name, until in self._ended.items() if now < until}
            self._ended[session.id] = session.began + self._config.longest

    def _sealed(self, session: Session) -> str:
        return self._seal.sealed(PURPOSE, msgspec.json.encode(replace(session, csrf="")))

    def _marked(self, session: Session) -> Session:
        return replace(session, csrf=self._seal.derived(MARK, session.id.encode()))
