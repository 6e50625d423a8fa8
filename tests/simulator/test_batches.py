"""`/v1/messages/batches`: half the price, in a while, and a word on every request."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import anthropic
import pytest
from anthropic.types.messages.batch_create_params import Request

from holdfast.simulator import Fault, Refusal, Simulator, Stall, Status
from holdfast.simulator.batching import ITEM
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from tests.simulator.conftest import Api, ask

if TYPE_CHECKING:
    from tests.simulator.conftest import Json

PATH = "/v1/messages/batches"


def requests(*texts: str, **more: object) -> list["Json"]:
    return [{"custom_id": f"item-{number}", "params": ask(text, **more)} for number, text in enumerate(texts)]


async def made(api: "Api", asked: Sequence["Json"]) -> "Json":
    response = await api.call("POST", PATH, json={"requests": asked})
    assert response.status_code == 200, response.text
    return cast("Json", response.json())


async def look(api: "Api", name: str) -> "Json":
    return cast("Json", (await api.call("GET", f"{PATH}/{name}")).json())


async def results(api: "Api", name: str) -> dict[str, "Json"]:
    response = await api.call("GET", f"{PATH}/{name}/results")
    assert response.status_code == 200, response.text
    lines: list[Any] = [json.loads(line) for line in response.text.splitlines()]
    return {line["custom_id"]: line["result"] for line in lines}


@pytest.fixture
def quick() -> "Api":
    return Api(Simulator(time_scale=0))


async def test_a_batch_says_what_the_same_requests_are_told_outside_of_it(quick: "Api") -> None:
    batch = await made(quick, requests("Hello there", "Where is my order?"))
    assert batch["processing_status"] == "in_progress"
    assert batch["request_counts"]["processing"] == 2
    ended = await look(quick, batch["id"])
    assert (ended["processing_status"], ended["request_counts"]["succeeded"]) == ("ended", 2)
    found = await results(quick, batch["id"])
    live = await quick.message("Where is my order?")
    assert found["item-1"]["type"] == "succeeded"
    assert found["item-1"]["message"]["content"] == live["content"]


async def test_a_batch_costs_half_of_what_the_same_costs_outside_of_it(quick: "Api") -> None:
    await quick.message("Hello there")
    full = quick.simulator.billed
    batch = await made(quick, requests("Hello there"))
    await look(quick, batch["id"])
    bill = quick.simulator.ledger[-1]
    assert bill.cost == full / 2 == quick.simulator.billed - full
    assert bill.usage["service_tier"] == "batch"


async def test_a_search_in_a_batch_costs_what_it_always_does(quick: "Api") -> None:
    tool = {"type": "web_search_20260209", "name": "web_search", "max_uses": 1}
    asked = ask("Use the tool web_search.", tools=[tool])
    assert (await quick.post(asked)).status_code == 200
    full = quick.simulator.billed
    batch = await made(quick, [{"custom_id": "a", "params": asked}])
    await look(quick, batch["id"])
    searched = cast("dict[str, int]", quick.simulator.ledger[-1].usage["server_tool_use"])
    assert searched["web_search_requests"] == 1
    assert quick.simulator.billed - full == (full - Decimal("0.01")) / 2 + Decimal("0.01")


async def test_a_batch_takes_its_time_and_bills_what_is_done(clock: FakeClock) -> None:
    api = Api(Simulator(clock=clock))
    batch = await made(api, requests(*(f"Text {number}" for number in range(300))))
    clock.advance(3.5)
    assert (await look(api, batch["id"]))["processing_status"] == "in_progress"
    assert 100 <= len(api.simulator.ledger) <= 200
    early = await api.call("GET", f"{PATH}/{batch['id']}/results")
    assert early.status_code == 404
    clock.advance(10)
    assert len(api.simulator.ledger) == 300
    assert (await look(api, batch["id"]))["ended_at"] is not None


async def test_a_cancelled_batch_keeps_what_was_done_and_bills_no_more(clock: FakeClock) -> None:
    api = Api(Simulator(clock=clock))
    batch = await made(api, requests(*(f"Text {number}" for number in range(300))))
    clock.advance(3.5)
    canceling = (await api.call("POST", f"{PATH}/{batch['id']}/cancel")).json()
    assert canceling["processing_status"] == "canceling"
    again = (await api.call("POST", f"{PATH}/{batch['id']}/cancel")).json()
    assert again["cancel_initiated_at"] == canceling["cancel_initiated_at"]
    clock.advance(1)
    counts = (await look(api, batch["id"]))["request_counts"]
    assert counts["canceled"] + counts["succeeded"] == 300
    assert counts["succeeded"] == len(api.simulator.ledger) > 0
    assert {result["type"] for result in (await results(api, batch["id"])).values()} == {
        "canceled",
        "succeeded",
    }


async def test_what_is_not_answered_in_a_day_expires(clock: FakeClock) -> None:
    api = Api(Simulator(clock=clock))
    api.simulator.fault(Fault(Stall(), path=ITEM))
    batch = await made(api, requests("One", "Two"))
    clock.advance(23 * 3600)
    assert (await look(api, batch["id"]))["processing_status"] == "in_progress"
    clock.advance(3600)
    assert (await look(api, batch["id"]))["request_counts"]["expired"] == 1
    found = await results(api, batch["id"])
    assert (found["item-0"], found["item-1"]["type"]) == ({"type": "expired"}, "succeeded")


async def test_a_request_that_makes_no_sense_is_found_out_in_the_results(quick: "Api") -> None:
    asked = requests("Hello", "Hello again")
    asked[0]["params"]["max_tokens"] = -1
    asked[1]["params"]["stream"] = True
    batch = await made(quick, [*asked, {"custom_id": "model", "params": ask(model="claude-none")}])
    assert (await look(quick, batch["id"]))["request_counts"]["errored"] == 3
    found = await results(quick, batch["id"])
    kinds = {name: result["error"]["error"]["type"] for name, result in found.items()}
    assert kinds == {
        "item-0": "invalid_request_error",
        "item-1": "invalid_request_error",
        "model": "not_found_error",
    }
    assert quick.simulator.ledger == ()


async def test_single_requests_can_be_told_to_fail(quick: "Api") -> None:
    quick.simulator.fault(
        Fault(Status(529), path=ITEM),
        Fault(Refusal("organization_on_hold"), path=ITEM),
        Fault(Status(418), path=ITEM),
    )
    batch = await made(quick, requests("One", "Two", "Three", "Four"))
    await look(quick, batch["id"])
    found = await results(quick, batch["id"])
    assert found["item-0"]["error"]["error"]["type"] == "overloaded_error"
    assert found["item-1"]["error"]["error"]["details"]["error_code"] == "organization_on_hold"
    assert [found[f"item-{number}"]["type"] for number in (2, 3)] == ["errored", "succeeded"]


SENSELESS: list[tuple[object, str]] = [
    ({}, "requests: Field required"),
    ({"requests": []}, "requests: Field required"),
    ({"requests": [{"custom_id": "a b", "params": {}}]}, "should match pattern"),
    ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
    ({"requests": [{"custom_id": "a", "params": {}}] * 2}, "must be unique"),
    ({"requests": [{"custom_id": "a", "params": {}}] * 100_001}, "at most 100000 items"),
]


@pytest.mark.parametrize(("body", "said"), SENSELESS)
async def test_a_batch_that_makes_no_sense_is_refused(quick: "Api", body: object, said: str) -> None:
    response = await quick.call("POST", PATH, json=body)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]


async def test_a_batch_is_known_to_its_own_key_alone(quick: "Api") -> None:
    batch = await made(quick, requests("Hello"))
    other = {"x-api-key": "another"}
    assert (await quick.call("GET", f"{PATH}/{batch['id']}", headers=other)).status_code == 404
    assert (await quick.call("GET", PATH, headers=other)).json()["data"] == []


async def test_a_batch_can_be_deleted_when_it_has_ended(clock: FakeClock) -> None:
    api = Api(Simulator(clock=clock))
    batch = await made(api, requests("Hello"))
    path = f"{PATH}/{batch['id']}"
    assert (await api.call("DELETE", path)).status_code == 400
    clock.advance(60)
    assert (await api.call("DELETE", path)).json() == {"id": batch["id"], "type": "message_batch_deleted"}
    assert (await api.call("GET", path)).status_code == 404
    assert (await api.call("PATCH", path)).status_code == 404


async def test_the_list_of_batches_starts_with_the_newest_and_has_pages(quick: "Api") -> None:
    names = [(await made(quick, requests("Hello")))["id"] for _ in range(3)]
    assert len(set(names)) == 3
    page = (await quick.call("GET", f"{PATH}?limit=2")).json()
    assert [batch["id"] for batch in page["data"]] == names[:0:-1]
    rest = (await quick.call("GET", f"{PATH}?after_id={page['last_id']}")).json()
    assert [batch["id"] for batch in rest["data"]] == names[:1]


async def test_a_key_that_has_spent_too_much_makes_no_batch() -> None:
    api = Api(Simulator(time_scale=0, spend_limit=Decimal(0)))
    assert (await api.call("POST", PATH, json={"requests": requests("Hello")})).status_code == 429


async def test_a_reset_forgets_batches_too(quick: "Api") -> None:
    batch = await made(quick, requests("Hello"))
    quick.simulator.reset()
    assert quick.simulator.ledger == ()
    assert (await quick.call("GET", f"{PATH}/{batch['id']}")).status_code == 404


def test_the_official_sdk_makes_polls_lists_fetches_and_deletes_a_batch(simulator: RunningSimulator) -> None:
    simulator.simulator.fault(Fault(Status(529), path=ITEM, nth=2))
    asked = [
        Request(
            custom_id=f"item-{number}",
            params={
                "model": "claude-haiku-5-5",
                "max_tokens": 100,
                "messages": [{"role": "user", "content": f"Text {number}"}],
            },
        )
        for number in range(3)
    ]
    with anthropic.Anthropic(api_key="k", base_url=simulator.url, max_retries=0) as client:
        batch = client.messages.batches.create(requests=asked)
        while batch.processing_status != "ended":
            batch = client.messages.batches.retrieve(batch.id)
        assert [one.id for one in client.messages.batches.list()] == [batch.id]
        found = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
        assert client.messages.batches.cancel(batch.id).processing_status == "ended"
        assert client.messages.batches.delete(batch.id).id == batch.id
    assert [found[f"item-{number}"].type for number in range(3)] == ["succeeded", "errored", "succeeded"]
    first = found["item-0"]
    assert first.type == "succeeded"
    assert first.message.usage.service_tier == "batch"
    assert batch.request_counts.errored == 1
