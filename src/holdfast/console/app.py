"""The console as an ASGI application, which the gateway asks for what lies under `/console`."""

import secrets
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from holdfast.admin.refusals import missing
from holdfast.admin.status import status_of
from holdfast.assembly import Runtime
from holdfast.console import assets, door
from holdfast.console.form import expect_mark, form_of
from holdfast.console.frame import WORDS, frame_facts, verdict_facts
from holdfast.console.guarding import guarding
from holdfast.console.guest import Guest
from holdfast.console.notes import MINUTE, sealed
from holdfast.console.page import Done, Facts, Page, Visit
from holdfast.console.pages import PAGES
from holdfast.console.reception import Reception
from holdfast.console.refusals import logged_out, only_operators
from holdfast.console.rendering import part, rendered
from holdfast.console.site import expect_host, expect_own_page
from holdfast.console.tickets import Tickets
from holdfast.console.ways import HOME, ROOT, go
from holdfast.errors import ConfigError, HoldfastError, MalformedRequest
from holdfast.language import Sentence
from holdfast.wire.headers import from_raw


class Console:
    """Shows operators how things stand, and lets them act.

    What it refuses to a browser that wants a page is a page; everything else it refuses is raised for the
    gateway to tell. `runtime` is asked at every request, since what it opens may be closed and opened again.
    """

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        *,
        token: str | None,
        tickets: Tickets | None = None,
        pages: tuple[Page, ...] = PAGES,
    ) -> None:
        self._runtime = runtime
        self._token = token
        self._tickets = tickets
        self._pages = pages
        self._by_name = {page.name: page for page in pages}
        self._reception: tuple[Runtime, Reception] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        response = await self._answer(Request(scope, receive), nonce)
        for name, value in guarding(nonce).items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)

    async def _answer(self, request: Request, nonce: str) -> Response:
        runtime = self._runtime()
        headers = from_raw(request.scope["headers"])
        expect_host(headers, runtime.settings.console.hosts, runtime.settings.gateway.host)
        path: str = request.scope["path"]
        if path.startswith(f"{assets.FOLDER}/"):
            return _file(request, path, assets.answer(path, headers))
        await runtime.begin()
        guest = Guest(
            runtime=runtime,
            reception=self._at(runtime),
            request=request,
            headers=headers,
            nonce=nonce,
        )
        match request.method, [one for one in path.removeprefix(ROOT).split("/") if one]:
            case "GET" | "HEAD", []:
                return go(HOME)
            case _, ["login" | "logout" | "preferences" | "tickets" as where]:
                return await door.answer(where, guest)
            case "GET" | "HEAD", segments:
                return await self._show(guest, segments)
            case "POST", [name, act] if name in self._by_name:
                return await self._act(guest, self._by_name[name], act)
            case _:
                raise _nowhere(path)

    def _at(self, runtime: Runtime) -> Reception:
        if self._reception is None or self._reception[0] is not runtime:
            self._tickets = self._tickets or Tickets(runtime.clock)
            self._reception = (runtime, Reception(runtime, self._token, self._tickets))
        return self._reception[1]

    async def _show(self, guest: Guest, segments: list[str]) -> Response:
        match segments:
            case ["verdict.json"]:
                visit = guest.visit(guest.expect_session())
                return _json(verdict_facts(status_of(guest.runtime), visit.language))
            case [name] if name in self._by_name:
                return await self._look(guest, self._by_name[name])
            case [name] if name.endswith(".json") and name[:-5] in self._by_name:
                page = self._by_name[name[:-5]]
                return _json(await _told(page, guest.visit(guest.expect_session())))
            case [name, read] if name in self._by_name and read in self._by_name[name].reads:
                return await _read(self._by_name[name], read, guest.visit(guest.expect_session()))
            case _:
                raise _nowhere("/".join([ROOT, *segments]))

    async def _look(self, guest: Guest, page: Page) -> Response:
        if block := guest.request.query_params.get("part"):
            return await self._part(guest, page, block)
        session = guest.session
        if session is None:
            return go(f"{ROOT}/login?{urlencode({'next': _written(guest.request)})}")
        visit = guest.visit(session)
        try:
            facts = await page.look(visit)
        except HoldfastError as error:
            return self._failed(guest, page, visit, error)
        return self._page(guest, page, visit, facts)

    async def _part(self, guest: Guest, page: Page, block: str) -> Response:
        visit = guest.visit(guest.expect_session())
        if block not in page.parts:
            raise _nowhere(f"{page.path}?part={block}")
        facts = await _told(page, visit)
        frame = frame_facts(visit, page, self._pages, None)
        whole = {**facts, "frame": frame, "nonce": guest.nonce, "query": dict(visit.query)}
        html = part(f"{page.name}.html", block, {**WORDS, **page.words}, visit.language, whole)
        return HTMLResponse(html)

    def _page(self, guest: Guest, page: Page, visit: Visit, facts: Facts, *, status: int = 200) -> Response:
        note = guest.note
        frame = frame_facts(visit, page, self._pages, note)
        whole = {**facts, "frame": frame, "nonce": guest.nonce, "query": dict(visit.query)}
        template = f"{page.name}.html" if status == 200 else "failed.html"
        shown = HTMLResponse(rendered(template, {**WORDS, **page.words}, visit.language, whole), status)
        if note is not None:
            guest.set_cookie(shown, guest.note_cookie, "", longest=0)
        if (token := guest.renewed) is not None:
            guest.set_cookie(shown, guest.cookie, token)
        return shown

    def _failed(self, guest: Guest, page: Page, visit: Visit, error: HoldfastError) -> Response:
        status = 400 if isinstance(error, ConfigError) else error.status
        facts = {"message": error.say(visit.language), "code": error.error_code}
        return self._page(guest, page, visit, facts, status=status)

    async def _act(self, guest: Guest, page: Page, act: str) -> Response:
        expect_own_page(guest.headers, guest.runtime.settings.console.hosts)
        session = guest.session
        if session is None:
            raise logged_out()
        form = await form_of(guest.request, guest.headers)
        expect_mark(session, form)
        if not session.may_act:
            raise only_operators()
        if act not in page.acts:
            raise _nowhere(f"{page.path}/{act}")
        visit = guest.visit(session, form)
        try:
            done = await page.acts[act](visit)
        except HoldfastError as error:
            return self._failed(guest, page, visit, error)
        await guest.runtime.stations.watch.refresh()
        if not isinstance(done, Done):
            return self._page(guest, page, visit, done)
        there = go(done.to)
        if done.note is not None:
            guest.set_cookie(
                there, guest.note_cookie, sealed(guest.reception.seal, done.note), longest=MINUTE
            )
        return there


async def _told(page: Page, visit: Visit) -> Facts:
    try:
        return await page.look(visit)
    except ConfigError as error:
        # What is a setting elsewhere has come in a request here: that is the reader's to mend.
        raise MalformedRequest(error.sentence) from error


async def _read(page: Page, read: str, visit: Visit) -> Response:
    try:
        return await page.reads[read](visit)
    except ConfigError as error:
        raise MalformedRequest(error.sentence) from error


def _file(request: Request, path: str, found: Response | None) -> Response:
    if found is None or request.method not in ("GET", "HEAD"):
        raise _nowhere(path)
    return found


def _written(request: Request) -> str:
    path: str = request.scope["path"]
    query: bytes = request.scope["query_string"]
    return f"{path}?{query.decode('latin-1')}" if query else path


def _json(facts: object) -> Response:
    return Response(msgspec.json.encode(facts), media_type="application/json")


def _nowhere(path: str) -> HoldfastError:
    return missing(Sentence(f"page `{path[:200]}`", ko=f"`{path[:200]}` 페이지를"))
