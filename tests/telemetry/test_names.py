"""The names that other systems know us by: a change here breaks somebody's dashboard, so it must be meant."""

import pytest

from holdfast.telemetry import names

PINNED = {
    "OPERATION_NAME": "gen_ai.operation.name",
    "PROVIDER_NAME": "gen_ai.provider.name",
    "REQUEST_MODEL": "gen_ai.request.model",
    "RESPONSE_MODEL": "gen_ai.response.model",
    "CONVERSATION_ID": "gen_ai.conversation.id",
    "AGENT_NAME": "gen_ai.agent.name",
    "WORKFLOW_NAME": "gen_ai.workflow.name",
    "INPUT_TOKENS": "gen_ai.usage.input_tokens",
    "OUTPUT_TOKENS": "gen_ai.usage.output_tokens",
    "CACHE_READ_TOKENS": "gen_ai.usage.cache_read.input_tokens",
    "CACHE_WRITE_TOKENS": "gen_ai.usage.cache_write.input_tokens",
    "CACHE_CREATION_TOKENS": "gen_ai.usage.cache_creation.input_tokens",
    "REASONING_TOKENS": "gen_ai.usage.reasoning.output_tokens",
    "FIRST_CHUNK": "gen_ai.response.time_to_first_chunk",
    "ERROR_TYPE": "error.type",
    "HTTP_METHOD": "http.request.method",
    "HTTP_ROUTE": "http.route",
    "HTTP_STATUS": "http.response.status_code",
    "RESEND_COUNT": "http.request.resend_count",
    "URL_PATH": "url.path",
    "REQUEST_ID": "holdfast.request.id",
    "OUTCOME": "holdfast.outcome",
    "ATTEMPTS": "holdfast.attempts",
    "UPSTREAM": "holdfast.upstream",
    "COST": "holdfast.cost.nanodollars",
    "BLAME": "holdfast.blame",
    "KIND": "holdfast.attempt.kind",
    "GUARD": "holdfast.guard.name",
    "DECISION": "holdfast.guard.decision",
    "CIRCUIT": "holdfast.circuit",
    "CIRCUIT_EVENT": "holdfast.circuit.changed",
    "CHAT": "chat",
    "INVOKE_AGENT": "invoke_agent",
    "INVOKE_WORKFLOW": "invoke_workflow",
    "SERVER_SPAN": "POST /v1/messages",
    "GUARD_SPAN": "holdfast.guard",
    "ANTHROPIC": "anthropic",
    "SCOPE": "holdfast",
    "TOKEN_USAGE": "gen_ai_client_token_usage",
    "OPERATION_DURATION": "gen_ai_client_operation_duration_seconds",
    "TIME_TO_FIRST_CHUNK": "gen_ai_client_operation_time_to_first_chunk_seconds",
    "TIME_PER_CHUNK": "gen_ai_client_operation_time_per_output_chunk_seconds",
    "REQUESTS": "holdfast_requests",
    "REQUEST_DURATION": "holdfast_request_duration_seconds",
    "ATTEMPTS_MADE": "holdfast_attempts",
    "COST_NANODOLLARS": "holdfast_cost_nanodollars",
    "UNPRICED": "holdfast_unpriced_requests",
    "RESERVED": "holdfast_budget_reserved_nanodollars",
    "OVERRUN": "holdfast_budget_overrun_nanodollars",
    "ALERTS": "holdfast_budget_alerts",
    "EXPIRED": "holdfast_reservations_expired",
    "BREAKER_STATE": "holdfast_breaker_state",
    "BREAKER_TRANSITIONS": "holdfast_breaker_transitions",
    "BREAKER_STALE": "holdfast_breaker_stale_outcomes",
    "RETRY_TOKENS": "holdfast_retry_tokens",
    "GATE_CLOSED": "holdfast_gate_closed",
    "STREAM_ABORTS": "holdfast_stream_aborts",
    "GUARD_DECISIONS": "holdfast_guard_decisions",
    "SETTLE_FAILURES": "holdfast_settle_failures",
    "CRASHES": "holdfast_request_crashes",
    "CACHE_BUSTS": "holdfast_prompt_cache_busts",
    "CACHE_LOST": "holdfast_prompt_cache_lost_tokens",
    "LOG_DROPPED": "holdfast_log_dropped",
    "RECORDINGS_LOST": "holdfast_recordings_lost",
    "SPANS_DROPPED": "holdfast_spans_dropped",
    "LOOP_LAG": "holdfast_event_loop_lag_seconds",
    "BUILD_INFO": "holdfast_build_info",
}


def told() -> dict[str, str]:
    return {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def test_every_name_is_the_one_that_was_decided_on() -> None:
    assert told() == PINNED


@pytest.mark.parametrize("name", [name for name in PINNED.values() if name.startswith("holdfast_")])
def test_our_metrics_speak_in_base_units(name: str) -> None:
    assert not name.endswith(("_ms", "_usd", "_total", "_milliseconds"))


def test_durations_of_answers_beyond_82_seconds_are_told_apart() -> None:
    assert names.TIME_BUCKETS[:3] == (0.01, 0.02, 0.04)
    assert names.TIME_BUCKETS[-4:] == (81.92, 163.84, 327.68, 600.0)


def test_tokens_are_counted_in_powers_of_four() -> None:
    assert tuple(4**power for power in range(14)) == names.TOKEN_BUCKETS
