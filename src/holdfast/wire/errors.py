"""Errors as the Messages API writes them: envelope, type, status, and the way back."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.errors import HoldfastError
from holdfast.language import Language, Sentence
from holdfast.wire import sse
from holdfast.wire.headers import Headers

STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "policy_blocked": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error inside a stream would have been as an HTTP answer."""

TYPE_OF_STATUS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""What an answer without a readable envelope is taken for."""

_LONGEST_PLAIN_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error of the API, from an answer's body or from an event; `error_code` is the stable part."""

    type: str
    message: str
    error_code: str | None = None
    status: int = 500


def status_of(type: str) -> int:
    """The HTTP status of an error type; an unknown type is the server's fault."""
    return STATUS_OF_TYPE.get(type, 500)


def type_of(status: int) -> str:
    """The error type of an HTTP status; an unlisted 4xx is the caller's fault, anything else the server's."""
    known = TYPE_OF_STATUS.get(status)
    if known is not None:
        return known
    return "invalid_request_error" if 400 <= status < 500 else "api_error"


def envelope(error: HoldfastError, request_id: str | None, *, language: Language = "en") -> bytes:
    """The body of a refusal or failure of ours; `details` can never hide the `error_code`."""
    return _envelope(
        error.error_type,
        error.say(language),
        {**error.details, "error_code": error.error_code},
        request_id or error.request_id,
    )


def error_headers(error: HoldfastError) -> Headers:
    """The headers that go with `envelope`: whether to come back, and after how many whole seconds."""
    headers = [("content-type", "application/json")]
    if error.should_retry is not None:
        headers.append(("x-should-retry", "true" if error.should_retry else "false"))
    if error.retry_after is not None and math.isfinite(error.retry_after):
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after)))))
    return tuple(headers)


def error_event(
    type: str, message: str, error_code: str | None = None, request_id: str | None = None
) -> bytes:
    """The event that ends a stream badly; every official client raises on it."""
    details = {} if error_code is None else {"error_code": error_code}
    return sse.emit("error", _envelope(type, message, details, request_id))


def from_holdfast(error: HoldfastError) -> ApiError:
    """An error of ours in the API's words."""
    return ApiError(error.error_type, str(error.sentence), error.error_code, error.status)


def read_envelope(body: bytes, status: int, *, language: Language = "en") -> ApiError:
    """What an error answer says; a body that is no envelope (HTML, text, nothing) is told by its status."""
    found = read_error(_decoded(body), status)
    if found is not None:
        return found
    text = " ".join(body[: 4 * _LONGEST_PLAIN_MESSAGE].decode("utf-8", "replace").split())
    if not text or text[0] in "<{[":
        return unreadable(status, language=language)
    return ApiError(type_of(status), text[:_LONGEST_PLAIN_MESSAGE], None, status)


def unreadable(status: int, *, language: Language = "en") -> ApiError:
    """What stands in for an error that cannot be read."""
    sentence = Sentence(
        f"The upstream failed with status {status} and an error that cannot be read. Try again later.",
        ko=f"업스트림이 상태 코드 {status}로 실패했고 그 오류를 읽을 수 없습니다. 나중에 다시 시도하세요.",
    )
    return ApiError(type_of(status), sentence.say(language), None, status)


def read_error(document: object, status: int | None = None) -> ApiError | None:
    """The error of a decoded envelope, or `None` if this is none; without a status the type decides it."""
    error = _member(document, "error")
    message = error if isinstance(error, str) else _text(error, "message")
    if not message:
        return None
    type = _text(error, "type") or type_of(500 if status is None else status)
    code = _text(_member(error, "details"), "error_code")
    return ApiError(type, message, code, status_of(type) if status is None else status)


def _envelope(type: str, message: str, details: Mapping[str, object], request_id: str | None) -> bytes:
    error: dict[str, object] = {"type": type, "message": message}
    if details:
        error["details"] = details
    document: dict[str, object] = {"type": "error", "error": error}
    if request_id is not None:
        document["request_id"] = request_id
    return msgspec.json.encode(document, enc_hook=str)


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _member(document: object, name: str) -> object:
    return cast("Mapping[str, object]", document).get(name) if isinstance(document, Mapping) else None


def _text(document: object, name: str) -> str | None:
    value = _member(document, name)
    return value if isinstance(value, str) else None
