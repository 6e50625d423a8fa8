"""What the users of a drill make of what they get: whole, half, cut, refused, failed, explained or not."""

import asyncio
import json
from decimal import Decimal

import pytest

from holdfast import Holdfast, Settings
from holdfast.drill import Question, drill, incident
from holdfast.drill.asking import Ending, Heard, over_code, over_gateway
from holdfast.drill.scenario import scenario_of
from holdfast.errors import StreamInterrupted
from holdfast.gateway.responding import Receive, Scope, Send
from holdfast.language import Sentence
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.fallback import FallbackConfig
from holdfast.testing import FakeClock

QUESTION = Question(
    text="Why? [drill 0-0-0]",
    mark="0-0-0",
    user="ada",
    run=None,
    model="claude-sonnet-5-5",
    max_tokens=64,
    stream=False,
    patience=0.2,
)
STREAM = {"content-type": "text/event-stream"}
TEXT = b"event: content_block_delta\ndata: {}\n\n"
STOP = b"event: message_stop\ndata: {}\n\n"
ERROR = b"event: error\ndata: {}\n\n"


def judged(status: int, body: object, **headers: str) -> Heard:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    heard = Heard(question=QUESTION, began=0, status=status, headers=named, body=bytearray(raw))
    heard.judge(is_over=True)
    return heard


def refusal(code: str, **details: str) -> dict[str, object]:
    error = {"type": "rate_limit_error", "message": "No.", "details": {"error_code": code, **details}}
    return {"type": "error", "error": error}


@pytest.mark.parametrize(
    ("body", "ending"),
    [({"type": "message"}, "answered"), ({"type": "other"}, "half"), (b"{", "half"), (b"[]", "half")],
)
def test_a_plain_answer_is_whole_or_half(body: object, ending: Ending) -> None:
    assert judged(200, body).ending == ending


@pytest.mark.parametrize(
    ("body", "ending"),
    [(TEXT + STOP, "answered"), (TEXT, "half"), (TEXT + ERROR, "cut"), (ERROR, "failed"), (b"", "half")],
)
def test_a_stream_is_whole_half_cut_or_failed(body: bytes, ending: Ending) -> None:
    assert judged(200, body, **{"content-type": "text/event-stream"}).ending == ending


def test_a_fallback_and_a_cached_answer_are_told_apart() -> None:
    assert judged(200, {"type": "message"}, x_holdfast_outcome="fallback").ending == "fallback"
    assert judged(200, TEXT + STOP, **STREAM, x_holdfast_outcome="cached").ending == "cached"


@pytest.mark.parametrize(
    ("status", "body", "ending"),
    [
        (429, refusal("holdfast_budget_exhausted", budget="b"), "refused"),
        (429, refusal("holdfast_budget_exhausted"), "failed"),
        (429, refusal("holdfast_rate_limited", quota="q"), "refused"),
        (429, refusal("holdfast_rate_limited"), "failed"),
        (429, refusal("holdfast_run_cap_reached"), "refused"),
        (401, refusal("holdfast_key_rejected"), "failed"),
        (503, refusal("holdfast_circuit_open"), "failed"),
        (529, refusal(""), "failed"),
    ],
)
def test_only_a_rule_of_one_s_own_is_a_refusal(status: int, body: object, ending: Ending) -> None:
    assert judged(status, body).ending == ending


def test_an_error_is_explained_by_type_and_sentence_and_where_it_passes_by_its_time() -> None:
    error = refusal("x")
    assert not judged(529, error).is_explained
    assert judged(529, error, retry_after="3").is_explained
    assert judged(529, error, x_should_retry="false").is_explained
    assert judged(500, error).is_explained
    assert not judged(500, b"<html>").is_explained


def test_a_client_comes_back_when_it_is_told_and_only_then() -> None:
    error = refusal("x")
    assert judged(529, error, retry_after="3").comes_back_in == 3.0
    assert judged(529, error, retry_after="soon").comes_back_in is None
    assert judged(529, error, retry_after="3", x_should_retry="false").comes_back_in is None
    assert judged(200, {"type": "message"}).comes_back_in is None


async def test_a_user_of_the_gateway_gives_up_when_patience_ends() -> None:
    async def silent(_: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    heard = await over_gateway(silent, FakeClock(), QUESTION)
    assert (heard.ending, heard.status) == ("hung", None)


async def test_code_that_never_answers_is_given_up() -> None:
    async def forever(hold: Holdfast, question: Question) -> object:
        await asyncio.sleep(3_600)
        return None

    heard = await over_code(forever, Holdfast(Settings()), FakeClock(), QUESTION)
    assert heard.ending == "hung"


async def test_code_whose_stream_breaks_has_begun_to_answer() -> None:
    async def breaks(hold: Holdfast, question: Question) -> object:
        raise StreamInterrupted(Sentence("Broken.", ko="끊겼습니다."))

    heard = await over_code(breaks, Holdfast(Settings()), FakeClock(), QUESTION)
    assert (heard.ending, heard.is_explained) == ("cut", True)


async def test_a_drill_that_is_cancelled_stops_asking() -> None:
    async def cancelled(hold: Holdfast, question: Question) -> object:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await over_code(cancelled, Holdfast(Settings()), FakeClock(), QUESTION)


async def with_the_sdk(hold: Holdfast, question: Question) -> object:
    client = hold.anthropic(user=question.user)
    if not question.stream:
        return await client.messages.create(
            model=question.model,
            max_tokens=question.max_tokens,
            messages=[{"role": "user", "content": question.text}],
        )
    async with client.messages.stream(
        model=question.model,
        max_tokens=question.max_tokens,
        messages=[{"role": "user", "content": question.text}],
    ) as stream:
        return await stream.get_final_message()


def test_code_on_the_official_sdk_is_drilled_and_its_errors_are_understood() -> None:
    broken = drill(incident("mid-stream-errors"), Settings(), ask=with_the_sdk)
    assert int(broken.facts["cut"] or 0) > 0
    assert (broken.facts["failed"], broken.facts["unexplained"]) == (0, 0)
    small = Settings(budgets={"small": BudgetConfig(usd=Decimal("0.005"), per="day")})
    spent = drill(incident("429-window"), small, ask=with_the_sdk)
    assert int(spent.facts["refused"] or 0) > 0
    assert spent.facts["unexplained"] == 0


def test_settings_with_a_fallback_answer_through_a_storm() -> None:
    sheet = drill(incident("529-storm"), Settings(fallback=FallbackConfig(text="Please come back later.")))
    assert sheet.passed, sheet.said()
    assert (sheet.facts["users_saw_errors"], int(sheet.facts["fallbacks"] or 0) > 0) == (0, True)


def test_a_model_that_the_simulator_cannot_play_is_named_before_anything_begins() -> None:
    text = 'name = "x"\ntitle = "x"\nexpect = ["calls == 1"]\n[[load]]\nmodel = "llama-9"\n'
    with pytest.raises(Exception, match="cannot ask `llama-9`"):
        drill(scenario_of(text, "x.toml"), Settings())
