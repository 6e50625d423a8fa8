"""The door of the console: logging in with a link or a token, logging out, and how it is to look."""

from collections.abc import Mapping

from starlette.responses import HTMLResponse, JSONResponse, Response

from holdfast.console.form import expect_mark, form_of
from holdfast.console.guest import Guest
from holdfast.console.preferences import YEAR, chosen
from holdfast.console.refusals import logged_out
from holdfast.console.rendering import rendered
from holdfast.console.sessions import Session
from holdfast.console.site import expect_own_page
from holdfast.console.tickets import LASTS, Role
from holdfast.console.ways import HOME, ROOT, go, login_path, own_path
from holdfast.errors import HoldfastError
from holdfast.language import Sentence
from holdfast.wire.headers import get

WORDS: Mapping[str, Sentence] = {
    "title": Sentence("Log in", ko="로그인"),
    "intro": Sentence(
        "Open the link that `holdfast serve` printed when it started; it works once, for ten minutes. "
        "`holdfast console` prints a new one.",
        ko="`holdfast serve`가 시작할 때 출력한 링크를 여세요. 10분 동안 한 번만 쓸 수 있습니다. "
        "새 링크는 `holdfast console`로 받습니다.",
    ),
    "other": Sentence("Or log in with a token", ko="또는 토큰으로 로그인"),
    "token": Sentence("Admin token, or a key for administration", ko="관리자 토큰 또는 관리용 키"),
    "token_hint": Sentence(
        "The token is in HOLDFAST_ADMIN_TOKEN, or in the file that the gateway named when it started.",
        ko="토큰은 HOLDFAST_ADMIN_TOKEN이나 게이트웨이가 시작할 때 알려 준 파일에 있습니다.",
    ),
    "enter": Sentence("Log in", ko="로그인"),
    "entered": Sentence("You are logged in.", ko="로그인되었습니다."),
    "go_on": Sentence("Go to the console", ko="콘솔로 가기"),
    "product": Sentence("Holdfast", ko="홀드패스트"),
}


async def answer(where: str, guest: Guest) -> Response:
    """What happens at one of the doors; raises the typed error of what cannot be shown."""
    method = guest.request.method
    match where, method:
        case "login", "GET" | "HEAD":
            return _shown(guest) if method == "HEAD" else await _by_link(guest)
        case "login", "POST":
            return await _by_token(guest)
        case "logout", "POST":
            return await _logout(guest)
        case "preferences", "POST":
            return await _preferences(guest)
        case "tickets", "POST":
            return await _ticket(guest)
        case _:
            return Response(status_code=405, headers={"allow": "POST"})


async def _by_link(guest: Guest) -> Response:
    token = guest.request.query_params.get("token")
    if token is None:
        return _shown(guest)
    if "prefetch" in (get(guest.headers, "sec-purpose") or get(guest.headers, "purpose") or ""):
        return Response(status_code=503)  # who only looks ahead must not use the link up
    try:
        opened = await guest.reception.redeem(token)
    except HoldfastError as error:
        return _shown(guest, error)
    return _entered(guest, opened, HOME)


async def _by_token(guest: Guest) -> Response:
    expect_own_page(guest.headers, guest.runtime.settings.console.hosts)
    form = await form_of(guest.request, guest.headers)
    try:
        opened = guest.reception.enter(form.get("token", ""))
    except HoldfastError as error:
        return _shown(guest, error)
    return _entered(guest, opened, own_path(form.get("next")))


def _entered(guest: Guest, opened: tuple[str, Session], to: str) -> Response:
    """A page that goes on by itself: browsers send no strict cookie along on a redirect from elsewhere."""
    token, _ = opened
    response = HTMLResponse(_html(guest, None, to=to))
    guest.set_cookie(response, guest.cookie, token)
    return response


async def _logout(guest: Guest) -> Response:
    session, _ = await _marked(guest)
    await guest.reception.leave(session)
    response = go(f"{ROOT}/login")
    guest.set_cookie(response, guest.cookie, "", longest=0)
    return response


async def _preferences(guest: Guest) -> Response:
    expect_own_page(guest.headers, guest.runtime.settings.console.hosts)
    form = await form_of(guest.request, guest.headers)
    response = go(own_path(form.get("next")))
    for name, value in chosen(form).items():
        guest.set_cookie(response, name, value, longest=YEAR)
    return response


async def _ticket(guest: Guest) -> Response:
    """For programs alone: a browser sends no token by itself."""
    role: Role = "viewer" if guest.request.query_params.get("role") == "viewer" else "operator"
    token = guest.reception.ticket(guest.headers, role)
    facts = {"path": login_path(token), "role": role, "seconds": int(LASTS)}
    return JSONResponse(facts, status_code=201)


async def _marked(guest: Guest) -> tuple[Session, Mapping[str, str]]:
    expect_own_page(guest.headers, guest.runtime.settings.console.hosts)
    if guest.session is None:
        raise logged_out()
    form = await form_of(guest.request, guest.headers)
    expect_mark(guest.session, form)
    return guest.session, form


def _shown(guest: Guest, error: HoldfastError | None = None) -> Response:
    status = 200 if error is None else error.status
    headers = (
        {} if error is None or error.retry_after is None else {"retry-after": f"{error.retry_after:.0f}"}
    )
    return HTMLResponse(_html(guest, error), status, headers=headers)


def _html(guest: Guest, error: HoldfastError | None, *, to: str | None = None) -> str:
    language = guest.preferences.language
    facts = {
        "lang": language,
        "theme": guest.preferences.theme,
        "next": own_path(guest.request.query_params.get("next")),
        "error": None if error is None else error.say(language),
        "to": to,
    }
    return rendered("login.html", WORDS, language, facts)
