"""The decision table, row by row."""

from dataclasses import dataclass, replace
from typing import get_args

import pytest

from holdfast.policy.failure import (
    TABLE,
    Blame,
    Charge,
    Failover,
    Failure,
    Gate,
    Kind,
    Phase,
    find,
    rule,
)
from holdfast.policy.permit import Outcome

OK, FAIL, NEUTRAL = Outcome.OK, Outcome.FAIL, Outcome.NEUTRAL
UNCHANGED = "unchanged"


def http(
    status: int,
    error_type: str | None = "some_error",
    code: str | None = None,
    retry_after: float | None = None,
) -> Failure:
    return Failure(
        phase="response",
        kind="http",
        status=status,
        error_type=error_type,
        error_code=code,
        retry_after=retry_after,
    )


def event(error_type: str | None, phase: Phase = "held") -> Failure:
    return Failure(phase=phase, kind="stream_error", error_type=error_type)


def seen(kind: Kind, phase: Phase) -> Failure:
    return Failure(phase=phase, kind=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    outcome: Outcome
    gate: Gate | None = None
    retries: int = 0
    failover: Failover = "no"
    charge: Charge = "release"
    final: tuple[str, int | None] = (UNCHANGED, None)
    should_retry: bool = False
    blame: Blame


CLIENTS = Expected(outcome=NEUTRAL, blame="client")
ACCOUNTS = Expected(outcome=NEUTRAL, blame="account")
SPENT = replace(ACCOUNTS, gate="spend", failover="organisation")
THROTTLED = replace(ACCOUNTS, gate="rate", retries=2, failover="yes", should_retry=True)
BROKEN = Expected(outcome=FAIL, retries=2, failover="yes", blame="claude")
ONCE = replace(BROKEN, retries=1)

ROWS: list[tuple[str, Failure, Expected]] = [
    (
        "connect error",
        seen("connect_error", "connect"),
        replace(BROKEN, final=("envelope", 503), blame="network"),
    ),
    (
        "reset before an answer",
        seen("reset", "sent"),
        replace(ONCE, charge="presume_input", final=("envelope", 502), blame="network"),
    ),
    (
        "end before an answer",
        seen("truncated", "sent"),
        replace(ONCE, charge="presume_input", final=("envelope", 502), blame="network"),
    ),
    (
        "no first byte",
        seen("first_byte_timeout", "sent"),
        replace(ONCE, charge="presume_input", final=("envelope", 504)),
    ),
    (
        "no first byte of a stream",
        seen("first_byte_timeout", "held"),
        replace(ONCE, charge="presume_input", final=("event", 504)),
    ),
    ("400", http(400, "invalid_request_error"), replace(CLIENTS, final=(UNCHANGED, 400))),
    (
        "401",
        http(401),
        replace(ACCOUNTS, gate="credential", failover="credential", final=(UNCHANGED, 401)),
    ),
    ("402", http(402, "billing_error"), replace(SPENT, final=(UNCHANGED, 402))),
    (
        "a linked organisation's limit",
        http(402, code="linked_organization_spend_limit_reached"),
        replace(SPENT, final=(UNCHANGED, 402)),
    ),
    ("403", http(403), replace(ACCOUNTS, final=(UNCHANGED, 403))),
    (
        "403 on hold",
        http(403, code="organization_on_hold"),
        replace(ACCOUNTS, gate="credential", final=(UNCHANGED, 403)),
    ),
    ("404", http(404), replace(CLIENTS, failover="alias", final=(UNCHANGED, 404))),
    ("408", http(408), replace(ONCE, final=(UNCHANGED, 408))),
    ("409", http(409, "conflict_error"), replace(CLIENTS, retries=1, final=(UNCHANGED, 409))),
    *(
        (str(status), http(status), replace(CLIENTS, final=(UNCHANGED, status)))
        for status in (405, 412, 413, 418, 422, 431, 499, 501)
    ),
    ("429", http(429, "rate_limit_error"), replace(THROTTLED, final=(UNCHANGED, 429))),
    (
        "429 ramp",
        http(429, "rate_limit_error", "ramp_limit_exceeded"),
        replace(THROTTLED, gate="ramp", final=(UNCHANGED, 429)),
    ),
    *(
        (code, http(429, "rate_limit_error", code), replace(SPENT, final=(UNCHANGED, 429)))
        for code in ("enforced_spend_limit_reached", "contract_spend_limit_reached")
    ),
    ("500", http(500, "api_error"), replace(BROKEN, final=(UNCHANGED, 500))),
    ("520", http(520, None), replace(BROKEN, final=(UNCHANGED, 520))),
    ("502 without envelope", http(502, None), replace(BROKEN, final=("envelope", 503))),
    ("503 without envelope", http(503, None), replace(BROKEN, final=("envelope", 503))),
    ("503 with envelope", http(503, "api_error"), replace(BROKEN, final=(UNCHANGED, 503))),
    (
        "504 without envelope",
        http(504, None),
        replace(BROKEN, charge="presume_input", final=("envelope", 504)),
    ),
    (
        "504 timeout_error",
        http(504, "timeout_error"),
        replace(ONCE, charge="presume_input", final=(UNCHANGED, 504)),
    ),
    (
        "503 key unreachable",
        http(503, "api_error", "cmek_key_unreachable"),
        replace(ACCOUNTS, retries=1, final=(UNCHANGED, 503)),
    ),
    (
        "503 key context",
        http(503, "api_error", "cmek_context_unavailable"),
        replace(ACCOUNTS, final=(UNCHANGED, 503)),
    ),
    (
        "529",
        http(529, "overloaded_error"),
        replace(BROKEN, failover="model", final=(UNCHANGED, 529)),
    ),
    (
        "529 compaction",
        http(529, "overloaded_error", "compaction_unavailable"),
        Expected(outcome=NEUTRAL, retries=1, final=(UNCHANGED, 529), blame="claude"),
    ),
    (
        "unreadable body",
        Failure(phase="response", kind="unreadable_body", status=200),
        replace(ONCE, charge="presume_full", final=("envelope", 502)),
    ),
    (
        "body stalled",
        seen("stall", "response"),
        replace(ONCE, charge="presume_full", final=("envelope", 504)),
    ),
    (
        "a held stream is unreadable",
        seen("unreadable_body", "held"),
        replace(ONCE, charge="presume_full", final=("event", 502)),
    ),
    (
        "a timeout in a held stream",
        event("timeout_error"),
        replace(ONCE, charge="settle_start", final=("event", 504)),
    ),
    (
        "body cut short",
        seen("truncated", "response"),
        replace(ONCE, charge="presume_full", final=("envelope", 502), blame="network"),
    ),
    (
        "overloaded in a held stream",
        event("overloaded_error"),
        replace(BROKEN, failover="model", charge="settle_said", final=("event", 529)),
    ),
    (
        "rate limit in a held stream",
        event("rate_limit_error"),
        replace(THROTTLED, charge="settle_said", final=("event", 429)),
    ),
    (
        "an unknown error in a held stream",
        event("new_error"),
        replace(BROKEN, charge="settle_said", final=("event", 500)),
    ),
    (
        "a held stream breaks",
        seen("reset", "held"),
        replace(ONCE, charge="settle_start", final=("event", 502), blame="network"),
    ),
    (
        "a held stream stalls",
        seen("stall", "held"),
        replace(ONCE, charge="settle_start", final=("event", 504)),
    ),
    (
        "collected content breaks off",
        seen("truncated", "collected"),
        replace(ONCE, charge="settle_partial", final=("event", 502), blame="network"),
    ),
    (
        "overloaded after collected content",
        event("overloaded_error", "collected"),
        replace(ONCE, failover="model", charge="settle_partial", final=("event", 529)),
    ),
    (
        "overloaded after content",
        event("overloaded_error", "released"),
        Expected(outcome=FAIL, charge="settle_partial", final=("event", 529), blame="claude"),
    ),
    (
        "a released stream breaks",
        seen("truncated", "released"),
        Expected(outcome=FAIL, charge="settle_partial", final=("event", 502), blame="network"),
    ),
    (
        "a released stream stalls",
        seen("stall", "released"),
        Expected(outcome=FAIL, charge="settle_partial", final=("event", 504), blame="claude"),
    ),
    (
        "only message_stop is missing",
        seen("truncated", "finished"),
        Expected(outcome=OK, charge="settle_partial", final=("nothing", None), blame="claude"),
    ),
    (
        "client gone before connecting",
        seen("client_gone", "connect"),
        replace(CLIENTS, final=("nothing", None)),
    ),
    (
        "client gone before an answer",
        seen("client_gone", "sent"),
        replace(CLIENTS, charge="presume_input", final=("nothing", None)),
    ),
    (
        "client gone in a stream",
        seen("client_gone", "released"),
        replace(CLIENTS, charge="settle_partial", final=("nothing", None)),
    ),
    (
        "draining",
        seen("draining", "connect"),
        Expected(outcome=NEUTRAL, final=("envelope", 503), should_retry=True, blame="us"),
    ),
    ("a redirect", http(302), replace(BROKEN, retries=0, final=("envelope", 502))),
]


@pytest.mark.parametrize(("failure", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_table_rules_as_it_is_written(failure: Failure, expected: Expected) -> None:
    ruling = rule(failure)
    assert expected == Expected(
        outcome=ruling.outcome,
        gate=ruling.gate,
        retries=ruling.retries,
        failover=ruling.failover,
        charge=ruling.charge,
        final=(ruling.final.form, ruling.final.status),
        should_retry=ruling.final.should_retry,
        blame=ruling.blame,
    )


def test_every_row_of_the_table_is_tested() -> None:
    # One row listens to the upstream's wording and has a test of its own.
    tested = {find(failure).name for _, failure, _ in ROWS}
    assert {row.name for row in TABLE} - tested == {"thinking changed"}


@pytest.mark.parametrize(
    "message",
    ["Invalid `signature` in `thinking` block", "thinking blocks of this turn cannot be modified"],
)
def test_a_changed_thinking_prefix_is_told_to_the_client(message: str) -> None:
    ruling = rule(replace(http(400, "invalid_request_error"), message=message))
    assert (ruling.retries, ruling.final.form, ruling.final.hint) == (0, UNCHANGED, "thinking_changed")


@pytest.mark.parametrize("failure", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_veto_of_the_upstream_is_final(failure: Failure) -> None:
    ruling = rule(replace(failure, should_retry=False))
    assert (ruling.retries, ruling.failover, ruling.final.should_retry) == (0, "no", False)


@pytest.mark.parametrize("failure", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("phase", ["released", "finished"])
def test_what_was_released_is_never_tried_again(failure: Failure, phase: Phase) -> None:
    ruling = rule(replace(failure, phase=phase))
    assert (ruling.retries, ruling.failover) == (0, "no")


@pytest.mark.parametrize(("wish", "patience", "retries"), [(60.0, 60.0, 2), (61.0, 60.0, 0), (5.0, 4.0, 0)])
def test_a_wait_longer_than_our_patience_is_handed_to_the_caller(
    wish: float, patience: float, retries: int
) -> None:
    ruling = rule(http(429, "rate_limit_error", retry_after=wish), patience=patience)
    assert (ruling.retries, ruling.failover) == (retries, "yes")
    assert (ruling.final.should_retry, ruling.final.retry_after) == (True, wish)


@pytest.mark.parametrize(
    ("failure", "retry_after"),
    [
        (http(529, "overloaded_error", retry_after=7.0), 7.0),
        (http(503, "api_error", "cmek_context_unavailable"), 120.0),
        (seen("draining", "connect"), 1.0),
        (http(500), None),
    ],
)
def test_the_client_is_told_when_to_come_back(failure: Failure, retry_after: float | None) -> None:
    assert rule(failure).final.retry_after == retry_after


@pytest.mark.parametrize(
    ("failure", "backoff"),
    [
        (http(429), "throttle"),
        (http(529), "throttle"),
        (http(500), "transient"),
        (seen("connect_error", "connect"), "immediate"),
    ],
)
def test_who_asks_for_less_is_given_longer_pauses(failure: Failure, backoff: str) -> None:
    assert rule(failure).backoff == backoff


@pytest.mark.parametrize(
    ("failure", "error_type"),
    [
        (event("overloaded_error", "released"), "overloaded_error"),
        (event(None, "released"), "api_error"),
        (seen("stall", "released"), "timeout_error"),
        (seen("reset", "released"), "api_error"),
    ],
)
def test_a_stream_ends_with_an_event_of_the_original_type_where_there_was_one(
    failure: Failure, error_type: str
) -> None:
    assert rule(failure).final.error_type == error_type


def test_a_timeout_of_the_upstream_advises_to_stream() -> None:
    assert rule(http(504, "timeout_error")).final.hint == "use_streaming"


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("status", [None, 0, 101, 200, 404, 429, 500, 999])
def test_every_combination_gets_a_ruling_with_at_most_two_retries(
    kind: Kind, phase: Phase, status: int | None
) -> None:
    assert 0 <= rule(Failure(phase=phase, kind=kind, status=status)).retries <= 2


@pytest.mark.parametrize(("wish", "comes_back"), [(600.0, True), (601.0, False), (86_400.0, False)])
def test_nobody_is_told_to_sleep_for_hours_and_come_back(wish: float, comes_back: bool) -> None:
    ruling = rule(http(429, "rate_limit_error", retry_after=wish))
    assert (ruling.retries, ruling.final.should_retry, ruling.final.retry_after) == (0, comes_back, wish)
