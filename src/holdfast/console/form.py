"""What somebody typed into a form, and the mark that shows which session its page was made for."""

from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import parse_qsl

from starlette.requests import Request

from holdfast.admin.refusals import unreadable
from holdfast.console.refusals import form_rejected
from holdfast.console.sessions import Session
from holdfast.wire.headers import Headers, get

KIND = "application/x-www-form-urlencoded"
MOST = 200
FIELD = "csrf"


async def form_of(request: Request, headers: Headers) -> Mapping[str, str]:
    """The fields of a form, the last of each name; raises `MalformedRequest` for what is none."""
    kind = (get(headers, "content-type") or "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and kind != KIND:
        raise unreadable("content-type", f"send {KIND}")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except ValueError as error:
        raise unreadable("body", error) from error
    return dict(pairs)


def expect_mark(session: Session, form: Mapping[str, str]) -> None:
    """Raise `NotAllowed` for a form that no page of this session has sent (CSRF)."""
    if not compare_digest(form.get(FIELD, "").encode("utf-8", "surrogatepass"), session.csrf.encode()):
        raise form_rejected()
