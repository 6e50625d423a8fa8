"""The reasons for which the API refuses a whole account, a key or a moment, each in the API's own shape."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from holdfast.simulator.problems import MESSAGE_OF_STATUS, ApiError
from holdfast.simulator.values import JsonObject

RefusalKind: TypeAlias = Literal[
    "key_revoked",
    "organization_on_hold",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
    "user_spend_limit_reached",
    "credit_balance_too_low",
    "rate_limited",
    "ramp_limit_exceeded",
    "overloaded",
]
"""Where the API has an `error_code` for the reason, this is it."""

_CODED = frozenset(
    (
        "organization_on_hold",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "ramp_limit_exceeded",
    )
)
_PASSING = frozenset(("rate_limited", "ramp_limit_exceeded", "overloaded"))

# The statuses are those of the official SDK's error classes of 2.12.0.
_ANSWERS: Mapping[str, tuple[int, str]] = {
    "key_revoked": (401, MESSAGE_OF_STATUS[401]),
    "organization_on_hold": (400, "This organization has been disabled."),
    "enforced_spend_limit_reached": (
        429,
        "Your organization has reached the monthly usage limit of its tier.",
    ),
    "contract_spend_limit_reached": (429, "Your organization has reached the spend limit of its contract."),
    "linked_organization_spend_limit_reached": (402, "The linked organization cannot pay for this request."),
    "user_spend_limit_reached": (400, "You have reached your specified API usage limits."),
    "credit_balance_too_low": (400, "Your credit balance is too low to access the Anthropic API."),
    "rate_limited": (429, MESSAGE_OF_STATUS[429]),
    "ramp_limit_exceeded": (
        429,
        "This request would exceed your organization's maximum usage increase rate for input tokens per minute.",
    ),
    "overloaded": (529, MESSAGE_OF_STATUS[529]),
}


def refusal(kind: RefusalKind, *, retry_after: float | None = None) -> ApiError:
    """The refusal; `retry_after` seconds are told for those reasons only that pass by themselves."""
    status, message = _ANSWERS[kind]
    details: JsonObject = {"error_code": kind} if kind in _CODED else {}
    headers: dict[str, str] = {}
    if retry_after is not None and kind in _PASSING:
        headers["retry-after"] = f"{retry_after:g}"
    return ApiError(status=status, message=message, details=details, headers=headers)
