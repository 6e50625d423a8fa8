"""What can go wrong, as one tree of types.

HoldfastError
  Refused                   nobody was charged
    InputRejected           400 policy_blocked
      MalformedRequest      400 invalid_request_error (the body is not a Messages request)
        ThreadUnsupported   400 invalid_request_error (the SDK then sends the whole conversation)
      RequestTooLarge       413 request_too_large
    Unauthenticated         401 authentication_error
    NotAllowed              403 permission_error
      Stopped               403 permission_error, by an operator
    RateLimited             429 rate_limit_error
      OversizedCall         429 rate_limit_error (more than a quota ever lets through at once)
    BudgetExhausted         429 rate_limit_error
      RunCapReached         429 rate_limit_error, and waiting does not help
    NoProgress              400 policy_blocked
    CallNotPermitted        503 overloaded_error
  UpstreamError             the upstream was asked
    UpstreamUnavailable     503 overloaded_error, or as received
    DeadlineExceeded        504 timeout_error
    StreamInterrupted       502 api_error
  OutputBlocked             400 policy_blocked (the answer held what it must not carry out; it is paid for)
  UnknownModel              400 invalid_request_error
  StoreUnavailable          503 api_error
    BudgetUnavailable       503 overloaded_error (nobody can tell what is left, so nothing is spent)
  ConfigError               at start only
    KeyMissing              no key for an upstream that needs one

Why a guard answers `policy_blocked` and not `invalid_request_error`: on the latter Claude Code strips
capabilities and sends the same request again, up to six times.
"""

from collections.abc import Mapping
from typing import ClassVar

from holdfast.language import Language, Sentence


class HoldfastError(Exception):
    """Base of every error of holdfast: one sentence that says what happened, why, and what to do.

    Attributes:
        error_code: stable machine-readable code, `holdfast_...`.
        status: the HTTP status a gateway answers with.
        error_type: the `error.type` of Anthropic's envelope.
        should_retry: what `x-should-retry` says to the caller; `None` leaves it to the caller.
        retry_after: seconds until it makes sense to come back, or `None`.
        request_id: the call this happened to, or `None`.
        details: further members of `error.details`.
        attempts: how often the upstream had been asked when this happened.
    """

    error_code: ClassVar[str] = "holdfast_internal_error"
    default_status: ClassVar[int] = 500
    error_type: ClassVar[str] = "api_error"
    should_retry: ClassVar[bool | None] = False

    def __init__(
        self,
        sentence: Sentence | str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        self.sentence = sentence if isinstance(sentence, Sentence) else Sentence(sentence, ko=sentence)
        super().__init__(self.sentence.en)
        self.status = self.default_status if status is None else status
        self.retry_after = retry_after
        self.request_id = request_id
        self.details: Mapping[str, object] = details or {}
        self.attempts = 0

    def say(self, language: Language) -> str:
        """The sentence in the reader's language."""
        return self.sentence.say(language)


class Refused(HoldfastError):
    """holdfast said no before the upstream was asked: nothing was spent."""

    error_code = "holdfast_refused"
    default_status = 403
    error_type = "permission_error"


class InputRejected(Refused):
    """The text broke a rule of the screen."""

    error_code = "holdfast_input_rejected"
    default_status = 400
    error_type = "policy_blocked"


class MalformedRequest(InputRejected):
    """The body is not a request that the Messages API could understand."""

    error_code = "holdfast_request_malformed"
    error_type = "invalid_request_error"


class ThreadUnsupported(MalformedRequest):
    """The body continues a message thread; on the API's own code the official SDK sends the whole conversation."""

    error_code = "thread_unsupported_request"


class RequestTooLarge(InputRejected):
    """The body is larger than the API takes (32 MB for messages)."""

    error_code = "holdfast_request_too_large"
    default_status = 413
    error_type = "request_too_large"


class Unauthenticated(Refused):
    """No key, or not one of ours."""

    error_code = "holdfast_key_rejected"
    default_status = 401
    error_type = "authentication_error"


class NotAllowed(Refused):
    """The key is known and may not do this."""

    error_code = "holdfast_not_allowed"


class Stopped(NotAllowed):
    """An operator stopped this run, key, model or everything."""

    error_code = "holdfast_stopped"


class RateLimited(Refused):
    """Too many requests or tokens for now; `retry_after` says when to come back."""

    error_code = "holdfast_rate_limited"
    default_status = 429
    error_type = "rate_limit_error"
    should_retry = True


class OversizedCall(RateLimited):
    """One call needs more than a quota ever lets through at once: waiting does not help."""

    error_code = "holdfast_quota_oversized"
    should_retry = False


class BudgetExhausted(Refused):
    """The call could cost more than the budget has left; `retry_after` is the end of the window."""

    error_code = "holdfast_budget_exhausted"
    default_status = 429
    error_type = "rate_limit_error"


class RunCapReached(BudgetExhausted):
    """The run is at the end of what it may do: calls, time, or agents; `details` name the cap and its limit."""

    error_code = "holdfast_run_cap_reached"


class NoProgress(Refused):
    """The agent repeats itself without getting anywhere; `policy_blocked` so that no client sends it again."""

    error_code = "holdfast_no_progress"
    default_status = 400
    error_type = "policy_blocked"


class CallNotPermitted(Refused):
    """The circuit is open: the upstream is given rest; `retry_after` says when it is tried again."""

    error_code = "holdfast_circuit_open"
    default_status = 503
    error_type = "overloaded_error"
    should_retry = True


class UpstreamError(HoldfastError):
    """The upstream was asked and did not answer as it should."""

    error_code = "holdfast_upstream_failed"
    default_status = 502


class UpstreamUnavailable(UpstreamError):
    """The upstream could not be reached or answered with an error, on every attempt allowed."""

    error_code = "holdfast_upstream_unavailable"
    default_status = 503
    error_type = "api_error"  # what is called overloaded Claude Code sends ten times more, whatever we say


class DeadlineExceeded(UpstreamError):
    """No answer within the deadline of the call."""

    error_code = "holdfast_deadline_exceeded"
    default_status = 504
    error_type = "timeout_error"


class OutputMismatch(UpstreamError):
    """The answer is not of the type that was asked for."""

    error_code = "holdfast_output_mismatch"


class StreamInterrupted(UpstreamError):
    """The answer broke off after part of it had been delivered."""

    error_code = "holdfast_stream_interrupted"


class OutputBlocked(HoldfastError):
    """The answer held what it must not carry out; the upstream was asked, and what it wrote is paid for."""

    error_code = "holdfast_output_blocked"
    default_status = 400
    error_type = "policy_blocked"


class UnknownModel(HoldfastError):
    """No price is known for this model id."""

    error_code = "holdfast_model_unknown"
    default_status = 400
    error_type = "invalid_request_error"


class StoreUnavailable(HoldfastError):
    """A database did not answer in time; each guard says whether it then fails open or closed."""

    error_code = "holdfast_store_unavailable"
    default_status = 503


class BudgetUnavailable(StoreUnavailable):
    """The store of the budgets does not answer, so nothing may be spent; worth trying again soon."""

    error_code = "holdfast_budget_unavailable"
    error_type = "overloaded_error"
    should_retry = True


class ConfigError(HoldfastError):
    """A setting or an argument is wrong; raised at start, never by a call in flight."""

    error_code = "holdfast_config_invalid"


class KeyMissing(ConfigError):
    """An upstream needs a key and none was found."""

    error_code = "holdfast_key_missing"
