"""Where the results of a batch are fetched: by the gateway that made it, however it is spoken to."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest

from holdfast.gateway.batch_links import address_of, with_own_links
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.money import dollars
from holdfast.settings import StoreConfig
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import ask

HERE = "http://here:4180"


@pytest.fixture
def gateway(simulator: RunningSimulator, tmp_path: Path) -> Iterator[RunningGateway]:
    settings = replace(
        quick_settings(simulator),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}"),
        budgets={"everybody": BudgetConfig(usd=Decimal(1), per="day")},
    )
    with serving(simulator, settings) as running:
        yield running


@pytest.mark.requirement("batch:gateway-links")
def test_the_official_sdk_fetches_results_here_and_they_are_settled(gateway: RunningGateway) -> None:
    with anthropic.Anthropic(base_url=gateway.url, api_key="local", max_retries=0) as client:
        made = client.messages.batches.create(
            requests=[
                {
                    "custom_id": "one",
                    "params": {
                        "model": "claude-haiku-5-5",
                        "max_tokens": 50,
                        "messages": [{"role": "user", "content": "hello"}],
                    },
                }
            ]
        )
        eventually(lambda: client.messages.batches.retrieve(made.id).processing_status == "ended")
        (found,) = client.messages.batches.results(made.id)
        assert found.result.type == "succeeded"
        (listed,) = client.messages.batches.list().data
    assert listed.results_url == f"{gateway.url}/v1/messages/batches/{made.id}/results"
    assert dollars(gateway.totals().cost_pico) == gateway.simulator.simulator.billed > 0
    ended = ask(gateway.url, method="GET", path=f"/v1/messages/batches/{made.id}").json
    assert ended["results_url"] == f"http://gateway/v1/messages/batches/{made.id}/results"  # its Host header


def linked(document: object) -> Any:
    return json.loads(with_own_links(json.dumps(document).encode(), HERE))


def test_a_link_leads_here_and_nothing_else_of_the_document_changes() -> None:
    batch = {
        "id": "msgbatch_1",
        "results_url": "https://api.anthropic.com/x",
        "more": {"results_url": "theirs"},
    }
    ours = {**batch, "results_url": f"{HERE}/v1/messages/batches/msgbatch_1/results"}
    assert linked(batch) == ours
    assert linked({"data": [batch, {"id": "a"}], "has_more": True}) == {
        "data": [ours, {"id": "a"}],
        "has_more": True,
    }


@pytest.mark.parametrize(
    "document",
    [
        b'{ "id" : "msgbatch_1" , "type":"message_batch_deleted" }',
        b"[]",
        b"no document",
        b"\xff\xfe",
        b'{"data": 3}',
        b'{"id": 3, "results_url": "x"}',
    ],
)
def test_what_is_no_batch_stays_as_it_came(document: bytes) -> None:
    assert with_own_links(document, HERE) == document


@pytest.mark.parametrize(
    "batch",
    [
        {"id": "msgbatch_1", "results_url": None},
        {"results_url": "https://api.anthropic.com/x"},
        {"id": "../../files", "results_url": "https://api.anthropic.com/x"},
    ],
)
def test_a_batch_that_has_not_ended_or_has_no_id_gets_no_link(batch: dict[str, object]) -> None:
    assert linked(batch) == batch


@pytest.mark.parametrize(
    ("headers", "scheme", "address"),
    [
        ({"host": "localhost:4180"}, "http", "http://localhost:4180/inner"),
        ({"host": "[::1]:4180"}, "https", "https://[::1]:4180/inner"),
        ({"host": "ai.example.com", "x-forwarded-proto": "https"}, "http", "https://ai.example.com/inner"),
        ({"host": "ai.example.com", "x-forwarded-proto": "http"}, "https", "https://ai.example.com/inner"),
        ({"host": "evil.com/x?"}, "http", ""),
        ({}, "http", ""),
    ],
)
def test_the_address_is_the_one_that_the_caller_used(
    headers: dict[str, str], scheme: str, address: str
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert address_of({"headers": raw, "scheme": scheme, "root_path": "/inner"}) == address
