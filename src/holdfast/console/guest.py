"""Somebody at the console's door: what his browser says of him, and whose session he has."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http.cookies import CookieError, SimpleCookie

from starlette.requests import Request
from starlette.responses import Response

from holdfast.assembly import Runtime
from holdfast.console.notes import Note, opened
from holdfast.console.page import Visit
from holdfast.console.preferences import Preferences, preferences
from holdfast.console.reception import Reception
from holdfast.console.refusals import logged_out
from holdfast.console.sessions import Session
from holdfast.console.site import is_encrypted, port_of
from holdfast.console.ways import ROOT
from holdfast.operations.desk import Desk
from holdfast.wire.headers import Headers, get

BY_ITSELF = "x-holdfast-live"
"""A header of what a page asks for by itself: no click, so that it keeps no session awake."""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """One request before anybody knows whose it is; `nonce` marks the scripts of its answer."""

    runtime: Runtime
    reception: Reception
    request: Request
    headers: Headers
    nonce: str

    @cached_property
    def encrypted(self) -> bool:
        """Whether the browser speaks TLS."""
        return is_encrypted(self.request.scope.get("scheme", "http"), self.headers)

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies, by name; none where they make no sense."""
        return _cookies(self.headers)

    @cached_property
    def cookie(self) -> str:
        """The name of the cookie of a session: ports share cookies, so that each has its own name."""
        return f"holdfast_session_{port_of(self.headers, encrypted=self.encrypted)}"

    @property
    def note_cookie(self) -> str:
        """The name of the cookie of a note."""
        return f"holdfast_note_{port_of(self.headers, encrypted=self.encrypted)}"

    def set_cookie(self, response: Response, name: str, value: str, *, longest: int | None = None) -> None:
        """Give him a cookie for our pages alone: no script reads it, and no other site sends it."""
        cookie: SimpleCookie = SimpleCookie()
        cookie[name] = value
        morsel = cookie[name]
        morsel["path"] = ROOT
        morsel["httponly"] = True
        morsel["samesite"] = "Strict"
        if self.encrypted:
            morsel["secure"] = True
        if longest is not None:
            morsel["max-age"] = longest
        response.headers.append("set-cookie", morsel.OutputString())

    @cached_property
    def preferences(self) -> Preferences:
        """How he wants the console to look."""
        return preferences(self.cookies, self.headers, self.runtime.settings.language)

    @cached_property
    def session(self) -> Session | None:
        """His session, if he has one that holds."""
        token = self.cookies.get(self.cookie)
        return None if token is None else self.reception.visitor(token)

    def _still(self) -> bool:
        """Whether he is as much logged in as when he came: a program shows its token once for each answer."""
        token = self.cookies.get(self.cookie)
        return self.session is None or (token is not None and self.reception.visitor(token) is not None)

    @property
    def renewed(self) -> str | None:
        """The token that a click keeps his session awake with, when it is time for a new one."""
        if self.session is None or get(self.headers, BY_ITSELF) is not None:
            return None
        return self.reception.sessions.renewed(self.session)

    @property
    def note(self) -> Note | None:
        """What the next page is to say to him."""
        text = self.cookies.get(self.note_cookie)
        return None if text is None else opened(self.reception.seal, text)

    @property
    def address(self) -> str:
        """Where the gateway is, as he knows it."""
        return f"{'https' if self.encrypted else 'http'}://{get(self.headers, 'host') or ''}"

    def expect_session(self) -> Session:
        """His session, or one for this request of a program that shows a token; raises `Unauthenticated`."""
        session = self.session or self.reception.program(self.headers)
        if session is None:
            raise logged_out()
        return session

    def visit(self, session: Session, form: Mapping[str, str] | None = None) -> Visit:
        """His request as pages see it."""
        runtime = self.runtime
        return Visit(
            runtime=runtime,
            desk=Desk(
                store=runtime.ledger, settings=runtime.settings, clock=runtime.clock, actor=session.actor
            ),
            session=session,
            preferences=self.preferences,
            address=self.address,
            query={name: value for name, value in self.request.query_params.items() if name != "part"},
            form=form or {},
            still=self._still,
        )


def _cookies(headers: Headers) -> Mapping[str, str]:
    try:
        found = SimpleCookie(get(headers, "cookie") or "")
        return {name: morsel.value for name, morsel in found.items()}
    except CookieError:
        return {}
