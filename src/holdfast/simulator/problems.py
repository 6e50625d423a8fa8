"""The API's refusals: one exception that becomes the error envelope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from holdfast.simulator.values import JsonObject, encode

ORGANIZATION = "00000000-51b0-4000-8000-000000000000"
TYPE_OF_STATUS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
STATUS_OF_TYPE: Mapping[str, int] = {error_type: status for status, error_type in TYPE_OF_STATUS.items()}
MESSAGE_OF_STATUS: Mapping[int, str] = {
    401: "invalid x-api-key",
    402: "Your credit balance is too low to access the Anthropic API.",
    403: "Your API key does not have permission to use the specified resource.",
    404: "Not found",
    409: "The request conflicts with the current state of the resource.",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    504: "The request timed out",
    529: "Overloaded",
}


def type_of(status: int) -> str:
    """The `error.type` that goes with a status."""
    return TYPE_OF_STATUS.get(status, "api_error" if status >= 500 else "invalid_request_error")


@dataclass(kw_only=True, eq=False)
class ApiError(Exception):
    """A refusal of the API; not frozen, as whoever passes an exception on writes its traceback."""

    status: int
    message: str
    type: str = ""
    details: JsonObject = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def envelope(self, request_id: str) -> bytes:
        """The error body."""
        error: JsonObject = {"type": self.type or type_of(self.status), "message": self.message}
        if self.details:
            error["details"] = self.details
        return encode({"type": "error", "error": error, "request_id": request_id})


def invalid(message: str) -> NoReturn:
    """Refuse with 400 `invalid_request_error`."""
    raise ApiError(status=400, message=message)


def too_deep() -> ApiError:
    """The refusal of JSON that no parser should follow."""
    return ApiError(status=400, message="The request body is not valid JSON: it is nested too deeply")
