"""The reception: who a browser is, how it logs in with a ticket, a token or a key, and how it logs out."""

import threading
from collections import deque
from datetime import UTC, datetime, timedelta

from holdfast.admin.access import Access
from holdfast.assembly import Runtime
from holdfast.clock import Clock
from holdfast.console.sessions import Session, Sessions
from holdfast.console.tickets import LASTS, Role, Tickets
from holdfast.errors import (
    ConfigError,
    HoldfastError,
    NotAllowed,
    RateLimited,
    StoreUnavailable,
    Unauthenticated,
)
from holdfast.language import Sentence
from holdfast.orders import CONSOLE, KEY
from holdfast.policy.keys import KeyRecord, KeyScope, decoded, standing
from holdfast.wire.headers import Headers, get

GUESSES = 10
"""Wrong tokens within `GUESSING` seconds after which nobody may try another."""
GUESSING = 60.0
KEYED = "key:"


class Reception:
    """Lets people in; of one process and one runtime."""

    def __init__(self, runtime: Runtime, token: str | None, tickets: Tickets) -> None:
        self._runtime = runtime
        self._access = Access(runtime, token)
        self._tickets = tickets
        self._guesses = _Guesses(runtime.clock)
        self.seal = tickets.seal
        self.sessions = Sessions(runtime.settings.console, runtime.clock, tickets.seal)

    def visitor(self, token: str) -> Session | None:
        """The session of a token, while nobody has ended it and the key that it came with is good."""
        session = self.sessions.find(token)
        if session is None or _ended(session) in self._over():
            return None
        if session.key is None:
            return session
        needed: KeyScope = "admin:write" if session.may_act else "admin:read"
        return session if needed in _scopes(self._runtime, session.key) else None

    def program(self, headers: Headers) -> Session | None:
        """A program that shows the admin token or a key, for one request that only reads; `None` for a browser.

        Raises `Unauthenticated` and `NotAllowed`.
        """
        if get(headers, "x-api-key") is None and get(headers, "authorization") is None:
            return None
        actor = self._access.actor(headers, "admin:read")
        now = self._runtime.clock.monotonic()
        return Session(id="", actor=actor, role="viewer", began=now, used=now)

    def ticket(self, headers: Headers, role: Role) -> str:
        """A new ticket for whoever shows a token that is good for that role; raises as `program` does."""
        scope: KeyScope = "admin:write" if role == "operator" else "admin:read"
        return self._tickets.issue(role, self._access.actor(headers, scope))

    async def redeem(self, token: str) -> tuple[str, Session]:
        """A session for a ticket; raises `Unauthenticated` for one that opens nothing."""
        ticket = self._tickets.take(token)
        if ticket is None or not await self._mark(f"ticket:{ticket.id}", LASTS, ticket.actor):
            raise _used_up()
        return self._opened(ticket.role, ticket.actor)

    def enter(self, secret: str) -> tuple[str, Session]:
        """A session for the admin token, or for a key of administration.

        Raises `Unauthenticated`, `NotAllowed`, and `RateLimited` after too many guesses.
        """
        self._guesses.expect_few()
        headers = (("x-api-key", secret.strip()),)
        try:
            try:
                return self._opened("operator", self._access.actor(headers, "admin:write"))
            except NotAllowed:
                return self._opened("viewer", self._access.actor(headers, "admin:read"))
        except HoldfastError:
            self._guesses.wrong()
            raise

    async def leave(self, session: Session) -> None:
        """End a session at every worker."""
        self.sessions.close(session)
        await self._mark(_ended(session), self._runtime.settings.console.longest, session.actor)
        await self._runtime.stations.watch.refresh()

    def _opened(self, role: Role, actor: str) -> tuple[str, Session]:
        key = actor.removeprefix(KEYED) if actor.startswith(KEYED) else None
        return self.sessions.open(role, actor, key=key)

    def _over(self) -> set[str]:
        return {entry.name for entry in self._runtime.stations.watch.entries(CONSOLE)}

    async def _mark(self, name: str, seconds: float, actor: str) -> bool:
        """Tell every worker that something is used up or over; whether nobody has before.

        While the store is away only this process knows.
        """
        store, now = self._runtime.ledger, self._runtime.clock.now()
        try:
            known = await store.entries(CONSOLE)
            for entry in known:
                if entry.body <= _moment(now):
                    await store.drop(CONSOLE, entry.name, actor=actor, note="over")
            if any(entry.name == name for entry in known):
                return False
            await store.put(CONSOLE, name, _moment(now + timedelta(seconds=seconds)), actor=actor)
        except StoreUnavailable:
            return True
        return True


def _ended(session: Session) -> str:
    return f"session:{session.id}"


def _moment(at: datetime) -> bytes:
    """A moment as JSON, in UTC to the second: of two, the later is the greater."""
    return f'"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"'.encode()


class _Guesses:
    """Counts what was wrong of late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: deque[float] = deque(maxlen=GUESSES)

    def wrong(self) -> None:
        with self._lock:
            self._wrong.append(self._clock.monotonic())

    def expect_few(self) -> None:
        """Raise `RateLimited` after too many."""
        with self._lock:
            first = self._wrong[0] if len(self._wrong) == GUESSES else None
        left = 0.0 if first is None else first + GUESSING - self._clock.monotonic()
        if left > 0:
            raise RateLimited(
                Sentence(
                    f"Too many wrong tokens. Wait {left:.0f} s, then try again.",
                    ko=f"잘못된 토큰이 너무 많이 입력되었습니다. {left:.0f}초 뒤에 다시 시도하세요.",
                ),
                retry_after=left,
            )


def _scopes(runtime: Runtime, name: str) -> tuple[KeyScope, ...]:
    """What the keys of a name are good for now; nothing when they are revoked, expired or gone."""
    records: list[KeyRecord] = []
    for entry in runtime.stations.watch.entries(KEY):
        try:
            records.append(decoded(entry.body))
        except ConfigError:
            continue
    now = runtime.clock.now()
    good = [standing(one, records, now) for one in records if one.name == name]
    return tuple(scope for one in good if isinstance(one, KeyRecord) for scope in one.scopes)


def _used_up() -> Unauthenticated:
    return Unauthenticated(
        Sentence(
            "This link has been used, or is older than ten minutes. `holdfast console` prints a new one; "
            "or log in with the admin token.",
            ko="이미 쓴 링크이거나 10분이 지난 링크입니다. `holdfast console`로 새 링크를 받거나 관리자 토큰으로 로그인하세요.",
        )
    )
