"""Paths without a price: token counts and model lists go to the upstream and back."""

import re
from urllib.parse import quote

from holdfast.assembly import Runtime
from holdfast.call import Incoming
from holdfast.errors import UpstreamError
from holdfast.gateway.reading import expect_json
from holdfast.gateway.responding import Outlet
from holdfast.gateway.standing import is_shared, without_limits
from holdfast.language import Sentence
from holdfast.wire.errors import read_envelope
from holdfast.wire.headers import get, merged, response_headers
from holdfast.wire.messages import read_request

MODELS = "/v1/models"
_MODEL = re.compile(r"(?!\.+$)[0-9A-Za-z._:@\[\]-]{1,200}")
"""An id that is one step of a path: our key must not fetch what a `..` in it would lead to."""


def model_path(path: str) -> str | None:
    """The path to ask the upstream for a list of models or one of them; `None` when it is neither."""
    if path == MODELS:
        return path
    folder, _, model = path.rpartition("/")
    if folder != MODELS or not _MODEL.fullmatch(model):
        return None
    return f"{MODELS}/{quote(model, safe=':@')}"


async def relay(runtime: Runtime, outlet: Outlet, method: str, path: str, incoming: Incoming) -> None:
    """Forward one request and send its answer; raises `UpstreamError` when that makes no sense."""
    if method == "POST":
        expect_json(incoming.headers)
        read_request(incoming.body)  # what no parser can read is refused here and not upstream
    status, headers, body = await runtime.relay(method, path, incoming.query, incoming.headers, incoming.body)
    if not (status == 200 or (400 <= status <= 599 and "json" in (get(headers, "content-type") or ""))):
        raise _unexpected(path, status, body)
    ours = {
        "x-holdfast-request-id": outlet.request_id,
        "x-holdfast-outcome": "answered" if status == 200 else "failed",
    }
    headers = response_headers(headers)
    if is_shared(runtime, runtime.upstreams[0].name):
        headers = without_limits(headers)
    await outlet.reply(status, merged(headers, ours), body)


def _unexpected(path: str, status: int, body: bytes) -> UpstreamError:
    found = read_envelope(body, status).message
    return UpstreamError(
        Sentence(
            f"The upstream answered {path} with status {status}: {found} Check its address, or try again later.",
            ko=f"업스트림이 {path}에 상태 코드 {status}로 응답했습니다: {found} 주소를 확인하거나 나중에 다시 시도하세요.",
        ),
        status=status if 400 <= status <= 599 else None,
    )
