"""Odd requests, odd models and odd paths: none of them gets anything that no budget has paid for."""

import asyncio
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from holdfast.gateway.responding import Receive, Scope, Send
from holdfast.hold import Holdfast
from holdfast.policy.budget import BudgetConfig
from holdfast.simulator import Fault, Stall
from holdfast.simulator.server import RunningSimulator
from holdfast.upstream.inprocess import InProcessClient
from tests.doors.running import RunningGateway, eventually, over, serving
from tests.doors.talking import QUESTION, ask, connected, request
from tests.money.till import Till, ended, open_gateway, till

MODEL = str(QUESTION["model"])
DOLLAR = BudgetConfig(usd=Decimal(1), per="day")
LARGE = "claude-opus-5-5"
TEXT = json.dumps(QUESTION["messages"])


@pytest.fixture
def money(simulator: RunningSimulator, tmp_path: Path) -> Till:
    return till(simulator, tmp_path, {"everybody": DOLLAR})


def body(**members: object) -> bytes:
    """The usual question with other members; `None` leaves one out."""
    named = {**QUESTION, **members}
    return json.dumps({name: value for name, value in named.items() if value is not None}).encode()


ODD: Mapping[str, bytes] = {
    "no max_tokens": body(max_tokens=None),
    "max_tokens 0": body(max_tokens=0),
    "negative": body(max_tokens=-1_000_000),
    "enormous": body(max_tokens=10**9),
    "beyond every integer": body(max_tokens=10**40),
    "a text": body(max_tokens="300"),
    "a fraction": body(max_tokens=300.5),
    "an exponent": body().replace(b'"max_tokens": 300', b'"max_tokens": 3e2'),
    "true": body(max_tokens=True),
    "a list": body(max_tokens=[300]),
    "null": body().replace(b'"max_tokens": 300', b'"max_tokens": null'),
    "a stream of no length": body(max_tokens=None, stream=True),
    "an empty model": body(model=""),
    "a model of blanks": body(model="  "),
    "a model in capitals": body(model=MODEL.upper()),
    "a model behind a blank": body(model=f" {LARGE}"),
    "no model": body(model=None),
    "twice max_tokens, the large one last": body().replace(
        b'"max_tokens": 300', b'"max_tokens": 1, "max_tokens": 20000'
    ),
    "twice max_tokens, the small one last": body().replace(
        b'"max_tokens": 300', b'"max_tokens": 20000, "max_tokens": 1'
    ),
    "twice a model": body().replace(b'"model":', b'"model": "claude-haiku-5-5", "model":'),
}


@pytest.mark.parametrize("name", ODD)
def test_nothing_is_answered_that_was_not_paid_for_first(money: Till, name: str) -> None:
    with open_gateway(money) as gateway:
        answer = ask(gateway.url, ODD[name])
        eventually(lambda: len(ended(gateway.events)) >= money.requests)
    assert answer.status in (200, 400, 404, 429)
    rows = money.attempts()
    assert len(rows) == money.requests
    assert all(row.hold_pico is not None and row.hold_pico >= (row.cost_pico or 0) for row in rows)
    if answer.status == 200:
        (row,), (bill,) = rows, money.simulator.simulator.ledger
        assert (row.served_model, row.usage.output_tokens) == (bill.model, bill.usage["output_tokens"])
    money.at_rest()


def test_a_model_without_a_price_is_refused_unsent_where_a_hard_budget_counts_it(money: Till) -> None:
    with open_gateway(money) as gateway:
        answers = [ask(gateway.url, body(model="claude-secret-1", stream=stream)) for stream in (True, False)]
    for answer in answers:
        assert answer.status == 400
        assert answer.json["error"]["details"]["error_code"] == "holdfast_model_unknown"
        assert answer.headers["x-should-retry"] == "false"
    assert (money.requests, money.attempts(), money.windows()) == (0, (), {})


SECRET = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-secret-1",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}


class NewModel:
    """An upstream that serves a model which no price list knows yet."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(SECRET).encode(), "more_body": False})


@contextmanager
def new_model(money: Till) -> Generator[RunningGateway]:
    with serving(money.simulator, money.settings, opened=over(InProcessClient(NewModel()))) as gateway:
        yield gateway


def test_without_budgets_a_model_without_a_price_is_served_and_never_counted_as_free(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    with new_model(till(simulator, tmp_path)) as gateway:
        answer = ask(gateway.url, body(model="claude-secret-1"))
        assert (answer.status, answer.json["model"]) == (200, "claude-secret-1")
        assert "x-holdfast-cost" not in answer.headers
        eventually(lambda: len(gateway.records()) == 1)
        (call,) = gateway.records()
        assert call.cost is None
        assert (gateway.totals().unpriced, gateway.totals().output_tokens) == (1, 5)


PATHS = (
    "/v1/messages/batches/",
    "/v1/messages/",
    "//v1/messages",
    "/v1//messages",
    "/V1/Messages",
    "/v1/complete",
    "/v1/messages/count_tokens/",
    "/v1/models",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_leads_to_the_model(money: Till, path: str) -> None:
    with open_gateway(money) as gateway:
        assert ask(gateway.url, QUESTION, path=path).status in (404, 405)
    assert (money.requests, money.attempts()) == (0, ())


def test_a_message_is_no_batch_and_never_sent_as_one(money: Till) -> None:
    with open_gateway(money) as gateway:
        assert ask(gateway.url, QUESTION, path="/v1/messages/batches").status == 400
    assert (money.requests, money.attempts()) == (0, ())


def test_files_go_to_the_upstream_and_cost_nothing(simulator: RunningSimulator, money: Till) -> None:
    with open_gateway(money) as gateway:
        assert ask(gateway.url, QUESTION, path="/v1/files").status == 400
    assert not any(row.cost_pico or row.hold_pico for row in money.attempts())
    assert simulator.simulator.billed == 0


def test_a_query_changes_nothing(money: Till) -> None:
    with open_gateway(money) as gateway:
        assert ask(gateway.url, QUESTION, path="/v1/messages?beta=true").status == 200
    (row,) = money.attempts()
    assert (row.hold_pico or 0) > 0
    money.at_rest()


def test_tokens_are_counted_for_nothing_also_where_nothing_is_left(money: Till) -> None:
    tight = till(money.simulator, money.path.parent, {"b": BudgetConfig(usd=Decimal("0.000001"), per="day")})
    with open_gateway(tight) as gateway:
        counted = ask(gateway.url, body(max_tokens=None), path="/v1/messages/count_tokens")
        assert (counted.status, set(counted.json)) == (200, {"input_tokens"})
        assert ask(gateway.url, QUESTION).status == 429
    assert (tight.requests, tight.attempts(), tight.billed) == (1, (), Decimal(0))


async def test_the_same_request_holds_the_same_through_every_door(money: Till) -> None:
    async with Holdfast(money.settings) as hold:
        async with hold.anthropic() as client:
            await client.messages.create(
                model=MODEL, max_tokens=300, messages=[{"role": "user", "content": "Where is my order?"}]
            )
        await hold.agent(MODEL, max_tokens=300).chat("Where is my order?")
    agents = money.simulator.simulator.requests[-1].body
    with open_gateway(money) as gateway:
        for sent in (money.simulator.simulator.requests[0].body, agents):
            assert ask(gateway.url, sent).status == 200
    rows = await asyncio.to_thread(money.attempts)
    holds: dict[str, list[int | None]] = {}
    for row in sorted(rows, key=lambda row: row.at):
        holds.setdefault(row.payer.door, []).append(row.hold_pico)
    assert holds["gateway"] == [*holds["sdk"], *holds["library"]]
    await asyncio.to_thread(money.at_rest)


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_on_every_answer_gets_nobody_round_the_budget(
    simulator: RunningSimulator, tmp_path: Path, *, stream: bool
) -> None:
    cap = Decimal("0.02")
    tight = till(simulator, tmp_path, {"b": BudgetConfig(usd=cap, per="day")})
    simulator.simulator.fault(Fault(Stall(after_events=12), times=None))
    with open_gateway(tight) as gateway:

        def is_over(number: int) -> bool:
            return len(ended(gateway.events)) == number

        def is_answering_or_over(number: int) -> bool:
            return simulator.simulator.capture.open == 1 or is_over(number)

        for number in range(1, 31):
            with connected(gateway.url) as connection:
                connection.send(request(body(model=LARGE, stream=stream)))
                eventually(partial(is_answering_or_over, number))
                if stream:
                    connection.reader.read(1_000 if not is_over(number) else 1)
            eventually(partial(is_over, number))
            simulator.drain()
    assert all(row.state != "held" for row in tight.attempts())
    paid = sum((Decimal(row.cost_pico or 0) for row in tight.attempts()), Decimal(0)) / 10**12
    assert 0 < simulator.simulator.billed <= paid <= cap
