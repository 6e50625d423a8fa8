"""What `/metrics` says is what happened: the same numbers as the ledger, and nothing about anybody."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from holdfast.errors import StoreUnavailable
from holdfast.events import (
    AttemptEnded,
    BudgetAlerted,
    BudgetLadder,
    BudgetOverrun,
    CallEnded,
    CircuitChanged,
    Event,
    HoldsExpired,
    InputFlagged,
    OutputFlagged,
    RequestCrashed,
    ResultFenced,
    RunWarned,
    SettleFailed,
    ToolChanged,
    ToolHeld,
    WouldHaveBlocked,
)
from holdfast.language import Sentence
from holdfast.policy.chunk_times import ChunkCounts
from holdfast.policy.holds import Hold
from holdfast.policy.telemetry import TelemetryConfig
from holdfast.policy.vitals import Vitals
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from holdfast.telemetry.metrics import Metrics
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, ask

MODEL = "claude-sonnet-5-5"
Labels = dict[str, str]


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[RunningGateway]:
    with serving(simulator, quick_settings(simulator)) as running:
        yield running


def scraped(gateway: RunningGateway) -> list[Metric]:
    gateway.records()
    heard = ask(gateway.url, method="GET", path="/metrics")
    assert heard.status == 200
    assert heard.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return list(text_string_to_metric_families(heard.body.decode()))


def total(families: list[Metric], name: str, **labels: str) -> float:
    """The sum of the samples of that name and those labels."""
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def shown(event: Event, *more: Event, models: tuple[str, ...] = (MODEL,)) -> list[Metric]:
    metrics = Metrics(models)
    for one in (event, *more):
        metrics.observe(one)
    return list(text_string_to_metric_families(metrics.render().decode()))


CALL = CallEnded(
    request_id="hfr_1",
    end="answered",
    model=MODEL,
    status=200,
    attempts=1,
    duration_ms=90_000.0,
    input_tokens=10,
    output_tokens=20,
    cost="0.5",
    error_code=None,
    door="gateway",
    upstream="main",
    cost_pico=1_500,
)
TRIED = AttemptEnded(
    request_id="hfr_1",
    upstream="main",
    model=MODEL,
    attempt=1,
    kind="answered",
    status=200,
    blame=None,
    duration_ms=2_000.0,
    first_ms=500.0,
)


@pytest.mark.requirement("metrics:ledger")
def test_after_n_requests_the_numbers_are_those_of_the_ledger(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Fault(Status(500), every=3, times=None))
    for number in range(7):
        ask(gateway.url, {**QUESTION, "stream": number % 2 == 0})
    families, totals = scraped(gateway), gateway.totals()
    assert total(families, "holdfast_requests_total", route="gateway") == totals.calls == 7
    nano = Decimal(total(families, "holdfast_cost_nanodollars_total"))
    assert nano == pytest.approx(Decimal(totals.cost_pico) / 1_000)
    assert (
        total(families, "gen_ai_client_token_usage_sum", gen_ai_token_type="output") == totals.output_tokens
    )
    assert total(families, "gen_ai_client_token_usage_sum", gen_ai_token_type="input") == totals.input_tokens
    tried = sum(call.attempts for call in gateway.records())
    assert total(families, "holdfast_attempts_total") == tried > 7
    assert total(families, "holdfast_attempts_total", **{"class": "http_500"}) == tried - 7


@pytest.mark.requirement("metrics:no-names")
def test_no_user_key_run_or_prompt_is_in_a_metric(gateway: RunningGateway) -> None:
    who = {"x-holdfast-user": "canary-user", "x-api-key": "canary-key", "x-holdfast-run": "canary-run"}
    said = {**QUESTION, "messages": [{"role": "user", "content": "canary words"}], "model": "canary-model"}
    ask(gateway.url, {**QUESTION, "metadata": {"user_id": "canary-id"}}, headers=who)
    ask(gateway.url, said, headers=who)
    body = ask(gateway.url, method="GET", path="/metrics").body
    assert b"canary" not in body
    assert b'model="other"' in body


def test_a_model_that_nobody_knows_is_one_of_the_others() -> None:
    families = shown(*(replace(CALL, model=f"made-up-{number}") for number in range(500)))
    assert total(families, "holdfast_requests_total", model="other") == 500
    assert len([sample for family in families for sample in family.samples]) < 200


def test_a_long_answer_has_a_bucket_of_its_own() -> None:
    families = shown(CALL)
    assert total(families, "holdfast_request_duration_seconds_bucket", le="81.92") == 0
    assert total(families, "holdfast_request_duration_seconds_bucket", le="163.84") == 1


def test_a_call_without_a_price_is_counted_as_one_and_costs_nothing() -> None:
    families = shown(replace(CALL, cost=None, cost_pico=None))
    assert total(families, "holdfast_unpriced_requests_total", upstream="main", model=MODEL) == 1
    assert total(families, "holdfast_cost_nanodollars_total") == 0


def test_the_cost_is_in_nano_dollars_with_its_fraction() -> None:
    assert total(shown(CALL), "holdfast_cost_nanodollars_total", upstream="main", model=MODEL) == 1.5


def test_an_answer_out_of_the_cache_is_told_from_one_of_the_upstream() -> None:
    families = shown(CALL, replace(CALL, label="cached"))
    assert total(families, "holdfast_requests_total", outcome="answered") == 1
    assert total(families, "holdfast_requests_total", outcome="cached") == 1


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        ("answered", 200, "answered"),
        ("abandoned", 200, "abandoned"),
        ("cut", 200, "cut"),
        ("reset", None, "reset"),
        ("http", 429, "http_429"),
        ("http", 418, "http_4xx"),
        ("http", 599, "http_5xx"),
        ("who knows", None, "other"),
    ],
)
def test_an_attempt_is_counted_by_how_it_ended(kind: str, status: int | None, told: str) -> None:
    families = shown(replace(TRIED, kind=kind, status=status))
    assert total(families, "holdfast_attempts_total", upstream="main", model=MODEL, **{"class": told}) == 1


def test_an_attempt_is_timed_from_its_start_and_to_its_first_content() -> None:
    families = shown(TRIED, replace(TRIED, kind="reset", status=None, blame="network", first_ms=None))
    assert total(families, "gen_ai_client_operation_duration_seconds_sum") == 4.0
    assert total(families, "gen_ai_client_operation_duration_seconds_count", error_type="reset") == 1
    assert total(families, "gen_ai_client_operation_time_to_first_chunk_seconds_count") == 1


@pytest.mark.parametrize(
    ("change", "phase", "cause"),
    [
        ({"end": "abandoned"}, "released", "client_gone"),
        (
            {"end": "failed", "error_code": "holdfast_stream_interrupted"},
            "released",
            "holdfast_stream_interrupted",
        ),
        ({"end": "failed", "status": 529, "error_code": "overloaded_error"}, "held", "overloaded_error"),
        ({"end": "failed", "error_code": "what an upstream made up"}, "released", "other"),
    ],
)
def test_a_stream_that_breaks_off_is_counted_with_its_cause(
    change: dict[str, str], phase: str, cause: str
) -> None:
    families = shown(replace(CALL, stream=True, **change))  # type: ignore[arg-type]  # members by name
    assert total(families, "holdfast_stream_aborts_total", phase=phase, cause=cause) == 1


def test_a_circuit_move_is_counted_at_its_place() -> None:
    moved = CircuitChanged(circuit=f"main/{MODEL}", before="closed", after="open", reason="failure_threshold")
    families = shown(moved)
    place = {"upstream": "main", "model": MODEL, "before": "closed", "after": "open"}
    assert total(families, "holdfast_breaker_transitions_total", **place) == 1


LADDER = BudgetLadder(request_id="r", budget="team", subject="user alice", act="degrade", at="1")
HELD = ToolHeld(request_id="r", tool="send", code="unasked", argument="", action="flag")
PINNED = ToolChanged(request_id="r", scope="s", tool="t", code="changed", fingerprint="f", action="flag")
LEAKED = OutputFlagged(request_id="r", kind="leak", code="system", action="flag")
WARNED = RunWarned(
    request_id="r", run="n", agent=None, level="notice", kind="cycle", count=3, evidence="send x3"
)


@pytest.mark.parametrize(
    ("event", "guard", "decision", "times"),
    [
        (InputFlagged(request_id="r", rules=("x",), score=0.5), "screen", "flagged", 1),
        (WouldHaveBlocked(request_id="r", rules=("x",), score=0.9), "screen", "would_have_blocked", 1),
        (LEAKED, "output", "flagged", 1),
        (replace(LEAKED, action="redact"), "output", "changed", 1),
        (replace(LEAKED, action="stop"), "output", "blocked", 1),
        (HELD, "tools", "would_have_blocked", 1),
        (replace(HELD, action="confirm"), "tools", "held", 1),
        (replace(HELD, action="deny"), "tools", "blocked", 1),
        (PINNED, "pins", "flagged", 1),
        (replace(PINNED, action="refuse"), "pins", "blocked", 0),
        (ResultFenced(request_id="r", count=3), "fence", "changed", 3),
        (WARNED, "run", "flagged", 1),
        (LADDER, "budget", "changed", 1),
        (replace(CALL, end="refused", error_code="holdfast_tool_rejected"), "pins", "blocked", 1),
        (replace(CALL, end="refused", error_code="holdfast_budget_exhausted"), "budget", "blocked", 1),
        (replace(CALL, end="refused", error_code="new"), "other", "blocked", 1),
    ],
)
def test_what_a_guard_decides_is_counted(event: Event, guard: str, decision: str, times: int) -> None:
    families = shown(event)
    assert total(families, "holdfast_guard_decisions_total", guard=guard, decision=decision) == times


ALERT = BudgetAlerted(
    budget="b", subject="", window="w", threshold="1", limit=None, settled="1", resets_at=None
)


@pytest.mark.parametrize(
    ("event", "name", "value"),
    [
        (ALERT, "holdfast_budget_alerts_total", 1),
        (
            BudgetOverrun(request_id="r", attempt=1, over_pico=2_500),
            "holdfast_budget_overrun_nanodollars_total",
            2.5,
        ),
        (HoldsExpired(count=4), "holdfast_reservations_expired_total", 4),
        (SettleFailed(guard="g", error="e"), "holdfast_settle_failures_total", 1),
        (
            RequestCrashed(request_id="r", place="p", error="e", trace="t"),
            "holdfast_request_crashes_total",
            1,
        ),
    ],
)
def test_what_should_never_happen_is_counted(event: Event, name: str, value: float) -> None:
    assert total(shown(event), name) == value


def test_what_never_happened_is_shown_as_zero_so_that_alerts_can_see_its_first_time() -> None:
    names = {family.name for family in shown(CALL)}
    assert {
        "holdfast_budget_overrun_nanodollars",
        "holdfast_log_dropped",
        "holdfast_settle_failures",
    } <= names


def test_the_state_of_circuits_gates_and_retries_is_asked_at_the_scrape() -> None:
    metrics = Metrics((MODEL,))
    metrics.vitals = lambda: Vitals(
        circuits={
            ("main", MODEL): ("half_open", 2),
            ("main", "made-up"): ("open", 1),
            ("main", "made-up-too"): ("closed", 1),
        },
        gates={("main", "rate"): 2},
        tokens={"main": 480},
    )
    families = list(text_string_to_metric_families(metrics.render(reserved=7).decode()))
    assert total(families, "holdfast_breaker_state", upstream="main", model=MODEL) == 1
    assert total(families, "holdfast_breaker_state", upstream="main", model="other") == 2
    assert total(families, "holdfast_breaker_stale_outcomes_total", model="other") == 2
    assert total(families, "holdfast_gate_closed", upstream="main", gate="rate") == 2
    assert total(families, "holdfast_retry_tokens", upstream="main") == 480
    assert total(families, "holdfast_budget_reserved_nanodollars") == 7


def test_the_time_a_series_began_is_not_sent() -> None:
    metrics = Metrics()
    metrics.observe(CALL)
    assert b"_created" not in metrics.render()


def test_an_open_circuit_is_seen_at_a_real_gateway(gateway: RunningGateway) -> None:
    ask(gateway.url, QUESTION)
    families = scraped(gateway)
    assert total(families, "holdfast_build_info") == 1
    assert total(families, "holdfast_retry_tokens", upstream="simulator") > 0
    assert [
        sample.labels
        for family in families
        if family.name == "holdfast_breaker_state"
        for sample in family.samples
    ] == [{"upstream": "simulator", "model": MODEL}]


def test_metrics_that_are_switched_off_are_not_there(simulator: RunningSimulator) -> None:
    off = replace(quick_settings(simulator), telemetry=TelemetryConfig(metrics="off"))
    with serving(simulator, off) as gateway:
        assert ask(gateway.url, method="GET", path="/metrics").status == 404


def test_metrics_take_no_other_method(gateway: RunningGateway) -> None:
    assert ask(gateway.url, b"", path="/metrics").status == 405
    assert ask(gateway.url, method="HEAD", path="/metrics").status == 200


def test_without_the_store_what_is_held_is_left_out_and_the_rest_is_shown(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> tuple[Hold, ...]:
        raise StoreUnavailable(Sentence("The store is away.", ko="저장소에 연결할 수 없습니다."))

    assert total(scraped(gateway), "holdfast_budget_reserved_nanodollars") == 0
    monkeypatch.setattr(gateway.hold.runtime.ledger, "held", away)
    names = {family.name for family in scraped(gateway)}
    assert "holdfast_budget_reserved_nanodollars" not in names
    assert "holdfast_build_info" in names


def test_the_pieces_of_streamed_answers_are_counted_by_how_long_they_took() -> None:
    metrics = Metrics((MODEL,))
    counts = ChunkCounts(counts=(5, 0, 2, *([0] * 15)), seconds=0.07)
    for chunks in (counts, counts, None):
        metrics.observe(replace(TRIED, chunks=chunks))
    families = list(text_string_to_metric_families(metrics.render().decode()))
    name = "gen_ai_client_operation_time_per_output_chunk_seconds"
    assert total(families, f"{name}_count", gen_ai_request_model=MODEL) == 14
    assert total(families, f"{name}_sum") == 0.14
    for bound, count in (("0.01", 10), ("0.02", 10), ("0.04", 14), ("600.0", 14), ("+Inf", 14)):
        assert total(families, f"{name}_bucket", le=bound) == count


def test_recordings_that_were_lost_are_counted() -> None:
    metrics = Metrics()
    metrics.instruments.recordings_lost = lambda: 3
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert total(families, "holdfast_recordings_lost_total") == 3


def test_a_streamed_answer_tells_how_its_pieces_came_and_a_plain_one_does_not(
    gateway: RunningGateway,
) -> None:
    ask(gateway.url, QUESTION)
    ask(gateway.url, {**QUESTION, "stream": True})
    gateway.records()
    ended = [event for event in gateway.events if isinstance(event, AttemptEnded)]
    assert ended[0].chunks is None
    assert ended[1].chunks is not None
    assert sum(ended[1].chunks.counts) > 1
    scraped = ask(gateway.url, method="GET", path="/metrics").body.decode()
    families = list(text_string_to_metric_families(scraped))
    name = "gen_ai_client_operation_time_per_output_chunk_seconds_count"
    assert total(families, name) == sum(ended[1].chunks.counts)
