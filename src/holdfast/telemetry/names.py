"""Every name that holdfast tells other systems: GenAI conventions and its own, in one place, since they move.

The conventions are in development; the tests hold these names against a table, so that a move is one that
somebody decided on. Names with dots are OpenTelemetry's, the others are as Prometheus shows them.
"""

from holdfast.policy.chunk_times import BOUNDS

SCOPE = "holdfast"
"""The instrumentation scope of our spans."""

# Attributes of spans, from the GenAI, HTTP and error conventions.
OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
CONVERSATION_ID = "gen_ai.conversation.id"
AGENT_NAME = "gen_ai.agent.name"
WORKFLOW_NAME = "gen_ai.workflow.name"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
RESEND_COUNT = "http.request.resend_count"
URL_PATH = "url.path"

# Attributes of our own.
REQUEST_ID = "holdfast.request.id"
OUTCOME = "holdfast.outcome"
ATTEMPTS = "holdfast.attempts"
UPSTREAM = "holdfast.upstream"
COST = "holdfast.cost.nanodollars"
BLAME = "holdfast.blame"
KIND = "holdfast.attempt.kind"
GUARD = "holdfast.guard.name"
DECISION = "holdfast.guard.decision"
CIRCUIT = "holdfast.circuit"
CIRCUIT_EVENT = "holdfast.circuit.changed"

# Names of spans, and the values of `gen_ai.operation.name`.
CHAT = "chat"
INVOKE_AGENT = "invoke_agent"
INVOKE_WORKFLOW = "invoke_workflow"
SERVER_SPAN = "POST /v1/messages"
GUARD_SPAN = "holdfast.guard"
ANTHROPIC = "anthropic"

# Metrics of the GenAI conventions.
TOKEN_USAGE = "gen_ai_client_token_usage"
OPERATION_DURATION = "gen_ai_client_operation_duration_seconds"
TIME_TO_FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds"
TIME_PER_CHUNK = "gen_ai_client_operation_time_per_output_chunk_seconds"

# Metrics of our own; counters without the `_total` that Prometheus shows behind them.
REQUESTS = "holdfast_requests"
REQUEST_DURATION = "holdfast_request_duration_seconds"
ATTEMPTS_MADE = "holdfast_attempts"
COST_NANODOLLARS = "holdfast_cost_nanodollars"
UNPRICED = "holdfast_unpriced_requests"
RESERVED = "holdfast_budget_reserved_nanodollars"
OVERRUN = "holdfast_budget_overrun_nanodollars"
ALERTS = "holdfast_budget_alerts"
EXPIRED = "holdfast_reservations_expired"
BREAKER_STATE = "holdfast_breaker_state"
BREAKER_TRANSITIONS = "holdfast_breaker_transitions"
BREAKER_STALE = "holdfast_breaker_stale_outcomes"
RETRY_TOKENS = "holdfast_retry_tokens"
GATE_CLOSED = "holdfast_gate_closed"
STREAM_ABORTS = "holdfast_stream_aborts"
GUARD_DECISIONS = "holdfast_guard_decisions"
SETTLE_FAILURES = "holdfast_settle_failures"
CRASHES = "holdfast_request_crashes"
CACHE_BUSTS = "holdfast_prompt_cache_busts"
CACHE_LOST = "holdfast_prompt_cache_lost_tokens"
LOG_DROPPED = "holdfast_log_dropped"
SPANS_DROPPED = "holdfast_spans_dropped"
RECORDINGS_LOST = "holdfast_recordings_lost"
LOOP_LAG = "holdfast_event_loop_lag_seconds"
BUILD_INFO = "holdfast_build_info"

TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""As the conventions advise for `gen_ai.client.token.usage`."""
TIME_BUCKETS = BOUNDS
"""As the conventions advise for durations, and on to 600 s: answers of models take longer than 82."""
