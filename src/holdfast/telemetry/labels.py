"""What may stand in a label: few values, all known beforehand, whoever calls and whatever an upstream says."""

from collections.abc import Mapping
from typing import get_args

from holdfast.policy.failure import Kind

STATUSES = frozenset({400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529})
KINDS = frozenset({"answered", "abandoned", "cut", *get_args(Kind)})
OTHER = "other"

BLOCKERS: Mapping[str, str] = {
    "holdfast_input_rejected": "screen",
    "holdfast_request_too_large": "screen",
    "holdfast_tool_rejected": "pins",
    "holdfast_stopped": "stop",
    "holdfast_rate_limited": "quota",
    "holdfast_quota_oversized": "quota",
    "holdfast_budget_exhausted": "budget",
    "holdfast_budget_unavailable": "budget",
    "holdfast_run_cap_reached": "run",
    "holdfast_no_progress": "run",
    "holdfast_circuit_open": "circuit",
    "holdfast_output_blocked": "output",
}
"""Which guard a refusal comes from, by its code."""

CAUSES = frozenset(
    {
        "holdfast_stream_interrupted",
        "holdfast_deadline_exceeded",
        "holdfast_output_blocked",
        "holdfast_stopped",
        "holdfast_draining",
        "holdfast_upstream_failed",
        "holdfast_upstream_unavailable",
        "overloaded_error",
        "api_error",
        "timeout_error",
        "rate_limit_error",
        "invalid_request_error",
    }
)

DECISIONS: Mapping[str, str] = {
    "flag": "flagged",
    "redact": "changed",
    "fence": "changed",
    "stop": "blocked",
    "deny": "blocked",
    "refuse": "blocked",
    "confirm": "held",
    "ask": "held",
    "degrade": "changed",
}


def attempt_class(kind: str, status: int | None) -> str:
    """How an attempt ended: `answered`, `abandoned`, `cut`, or how it failed, HTTP errors by their status."""
    if kind != "http" or status is None:
        return kind if kind in KINDS else OTHER
    return f"http_{status}" if status in STATUSES else f"http_{status // 100}xx"


def cause_of(end: str, error_code: str | None) -> str:
    """Why a stream broke off."""
    if end == "abandoned":
        return "client_gone"
    return error_code if error_code in CAUSES else OTHER


def blocker(error_code: str | None) -> str:
    """The guard that a refusal comes from."""
    return BLOCKERS.get(error_code or "", OTHER)


def decision(action: str) -> str:
    """What a guard did, in the words that all guards share: flagged, changed, held, blocked."""
    return DECISIONS.get(action, OTHER)
